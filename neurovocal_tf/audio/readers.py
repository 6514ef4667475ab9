"""Files -> samples: what a header says, and one channel of float32 at one rate,
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
import soxr

from neurovocal_tf.audio import decoders, full_scale, headers
from neurovocal_tf.audio.decoders import FFMPEG, LIBSNDFILE
from neurovocal_tf.audio.unreadable import UnreadableRecording

if TYPE_CHECKING:
    import tensorflow as tf

TENSORFLOW_IO = "tensorflow_io"

MIN_RATE_HZ, MAX_RATE_HZ = 1_000, 10_000_000
_BLOCK_VALUES = 2**18
# Encoders of lossy formats pad by a frame or so.
_LEAST_SHARE = 0.99


@dataclasses.dataclass(frozen=True)
class Recording:
    """What a file's header says.

    Attributes:
        path: the file.
        sample_rate: Hz, of the sound: of the file, times its time expansion.
        num_channels: channels.
        num_samples: samples in each channel, at `sample_rate`.
        decoder: "tensorflow_io" for short, well-formed 16-bit PCM WAV, else "libsndfile", or
            "ffmpeg" where that does not read it.
        is_cut_off: whether the file ends before its header says.
        surplus: what it holds beyond what its header says, as words that follow its name, or "".
    """

    path: str
    sample_rate: int
    num_channels: int
    num_samples: int
    decoder: str
    is_cut_off: bool = False
    surplus: str = ""

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

    def note(self, duration_s: float) -> str:
        """What the user should know of it after so many seconds were read, or ""."""
        if self.is_cut_off:
            return f"is cut off: read as far as it goes, {duration_s:.3f} s"
        if self.surplus:
            return f"{self.surplus}: read to its end, {duration_s:.3f} s"
        # What ffmpeg says beforehand is that of the container, whose streams may begin later.
        slack_s = 0.5 if self.decoder == FFMPEG else 1 / self.sample_rate
        if duration_s < _LEAST_SHARE * self.duration_s - slack_s:
            return f"is damaged: read as far as it can be decoded, {duration_s:.3f} s"
        return ""


def probe(path: str | os.PathLike[str], time_expansion: int = 1) -> Recording:
    """What the header of one file says, a `Recording`; no samples are read.

    Args:
        path: the file.
        time_expansion: int, by how much the sound was slowed down when the file was written.

    Raises: UnreadableRecording if it is not audio, has no samples, or a rate that is none.
    """
    path = os.fspath(path)
    with decoders.opened(path) as sound:
        sample_rate = sound.sample_rate * time_expansion
        if not MIN_RATE_HZ <= sample_rate <= MAX_RATE_HZ:
            raise UnreadableRecording(
                f"its sample rate is {sample_rate} Hz; must be between 1 kHz and 10 MHz"
            )
        if sound.num_samples <= 0:
            raise UnreadableRecording("holds no samples")
        plain = sound.is_pcm_16 and headers.is_canonical_wav(path)
        return Recording(
            path,
            sample_rate,
            sound.num_channels,
            sound.num_samples,
            TENSORFLOW_IO if plain else sound.decoder,
            sound.layout.is_cut_off,
            sound.layout.surplus,
        )


def read(
    recording: Recording | str | os.PathLike[str],
    channel: str = "mean",
    sample_rate: int = 0,
    time_expansion: int = 1,
    float_scale: float = 1.0,
) -> np.ndarray:
    """Samples of one channel of a recording as a whole.

    Args:
        recording: `Recording`, or a path.
        channel: "mean" of all; "loudest", the one with the largest RMS;
            or a number counted from 0, as text.
        sample_rate: Hz to resample to (soxr, high quality); 0: the sound's own.
        time_expansion: as for `probe`.
        float_scale: full scale of a file of floating-point numbers.

    Returns: NumPy float32 `[N]`; full scale is 1. Of a truncated file, what is there.

    Raises: UnreadableRecording if it cannot be decoded, has no such channel or no samples,
        or holds absurd ones (see `full_scale`).
    """
    return np.concatenate(
        list(blocks(recording, channel, sample_rate, time_expansion, float_scale))
    )


def blocks(
    recording: Recording | str | os.PathLike[str],
    channel: str = "mean",
    sample_rate: int = 0,
    time_expansion: int = 1,
    float_scale: float = 1.0,
    block_values: int = _BLOCK_VALUES,
) -> Iterator[np.ndarray]:
    """Samples of one channel of a recording, block after block, each a NumPy float32 `[n]`: in
    bounded memory what `read` gives.

    Args:
        recording, channel, sample_rate, time_expansion, float_scale: as for `read`.
        block_values: how many values are decoded at once, of all channels together.

    Raises: as `read`, when the blocks are gone through.
    """
    path = recording.path if isinstance(recording, Recording) else recording
    if channel == "loudest":
        channel = _loudest_channel(path, float_scale, block_values)
    with decoders.opened(path) as sound:
        own_rate = sound.sample_rate * time_expansion
        decoded = _decoded(sound, float_scale, block_values)
        mono = (one_channel(block, channel) for block in decoded)
        if sample_rate in (0, own_rate):
            yield from mono
        else:
            yield from _resampled(mono, own_rate, sample_rate)


def _decoded(sound: decoders.Sound, float_scale: float, block_values: int) -> Iterator[np.ndarray]:
    """Blocks of all channels, float32 [n, C], n > 0."""
    num_samples, some = max(block_values // sound.num_channels, 1), False
    absurd = full_scale.Absurd()
    while True:
        try:
            block = sound.read(num_samples)
        except decoders.DamagedSound as reason:
            if some:
                # A file damaged in the middle is read as far as it goes.
                break
            raise UnreadableRecording(str(reason)) from None
        if not len(block):
            break
        if sound.is_float and float_scale != 1:
            block = block / np.float32(float_scale)
        some = True
        absurd.take(block)
        # Of a file that will be refused, the rest is only counted.
        if not absurd.some:
            yield block
    if absurd.some:
        raise UnreadableRecording(absurd.reason(sound.is_float))
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
    float_scale: float = 1.0,
) -> "tf.Tensor":
    """Samples of one channel, as `read` gives them, for `tf.data.Dataset.map`.

    Args:
        path: scalar string tensor.
        decoder: scalar string tensor, `recording.decoder_at(sample_rate)`: "tensorflow_io" decodes
            inside the graph, "libsndfile" calls `read`. Where tensorflow-io does not load, `read`
            serves both.
        channel, sample_rate, time_expansion, float_scale: as for `read`; Python values.

    Returns: float32 tensor `[N]`, N unknown.

    Raises: what `read` raises, when the dataset is iterated, as `tf.errors.OpError`:
        probe and read beforehand.
    """
    import tensorflow as tf  # here, for those who need none

    def with_libsndfile() -> "tf.Tensor":
        def samples_of(path: np.ndarray | bytes) -> np.ndarray:
            # Bytes in a graph, a zero-dimensional array of them without one.
            name = os.fsdecode(np.asarray(path).item())
            return read(name, channel, sample_rate, time_expansion, float_scale)

        return tf.ensure_shape(tf.numpy_function(samples_of, [path], tf.float32), [None])

    decode_wav = _tensorflow_io_decoder()
    if decode_wav is None:
        return with_libsndfile()

    def in_graph() -> "tf.Tensor":
        pcm = decode_wav(tf.io.read_file(path), dtype=tf.int16)
        return one_channel_in_graph(tf.cast(pcm, tf.float32) / 32768.0, channel)

    return tf.cond(tf.equal(decoder, TENSORFLOW_IO), in_graph, with_libsndfile)


def decodes_in_graph() -> bool:
    """Whether tensorflow-io is installed and loads, which it does with TensorFlow 2.16 and 2.17."""
    return _tensorflow_io_decoder() is not None


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


def one_channel(samples: np.ndarray, channel: str) -> np.ndarray:
    """One channel of samples in memory, as `read` makes it.  [N, C] -> [N]

    Raises: UnreadableRecording if there is no such channel.
    """
    num_channels = samples.shape[1]
    if channel == "mean":
        # A sum of 16-bit samples is exact, whatever its order;
        # a library's mean may multiply by a rounded 1 / C.
        return np.sum(samples, axis=1) / np.float32(num_channels)
    if channel == "loudest":
        channel = str(np.argmax(np.sum(np.square(samples, dtype=np.float64), axis=0)))
    if not channel.isdigit() or int(channel) >= num_channels:
        raise UnreadableRecording(
            f"has {num_channels} channels, counted from 0, and no channel {channel}"
        )
    return np.ascontiguousarray(samples[:, int(channel)])


def _loudest_channel(path: str | os.PathLike[str], float_scale: float, block_values: int) -> str:
    """The channel with the largest sum of squares, as text."""
    with decoders.opened(path) as sound:
        if sound.num_channels == 1:
            return "0"
        energies = sum(
            np.sum(np.square(block, dtype=np.float64), axis=0)
            for block in _decoded(sound, float_scale, block_values)
        )
    return str(np.argmax(energies))


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
