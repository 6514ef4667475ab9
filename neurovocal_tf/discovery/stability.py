"""How sure clusters are: what becomes of them when some of the calls, or of the recordings, are
others.
"""

import dataclasses

import numpy as np

from neurovocal_tf.discovery import clustering

NUM_REFITS = 20
# An interval of fewer recordings would be one of nothing.
MIN_RECORDINGS = 5
_SHARE = 0.5
LEVEL = 0.95


@dataclasses.dataclass(frozen=True)
class Stability:
    """What refits say, of K types.

    Attributes:
        subsampled, bootstrapped: `[K]`, 0 to 1, the mean largest overlap (Jaccard; Hennig, 2007) of
            each type with a cluster of half the calls, or of as many recordings drawn with
            replacement; NaN where it was never among them.
        num_types_low, num_types_high: the middle 95 % of the number of clusters found in those,
            and the number found in all.
        unit: what was drawn with replacement, "recordings", or "calls" where there are fewer than
            five of these.
    """

    subsampled: np.ndarray
    bootstrapped: np.ndarray
    num_types_low: int
    num_types_high: int
    unit: str


def stability(
    points: np.ndarray, types: np.ndarray, recordings: np.ndarray, seed: int = 0
) -> Stability:
    """Refits on halves of the calls, and on recordings drawn with replacement.

    What is drawn twice counts once: copies would be dense where nothing else is.

    Args:
        points: `[N, D]`.    types: int `[N]`, of K.    recordings: int `[N]`, of each point.
        seed: int.
    """
    rng = np.random.default_rng(seed)
    names = np.unique(recordings)
    unit = "recordings" if len(names) >= MIN_RECORDINGS else "calls"
    halves = [
        np.sort(rng.permutation(len(points))[: max(int(_SHARE * len(points)), 1)])
        for _ in range(NUM_REFITS)
    ]
    if unit == "recordings":
        drawn = [rng.choice(names, len(names)) for _ in range(NUM_REFITS)]
        draws = [np.flatnonzero(np.isin(recordings, some)) for some in drawn]
    else:
        draws = [np.unique(rng.integers(0, len(points), len(points))) for _ in range(NUM_REFITS)]
    subsampled, first = _overlaps(points, types, halves)
    bootstrapped, second = _overlaps(points, types, draws)
    found = types.max() + 1
    tails = [(1 - LEVEL) / 2, (1 + LEVEL) / 2]
    low, high = np.quantile([*first, *second], tails, method="nearest")
    return Stability(subsampled, bootstrapped, int(min(low, found)), int(max(high, found)), unit)


def _overlaps(
    points: np.ndarray, types: np.ndarray, draws: list[np.ndarray]
) -> tuple[np.ndarray, list[int]]:
    """Each type's mean largest overlap [K], and how many clusters each draw has."""
    num_types = types.max() + 1
    best, counts = np.full((len(draws), num_types), np.nan), []
    for row, chosen in enumerate(draws):
        found = clustering.cluster(points[chosen], seed=row)
        table = np.zeros((num_types, found.max() + 1))
        np.add.at(table, (types[chosen], found), 1)
        either = table.sum(axis=1, keepdims=True) + table.sum(axis=0) - table
        overlaps = (table / np.maximum(either, 1)).max(axis=1)
        best[row] = np.where(table.sum(axis=1) > 0, overlaps, np.nan)
        counts.append(table.shape[1])
    is_known = ~np.isnan(best)
    sums = np.where(is_known, best, 0.0).sum(axis=0)
    return np.where(
        is_known.any(axis=0), sums / np.maximum(is_known.sum(axis=0), 1), np.nan
    ), counts
