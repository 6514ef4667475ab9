"""Which of some individuals calls are of, by calls of theirs: scores, and from these probabilities
of one call, of a song and of a recording.

On six speakers and three birds with 1, 5, 20 and 50 labelled calls each, this tells apart one call
as well as the best of shrunk discriminants, logistic regression, kernel densities and neighbours,
and songs best: an individual has many call types, which no straight line parts from another's.
"""

import dataclasses
from collections.abc import Sequence

import numpy as np
import scipy.optimize
from scipy.special import log_softmax
from sklearn.metrics.pairwise import rbf_kernel
from sklearn.svm import SVC

# Chosen on the speakers; ten times as much or as little changes nothing that shows.
_COST = 10.0
# Fitting takes time as the square of the calls, shared out among the individuals.
_MOST_FITTED = 3000
_CHUNK = 4096
# Of an individual that none of the fitted calls is of.
_ABSENT = -30.0
_SHARPNESS = (0.05, 50.0)


@dataclasses.dataclass(frozen=True)
class Classifier:
    """One support vector machine for each of K individuals, it against all others (Cortes & Vapnik,
    1995; Rifkin & Klautau, 2004), with Gaussian kernels.

    Attributes:
        points: `[N, D]`, the fitted calls.    gamma: of the kernels, exp(-gamma distance^2).
        weights: `[N, K]`.    intercepts: `[K]`.
    """

    points: np.ndarray
    gamma: float
    weights: np.ndarray
    intercepts: np.ndarray

    def scores(self, points: np.ndarray) -> np.ndarray:
        """How much calls `[S, D]` are like each individual's, `[S, K]`, above 0 where they are."""
        found = [np.empty((0, len(self.intercepts)))]
        for first in range(0, len(points), _CHUNK):
            kernel = rbf_kernel(points[first : first + _CHUNK], self.points, self.gamma)
            found.append(kernel @ self.weights + self.intercepts)
        return np.concatenate(found)


def fit(points: np.ndarray, individuals: np.ndarray, num_individuals: int, seed: int) -> Classifier:
    """Learns to tell individuals apart, each of them as likely as another.

    Args:
        points: `[N, D]`, calls of two individuals at least.
        individuals: int `[N]`, of each, below K.    num_individuals: K.
        seed: int, of which calls are taken where there are very many.
    """
    rng = np.random.default_rng(seed)
    present = np.unique(individuals)
    most = max(_MOST_FITTED // len(present), 1)
    chosen = np.concatenate(
        [rng.permutation(np.flatnonzero(individuals == k))[:most] for k in present]
    )
    points, individuals = points[chosen].astype(np.float64), individuals[chosen]
    gamma = 1 / max(points.shape[1] * float(points.var()), float(np.finfo(np.float32).tiny))
    weights = np.zeros((len(points), num_individuals))
    intercepts = np.full(num_individuals, _ABSENT)
    kernel = rbf_kernel(points, points, gamma)
    for k in present:
        machine = SVC(C=_COST, kernel="precomputed", class_weight="balanced")
        machine.fit(kernel, individuals == k)
        weights[machine.support_, k] = machine.dual_coef_[0]
        intercepts[k] = machine.intercept_[0]
    return Classifier(points, gamma, weights, intercepts)


@dataclasses.dataclass(frozen=True)
class Calibration:
    """How scores become probabilities.

    Attributes:
        sharpness: by which scores are multiplied before they are taken for logarithms of odds (one
            over the temperature of Guo et al., 2017).
        correlation: 0 to 1, of the errors of calls that were sung together. n such calls tell as
            much as n / (1 + (n - 1) correlation) that were not (the design effect of Kish, 1965).
    """

    sharpness: float = 1.0
    correlation: float = 0.0

    def log_probabilities(self, scores: np.ndarray, units: np.ndarray) -> np.ndarray:
        """Of what was sung together, natural logarithms `[U, K]`.

        Args:
            scores: `[S, K]`, of calls.    units: int `[S]`, of U, what each is part of: a song or a
                recording, or itself alone.
        """
        told = log_softmax(self.sharpness * scores, axis=1)
        counts = np.bincount(units)
        sums = np.stack([np.bincount(units, column) for column in told.T], axis=1)
        effect = 1 + (np.maximum(counts, 1) - 1) * self.correlation
        return np.asarray(log_softmax(sums / effect[:, None], axis=1))


def calibrate(scores: np.ndarray, truth: np.ndarray, units: Sequence[np.ndarray]) -> Calibration:
    """The calibration under which the truth about calls that were not fitted is likeliest.

    That n of n were right does not make the next one certain: the truth is taken to hold for all
    but one of n + 2 (Platt, 1999).

    Args:
        scores: `[S, K]`.    truth: int `[S]`, individuals.
        units: several int `[S]`, what each call is part of, such as songs and recordings.
    """

    def loss(calibration: Calibration, own: np.ndarray) -> float:
        told = calibration.log_probabilities(scores, own)
        right = np.zeros(len(told), int)
        right[own] = truth
        doubt = 1 / (len(told) + 2)
        of_right = told[np.arange(len(told)), right]
        of_others = (told.sum(axis=1) - of_right) / (told.shape[1] - 1)
        return -float(np.mean((1 - doubt) * of_right + doubt * of_others))

    alone = np.arange(len(scores))
    low, high = np.log(_SHARPNESS)
    sharpness = float(
        np.exp(
            scipy.optimize.minimize_scalar(
                lambda x: loss(Calibration(float(np.exp(x))), alone),
                bounds=(low, high),
                method="bounded",
            ).x
        )
    )
    correlation = scipy.optimize.minimize_scalar(
        lambda x: sum(loss(Calibration(sharpness, float(x)), own) for own in units),
        bounds=(0.0, 1.0),
        method="bounded",
    ).x
    return Calibration(sharpness, float(correlation))
