"""What songs are compared by: one definition of each measure, of some songs beside as much of the
real ones.

Distances are 0 for the same songs and grow; ratios are 1; shares say what of the real ones the
songs cover. No measure is 0 for two recordings of one bird, since both are samples: what real
recordings get beside real ones belongs beside every figure, see `song_likeness`.
"""

import dataclasses
import math
from collections.abc import Callable, Mapping

import numpy as np
import scipy.linalg
import scipy.spatial.distance
import scipy.stats
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.ensemble import ExtraTreesClassifier
from sklearn.model_selection import StratifiedKFold, cross_val_predict
from sklearn.neighbors import NearestNeighbors

from neurovocal_tf.discovery import distances, syntax

# A silence longer than this is a state of its own, and no gap between syllables.
BREAK_S = 0.25
# What was never heard after a syllable is unlikely, not impossible.
_SMOOTHING = 0.05
_NUM_NEIGHBOURS = 5
# Not of gaps: those of many birds have two humps, and their median leaps from one to the other
# where the distributions hardly differ.
_WITH_MEDIANS = ("durations_s", "peak_frequencies_hz")
_OF_DISTANCE = ("ks_duration", "ks_gap", "ks_peak_frequency", "transition_divergence_bits")
# Of fewer syllables nothing is told.
FEWEST_SYLLABLES = 10
# Farther than twice what is usual between real syllables is unlike any of them.
_UNLIKE_FACTOR = 2.0
_NUM_FOLDS, _NUM_TREES = 5, 40


@dataclasses.dataclass(frozen=True, eq=False)
class Sung:
    """Some songs, as what the measures compare.

    Attributes:
        sequences: int `[T]` each, call types in order and `num_types` for a break; a piece each.
        num_types: int, K.
        types: int `[S]`, of the syllables.
        vectors: `[S, D]`, their spectra along principal components and their log duration.
        durations_s, centroids_hz, peak_frequencies_hz: `[S]`.    gaps_s: `[G]`, without breaks.
        slopes_hz_per_s: `[N]`, of the loudest frequency, from frame to frame of all syllables.
        syllables_per_s: over the songs' whole length.
        change_quiet, change_loud: mean frame-to-frame change of quiet and of loud frames, dB.
    """

    sequences: tuple[np.ndarray, ...]
    num_types: int
    types: np.ndarray
    vectors: np.ndarray
    durations_s: np.ndarray
    gaps_s: np.ndarray
    centroids_hz: np.ndarray
    peak_frequencies_hz: np.ndarray
    slopes_hz_per_s: np.ndarray
    syllables_per_s: float
    change_quiet: float
    change_loud: float

    def __len__(self) -> int:
        return len(self.types)


def transitions(sung: Sung) -> np.ndarray:
    """How often each type, or a break, follows each.  -> [K + 1, K + 1]"""
    size = sung.num_types + 1
    return sum(
        (syntax.transition_counts(s, np.ones(len(s), bool), size) for s in sung.sequences),
        start=np.zeros((size, size)),
    )


def transition_divergence_bits(real: Sung, songs: Sung) -> float:
    """Jensen-Shannon divergence of the joint distributions of successive types, 0 to 1."""
    return distances.divergence_bits(transitions(real), transitions(songs))


def bigram_nats(real: Sung, songs: Sung) -> float:
    """Cross-entropy of what follows what in the songs under the real ones, nats a syllable."""
    likely = transitions(real) + _SMOOTHING
    counts = transitions(songs)
    if not counts.sum():
        return math.nan
    logarithms = np.log(likely / likely.sum(axis=1, keepdims=True))
    return float(-(counts * logarithms).sum() / counts.sum())


def effective_types(sung: Sung) -> float:
    """Exponential of the entropy of the types: how many there would be if all were as frequent."""
    if not len(sung):
        return math.nan
    shares = np.bincount(sung.types, minlength=sung.num_types) / len(sung)
    return float(np.exp(scipy.stats.entropy(shares)))


def _effective_types_ratio(real: Sung, songs: Sung) -> float:
    return _ratio(effective_types(songs), effective_types(real))


def _rate_ratio(real: Sung, songs: Sung) -> float:
    return _ratio(songs.syllables_per_s, real.syllables_per_s)


def _ks(name: str) -> Callable[[Sung, Sung], float]:
    """Kolmogorov-Smirnov distance of some values of the syllables."""
    return lambda real, songs: distances.kolmogorov_smirnov(
        getattr(real, name), getattr(songs, name)
    )


def frechet(real: Sung, songs: Sung) -> float:
    """Frechet distance of the Gaussians of the vectors (Dowson & Landau, 1982), over the real total
    variance: |m - m'|^2 + tr(C + C' - 2 (C C')^(1/2)).
    """
    if min(len(real), len(songs)) < 2:
        return math.nan
    ours, theirs = (np.cov(sung.vectors, rowvar=False) for sung in (real, songs))
    # The eigenvalues of a product of two covariances are real and none is negative.
    roots = np.sqrt(np.maximum(np.real(scipy.linalg.eigvals(ours @ theirs)), 0.0)).sum()
    apart = np.square(real.vectors.mean(axis=0) - songs.vectors.mean(axis=0)).sum()
    variance = np.trace(ours)
    if not variance > 0:
        return math.nan
    return float(max(apart + variance + np.trace(theirs) - 2 * roots, 0.0) / variance)


def coverage(real: Sung, songs: Sung) -> float:
    """Share of the real syllables whose ball, as wide as to their fifth neighbour, holds one that
    was sung (Naeem et al., 2020).
    """
    if len(real) <= _NUM_NEIGHBOURS or not len(songs):
        return math.nan
    apart = scipy.spatial.distance.cdist(real.vectors, songs.vectors)
    return float((apart.min(axis=1) <= _radii(real.vectors)).mean())


def recall(real: Sung, songs: Sung) -> float:
    """Share of the real syllables that lie in the ball of one that was sung, as wide as to that
    one's fifth neighbour (Kynkaanniemi et al., 2019).
    """
    if min(len(real), len(songs)) <= _NUM_NEIGHBOURS:
        return math.nan
    radii = _radii(songs.vectors)
    apart = scipy.spatial.distance.cdist(real.vectors, songs.vectors)
    return float((apart <= radii).any(axis=1).mean())


def share_unlike(real: Sung, songs: Sung) -> float:
    """Share of the syllables sung that are farther from the nearest real one than twice the median
    distance of a real one from the nearest other.
    """
    if len(real) < 2 or not len(songs):
        return math.nan
    tree = NearestNeighbors(algorithm="brute").fit(real.vectors)
    usual = np.median(tree.kneighbors(real.vectors, 2)[0][:, 1])
    return float((tree.kneighbors(songs.vectors, 1)[0][:, 0] > _UNLIKE_FACTOR * usual).mean())


def _change(name: str) -> Callable[[Sung, Sung], float]:
    return lambda real, songs: _ratio(getattr(songs, name), getattr(real, name))


def linear_accuracy(real: Sung, songs: Sung) -> float:
    """How often a linear discriminant tells syllables sung from real ones, five-fold; 0.5 is
    chance.
    """
    return _told_apart(
        real,
        songs,
        lambda points, labels: cross_val_predict(
            LinearDiscriminantAnalysis("lsqr"),
            points,
            labels,
            cv=StratifiedKFold(_NUM_FOLDS, shuffle=True, random_state=0),
        ),
    )


def forest_accuracy(real: Sung, songs: Sung) -> float:
    """The same of a forest of random trees (Geurts et al., 2006), on what each tree was not shown:
    noisy, and more than half between halves of one bird's songs.
    """

    def predicted(points: np.ndarray, labels: np.ndarray) -> np.ndarray:
        forest = ExtraTreesClassifier(
            _NUM_TREES, bootstrap=True, oob_score=True, random_state=0, min_samples_leaf=2
        ).fit(points, labels)
        return forest.oob_decision_function_[:, 1] > 0.5

    return _told_apart(real, songs, predicted)


#: Name -> function of (real songs, songs beside them).
MEASURES: Mapping[str, Callable[[Sung, Sung], float]] = {
    "transition_divergence_bits": transition_divergence_bits,
    "bigram_nats": bigram_nats,
    "effective_types_ratio": _effective_types_ratio,
    "rate_ratio": _rate_ratio,
    "ks_duration": _ks("durations_s"),
    "ks_gap": _ks("gaps_s"),
    "ks_centroid": _ks("centroids_hz"),
    "ks_peak_frequency": _ks("peak_frequencies_hz"),
    "ks_slope": _ks("slopes_hz_per_s"),
    "frechet": frechet,
    "coverage": coverage,
    "recall": recall,
    "share_unlike": share_unlike,
    "change_quiet_ratio": _change("change_quiet"),
    "change_loud_ratio": _change("change_loud"),
    "linear_accuracy": linear_accuracy,
    "forest_accuracy": forest_accuracy,
}


def song_distance(real: Sung, songs: Sung) -> float:
    """How far songs are from real ones, in one number by which weights are kept: 0 for the same
    songs, infinite for songs of too few syllables to tell.

    The sum of the Kolmogorov-Smirnov distances of durations, gaps and peak frequencies, of the
    logarithms, either way, of the ratios of the medians of durations and peaks, of syllables per
    second and of effective types, and of the transition divergence in bits. Only the last sees in
    which order the syllables are.
    """
    if min(len(real), len(songs)) < FEWEST_SYLLABLES:
        return math.inf
    apart = [MEASURES[name](real, songs) for name in _OF_DISTANCE]
    medians = [_ratio(*(_median(getattr(s, of)) for s in (songs, real))) for of in _WITH_MEDIANS]
    ratios = [*medians, _rate_ratio(real, songs), _effective_types_ratio(real, songs)]
    if not all(ratio > 0 for ratio in ratios) or not all(map(math.isfinite, apart)):
        return math.inf
    return float(sum(apart) + sum(abs(math.log(ratio)) for ratio in ratios))


def badness(name: str, value: float) -> float:
    """How far a figure is from what the same songs would have, by which two of one measure are
    compared: 0 or more, but for shares of the real ones that are covered.
    """
    if name.endswith("_ratio"):
        return abs(math.log(value)) if value > 0 else math.inf
    return -value if name in ("coverage", "recall") else value


def _told_apart(
    real: Sung, songs: Sung, predict: Callable[[np.ndarray, np.ndarray], np.ndarray]
) -> float:
    if min(len(real), len(songs)) < 2 * _NUM_FOLDS:
        return math.nan
    points = np.concatenate([real.vectors, songs.vectors])
    labels = np.repeat([False, True], [len(real), len(songs)])
    right = predict(points, labels) == labels
    return float((right[~labels].mean() + right[labels].mean()) / 2)


def _radii(vectors: np.ndarray) -> np.ndarray:
    """Distance of each to its fifth neighbour, itself not counted.  [S, D] -> [S]"""
    apart = scipy.spatial.distance.cdist(vectors, vectors)
    return np.partition(apart, _NUM_NEIGHBOURS, axis=1)[:, _NUM_NEIGHBOURS]


def _median(values: np.ndarray) -> float:
    return float(np.median(values)) if len(values) else math.nan


def _ratio(one: float, other: float) -> float:
    return one / other if other else math.nan
