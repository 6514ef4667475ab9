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
        self._values, self._speakers, self._words = values, speakers, words
        self._middle = _middles(values)
        about = values - self._middle
        shape = speakers.max(initial=0) + 1, words.max(initial=0) + 1, values.shape[1]
        self._sums = np.zeros((3, *shape))
        for power, total in enumerate(self._sums):
            np.add.at(total, (speakers, words), _power(about, power))
        counts, firsts, seconds = self._sums
        within = seconds - np.square(firsts) / np.maximum(counts, 1)
        freedom = np.maximum(counts - 1, 0).sum(axis=(0, 1))
        spread = np.sqrt(np.maximum(within, 0).sum(axis=(0, 1)) / np.maximum(freedom, 1))
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
        speakers, words = self._speakers[places], self._words[places]
        left_out = self._values[places] - self._middle
        sums = self._sums[:, speakers]
        rows = np.arange(len(places))
        for power, total in enumerate(sums):
            total[rows, words] -= _power(left_out, power)
        count, mean, sd, freedom = _moments(sums, words)
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


def _moments(
    sums: np.ndarray, words: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Count, mean, standard deviation and its degrees of freedom, each [Q, M], out of sums of
    powers [3, Q, W, M]: about the words' means, or of all where the word is rare.
    """
    counts, firsts, seconds = sums
    rows = np.arange(len(words))
    within = seconds - np.square(firsts) / np.maximum(counts, 1)
    freedom = np.maximum(counts - 1, 0).sum(axis=1)
    all_counts, all_firsts = counts.sum(axis=1), firsts.sum(axis=1)
    all_squares = seconds.sum(axis=1) - np.square(all_firsts) / np.maximum(all_counts, 1)
    is_common = counts[rows, words] >= FEWEST_OTHERS
    count = np.where(is_common, counts[rows, words], all_counts)
    mean = np.where(is_common, firsts[rows, words], all_firsts) / np.maximum(count, 1)
    freedom = np.where(is_common, freedom, np.maximum(all_counts - 1, 0))
    squares = np.where(is_common, within.sum(axis=1), all_squares)
    sd = np.sqrt(np.maximum(squares, 0) / np.maximum(freedom, 1))
    return count, mean, sd, freedom


def _tails(z: np.ndarray) -> np.ndarray:
    """Degrees of freedom of Student's t whose kurtosis is that of each column.  [U, M] -> [M]"""
    found = np.full(z.shape[1], _NO_TAILS)
    for column, own in enumerate(z.T):
        own = own[~np.isnan(own)]
        if len(own) >= _FEWEST_FOR_TAILS:
            excess = float(scipy.stats.kurtosis(own))
            found[column] = 4 + 6 / excess if excess > 6 / _NO_TAILS else _NO_TAILS
    return found


def _power(about: np.ndarray, power: int) -> np.ndarray:
    return np.where(np.isnan(about), 0.0, np.nan_to_num(about) ** power)


def _middles(values: np.ndarray) -> np.ndarray:
    """Median of each column, 0 of one without values.  [U, M] -> [M]"""
    known = [column[~np.isnan(column)] for column in values.T]
    return np.array([np.median(column) if len(column) else 0.0 for column in known])
