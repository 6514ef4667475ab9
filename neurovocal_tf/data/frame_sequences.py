"""Frame sequences that are no sound, such as piano rolls, spike rasters and spectrograms made
elsewhere, from one .npz file.

The file holds `train`, `valid` and `test` [frames, V], sequences one after another, and
`train_lengths`, `valid_lengths` and `test_lengths` [sequences], which add up to them.
`frames_are`, a word, says what the units are; 88 zeros and ones a frame are "piano keys" unless it
says something else. Further arrays are passed over.
"""

import dataclasses
import functools
import hashlib
import os
from collections.abc import Mapping, Sequence

import numpy as np
import tensorflow as tf

from neurovocal_tf import array_files, files
from neurovocal_tf.audio.spectrogram import OwnUnit, PianoKeys
from neurovocal_tf.conditions import NO_CONDITIONS
from neurovocal_tf.labels import NO_LABELS
from neurovocal_tf.music.harmony import NUM_KEYS

SPLITS = ("train", "valid", "test")
#: What `frames_are` says of piano rolls.
PIANO_KEYS = "piano keys"


@dataclasses.dataclass(frozen=True, eq=False)
class FrameSplit:
    """The sequences of one split: `frames` [sum of L, V] of any real type, `lengths` int64 [S].

    A `sequence_data.SequenceData`, whose length is the number of sequences.
    `path` is that of its file; `scale` says what the frames are.
    """

    frames: np.ndarray
    lengths: np.ndarray
    path: str = ""
    scale: OwnUnit = OwnUnit()

    description = "frame sequences"
    sample_rate = 0
    sources = ()
    conditions = NO_CONDITIONS
    labels = NO_LABELS

    def __len__(self) -> int:
        return len(self.lengths)

    @property
    def num_visible(self) -> int:
        """V."""
        return self.frames.shape[1]

    @property
    def sizes(self) -> tuple[int, ...]:
        """See `SequenceData`: frames."""
        return tuple(self.lengths.tolist())

    def some(self, indices: Sequence[int]) -> "FrameSplit":
        """See `SequenceData`."""
        ends = np.cumsum(self.lengths)
        chosen = [self.frames[ends[i] - self.lengths[i] : ends[i]] for i in indices]
        frames = np.concatenate(chosen) if chosen else self.frames[:0]
        return dataclasses.replace(self, frames=frames, lengths=self.lengths[list(indices)])

    def check_unchanged(self, sequence_frames: Sequence[int]) -> None:
        """See `SequenceData`: the sequences must be as long as they were."""
        if tuple(self.lengths.tolist()) != tuple(sequence_frames):
            raise ValueError(
                "`frames` must hold the sequences this run began with. "
                f"Received: others, in frames={self.path}"
            )

    def sequences(self, order: tf.Tensor | None = None) -> tf.data.Dataset:
        """See `SequenceData`: every sequence begins where it begins."""
        frames, ends, lengths = self._tensors
        if order is not None:
            ends, lengths = tf.gather(ends, order), tf.gather(lengths, order)

        @tf.autograph.experimental.do_not_convert
        def sequence(first, last):
            return tf.ensure_shape(
                tf.cast(frames[first:last], tf.float32), [None, self.num_visible]
            ), tf.constant(True)

        return tf.data.Dataset.from_tensor_slices((ends - lengths, ends)).map(sequence)

    def labelled_sequences(self, order: tf.Tensor | None = None) -> tf.data.Dataset:
        """See `SequenceData`: nobody has labelled these."""

        @tf.autograph.experimental.do_not_convert
        def unlabelled(frames, is_start):
            return frames, is_start, tf.fill(tf.shape(frames)[:1], "")

        return self.sequences(order).map(unlabelled)

    @functools.cached_property
    def _tensors(self):
        # Made outside any graph, so that the frames are held once and not copied into each.
        with tf.init_scope():
            return (
                tf.constant(self.frames),
                tf.constant(np.cumsum(self.lengths)),
                tf.constant(self.lengths),
            )


def is_frame_file(path: str | os.PathLike[str]) -> bool:
    """Whether a path is that of frame sequences rather than of recordings, by its ending."""
    return os.fspath(path).endswith(".npz")


def read_frames(path: str | os.PathLike[str]) -> dict[str, FrameSplit]:
    """The three splits of a file.

    Returns:
        dict of "train", "valid", "test" -> `FrameSplit`.

    Raises:
        ValueError: there is no such file, it is damaged or pickled,
            or what it holds is not as above.
    """
    with _opened(path) as arrays:
        splits = {name: _split(path, name, arrays) for name in SPLITS}
        said = _array(path, "frames_are", arrays) if "frames_are" in arrays.files else None
    widths = {name: split.num_visible for name, split in splits.items()}
    if len(set(widths.values())) > 1:
        raise _bad(
            path,
            "splits of the same width",
            ", ".join(f"{name} of {width} units" for name, width in widths.items()),
        )
    scale = _scale(said, splits, path)
    return {name: dataclasses.replace(split, scale=scale) for name, split in splits.items()}


def write_once(
    path: str | os.PathLike[str], arrays: Mapping[str, np.ndarray], setting: str = "frames"
) -> None:
    """Writes arrays, which users know as `setting`, as a file of frame sequences, or leaves one of
    the same sequences as it is.

    Raises ValueError where the file holds others: what has learned from them is nothing without.
    """
    if not os.path.exists(path):
        os.makedirs(os.path.dirname(os.path.abspath(path)), exist_ok=True)
        with files.replacing(path) as temporary:
            np.savez_compressed(temporary, **arrays)
        return
    before = read_frames(path)
    if not all(
        np.array_equal(before[name].frames, arrays[name])
        and np.array_equal(before[name].lengths, arrays[f"{name}_lengths"])
        for name in SPLITS
    ):
        raise ValueError(
            f"`{setting}` must hold the sequences that the run in `workdir` began with: others "
            f"belong in another. Received: others than those of {path}"
        )


def check_values(
    splits: Mapping[str, FrameSplit], visible_units: str, path: str | os.PathLike[str]
) -> None:
    """Raises ValueError where the values of a file's splits are none that the
    visible units can take.
    """
    for split in splits.values():
        _check_values(split.frames, visible_units, path)


def _check_values(frames, visible_units, path):
    if visible_units == "bernoulli" and not is_binary(frames):
        raise _bad(
            path,
            "zeros and ones for visible_units=bernoulli",
            f"{frames[(frames != 0) & (frames != 1)][0]:g}",
        )
    if visible_units == "mean_field" and not (frames.min() >= 0 and frames.max() <= 1):
        raise _bad(
            path,
            "values between 0 and 1 for visible_units=mean_field",
            f"{frames.min():g} to {frames.max():g}",
        )


def check_width(
    splits: Mapping[str, FrameSplit], num_visible: int, path: str | os.PathLike[str]
) -> None:
    """Raises ValueError where the splits of a file are not as wide as a model."""
    width = splits["train"].num_visible
    if width != num_visible:
        raise _bad(path, f"frames of {num_visible} units, as the model has", f"frames of {width}")


def digest_of(splits: Mapping[str, FrameSplit]) -> str:
    """What changes where any frame of a file's splits does, however the file packs them."""
    digest = hashlib.blake2b(digest_size=16)
    for name in SPLITS:
        for array in (splits[name].frames, splits[name].lengths):
            digest.update(f"{name} {array.dtype.str} {array.shape}".encode())
            digest.update(np.ascontiguousarray(array))
    return digest.hexdigest()


def is_binary(frames: np.ndarray) -> bool:
    """Whether all values of an array are 0 or 1."""
    return bool(np.all((frames == 0) | (frames == 1)))


def _opened(path):
    try:
        arrays = None if array_files.is_single_array(path) else np.load(path, allow_pickle=False)
    except FileNotFoundError:
        raise ValueError(
            f"`frames` must be an .npz file, and there is none. Received: frames={path}"
        ) from None
    except ValueError:
        raise _bad(path, "arrays", "pickled objects, which are never loaded") from None
    except Exception as error:
        raise _bad(path, "arrays", f"a damaged file ({error})") from None
    if arrays is None:
        raise _bad(path, "several arrays, as numpy.savez writes them", "a single one")
    return arrays


def _split(path, name, arrays):
    frames, lengths = _array(path, name, arrays), _array(path, f"{name}_lengths", arrays)
    if frames.ndim != 2 or frames.dtype.kind not in "buif":
        raise _bad(
            path, f"numbers [frames, V] under {name!r}", f"{frames.dtype} {list(frames.shape)}"
        )
    if lengths.ndim != 1 or lengths.dtype.kind not in "ui":
        raise _bad(
            path,
            f"whole numbers [sequences] under '{name}_lengths'",
            f"{lengths.dtype} {list(lengths.shape)}",
        )
    if not frames.size or not lengths.size:
        raise _bad(path, f"at least one frame under {name!r}", "an empty split")
    lengths = lengths.astype(np.int64)
    if lengths.min() < 1 or lengths.sum() != len(frames):
        found = (
            f"{len(lengths)} lengths, the shortest {lengths.min()}, which add up to "
            f"{lengths.sum()} of {len(frames)} frames"
        )
        raise _bad(path, f"lengths of at least 1 that add up to the frames of {name!r}", found)
    if not np.isfinite(frames).all():
        raise _bad(
            path,
            f"finite numbers under {name!r}",
            f"NaN or infinity in frame {np.argwhere(~np.isfinite(frames))[0, 0]}",
        )
    # Flags are numbers to all that follows.
    return FrameSplit(
        frames.astype(np.uint8) if frames.dtype.kind == "b" else frames, lengths, os.fspath(path)
    )


def _scale(said, splits, path):
    """What the frames are, by `frames_are` or, without it, by their looks."""
    are_like_keys = splits["train"].num_visible == NUM_KEYS and all(
        is_binary(split.frames) for split in splits.values()
    )
    if said is None:
        return PianoKeys() if are_like_keys else OwnUnit()
    if said.shape or said.dtype.kind != "U":
        raise _bad(path, "a word under 'frames_are'", f"{said.dtype} {list(said.shape)}")
    if str(said) != PIANO_KEYS:
        return OwnUnit()
    if not are_like_keys:
        raise _bad(
            path,
            f"{NUM_KEYS} zeros and ones a frame where 'frames_are' says {PIANO_KEYS}",
            f"{splits['train'].num_visible} units",
        )
    return PianoKeys()


def _array(path, name, arrays):
    if name not in arrays.files:
        raise _bad(path, f"an array {name!r}", ", ".join(arrays.files) or "no arrays")
    try:
        return array_files.checked_array(arrays, name)
    # Of a damaged file whatever the library meets first, see `array_files.read`.
    except Exception as error:
        raise _bad(path, f"plain numbers under {name!r}", array_files.reason(error)) from None


def _bad(path, wanted, found):
    return ValueError(f"`frames` must hold {wanted}. Received: {found}, in frames={path}")
