"""Sequences of frames -> batches of windows, to train and to validate."""

from collections.abc import Sequence

import numpy as np
import tensorflow as tf

from neurovocal_tf.config import Config
from neurovocal_tf.data.sequence_data import SequenceData

_GRAPH_SEED = 1
_SHUFFLE_WINDOWS = 4096  # with fewer, batches would hold many windows of one recording
# Of more frames than this, those windows are too small a part to mix recordings that lie together
# in a folder, such as one bird's: then recordings are mixed first.
_MIXED_BYTES = 2**30
# Nothing below is for AutoGraph to rewrite, and its search for what it could takes as long
# as building the graphs.
_as_it_is = tf.autograph.experimental.do_not_convert


def num_windows(
    num_frames: int | np.ndarray | tf.Tensor, window_frames: int
) -> np.ndarray | tf.Tensor:
    """Windows that `random_onsets` lays over a sequence:
    one, or enough to have at least half a window to spare.

    Args:
        num_frames: frames of sequences, an integer array or tensor.    window_frames: int.
    """
    enough = (2 * num_frames + 3 * window_frames - 1) // (2 * window_frames)
    where = tf.where if tf.is_tensor(num_frames) else np.where
    return where(num_frames > window_frames, enough, 1)


def random_onsets(num_frames: tf.Tensor, window_frames: int, key: tf.Tensor) -> tf.Tensor:
    """First frames of windows that together hold every frame of a sequence,
    none reaching over its end.

    They follow one another without a gap from a random frame on, so that all of them begin
    elsewhere in every epoch, yet their number is fixed; at both ends they overlap as much as it
    takes to stay inside.

    Args:
        num_frames: int64 [], L.    window_frames: int, T.    key: int64 [2].

    Returns:
        int64 [num_windows(L, T)], the first of them 0 and the last L - T.
    """
    count = num_windows(num_frames, window_frames)
    spare = count * window_frames - num_frames
    shift = tf.random.stateless_uniform([], key, minval=0, maxval=spare + 1, dtype=tf.int64)
    return tf.clip_by_value(
        tf.range(count) * window_frames - shift, 0, tf.maximum(num_frames - window_frames, 0)
    )


def windows_of(
    frames: tf.Tensor, is_start: tf.Tensor, onsets: tf.Tensor, window_frames: int
) -> tf.data.Dataset:
    """The windows of a sequence that begin at `onsets`.

    Args:
        frames: [L, V].    is_start: bool [], whether the sequence begins with frame 0.
        onsets: int64 [W].    window_frames: int, T.

    Returns:
        Dataset of (frames [T, V], mask [T], is_start bool []); padding follows a window's frames.
    """
    num_frames = tf.shape(frames, out_type=tf.int64)[0]
    mask = tf.sequence_mask(num_frames - onsets, window_frames)
    # Padding by nothing copies nothing.
    padded = tf.pad(frames, [[0, tf.maximum(onsets[-1] + window_frames - num_frames, 0)], [0, 0]])
    windows = tf.gather(padded, onsets[:, tf.newaxis] + tf.range(window_frames, dtype=tf.int64))
    return tf.data.Dataset.from_tensor_slices(
        (windows, tf.cast(mask, tf.float32), is_start & (onsets == 0))
    )


def batches_of(windows: tf.data.Dataset, num_visible: int, config: Config) -> tf.data.Dataset:
    """Windows in batches of one static shape; the last is filled up with windows whose mask is
    empty, so that none is lost.
    """
    batch_size, window_frames = config.data.batch_size, config.data.window_frames
    empty = tf.data.Dataset.from_tensors(
        (tf.zeros([window_frames, num_visible]), tf.zeros([window_frames]), False)
    )
    return windows.concatenate(empty.repeat(batch_size - 1)).batch(batch_size, drop_remainder=True)


def training_dataset(
    data: SequenceData,
    config: Config,
    epoch: int | tf.Tensor | tf.Variable,
    sequence_frames: Sequence[int],
    shuffle_windows: int = _SHUFFLE_WINDOWS,
) -> tf.data.Dataset:
    """Shuffled batches of one epoch after another, without end,
    each a pure function of (seed, epoch).

    An epoch is begun while the one before it trains:
    filling the shuffle buffer would let the model wait.

    Args:
        data: a `sequence_data.SequenceData`.    config: `Config`.
        epoch: scalar integer variable or tensor, the first epoch,
            read whenever the dataset is iterated anew.
        sequence_frames: ints, frames of each sequence:
            they tell the number of batches, and whether all fit the cache.
        shuffle_windows: windows in the shuffle buffer.

    Returns:
        Dataset of (frames [B, T, V], mask [B, T], is_start bool [B]), `num_batches` to an epoch.
    """
    width = data.num_visible
    window_frames, seed = config.data.window_frames, config.training.seed
    # Kept or read anew, the order is the same, so that weights do not depend on the memory.
    sequences = data.sequences(_order(data, sequence_frames, seed))
    if _fits_cache(sequence_frames, width, config):
        sequences = sequences.cache()

    @_as_it_is
    def one_epoch(number):
        # This graph's own: a global seed would change the order,
        # and TensorFlow compares a global 0 with the tensor below.
        tf.compat.v1.set_random_seed(_GRAPH_SEED)
        key = tf.stack([tf.constant(seed, tf.int64), number])

        @_as_it_is
        def cut(index, sequence):
            frames, is_start = sequence
            onsets = random_onsets(
                tf.shape(frames, out_type=tf.int64)[0], window_frames, key + [index, 0]
            )
            return windows_of(frames, is_start, onsets, window_frames)

        windows = sequences.enumerate().flat_map(cut)
        shuffled = windows.shuffle(
            shuffle_windows, seed=key[0] * 1_000_003 + key[1], reshuffle_each_iteration=False
        )
        # Fewer would pass for those of the epoch after it.
        return batches_of(shuffled, width, config).apply(
            tf.data.experimental.assert_cardinality(num_batches(sequence_frames, config))
        )

    first = tf.data.Dataset.from_tensors(0)
    epochs = first.flat_map(
        _as_it_is(lambda _: tf.data.Dataset.range(tf.cast(epoch, tf.int64), tf.int64.max))
    )
    return epochs.flat_map(one_epoch).prefetch(tf.data.AUTOTUNE)


def validation_dataset(
    data: SequenceData, config: Config, sequence_frames: Sequence[int]
) -> tf.data.Dataset:
    """Batches of fixed, non-overlapping windows, in order.

    Args:
        data: a `sequence_data.SequenceData`.    config: `Config`.
        sequence_frames: ints, frames of each sequence.

    Returns:
        Dataset of (frames [B, T, V], mask [B, T], is_start bool [B]).
    """
    window_frames = config.data.window_frames

    @_as_it_is
    def cut(frames, is_start):
        onsets = tf.range(0, tf.shape(frames, out_type=tf.int64)[0], window_frames)
        return windows_of(frames, is_start, onsets, window_frames)

    width = data.num_visible
    kept = data.sequences()
    if _fits_cache(sequence_frames, width, config):
        kept = kept.cache()
    batches = batches_of(kept.flat_map(cut), width, config)
    windows = sum(-(-num_frames // window_frames) for num_frames in sequence_frames)
    return batches.apply(
        tf.data.experimental.assert_cardinality(-(-windows // config.data.batch_size))
    ).prefetch(tf.data.AUTOTUNE)


def is_read_again(data: SequenceData, config: Config, sequence_frames: Sequence[int]) -> bool:
    """Whether sequences of so many frames are read anew in every epoch, from what they are made
    of.
    """
    return not _fits_cache(sequence_frames, data.num_visible, config)


def _fits_cache(sequence_frames, width, config):
    return _num_bytes(sequence_frames, width) <= config.execution.cache_mb * 2**20


def _order(data, sequence_frames, seed):
    """The order in which sequences are read in every epoch; None: as given."""
    if _num_bytes(sequence_frames, data.num_visible) <= _MIXED_BYTES:
        return None
    return tf.constant(np.random.default_rng(seed).permutation(len(data)), tf.int32)


def _num_bytes(sequence_frames, width):
    return sum(sequence_frames) * width * 4


def num_batches(sequence_frames: Sequence[int], config: Config) -> int:
    """Batches of a training epoch over sequences of so many frames.  int"""
    windows = num_windows(np.asarray(sequence_frames), config.data.window_frames).sum()
    return int(-(-windows // config.data.batch_size))
