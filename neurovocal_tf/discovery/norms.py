"""A speaker's own norm: how far an utterance is from what else the same speaker says, the same word
where it is known, and how sure that is after few utterances.
"""

import dataclasses

import numpy as np
import scipy.stats

# Fewer say nothing of how much a speaker varies.
FEWEST_OTHERS = 3
_CONFIDENCE = 0.95
# However even one speaker is in a measure, what is within this share of all speakers' spread is no
# deviation to speak of: of counts, above all.
_LEAST_SHARE = 0.25
# Of fewer utterances nobody knows how often far ones come.
_FEWEST_FOR_TAILS = 50
_NO_TAILS = 1e6


@dataclasses.dataclass(frozen=True)
class Deviations:
    """How far U utterances are from their norms in M measures; NaN where nothing is known.

    Attributes:
        z: `[U, M]`, over the standard deviation of the others.
        low, high: `[U, M]`, of the 95 % interval of z, wide after few others.
        p_values: `[U, M]`, how often a speaker who is as the others says something as far off,
            either way.
        p_above: `[U, M]`, the same, off towards more.
        num_others: int `[U, M]`, utterances that the mean is of.
    """

    z: np.ndarray
    low: np.ndarray
    high: np.ndarray
    p_values: np.ndarray
    p_above: np.ndarray
    num_others: np.ndarray


class Norms:
    """What is usual in some utterances, and how often they are far from it.

    The mean is the word's, the standard deviation that of all words about their means, as in an
    analysis of variance; of a word that is said fewer than three other times both are of all
    utterances. A value then follows Student's t, and its distance z in standard deviations has the
    standard error sqrt(1 / n + z^2 / (2 df)) (Hedges & Olkin, 1985). What people say has more far
    values than that: df is at most 4 + 6 / k, where k is the excess kurtosis of all these
    utterances' z, as it is of Student's t.

    Args:
        values: `[U, M]`, NaN where there is none.
        speakers, words: int `[U]`, from 0; all words 0 where they are not known.
    """

    def __init__(self, values: np.ndarray, speakers: np.ndarray, words: np.ndarray) -> None:
        self._values, self._speakers = values, speakers
        self._middle = _middles(values)
        about = values - self._middle
        pairs = np.column_stack([speakers, words]).astype(int)
        pairs, cells = np.unique(pairs, axis=0, return_inverse=True)
        self._cells = cells.reshape(-1)
        self._of_cell = _Sums.of(about, self._cells, len(pairs))
        self._of_speaker = _Sums.of(about, speakers, int(speakers.max(initial=-1)) + 1)
        within, freedom = self._of_cell.spread()
        self._within = _added(within, pairs[:, 0], len(self._of_speaker.counts))
        self._freedom = _added(freedom, pairs[:, 0], len(self._of_speaker.counts))
        spread = np.sqrt(within.sum(axis=0) / np.maximum(freedom.sum(axis=0), 1))
        self._least = _LEAST_SHARE * spread
        self._tails = np.full(values.shape[1], _NO_TAILS)
        if len(values) >= _FEWEST_FOR_TAILS:
            self._tails = _tails(self.own().z)

    def own(self) -> Deviations:
        """How far each of these utterances is from all the others."""
        return self.judge(self._values, np.arange(len(self._values)))

    def judge(self, values: np.ndarray, places: np.ndarray) -> Deviations:
        """How far some values are from those of the other utterances.

        Args:
            values: `[Q, M]`.
            places: int `[Q]`, each stands in the place of that utterance, which does not count.
        """
        about = values - self._middle
        count, mean, sd, freedom = self._moments(places)
        sd = np.maximum(sd, self._least)
        # What is the same in all utterances has no norm to speak of.
        known = (count >= FEWEST_OTHERS) & ~np.isnan(about) & (sd > 0)
        count, freedom = (np.where(known, x, np.nan) for x in (count, freedom))
        sd = np.where(known, sd, np.nan)
        z = (about - mean) / sd
        half = scipy.stats.norm.ppf((1 + _CONFIDENCE) / 2) * np.sqrt(
            1 / count + np.square(z) / (2 * freedom)
        )
        likely = np.minimum(freedom, self._tails)
        # Of unit variance, as the standard deviations that t is counted in.
        wide = np.where(likely < freedom, np.sqrt(likely / np.maximum(likely - 2, 2)), 1.0)
        t = wide * z / np.sqrt(1 + 1 / count)
        return Deviations(
            z,
            z - half,
            z + half,
            2 * scipy.stats.t.sf(np.abs(t), likely),
            scipy.stats.t.sf(t, likely),
            np.nan_to_num(count).astype(int),
        )

    def _moments(self, places: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        """Count, mean, standard deviation and its degrees of freedom, each [Q, M], of the others of
        some utterances: about the words' means, or of all where the word is rare.
        """
        cells, speakers = self._cells[places], self._speakers[places]
        left_out = self._values[places] - self._middle
        word = self._of_cell.without(cells, left_out)
        everything = self._of_speaker.without(speakers, left_out)
        before, after = self._of_cell.spread(), word.spread()
        within = self._within[speakers] - before[0][cells] + after[0]
        freedom = self._freedom[speakers] - before[1][cells] + after[1]
        all_squares, all_freedom = everything.spread()
        is_common = word.counts >= FEWEST_OTHERS
        count = np.where(is_common, word.counts, everything.counts)
        mean = np.where(is_common, word.firsts, everything.firsts) / np.maximum(count, 1)
        freedom = np.where(is_common, freedom, all_freedom)
        squares = np.where(is_common, within, all_squares)
        sd = np.sqrt(np.maximum(squares, 0.0) / np.maximum(freedom, 1))
        return count, mean, sd, freedom


@dataclasses.dataclass(frozen=True)
class _Sums:
    """Counts, sums and sums of squares of what is known of G groups, each [G, M]."""

    counts: np.ndarray
    firsts: np.ndarray
    seconds: np.ndarray

    @classmethod
    def of(cls, about: np.ndarray, groups: np.ndarray, num_groups: int) -> "_Sums":
        """Of values [U, M] about their middle, in groups [U]."""
        return cls(*(_added(_power(about, power), groups, num_groups) for power in range(3)))

    def without(self, groups: np.ndarray, about: np.ndarray) -> "_Sums":
        """Each of some groups [Q] without one of its values [Q, M]."""
        totals = self.counts, self.firsts, self.seconds
        return _Sums(*(t[groups] - _power(about, power) for power, t in enumerate(totals)))

    def spread(self) -> tuple[np.ndarray, np.ndarray]:
        """Squares about each group's mean, summed, and their degrees of freedom."""
        squares = self.seconds - np.square(self.firsts) / np.maximum(self.counts, 1)
        return np.maximum(squares, 0.0), np.maximum(self.counts - 1, 0)


def _tails(z: np.ndarray) -> np.ndarray:
    """Degrees of freedom of Student's t whose kurtosis is that of each column.  [U, M] -> [M]"""
    found = np.full(z.shape[1], _NO_TAILS)
    for column, own in enumerate(z.T):
        own = own[~np.isnan(own)]
        if len(own) >= _FEWEST_FOR_TAILS:
            excess = float(scipy.stats.kurtosis(own))
            found[column] = 4 + 6 / excess if excess > 6 / _NO_TAILS else _NO_TAILS
    return found


def _added(values: np.ndarray, groups: np.ndarray, num_groups: int) -> np.ndarray:
    """Sums of values [U, M] in groups [U].  -> [G, M]"""
    total = np.zeros((num_groups, values.shape[1]))
    np.add.at(total, groups, values)
    return total


def _power(about: np.ndarray, power: int) -> np.ndarray:
    return np.where(np.isnan(about), 0.0, np.nan_to_num(about) ** power)


def _middles(values: np.ndarray) -> np.ndarray:
    """Median of each column, 0 of one without values.  [U, M] -> [M]"""
    known = [column[~np.isnan(column)] for column in values.T]
    return np.array([np.median(column) if len(column) else 0.0 for column in known])
