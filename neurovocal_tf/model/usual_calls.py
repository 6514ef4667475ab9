"""What of calls is usual, learned from held-out ones, and which others are not.

Each score of a call, of distances and durations the logarithm, is told in spreads about the middle
of held-out calls: of its type, of all types, or halfway, since a call that is odd may be taken for
one of a type that it is none of, whose own calls are far apart. What counts against the call is
added up over the scores, and compared with the same sums of the held-out calls, each measured
against the others. So the verdict is a rank
among held-out calls (conformal prediction, Vovk, Gammerman, Shafer 2005): of usual calls, as far as
they are like the held-out ones, no larger share than `rate` is called unusual, however their scores
are distributed and hang together.
"""

import dataclasses
import typing

import numpy as np
import scipy.stats
import tensorflow as tf

from neurovocal_tf.model import scoring

#: Share of usual calls that are called unusual; more where fewer than 99 calls are held out, since
#: a call can be stranger than all of so many by chance.
RATE = 0.01
#: With fewer held-out calls nothing is called unusual; what is usual of a type of which fewer are
#: held out leans on all types, and is said to.
MIN_CALLS, MIN_OF_TYPE = 20, 10
# Better foreseen than others, or more like them, does not count against a call; all else does in
# both directions. What is within so many spreads is no evidence: calls of another song in the same
# place have as much of it. The distance needs no such margin, and tells the most, so that it counts
# twice, even for a call. Chosen on a finch (bl26lb16), where the sum of such parts tells altered
# calls from others better than the largest of the scores, or their squares.
_ONE_SIDED = ("score", "order_score", "distance")
_MARGINS = {"score": 1.0, "order_score": 1.0, "surprise": 2.0, "duration": 2.0}
_WEIGHTS = {"distance": 2.0}
# How much the middle and spread of all types count beside those of a call's own. Distances are
# alike in all types; how well a type is foreseen differs, and how long it is above all.
_OF_ALL_TYPES = {"score": 0.5, "order_score": 0.5, "distance": 1.0}
#: What a call is judged by where nothing is known of its type.
CALL_SCORES = (*scoring.SCORES, "duration")
#: These spread evenly as their logarithms.
LOGARITHMIC = ("distance", "duration")
_SMALLEST = 1e-6
# Where a small sample's spread is widened to.
_QUANTILE = 0.995
_LEAST_SPREAD = 1e-3
# The variance within all types counts as much as so many calls of a type.
_LEANING = 5
_MiddleAndSpread = tuple[np.ndarray, np.ndarray]


class Judged(typing.NamedTuple):
    """Of C calls: `z` [C, J], in spreads; `p_values` [C, J], two-sided, of each score; `total` [C],
    what counts against it; `p` [C], the share of held-out calls against which as much counts;
    `fired` int [C], which score counts most; `is_unusual` bool [C].
    """

    z: tf.Tensor
    p_values: tf.Tensor
    total: tf.Tensor
    p: tf.Tensor
    fired: tf.Tensor
    is_unusual: tf.Tensor


@dataclasses.dataclass(frozen=True)
class UsualCalls:
    """What n held-out calls of K types have for J scores.

    Attributes:
        names: of the scores, J.
        middles, spreads: float64 `[K, J]`, by the type's calls or all; a spread is the standard
            deviation of what a further call would have, wider the fewer calls are known (Student's
            t at 99.5 %), a type's variance drawn towards that within all types.
        held_out: float64 `[n, J]`, of each held-out call in spreads, measured against the others.
        is_pooled: bool `[K]`, of which types so few are held out that they lean on all.
    """

    names: tuple[str, ...]
    middles: np.ndarray
    spreads: np.ndarray
    held_out: np.ndarray
    is_pooled: np.ndarray

    @property
    def num_calls(self) -> int:
        """n, of held-out calls."""
        return len(self.held_out)

    @property
    def rate(self) -> float:
        """Share of usual calls that is called unusual at most; 0 if nothing is."""
        return max(RATE, 1 / (self.num_calls + 1)) if self.num_calls >= MIN_CALLS else 0.0

    def judge(self, values: tf.Tensor, types: tf.Tensor) -> Judged:
        """Calls by their scores, [C, J], finite, and types, int [C]."""
        values = _comparable(values, self.names)
        z = (values - tf.gather(self.middles, types)) / tf.gather(self.spreads, types)
        return self._judged(z, 0.0)

    def judge_held_out(self) -> Judged:
        """The held-out calls themselves, each by the others."""
        return self._judged(tf.constant(self.held_out, tf.float64), 1.0)

    def _judged(self, z: tf.Tensor, num_own: float) -> Judged:
        counting = _counting(z, self.names)
        total = tf.reduce_sum(counting, axis=1)
        known = _counting(tf.constant(self.held_out, tf.float64), self.names)
        p = self._share_above(tf.reduce_sum(known, axis=1), total, num_own)
        p_values = tf.stack(
            [
                self._share_above(tf.abs(tf.constant(column, tf.float64)), tf.abs(own), num_own)
                for column, own in zip(self.held_out.T, tf.unstack(z, axis=1), strict=True)
            ],
            axis=1,
        )
        fired = tf.argmax(counting, axis=1, output_type=tf.int32)
        if not self.rate:
            p, p_values = tf.ones_like(p), tf.ones_like(p_values)
        return Judged(z, p_values, total, p, fired, p <= self.rate)

    def _share_above(self, known: tf.Tensor, values: tf.Tensor, num_own: float) -> tf.Tensor:
        """The share of held-out values that are as large, the value itself counted once."""
        below = tf.searchsorted(tf.sort(known), values, side="left")
        count = tf.cast(self.num_calls - below, tf.float64)
        return (1.0 + count - num_own) / (self.num_calls + 1.0 - num_own)


def nothing_known(names: tuple[str, ...]) -> UsualCalls:
    """What is usual of calls of one type, by no call: nothing is unusual."""
    return calibrate(np.empty((0, len(names))), np.empty(0, int), 1, names)


def calibrate(
    values: np.ndarray, types: np.ndarray, num_types: int, names: tuple[str, ...]
) -> UsualCalls:
    """What is usual, by the scores of held-out calls.

    Args:
        values: `[n, J]`, finite.    types: int `[n]`, from 0 to K - 1.    num_types: K.
        names: of the scores, J.
    """
    values = _comparable(np.reshape(values, (-1, len(names))), names).numpy()
    counts = np.bincount(types, minlength=num_types)
    shape = num_types, len(names)
    middles, spreads, held_out = np.zeros(shape), np.ones(shape), np.zeros_like(values)
    if len(values) >= MIN_CALLS:
        usual = _Usual.of(values, types)
        share = np.array([_OF_ALL_TYPES.get(name, 0.0) for name in names])
        of_all, without = usual.around(values)
        for number, size in enumerate(counts.tolist()):
            own = types == number
            of_type, without_one = usual.around(values[own])
            middles[number], spreads[number] = _between(of_type, of_all, share)
            if size:
                each = _between(without_one, (without[0][own], without[1][own]), share)
                held_out[own] = (values[own] - each[0]) / each[1]
    return UsualCalls(names, middles, spreads, held_out, counts < MIN_OF_TYPE)


@dataclasses.dataclass(frozen=True)
class _Usual:
    """The middle of all calls [J], and the variance of them and of those within a type [J]."""

    middle: np.ndarray
    variance: np.ndarray
    within: np.ndarray

    @classmethod
    def of(cls, values: np.ndarray, types: np.ndarray) -> "_Usual":
        floor = np.maximum((_LEAST_SPREAD * values.std(axis=0)) ** 2, 1e-12)
        apart = [values[types == number] for number in np.unique(types)]
        squares = sum(np.square(own - own.mean(axis=0)).sum(axis=0) for own in apart)
        within = squares / max(len(values) - len(apart), 1)
        return cls(
            values.mean(axis=0), np.maximum(values.var(axis=0), floor), np.maximum(within, floor)
        )

    def around(self, own: np.ndarray) -> tuple[_MiddleAndSpread, _MiddleAndSpread]:
        """Middle and spread beside some calls [N, J], and beside all but each of them, [N, J]."""
        size = len(own)
        mean = own.mean(axis=0) if size else np.zeros(own.shape[1])
        squares = np.square(own - mean).sum(axis=0)
        rest = max(size - 1, 1)
        without = self.beside(
            max(size - 1, 0),
            (size * mean - own) / rest,
            squares - np.square(own - mean) * size / rest,
        )
        return self.beside(size, mean, squares), without

    def beside(
        self, size: int, mean: np.ndarray, squares: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """Middle and spread [..., J] of what a further call would have beside so many of its type,
        of which few lean on those of all types.

        Args:
            size: how many.    mean: `[..., J]`.    squares: about the mean, their sum `[..., J]`.
        """
        if not size:
            return self.middle, np.sqrt(self.variance)
        freedom = size - 1 + _LEANING
        variance = (np.maximum(squares, 0.0) + _LEANING * self.within) / freedom
        widening = scipy.stats.t.ppf(_QUANTILE, freedom) / scipy.stats.norm.ppf(_QUANTILE)
        return mean, np.sqrt(variance * (1 + 1 / size)) * widening


def _between(
    of_type: _MiddleAndSpread, of_all: _MiddleAndSpread, share: np.ndarray
) -> _MiddleAndSpread:
    """Middle and spread [..., J] about which a value lies as far as it does on average about two
    others, of which the second counts for a share [J].
    """
    per_spread = (1 - share) / of_type[1] + share / of_all[1]
    middle = (1 - share) * of_type[0] / of_type[1] + share * of_all[0] / of_all[1]
    return middle / per_spread, 1 / per_spread


def _comparable(values: np.ndarray | tf.Tensor, names: tuple[str, ...]) -> tf.Tensor:
    values = tf.cast(values, tf.float64)
    is_logarithmic = np.array([name in LOGARITHMIC for name in names])
    return tf.where(is_logarithmic, tf.math.log(tf.maximum(values, _SMALLEST)), values)


def _counting(z: tf.Tensor, names: tuple[str, ...]) -> tf.Tensor:
    """What counts against calls of each score."""
    is_one_sided = np.array([name in _ONE_SIDED for name in names])
    has_margin = np.array([name in _MARGINS for name in names])
    margins = np.array([_MARGINS.get(name, 0.0) for name in names])
    beyond = tf.where(is_one_sided, z, tf.abs(z)) - margins
    weights = np.array([_WEIGHTS.get(name, 1.0) for name in names])
    return weights * tf.where(has_margin, tf.maximum(beyond, 0.0), beyond)
