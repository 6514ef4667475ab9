"""WAV files <-> samples inside a TensorFlow graph, of TensorFlow's own ops,
without an error for any content.

`tf.audio.decode_wav` fails the whole batch for one bad file, and reads 16 bit only.
Source: Microsoft & IBM, "Multimedia Programming Interface and Data Specifications 1.0" (1991);
    WAVE_FORMAT_EXTENSIBLE (2001).
"""

from collections.abc import Callable

import tensorflow as tf

from neurovocal_tf.audio import readers
from neurovocal_tf.status import Status

_PCM, _FLOAT, _EXTENSIBLE = 1, 3, 0xFFFE
_FMT_SIZE = 16
# Recorders write a few; a file of nothing but empty chunks would keep the others
# of its batch waiting.
_MAX_CHUNKS = 256
# A header field may reach this far past the last byte.
_MARGIN = 64
# Full scale is 1; what floats beyond this are is no sound.
_LARGEST_SAMPLE = 1e3
_LOUDEST = 0.99


def first_status(*cases: tuple[Status | tf.Tensor, bool | tf.Tensor]) -> tf.Tensor:
    """The `Status` of the first case that holds, fine if none does.

    Args:
        cases: pairs of a `Status`, or an integer tensor that holds one, and whether it holds, a
            bool or a bool tensor [].

    Returns: int32 [].
    """
    first = tf.constant(int(Status.FINE))
    for status, holds in reversed(cases):
        first = tf.where(holds, tf.cast(status, tf.int32), first)
    return first


def decode(
    contents: tf.Tensor, sample_rate: float, channel: str, max_samples: int, time_expansion: int = 1
) -> tuple[tf.Tensor, tf.Tensor]:
    """Samples of one channel of a WAV file: PCM of 8, 16, 24 or 32 bits, or 32-bit floats.

    Args:
        contents: scalar string tensor, the file's bytes, any bytes at all.
            Of a truncated file, what is there counts.
        sample_rate: Hz, of the sound, the only rate taken.
        channel, time_expansion: as for `readers.read`.
        max_samples: int, the most samples taken.

    Returns:
        (samples float32 [N], full scale is 1,
        empty unless the status is fine or cleaned; `Status` int32 []).
    """
    contents = tf.io.decode_raw(contents, tf.uint8)
    size = tf.size(contents, out_type=tf.int64)
    contents = tf.pad(contents, [[0, _MARGIN]])

    def number(position, num_bytes):
        """Unsigned and little-endian; 0 past the end."""
        first = tf.minimum(position, size)
        values = tf.constant([256**i for i in range(num_bytes)], tf.int64)
        return tf.reduce_sum(tf.cast(contents[first : first + num_bytes], tf.int64) * values)

    fmt, data, data_size = _chunks(number, size)
    coding, num_channels, rate = number(fmt, 2), number(fmt + 2, 2), number(fmt + 4, 4)
    block, bits = number(fmt + 12, 2), number(fmt + 14, 2)
    # The coding of an extensible header is the beginning of its sub-format.
    coding = tf.where(coding == _EXTENSIBLE, number(fmt + 24, 2), coding)
    is_float = (coding == _FLOAT) & (bits == 32)
    is_pcm = (coding == _PCM) & tf.reduce_any(bits == [8, 16, 24, 32])
    is_known = (is_float | is_pcm) & (num_channels > 0) & (block * 8 == num_channels * bits)
    num_samples = tf.minimum(data_size, size - data) // tf.maximum(block, 1)
    first_channel = int(channel) if channel.isdigit() else 0
    status = first_status(
        (
            Status.NOT_WAV,
            ~_is_riff(number) | (fmt == 0) | (data == 0) | (is_known & (num_samples < 1)),
        ),
        (Status.UNSUPPORTED, ~is_known),
        (Status.WRONG_RATE, rate * time_expansion != int(sample_rate)),
        (Status.NO_CHANNEL, num_channels <= first_channel),
        (Status.TOO_LONG, num_samples > max_samples),
    )
    usable = status == Status.FINE
    shape = tf.where(
        usable,
        tf.stack([num_samples, num_channels, bits // 8]),
        tf.constant([0, first_channel + 1, 4], tf.int64),
    )
    samples = contents[data : data + tf.reduce_prod(shape)]
    samples = readers.one_channel_in_graph(
        _full_scale(tf.reshape(samples, shape), is_float), channel
    )
    is_sane = tf.abs(samples) <= _LARGEST_SAMPLE
    status = tf.where(tf.reduce_all(is_sane), status, Status.CLEANED)
    return tf.where(is_sane, samples, 0.0), status


def _is_riff(number: Callable[[tf.Tensor, int], tf.Tensor]) -> tf.Tensor:
    return (number(tf.constant(0, tf.int64), 4) == _tag("RIFF")) & (
        number(tf.constant(8, tf.int64), 4) == _tag("WAVE")
    )


def _chunks(
    number: Callable[[tf.Tensor, int], tf.Tensor], size: tf.Tensor
) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
    """Where the bodies of the chunks `fmt ` and `data` begin, 0 if there is none before it, and how
    long the latter says it is.
    """

    def is_before_data(count, position, fmt, data, data_size):
        return (data == 0) & (position + 8 <= size) & (count < _MAX_CHUNKS)

    def step(count, position, fmt, data, data_size):
        tag, length, body = number(position, 4), number(position + 4, 4), position + 8
        is_data = (tag == _tag("data")) & (fmt > 0)
        fmt = tf.where((tag == _tag("fmt ")) & (length >= _FMT_SIZE), body, fmt)
        # Chunks begin at even places.
        return (
            count + 1,
            body + length + length % 2,
            fmt,
            tf.where(is_data, body, data),
            tf.where(is_data, length, data_size),
        )

    nothing = tf.constant(0, tf.int64)
    loop = (tf.constant(0), tf.constant(12, tf.int64), nothing, nothing, nothing)
    return tf.while_loop(is_before_data, step, loop)[2:]


def _full_scale(samples: tf.Tensor, is_float: tf.Tensor) -> tf.Tensor:
    """Little-endian bytes uint8 [N, C, W] -> float32 [N, C]."""
    width = tf.shape(samples)[2]
    # At the upper end of a word of 32 bits every width has the same full scale.
    words = tf.bitcast(
        tf.ensure_shape(tf.pad(samples, [[0, 0], [0, 0], [4 - width, 0]]), [None, None, 4]),
        tf.int32,
    )
    # Eight bits are the only width counted from 0.
    words = tf.bitwise.bitwise_xor(words, tf.where(width == 1, tf.int32.min, 0))
    return tf.where(is_float, tf.bitcast(words, tf.float32), tf.cast(words, tf.float32) * 2.0**-31)


def _tag(text: str) -> int:
    return int.from_bytes(text.encode("ascii"), "little")


def encode(samples: tf.Tensor, sample_rate: int | tf.Tensor) -> tf.Tensor:
    """A WAV file of 16 bit and one channel, turned down if it would clip.

    Args:
        samples: float32 [N], full scale is 1.    sample_rate: Hz, a number or a scalar tensor.

    Returns:
        The file's bytes, scalar string.
    """
    peak = tf.reduce_max(tf.abs(samples))
    quiet_enough = samples * tf.where(peak > _LOUDEST, _LOUDEST / peak, 1.0)
    # The op cuts off what is below a step; of whole steps there is nothing to cut.
    steps = tf.round(quiet_enough * 32768.0) / 32768.0
    return tf.audio.encode_wav(steps[:, tf.newaxis], sample_rate)
