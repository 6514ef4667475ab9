"""Which utterances are unlike what their speaker says otherwise, and in what."""

import dataclasses
from collections.abc import Mapping

import numpy as np

from neurovocal_tf.discovery import prosody, words
from neurovocal_tf.discovery.norms import Deviations, Norms

DISTANCE = "word_distance"
COLUMNS = (*prosody.MEASURES, DISTANCE)
# What an utterance is judged by, and what is said of one that is off towards less and towards
# more; None: that way nothing is odd. The other measures follow from these.
JUDGED: Mapping[str, tuple[str | None, str]] = {
    "length_s": ("short", "long"),
    "f0_median_hz": ("low in pitch", "high in pitch"),
    "f0_range_st": ("flat in pitch", "wide in pitch"),
    "f0_slope_st_per_s": ("falling in pitch", "rising in pitch"),
    "lull_db": (None, "broken by a pause"),
    DISTANCE: (None, "unlike the same word"),
}
# Off so far by chance in one of twenty utterances, with all scores together.
_LEVEL = 0.05
# So that the logarithm of nothing stays finite, and of little is not all there is.
_OFFSETS = {"f0_range_st": 0.1, "rate_per_s": 0.5}
_LOGARITHMIC = (
    "duration_s",
    "length_s",
    "f0_median_hz",
    "f0_range_st",
    "rate_per_s",
    DISTANCE,
)


@dataclasses.dataclass(frozen=True)
class Judged:
    """What U utterances are beside their speakers' norms.

    Attributes:
        deviations: `Deviations` in `COLUMNS`; of lengths, rates, pitch and distances those of
            logarithms.
        p_values: `[U, 6]`, under `JUDGED`; NaN where there is no norm.
        atypical: `[U]`, -log10 of how seldom any of an utterance's scores is as far off, so that
            1.3 is one in twenty; NaN where there is no norm.
        fired: str `[U]`, the measure that is farthest off, "" where that is not one in twenty.
    """

    deviations: Deviations
    p_values: np.ndarray
    atypical: np.ndarray
    fired: np.ndarray

    def reason(self, place: int) -> str:
        """What is odd in one utterance, in words: "" where nothing is."""
        name = str(self.fired[place])
        if not name:
            return ""
        z = self.deviations.z[place, COLUMNS.index(name)]
        less, more = JUDGED[name]
        return str(more if z > 0 else less)


class Calibration:
    """The norms of all speakers, and the words they are compared with.

    Args:
        values: `[U, 11]`, see `prosody.MEASURES`.
        measured: `[U, C, F]`, see `words.columns_of`.
        speakers, texts: int `[U]`, from 0: who says what.
    """

    def __init__(
        self, values: np.ndarray, measured: np.ndarray, speakers: np.ndarray, texts: np.ndarray
    ) -> None:
        self._measured, self._speakers, self._texts = measured, speakers, texts
        own = self._distances(measured, np.arange(len(values)))
        self.values = np.column_stack([values, own])
        self._norms = Norms(_scaled(self.values), speakers, texts)

    def own(self) -> Judged:
        """Each of these utterances beside all the others."""
        return _judged(self._norms.own())

    def judge(self, values: np.ndarray, measured: np.ndarray, places: np.ndarray) -> Judged:
        """Others, each in the place of one of these, which does not count.

        Args:
            values: `[Q, 11]`.    measured: `[Q, C, F]`.    places: int `[Q]`.
        """
        columns = np.column_stack([values, self._distances(measured, places)])
        return _judged(self._norms.judge(_scaled(columns), places))

    def _distances(self, measured: np.ndarray, places: np.ndarray) -> np.ndarray:
        """From the same word said by the same speaker otherwise.  [Q, C, F], [Q] -> [Q]"""
        same = self._speakers * (self._texts.max(initial=0) + 1) + self._texts
        members = {int(key): np.flatnonzero(same == key) for key in np.unique(same)}
        found = np.empty(len(places))
        for row, place in enumerate(places):
            others = members[int(same[place])]
            found[row] = words.nearest(measured[row], self._measured[others[others != place]])
        return found


def _scaled(values: np.ndarray) -> np.ndarray:
    """Values under `COLUMNS` on the scale on which they vary evenly."""
    scaled = values.copy()
    for name in _LOGARITHMIC:
        column = COLUMNS.index(name)
        shifted = values[:, column] + _OFFSETS.get(name, 0.0)
        scaled[:, column] = np.log(np.maximum(shifted, 1e-6))
    return scaled


def _judged(deviations: Deviations) -> Judged:
    columns = [COLUMNS.index(name) for name in JUDGED]
    is_one_sided = np.array([less is None for less, _ in JUDGED.values()])
    p_values = np.where(
        is_one_sided, deviations.p_above[:, columns], deviations.p_values[:, columns]
    )
    known = np.sum(~np.isnan(p_values), axis=1)
    least = np.min(np.where(np.isnan(p_values), 1.0, p_values), axis=1)
    # How seldom the least of so many is as small (Sidak, 1967), where small, without cancellation.
    any_p = -np.expm1(known * np.log1p(-np.minimum(least, 1 - 1e-12)))
    atypical = np.where(known > 0, -np.log10(np.maximum(any_p, 1e-300)), np.nan)
    names = np.array(list(JUDGED))
    farthest = names[np.argmin(np.where(np.isnan(p_values), 2.0, p_values), axis=1)]
    fired = np.where((known > 0) & (any_p < _LEVEL), farthest, "")
    return Judged(deviations, p_values, atypical, fired)
