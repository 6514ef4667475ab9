"""WAV files <-> samples inside a TensorFlow graph, of TensorFlow's own ops,
without an error for any content.

`tf.audio.decode_wav` fails the whole batch for one bad file, and reads 16 bit only.
Source: Microsoft & IBM, "Multimedia Programming Interface and Data Specifications 1.0" (1991);
    WAVE_FORMAT_EXTENSIBLE (2001).
"""

from collections.abc import Callable

import numpy as np
import tensorflow as tf

from neurovocal_tf.audio import chunked, full_scale, layout, readers
from neurovocal_tf.status import Status

_PCM, _FLOAT, _EXTENSIBLE = 1, 3, 0xFFFE
_FMT_SIZE = 16
# Recorders write a few; a file of nothing but empty chunks would keep the others
# of its batch waiting.
_MAX_CHUNKS = 256
# A header field may reach this far past the last byte.
_MARGIN = 64
_HEADER = 8
_LOUDEST = 0.99
_IS_TEXT = np.isin(np.arange(256), list(layout.TEXT))


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
    contents: tf.Tensor,
    sample_rate: float,
    channel: str,
    max_samples: int,
    time_expansion: int = 1,
    float_scale: float = 1.0,
) -> tuple[tf.Tensor, tf.Tensor]:
    """Samples of one channel of a WAV file: PCM of 8, 16, 24 or 32 bits, or 32-bit floats.

    Args:
        contents: scalar string tensor, the file's bytes, any bytes at all.
            Of a truncated file, what is there counts, and of one whose header says less than it
            holds, all of it (see `chunked`).
        sample_rate: Hz, of the sound, the only rate taken.
        channel, time_expansion, float_scale: as for `readers.read`.
        max_samples: int, the most samples taken.

    Returns:
        (samples float32 [N], full scale is 1,
        empty unless the status is fine; `Status` int32 []).
    """
    contents = tf.io.decode_raw(contents, tf.uint8)
    size = tf.size(contents, out_type=tf.int64)
    contents = tf.pad(contents, [[0, _MARGIN]])

    def number(position, num_bytes):
        """Unsigned and little-endian; 0 past the end."""
        first = tf.minimum(position, size)
        values = tf.constant([256**i for i in range(num_bytes)], tf.int64)
        return tf.reduce_sum(tf.cast(contents[first : first + num_bytes], tf.int64) * values)

    fmt, data = _Chunks(contents, number, size).fmt_and_samples()
    coding, num_channels, rate = number(fmt, 2), number(fmt + 2, 2), number(fmt + 4, 4)
    block, bits = number(fmt + 12, 2), number(fmt + 14, 2)
    # The coding of an extensible header is the beginning of its sub-format.
    coding = tf.where(coding == _EXTENSIBLE, number(fmt + 24, 2), coding)
    is_float = (coding == _FLOAT) & (bits == 32)
    is_pcm = (coding == _PCM) & tf.reduce_any(bits == [8, 16, 24, 32])
    is_known = (is_float | is_pcm) & (num_channels > 0) & (block * 8 == num_channels * bits)
    num_samples = tf.size(data, out_type=tf.int64) // tf.maximum(block, 1)
    first_channel = int(channel) if channel.isdigit() else 0
    status = first_status(
        (
            Status.NOT_WAV,
            ~_is_riff(number) | (fmt == 0) | (tf.size(data) == 0) | (is_known & (num_samples < 1)),
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
    samples = tf.reshape(tf.pad(data, [[0, _MARGIN]])[: tf.reduce_prod(shape)], shape)
    samples = _full_scale(samples, is_float, float_scale)
    is_sane = tf.reduce_all(tf.abs(samples) <= full_scale.LARGEST_SAMPLE)
    status = first_status((status, ~usable), (Status.ABSURD, ~is_sane))
    samples = readers.one_channel_in_graph(samples, channel)
    return samples[: tf.where(is_sane, tf.size(samples), 0)], status


def _is_riff(number: Callable[[tf.Tensor, int], tf.Tensor]) -> tf.Tensor:
    return (number(tf.constant(0, tf.int64), 4) == _tag("RIFF")) & (
        number(tf.constant(8, tf.int64), 4) == _tag("WAVE")
    )


class _Chunks:
    """The chunks of a file, by the rules of `chunked`.

    Args:
        contents: uint8 [N + margin].    number: as in `decode`.    size: int64 [], N.
    """

    def __init__(
        self, contents: tf.Tensor, number: Callable[[tf.Tensor, int], tf.Tensor], size: tf.Tensor
    ) -> None:
        self._contents, self._number, self._size = contents, number, size
        self._known = tf.constant(
            [int.from_bytes(name, "little") for name in sorted(chunked.KNOWN_CHUNKS)], tf.int64
        )

    def fmt_and_samples(self) -> tuple[tf.Tensor, tf.Tensor]:
        """Where the body of the chunk `fmt ` begins, 0 if there is none before the samples; and the
        bytes of all samples, uint8 [M].
        """

        def goes_on(count, position, fmt, samples):
            return (position > 0) & (position + _HEADER <= self._size) & (count < _MAX_CHUNKS)

        def step(count, position, fmt, samples):
            tag, body, length, following = self._chunk(position)
            fmt = tf.where((tag == _tag("fmt ")) & (length >= _FMT_SIZE), body, fmt)
            is_data = (tag == _tag("data")) & (fmt > 0)
            following, samples = tf.cond(
                is_data,
                lambda: self._with(samples, body, length, self._number(fmt + 12, 2)),
                lambda: (following, samples),
            )
            return count + 1, following, fmt, samples

        first, nothing = tf.constant(12, tf.int64), tf.constant(0, tf.int64)
        loop = (tf.constant(0), first, nothing, tf.zeros([0], tf.uint8))
        shapes = (tf.TensorShape([]),) * 3 + (tf.TensorShape([None]),)
        return tf.while_loop(goes_on, step, loop, shape_invariants=shapes)[2:]

    def _chunk(self, position):
        """Its tag, where its body begins, how long that says it is, and where the next one is."""
        tag, length, body = self._number(position, 4), self._number(position + 4, 4), position + 8
        # Chunks begin at even places.
        return tag, body, length, body + length + length % 2

    def _with(self, samples, body, length, block):
        """Where the next chunk is, 0 if none follows; and the samples with those of a chunk."""
        end = tf.minimum(body + length, self._size)
        after = end + length % 2
        following = tf.where(self._is_chunk(after), after, tf.where(self._is_chunk(end), end, 0))
        following = tf.where(body + length > self._size, self._size, following)
        end = tf.cond(
            (following > 0) | self._is_filling(end), lambda: end, lambda: tf.identity(self._size)
        )
        num_bytes = end - body - (end - body) % tf.maximum(block, 1)
        return following, tf.concat([samples, self._contents[body : body + num_bytes]], axis=0)

    def _is_chunk(self, position, looking_ahead=True):
        tag, _, _, following = self._chunk(position)
        letters = tf.bitwise.right_shift(tag, tf.constant([0, 8, 16, 24], tf.int64)) & 255
        fits = tf.reduce_all((letters >= 32) & (letters < 127)) & (following <= self._size + 2)
        if looking_ahead:
            fits &= self._is_chunk(following, looking_ahead=False)
        return (position + _HEADER > self._size) | tf.reduce_any(tag == self._known) | fits

    def _is_filling(self, position):
        rest = self._contents[position : self._size]
        tags = [
            self._number(position, len(tag)) == int.from_bytes(tag, "little") for tag in layout.TAGS
        ]
        is_text = tf.reduce_all(tf.gather(_IS_TEXT, tf.cast(rest, tf.int32)))
        return tf.reduce_any(tags) | is_text | tf.reduce_all(rest == rest[:1])


def _full_scale(samples: tf.Tensor, is_float: tf.Tensor, float_scale: float) -> tf.Tensor:
    """Little-endian bytes uint8 [N, C, W] -> float32 [N, C]."""
    width = tf.shape(samples)[2]
    # At the upper end of a word of 32 bits every width has the same full scale.
    words = tf.bitcast(
        tf.ensure_shape(tf.pad(samples, [[0, 0], [0, 0], [4 - width, 0]]), [None, None, 4]),
        tf.int32,
    )
    # Eight bits are the only width counted from 0.
    words = tf.bitwise.bitwise_xor(words, tf.where(width == 1, tf.int32.min, 0))
    floats = tf.bitcast(words, tf.float32) / np.float32(float_scale)
    return tf.where(is_float, floats, tf.cast(words, tf.float32) * 2.0**-31)


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
