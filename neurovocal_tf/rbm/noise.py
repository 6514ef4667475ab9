"""Counter-based random numbers: a number is a pure function of its key,
so no generator has a state to keep or to share.

The table of keys:

stream       hash       key
BatchStream  lowbias32  (seed, training step, purpose, Gibbs step or layer), position
(annealing)  lowbias32  (seed, block of frames, purpose, temperature), position
RowStream    pcg4d      seed of the row (64 bits), absolute frame, (purpose, Gibbs step / 4, unit)
ReplicaStream           those of its stream, the steps of K replicas being numbered in turn: step K
                        + replica; exchanges have a purpose of their own, and the first of a pair's
                        number for a unit

A `RowStream` number depends on nothing but its own row, so a song is the same whatever is sung
beside it; a `BatchStream` is cheaper and serves training. Each of pcg4d's four words serves one of
four Gibbs steps, and two words make two normals. Only integer operations and one rounding decide a
uniform's bits: compiled and uncompiled graphs agree. A normal may differ in its last place. What is
cheap differs: `BatchStream` is written for XLA, `RowStream` for TensorFlow's own operations.

Sources: lowbias32, C. Wellons, "Prospecting for Hash Functions" (2018); pcg4d, Jarzynski & Olano,
"Hash Functions for GPU Rendering" (JCGT 2020); normals, Box & Muller (1958).
"""

import math
import typing
from collections.abc import Sequence

import tensorflow as tf

from neurovocal_tf.rbm.products import along

# The size of each dimension; a scalar tensor where the graph does not know it.
Shape = Sequence[int | tf.Tensor]


class Stream(typing.Protocol):
    """A source of noise: what a purpose, a number of a draw,
    and a place in an array give is always the same.

    Attributes:
        is_drawn_ahead: whether all of a chain's numbers are there before its first step.
    """

    @property
    def is_drawn_ahead(self) -> bool: ...

    def uniforms(self, purpose: int, index: int | tf.Tensor, shape: Shape) -> tf.Tensor:
        """Uniforms in [0, 1), float32 of `shape`, see `shape_of`."""

    def normals(self, purpose: int, index: int | tf.Tensor, shape: Shape) -> tf.Tensor:
        """Standard normals, float32 of `shape`."""


HIDDEN, VISIBLE, INPUT_NOISE, DROPOUT, EXCHANGE, LATENT, CONDITION, LABELS = range(8)
_NUM_PURPOSES = 8
_MAX_UNITS = 2**16

# cos(2 pi x) as a power series in x^2; on a quarter turn either side of 0 the first
# term left out is 6e-9.
_COSINE = [(-1) ** n * (2 * math.pi) ** (2 * n) / math.factorial(2 * n) for n in range(7)]


def shape_of(x: tf.Tensor) -> list[int | tf.Tensor]:
    """The shape of x, each size an int where the graph knows it, else a scalar tensor: a last batch
    may have fewer rows.
    """
    return [tf.shape(x)[i] if size is None else size for i, size in enumerate(x.shape)]


def lowbias32(x: tf.Tensor) -> tf.Tensor:
    """A bijection of uint32 with low bias.  uint32 [...] -> uint32 [...]"""
    shift = tf.bitwise.right_shift
    x = tf.bitwise.bitwise_xor(x, shift(x, _u32(16))) * _u32(0x7FEB352D)
    x = tf.bitwise.bitwise_xor(x, shift(x, _u32(15))) * _u32(0x846CA68B)
    return tf.bitwise.bitwise_xor(x, shift(x, _u32(16)))


def pcg4d(
    x: tf.Tensor, y: tf.Tensor, z: tf.Tensor, w: tf.Tensor
) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor, tf.Tensor]:
    """Four uint32 words to four others, every bit of which depends on all.

    4 x uint32 [...] -> 4 x uint32 [...]
    """
    x, y, z, w = (v * _u32(1664525) + _u32(1013904223) for v in (x, y, z, w))
    x, y, z, w = _cross_multiply(x, y, z, w)
    x, y, z, w = (
        tf.bitwise.bitwise_xor(v, tf.bitwise.right_shift(v, _u32(16))) for v in (x, y, z, w)
    )
    return _cross_multiply(x, y, z, w)


class BatchStream(typing.NamedTuple):
    """Numbers for one training step: `seed` and `step` are integers or scalar integer tensors.

    `first_row` is the place of the first row in its batch (None: 0), so that a part of a batch
    draws what the whole would.
    """

    seed: tf.Tensor
    step: tf.Tensor
    first_row: tf.Tensor | None = None
    is_drawn_ahead = False

    def uniforms(self, purpose: int, index: int | tf.Tensor, shape: Shape) -> tf.Tensor:
        """Uniforms in [0, 1).  -> float32 of `shape`, rows first"""
        return tf.reshape(
            _unit_interval(self._bits(purpose, index, shape[0], math.prod(shape[1:]))), shape
        )

    def normals(self, purpose: int, index: int | tf.Tensor, shape: Shape) -> tf.Tensor:
        """Standard normals.  -> float32 of `shape`, rows first"""
        size = math.prod(shape[1:])
        half = (size + 1) // 2
        words = self._bits(purpose, index, shape[0], 2 * half)
        radius, turn = _radius(_unit_interval(words[:, :half])), _unit_interval(words[:, half:])
        both = tf.concat(
            [radius * _cosine_of_turn(turn), radius * _cosine_of_turn(tf.abs(turn - 0.25))], axis=1
        )
        return tf.reshape(both[:, :size], shape)

    def _bits(self, purpose, index, num_rows, row_size):
        key = lowbias32(tf.cast(self.seed, tf.uint32) + _u32(0x9E3779B9))
        key = lowbias32(tf.bitwise.bitwise_xor(key, tf.cast(self.step, tf.uint32)))
        key = lowbias32(
            tf.bitwise.bitwise_xor(
                key, tf.cast(index, tf.uint32) * _u32(_NUM_PURPOSES) + _u32(purpose)
            )
        )
        counter = tf.cast(tf.range(num_rows * row_size), tf.uint32)
        if self.first_row is not None:
            counter += tf.cast(self.first_row, tf.uint32) * tf.cast(row_size, tf.uint32)
        return tf.reshape(lowbias32(tf.bitwise.bitwise_xor(counter, key)), [num_rows, row_size])


class RowStream(typing.NamedTuple):
    """Numbers for one generated frame of each row: `seeds` int64 [B], `frame` int64 [B],
    counted from the song's first.

    With `axis` 0 they come as [units, B] instead of [B, units], see `products`;
    each is the same number.
    """

    seeds: tf.Tensor
    frame: tf.Tensor
    axis: int = -1
    is_drawn_ahead = False

    def uniforms(self, purpose: int, index: int | tf.Tensor, shape: Shape) -> tf.Tensor:
        """Uniforms in [0, 1).  -> float32 [B, units]"""
        return _rounded_share(
            tf.gather(tf.stack(self._words(purpose, index // 4, shape)), index % 4)
        )

    def normals(self, purpose: int, index: int | tf.Tensor, shape: Shape) -> tf.Tensor:
        """Standard normals.  -> float32 [B, units]"""
        words = tf.stack(self._words(purpose, index // 4, shape))
        first = index % 4 // 2 * 2
        radius, turn = (
            _radius(_rounded_share(tf.gather(words, first))),
            _rounded_share(tf.gather(words, first + 1)),
        )
        return radius * tf.where(
            index % 2 == 0, tf.cos(2 * math.pi * turn), tf.sin(2 * math.pi * turn)
        )

    def four_uniforms(self, purpose: int, four: int | tf.Tensor, shape: Shape) -> list[tf.Tensor]:
        """The uniforms of steps 4 `four`, 4 `four` + 1 and so on.

        int [] or [N] -> 4 x float32 [B, units] or [N, B, units]
        """
        return [_rounded_share(words) for words in self._words(purpose, four, shape)]

    def four_normals(self, purpose: int, four: int | tf.Tensor, shape: Shape) -> list[tf.Tensor]:
        """The same of normals, which are a cosine and a sine in turn."""
        first, second, third, fourth = self.four_uniforms(purpose, four, shape)
        pairs = [
            (_radius(radius), 2 * math.pi * turn)
            for radius, turn in ((first, second), (third, fourth))
        ]
        return [radius * wave(angle) for radius, angle in pairs for wave in (tf.cos, tf.sin)]

    def _words(self, purpose, four, shape):
        num_units = shape[self.axis]
        if num_units > _MAX_UNITS:
            raise ValueError(
                f"`shape` must have at most {_MAX_UNITS} units. Received: shape={shape}"
            )
        seeds = tf.bitcast(self.seeds, tf.uint32)
        rows_axis = -1 - self.axis
        low, high, frame = (
            along(words, rows_axis)
            for words in (*tf.unstack(lowbias32(seeds), axis=1), tf.cast(self.frame, tf.uint32))
        )
        key = (tf.cast(four, tf.uint32) * _u32(_NUM_PURPOSES) + _u32(purpose)) * _u32(_MAX_UNITS)
        units = key[..., tf.newaxis, tf.newaxis] + along(
            tf.cast(tf.range(num_units), tf.uint32), self.axis
        )
        # Of shapes [B, 1] and [1, units] or [N, 1, units]: they meet in the middle of the hash, and
        # half of it is done on the small ones.
        if self.axis == 0:
            # Spread out first: what is short along the last axis is spread slowly,
            # and would be so in every operation.
            low, high, frame = (
                tf.broadcast_to(words, [num_units, tf.shape(seeds)[0]])
                for words in (low, high, frame)
            )
            units = tf.tile(units, [1] * (units.shape.rank - 1) + [tf.shape(seeds)[0]])
        return pcg4d(low, high, frame, units)


class DrawnStream(typing.NamedTuple):
    """A `RowStream`'s numbers for every step of a chain, drawn before its first: op by op, few
    large draws cost less than many small.

    Both fields are dicts of purpose -> a tensor [B, units] for each step; what was not drawn is not
    there. Made by `draw_ahead`.
    """

    drawn_uniforms: dict[int, list[tf.Tensor]]
    drawn_normals: dict[int, list[tf.Tensor]]
    is_drawn_ahead = True

    def uniforms(self, purpose: int, index: int, shape: Shape) -> tf.Tensor:
        """The uniforms of one step, an int.  -> float32 [B, units]"""
        return self.drawn_uniforms[purpose][index]

    def normals(self, purpose: int, index: int, shape: Shape) -> tf.Tensor:
        """The standard normals of one step, an int.  -> float32 [B, units]"""
        return self.drawn_normals[purpose][index]


def steps_of_each(num_steps: int | tf.Tensor, num_replicas: int) -> int | tf.Tensor:
    """How many steps each replica takes where `num_steps` are shared out among them."""
    return (num_steps + num_replicas - 1) // num_replicas


class ReplicaStream(typing.NamedTuple):
    """What `stream` gives one machine, for its K replicas: K B rows instead of B, replica after
    replica; see `tempering`.
    """

    stream: Stream
    num_replicas: int
    axis: int = -1

    @property
    def is_drawn_ahead(self) -> bool:
        """As that of `stream`."""
        return self.stream.is_drawn_ahead

    def uniforms(self, purpose: int, index: int | tf.Tensor, shape: Shape) -> tf.Tensor:
        """The uniforms of one step.  -> float32 [K B, units]"""
        return self._of_each(self.stream.uniforms, purpose, index, shape)

    def normals(self, purpose: int, index: int | tf.Tensor, shape: Shape) -> tf.Tensor:
        """The standard normals of one step.  -> float32 [K B, units]"""
        return self._of_each(self.stream.normals, purpose, index, shape)

    def _of_each(self, draw, purpose, index, shape):
        rows_axis, shape = -1 - self.axis, list(shape)
        shape[rows_axis] = shape[rows_axis] // self.num_replicas
        replicas = range(self.num_replicas)
        return tf.concat(
            [draw(purpose, index * self.num_replicas + k, shape) for k in replicas], rows_axis
        )


def draw_ahead(
    stream: RowStream,
    num_steps: int,
    hidden_shape: Sequence[int],
    visible_shape: Sequence[int],
    visible_noise: str | None,
    num_replicas: int = 1,
) -> DrawnStream:
    """The noise of a whole chain: the very numbers that `stream` draws step by step.

    Args:
        stream: `RowStream`.    num_steps: int, of all replicas.
        hidden_shape, visible_shape: [B, H] and [B, V].
        visible_noise: "uniforms", "normals" or None: what the visible units are sampled with.
        num_replicas: int, for how many a `ReplicaStream` will ask.

    Returns:
        `DrawnStream`.
    """

    num_exchanges = steps_of_each(num_steps, num_replicas)

    def of_steps(purpose, draw, shape, num_steps=num_exchanges * num_replicas):
        fours = zip(
            *(
                tf.unstack(numbers)
                for numbers in draw(purpose, tf.range((num_steps + 3) // 4), shape)
            ),
            strict=True,
        )
        return [numbers for four in fours for numbers in four]

    uniforms, normals = {HIDDEN: of_steps(HIDDEN, stream.four_uniforms, hidden_shape)}, {}
    if visible_noise == "uniforms":
        uniforms[VISIBLE] = of_steps(VISIBLE, stream.four_uniforms, visible_shape)
    elif visible_noise == "normals":
        normals[VISIBLE] = of_steps(VISIBLE, stream.four_normals, visible_shape)
    if num_replicas > 1:
        shape = list(hidden_shape)
        shape[stream.axis] = num_replicas
        uniforms[EXCHANGE] = of_steps(EXCHANGE, stream.four_uniforms, shape, num_exchanges)
    return DrawnStream(uniforms, normals)


def _cross_multiply(x, y, z, w):
    x = x + y * w
    y = y + z * x
    z = z + x * y
    return x, y, z, w + y * z


def _u32(value):
    return tf.constant(value, tf.uint32)


def _unit_interval(bits):
    """The upper 24 bits as a float32: all that a float32 below 1 can hold."""
    return tf.cast(tf.bitwise.right_shift(bits, _u32(8)), tf.float32) * 2.0**-24


def _rounded_share(bits):
    """The bits' share of 2^32 as a float32.

    The factor, 2^-32 less one bit, keeps the largest below 1.
    """
    return tf.cast(bits, tf.float32) * (2.0**-32 - 2.0**-56)


def _radius(uniform):
    """The radius of a pair of normals.  The added bit keeps the logarithm off zero."""
    return tf.sqrt(-2.0 * tf.math.log(uniform + 2.0**-24))


def _cosine_of_turn(turn):
    """cos(2 pi turn) for turns in [0, 1].

    XLA calls the C library's cosine number by number; multiplications it does in vectors.
    """
    from_half = 0.5 - tf.abs(turn - 0.5)
    x = tf.minimum(from_half, 0.5 - from_half)
    square, series = tf.square(x), _COSINE[-1]
    for coefficient in _COSINE[-2::-1]:
        series = series * square + coefficient
    return tf.where(from_half <= 0.25, series, -series)
