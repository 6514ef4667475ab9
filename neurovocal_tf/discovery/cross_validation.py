"""How well individuals are told apart in recordings that were not learned from, and how much of
that is chance.

Recordings are held out whole: calls of one recording share its background and its day, and are
never on both sides.
"""

import dataclasses
import functools

import numpy as np
from sklearn.neighbors import NearestNeighbors

from neurovocal_tf.discovery import stability, telling_apart
from neurovocal_tf.discovery.telling_apart import Calibration

_MOST_FOLDS = 5
_NUM_SHUFFLES, _SHUFFLED_CALLS, _SHUFFLED_FOLDS = 39, 400, 2
_NUM_BOOTSTRAPS = 1000
_MOST_NEIGHBOURS = 4000
_NUM_BINS = 10
# What is unlike a held-out individual's own calls but for 5 % of these.
_FAMILIAR_QUANTILE = 0.95


@dataclasses.dataclass(frozen=True)
class Labelled:
    """S calls, or stretches of silence, of labelled recordings.

    Attributes:
        points: `[S, D]`.    individuals: int `[S]`, of K.    num_individuals: K.
        recordings: int `[S]`.
        songs: int `[S]`, which calls were sung together; each in one recording.
    """

    points: np.ndarray
    individuals: np.ndarray
    num_individuals: int
    recordings: np.ndarray
    songs: np.ndarray

    def part(self, chosen: np.ndarray) -> "Labelled":
        """Some of the calls, by a mask or by their places."""
        return dataclasses.replace(
            self,
            points=self.points[chosen],
            individuals=self.individuals[chosen],
            recordings=self.recordings[chosen],
            songs=self.songs[chosen],
        )


@dataclasses.dataclass(frozen=True)
class HeldOut:
    """What calls of held-out recordings look like to what was learned from the others.

    Attributes:
        labelled: the `Labelled` calls that were held out.
        num_folds: into how many parts the recordings were shared out.
        folds: int `[S]`, in which part each call is.
        scores: `[S, K]`, see `telling_apart.Classifier`.
        nearest: int `[S]`, whose the nearest call learned from is.
        distances: `[S]`, to that.
    """

    labelled: Labelled
    num_folds: int
    folds: np.ndarray
    scores: np.ndarray
    nearest: np.ndarray
    distances: np.ndarray

    @property
    def reach(self) -> float:
        """How far 95 % of held-out calls lie from the nearest call at most."""
        return float(np.quantile(self.distances, _FAMILIAR_QUANTILE))

    @functools.cached_property
    def calibration(self) -> Calibration:
        """Of all held-out calls."""
        return self._calibration(np.ones(len(self.folds), bool))

    @functools.cached_property
    def _of_others(self) -> list[Calibration]:
        """For each fold that of the others."""
        return [self._calibration(self.folds != fold) for fold in range(self.num_folds)]

    def _calibration(self, chosen: np.ndarray) -> Calibration:
        own = self.labelled.part(chosen)
        units = [numbered(own.songs), numbered(own.recordings)]
        return telling_apart.calibrate(self.scores[chosen], own.individuals, units)

    def log_probabilities(self, units: np.ndarray) -> np.ndarray:
        """Of units of calls int `[S]`, none of which is in two recordings, `[U, K]`: each by the
        calibration of the other folds.
        """
        found = np.empty((units.max() + 1, self.labelled.num_individuals))
        for fold, calibration in enumerate(self._of_others):
            own = self.folds == fold
            names, numbers = np.unique(units[own], return_inverse=True)
            found[names] = calibration.log_probabilities(self.scores[own], numbers)
        return found


def can_be_held_out(labelled: Labelled) -> np.ndarray:
    """Which individuals have two recordings with calls, so that one can be held out, int."""
    pairs = np.unique(np.stack([labelled.individuals, labelled.recordings]), axis=1)
    counts = np.bincount(pairs[0], minlength=labelled.num_individuals)
    return np.flatnonzero(counts >= 2)


def hold_out(
    labelled: Labelled, seed: int, most_folds: int = _MOST_FOLDS, with_neighbours: bool = True
) -> HeldOut:
    """Learns from some recordings what is then told of others, until all were held out once.

    An individual's only recording is always learned from: others may be taken for it.

    Args:
        labelled: `Labelled`, of two individuals with two recordings each at least.
        seed: int.    most_folds: into how many parts the recordings are shared out.
        with_neighbours: whether the nearest calls are looked for as well.
    """
    fold_of = _folds(labelled, most_folds, seed)
    folds = np.array([fold_of[number] for number in labelled.recordings.tolist()])
    size, num_folds = len(labelled.points), int(folds.max()) + 1
    scores = np.empty((size, labelled.num_individuals))
    nearest, distances = np.zeros(size, int), np.zeros(size)
    for fold in range(num_folds):
        held, learned = folds == fold, labelled.part(folds != fold)
        classifier = telling_apart.fit(
            learned.points, learned.individuals, labelled.num_individuals, seed
        )
        scores[held] = classifier.scores(labelled.points[held])
        if with_neighbours:
            place, distances[held] = nearest_of(labelled.points[held], learned.points, seed)
            nearest[held] = learned.individuals[place]
    kept = folds >= 0
    return HeldOut(
        labelled.part(kept),
        num_folds,
        folds[kept],
        scores[kept],
        nearest[kept],
        distances[kept],
    )


def nearest_of(points: np.ndarray, among: np.ndarray, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """The nearest of some points, or of 4,000 of them, int `[S]`, and how far it is, `[S]`."""
    some = np.random.default_rng(seed).permutation(len(among))[:_MOST_NEIGHBOURS]
    tree = NearestNeighbors(n_neighbors=1, algorithm="brute").fit(among[some])
    distances, places = tree.kneighbors(points)
    return some[places[:, 0]], distances[:, 0]


def judged(
    log_probabilities: np.ndarray, truth: np.ndarray, recordings: np.ndarray, seed: int
) -> dict[str, object]:
    """How often answers are right, and whether their probabilities are to be believed.

    Args:
        log_probabilities: `[U, K]`.    truth: int `[U]`.    recordings: int `[U]`.    seed: int.

    Returns: dict of JSON's kinds: `num`; `accuracy`, `accuracy_low`, `accuracy_high`;
        `balanced_accuracy`, each individual counted the same; `majority`, what always answering the
        most frequent one would reach; `confusion`, counts `[K, K]`, rows true; `log_loss_bits`;
        `calibration_error` (expected, of ten bins; Naeini et al., 2015) and `bins`, of each that is
        not empty the mean probability, the share that is right, and how many.
    """
    size = log_probabilities.shape[1]
    answers = log_probabilities.argmax(axis=1)
    told = np.exp(log_probabilities.max(axis=1))
    confusion = np.zeros((size, size), int)
    np.add.at(confusion, (truth, answers), 1)
    counts = confusion.sum(axis=1)
    right = answers == truth
    low, high = share_interval(right, recordings, truth, seed)
    bins = [
        (float(told[own].mean()), float(right[own].mean()), int(own.sum()))
        for number in range(_NUM_BINS)
        if (own := np.minimum((_NUM_BINS * told).astype(int), _NUM_BINS - 1) == number).any()
    ]
    present = counts > 0
    bits = -log_probabilities[np.arange(len(truth)), truth] / np.log(2)
    return {
        "num": len(truth),
        "accuracy": round(float(right.mean()), 4),
        "accuracy_low": low,
        "accuracy_high": high,
        "balanced_accuracy": round(
            float(np.mean(confusion.diagonal()[present] / counts[present])), 4
        ),
        "majority": round(float(counts.max() / counts.sum()), 4),
        "confusion": confusion.tolist(),
        "log_loss_bits": round(float(bits.mean()), 4),
        "calibration_error": round(
            sum(abs(mean - share) * count for mean, share, count in bins) / len(truth), 4
        ),
        "bins": [[round(mean, 4), round(share, 4), count] for mean, share, count in bins],
    }


def share_interval(
    right: np.ndarray, recordings: np.ndarray, strata: np.ndarray, seed: int
) -> tuple[float | None, float | None]:
    """95 % interval of the share of what is right, over recordings drawn with replacement, as many
    of each individual as it has; None of fewer than five recordings.

    Where all is right or all wrong, no draw differs: then the exact interval of so many recordings
    of which all are (Clopper & Pearson, 1934).

    Args:
        right: bool `[U]`.    recordings: int `[U]`.    strata: int `[U]`, individuals.
        seed: int.
    """
    names, places = np.unique(recordings, return_inverse=True)
    if len(names) < stability.MIN_RECORDINGS:
        return None, None
    if right.all() or not right.any():
        other = 0.025 ** (1 / len(names))
        return (round(other, 4), 1.0) if right.all() else (0.0, round(1 - other, 4))
    hits = np.bincount(places, right)
    sizes = np.bincount(places)
    of = np.zeros(len(names), int)
    of[places] = strata
    rng = np.random.default_rng(seed)
    weights = np.zeros((_NUM_BOOTSTRAPS, len(names)))
    for stratum in np.unique(of):
        own = np.flatnonzero(of == stratum)
        weights[:, own] = rng.multinomial(
            len(own), np.full(len(own), 1 / len(own)), _NUM_BOOTSTRAPS
        )
    low, high = np.quantile((weights @ hits) / (weights @ sizes), [0.025, 0.975])
    return round(float(low), 4), round(float(high), 4)


def against_chance(labelled: Labelled, seed: int) -> dict[str, float | int]:
    """The accuracy of single calls when the labels are shuffled over the recordings, and how seldom
    that is as good as with the labels where they belong: 39 times, on 400 calls and in two folds,
    as for these.
    """
    rng = np.random.default_rng(seed)
    few = labelled.part(np.sort(rng.permutation(len(labelled.points))[:_SHUFFLED_CALLS]))
    names, first, places = np.unique(few.recordings, return_index=True, return_inverse=True)
    owners = few.individuals[first]

    def accuracy(owners: np.ndarray) -> float | None:
        shuffled = dataclasses.replace(few, individuals=owners[places])
        if len(can_be_held_out(shuffled)) < 2:
            return None
        held = hold_out(shuffled, seed, _SHUFFLED_FOLDS, with_neighbours=False)
        return float(np.mean(held.scores.argmax(axis=1) == held.labelled.individuals))

    observed = accuracy(owners)
    by_chance = [
        value
        for value in (accuracy(rng.permutation(owners)) for _ in range(_NUM_SHUFFLES))
        if value is not None
    ]
    if observed is None or not by_chance:
        return {}
    as_good = sum(value >= observed - 1e-12 for value in by_chance)
    return {
        "accuracy": round(float(np.mean(by_chance)), 4),
        "accuracy_high": round(float(np.quantile(by_chance, 0.95)), 4),
        "p_value": round((1 + as_good) / (1 + len(by_chance)), 4),
        "num_shuffles": len(by_chance),
    }


def votes(answers: np.ndarray, units: np.ndarray, num_individuals: int) -> np.ndarray:
    """The answer of most calls of each unit.  int `[S]`, int `[S]` -> int `[U]`"""
    counted = np.zeros((units.max() + 1, num_individuals), int)
    np.add.at(counted, (units, answers), 1)
    return counted.argmax(axis=1)


def numbered(names: np.ndarray) -> np.ndarray:
    """Numbers from 0 in the place of others, in their order."""
    return np.unique(names, return_inverse=True)[1]


def of_units(values: np.ndarray, units: np.ndarray) -> np.ndarray:
    """What all calls of a unit have in common.  `[S]`, int `[S]` -> `[U]`"""
    return values[np.unique(units, return_index=True)[1]]


def _folds(labelled: Labelled, most_folds: int, seed: int) -> dict[int, int]:
    """Recording -> the part in which it is held out, -1 for none; each individual's are spread."""
    rng = np.random.default_rng(seed)
    own = {
        k: rng.permutation(np.unique(labelled.recordings[labelled.individuals == k]))
        for k in np.unique(labelled.individuals)
    }
    num_folds = min(most_folds, sum(len(names) for names in own.values() if len(names) >= 2))
    found: dict[int, int] = {}
    begin = 0
    for names in own.values():
        if len(names) < 2:
            found[int(names[0])] = -1
            continue
        for place, name in enumerate(names):
            found[int(name)] = (begin + place) % num_folds
        begin += len(names)
    return found
