"""Files -> samples: what is there, what a header says, and one channel of float32 at one rate,
in blocks or as a whole.

Short 16-bit PCM WAV can be decoded inside a TensorFlow graph by tensorflow-io; libsndfile reads
everything else, and gives the same samples bit for bit. tensorflow-io reads some other WAV files
wrongly and without a word (32-bit integers as floats), so the header decides, once per file.
"""

import dataclasses
import functools
import itertools
import os
import struct
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING

import numpy as np
import soundfile
import soxr

from neurovocal_tf.audio import headers

if TYPE_CHECKING:
    import tensorflow as tf

TENSORFLOW_IO = "tensorflow_io"
LIBSNDFILE = "libsndfile"

_MIN_RATE_HZ, _MAX_RATE_HZ = 1_000, 10_000_000
_BLOCK_VALUES = 2**18
# libsndfile names formats, not extensions. Left out:
# .raw has no header, and .mat and .htk are seldom sound.
# fmt: off
_EXTENSIONS = frozenset((
    "wav", "wave", "bwf", "rf64", "w64", "aif", "aiff", "aifc", "au", "snd", "caf", "flac", "ogg",
    "oga", "opus", "mp3", "mp2", "mp1", "voc", "ircam", "sf", "nist", "sph", "pvf", "xi", "svx",
    "iff", "avr", "sds", "sd2", "paf", "mpc", "wve",
))
# fmt: on


class UnreadableRecording(ValueError):
    """A file that cannot be used as a recording; the message is the reason, in one line,
    without the file's name.
    """


@dataclasses.dataclass(frozen=True)
class Recording:
    """What a file's header says.

    Attributes:
        path: the file.
        sample_rate: Hz, of the sound: of the file, times its time expansion.
        num_channels: channels.
        num_samples: samples in each channel, at `sample_rate`.
        decoder: "tensorflow_io" for short, well-formed 16-bit PCM WAV, else "libsndfile".
        is_cut_off: whether the file ends before its header says.
    """

    path: str
    sample_rate: int
    num_channels: int
    num_samples: int
    decoder: str
    is_cut_off: bool = False

    @property
    def duration_s(self) -> float:
        """Length in seconds."""
        return self.num_samples / self.sample_rate

    def rate_at(self, sample_rate: int) -> int:
        """Hz of the samples that `read` gives at a setting of `sample_rate`:
        0 means the recording's own rate.
        """
        return sample_rate or self.sample_rate

    def decoder_at(self, sample_rate: int) -> str:
        """The decoder to name to `read_in_graph`, where nothing resamples in the graph:
        0 means the file's own rate.
        """
        return self.decoder if self.rate_at(sample_rate) == self.sample_rate else LIBSNDFILE


def list_recordings(data_dir: str | os.PathLike[str]) -> list[str]:
    """Paths of all audio files in a folder and the folders below it, sorted; of a file, that file.

    What counts is the extension, in upper or lower case, of a format that libsndfile reads. Hidden
    files and folders are left out.

    Raises: ValueError if there is no such folder, or no audio in it.
    """
    if os.path.isfile(data_dir):
        return [os.fspath(data_dir)]
    if not os.path.isdir(data_dir):
        raise ValueError(
            "`data_dir` must be a folder of recordings, and there is no such folder. "
            f"Received: data_dir={data_dir}"
        )
    files, others = [], 0
    for folder, subfolders, names in os.walk(data_dir):
        subfolders[:] = sorted(name for name in subfolders if not name.startswith("."))
        visible = [name for name in names if not name.startswith(".")]
        audio = [name for name in visible if os.path.splitext(name)[1][1:].lower() in _EXTENSIONS]
        files += [os.path.join(folder, name) for name in audio]
        others += len(visible) - len(audio)
    if not files:
        found = (
            f"it holds no audio among {others} file{'s' * (others > 1)}"
            if others
            else "it is empty"
        )
        raise ValueError(
            f"`data_dir` must hold recordings (.wav, .flac, .ogg, .mp3, .aiff, ...), and {found}. "
            f"Received: data_dir={data_dir}"
        )
    return sorted(files)


def probe(path: str | os.PathLike[str], time_expansion: int = 1) -> Recording:
    """What the header of one file says, a `Recording`; no samples are read.

    Args:
        path: the file.
        time_expansion: int, by how much the sound was slowed down when the file was written.

    Raises: UnreadableRecording if it is not audio, has no samples, or a rate that is none.
    """
    path = os.fspath(path)
    with _opened(path) as file:
        sample_rate = file.samplerate * time_expansion
        if not _MIN_RATE_HZ <= sample_rate <= _MAX_RATE_HZ:
            raise UnreadableRecording(
                f"its sample rate is {sample_rate} Hz; must be between 1 kHz and 10 MHz"
            )
        if file.frames <= 0:
            raise UnreadableRecording("holds no samples")
        plain = file.format == "WAV" and file.subtype == "PCM_16" and headers.is_canonical_wav(path)
        decoder = TENSORFLOW_IO if plain else LIBSNDFILE
        return Recording(
            path, sample_rate, file.channels, file.frames, decoder, headers.is_cut_off(path)
        )


def read(
    recording: Recording | str | os.PathLike[str],
    channel: str = "mean",
    sample_rate: int = 0,
    time_expansion: int = 1,
) -> np.ndarray:
    """Samples of one channel of a recording as a whole.

    Args:
        recording: `Recording`, or a path.
        channel: "mean" of all; "loudest", the one with the largest RMS;
            or a number counted from 0, as text.
        sample_rate: Hz to resample to (soxr, high quality); 0: the sound's own.
        time_expansion: as for `probe`.

    Returns: NumPy float32 `[N]`; full scale is 1. Of a truncated file, what is there.

    Raises: UnreadableRecording if it cannot be decoded, has no such channel or no samples,
        or holds NaN or infinite ones.
    """
    return np.concatenate(list(blocks(recording, channel, sample_rate, time_expansion)))


def blocks(
    recording: Recording | str | os.PathLike[str],
    channel: str = "mean",
    sample_rate: int = 0,
    time_expansion: int = 1,
    block_values: int = _BLOCK_VALUES,
) -> Iterator[np.ndarray]:
    """Samples of one channel of a recording, block after block, each a NumPy float32 `[n]`: in
    bounded memory what `read` gives.

    Args:
        recording, channel, sample_rate, time_expansion: as for `read`.
        block_values: how many values are decoded at once, of all channels together.

    Raises: as `read`, when the blocks are gone through.
    """
    path = recording.path if isinstance(recording, Recording) else recording
    if channel == "loudest":
        channel = _loudest_channel(path, block_values)
    with _opened(path) as file:
        own_rate = file.samplerate * time_expansion
        mono = (_one_channel(block, channel) for block in _decoded(file, block_values))
        if sample_rate in (0, own_rate):
            yield from mono
        else:
            yield from _resampled(mono, own_rate, sample_rate)


def _decoded(file: soundfile.SoundFile, block_values: int) -> Iterator[np.ndarray]:
    """Blocks of all channels, float32 [n, C], n > 0."""
    num_frames, some = max(block_values // file.channels, 1), False
    while True:
        try:
            block = file.read(num_frames, dtype="float32", always_2d=True)
        except soundfile.LibsndfileError as error:
            if some:
                # A file damaged in the middle is read as far as it goes.
                return
            raise UnreadableRecording(_reason(error)) from None
        if not len(block):
            break
        if not np.isfinite(block).all():
            raise UnreadableRecording("holds NaN or infinite samples")
        some = True
        yield block
    if not some:
        raise UnreadableRecording("holds no samples")


def _resampled(mono: Iterable[np.ndarray], own_rate: int, sample_rate: int) -> Iterator[np.ndarray]:
    # The stream gives the same samples whatever the blocks are, and the same as all at once.
    stream, some = soxr.ResampleStream(own_rate, sample_rate, 1, dtype="float32"), False
    for block in itertools.chain(mono, [None]):
        resampled = stream.resample_chunk(
            np.zeros(0, np.float32) if block is None else block, last=block is None
        )
        if len(resampled):
            some = True
            yield resampled
    if not some:
        raise UnreadableRecording(f"too short to resample from {own_rate} Hz to {sample_rate} Hz")


def read_in_graph(
    path: "str | tf.Tensor",
    decoder: "str | tf.Tensor",
    channel: str = "mean",
    sample_rate: int = 0,
    time_expansion: int = 1,
) -> "tf.Tensor":
    """Samples of one channel, as `read` gives them, for `tf.data.Dataset.map`.

    Args:
        path: scalar string tensor.
        decoder: scalar string tensor, `recording.decoder_at(sample_rate)`: "tensorflow_io" decodes
            inside the graph, "libsndfile" calls `read`. Where tensorflow-io does not load, `read`
            serves both.
        channel, sample_rate, time_expansion: as for `read`; Python values.

    Returns: float32 tensor `[N]`, N unknown.

    Raises: what `read` raises, when the dataset is iterated, as `tf.errors.OpError`:
        probe and read beforehand.
    """
    import tensorflow as tf  # here, for those who need none

    def with_libsndfile() -> "tf.Tensor":
        def samples_of(path: np.ndarray | bytes) -> np.ndarray:
            # Bytes in a graph, a zero-dimensional array of them without one.
            return read(os.fsdecode(np.asarray(path).item()), channel, sample_rate, time_expansion)

        return tf.ensure_shape(tf.numpy_function(samples_of, [path], tf.float32), [None])

    decode_wav = _tensorflow_io_decoder()
    if decode_wav is None:
        return with_libsndfile()

    def in_graph() -> "tf.Tensor":
        pcm = decode_wav(tf.io.read_file(path), dtype=tf.int16)
        return one_channel_in_graph(tf.cast(pcm, tf.float32) / 32768.0, channel)

    return tf.cond(tf.equal(decoder, TENSORFLOW_IO), in_graph, with_libsndfile)


def one_channel_in_graph(samples: "tf.Tensor", channel: str) -> "tf.Tensor":
    """One channel of samples, as `read` makes it, equal bit for bit for 16-bit ones.

    Args:
        samples: float32 tensor [N, C].    channel: as for `read`; a number must be below C.

    Returns: float32 [N].
    """
    import tensorflow as tf  # here, for those who need none

    if channel == "mean":
        return tf.reduce_sum(samples, axis=1) / tf.cast(tf.shape(samples)[1], tf.float32)
    if channel == "loudest":
        # A slice: gathering along the last axis would look up sample after sample.
        return samples[:, tf.argmax(tf.reduce_sum(tf.square(tf.cast(samples, tf.float64)), axis=0))]
    return samples[:, int(channel)]


def _one_channel(samples: np.ndarray, channel: str) -> np.ndarray:
    num_channels = samples.shape[1]
    if channel == "mean":
        # A sum of 16-bit samples is exact, whatever its order;
        # a library's mean may multiply by a rounded 1 / C.
        return np.sum(samples, axis=1) / np.float32(num_channels)
    if not channel.isdigit() or int(channel) >= num_channels:
        raise UnreadableRecording(
            f"has {num_channels} channels, counted from 0, and no channel {channel}"
        )
    return np.ascontiguousarray(samples[:, int(channel)])


def _loudest_channel(path: str | os.PathLike[str], block_values: int) -> str:
    """The channel with the largest sum of squares, as text."""
    with _opened(path) as file:
        if file.channels == 1:
            return "0"
        energies = sum(
            np.sum(np.square(block, dtype=np.float64), axis=0)
            for block in _decoded(file, block_values)
        )
    return str(np.argmax(energies))


def _opened(path: str | os.PathLike[str]) -> soundfile.SoundFile:
    if not os.path.isfile(path):
        raise UnreadableRecording("is not there")
    if os.path.getsize(path) == 0:
        raise UnreadableRecording("is an empty file")
    try:
        return soundfile.SoundFile(path)
    except (soundfile.LibsndfileError, OSError, TypeError) as error:
        raise UnreadableRecording(_reason(error)) from None


def _reason(error: Exception) -> str:
    text = getattr(error, "error_string", None) or str(error) or type(error).__name__
    if text.startswith("Format not recognised"):
        return "is not audio that libsndfile reads"
    if "SF_INFO" in text:
        return "its header names no sample rate or no channels"
    return f"cannot be decoded: {' '.join(text.split()).rstrip('.')}"


@functools.cache
def _tensorflow_io_decoder() -> "Callable[..., tf.Tensor] | None":
    """tensorflow-io's WAV decoder, or None where it is not installed or does not load
    with this TensorFlow.
    """
    silence = struct.pack(
        "<4sI8sIHHIIHH4sI2h",
        b"RIFF",
        40,
        b"WAVEfmt ",
        16,
        1,
        1,
        8000,
        16000,
        2,
        16,
        b"data",
        4,
        0,
        0,
    )
    try:
        import tensorflow as tf
        import tensorflow_io

        with tf.init_scope():
            tensorflow_io.audio.decode_wav(silence, dtype=tf.int16)
        return tensorflow_io.audio.decode_wav
    # A library built for another TensorFlow fails in as many ways as there are versions;
    # libsndfile reads all it could.
    except Exception:
        return None
