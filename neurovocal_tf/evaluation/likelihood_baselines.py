"""Simple models of the next frame with an exact likelihood, which a sequence model has to beat.

Each is fitted to training sequences and gives `log_likelihoods(sequence)`, nats of every frame
given those before it, [L, V] -> [L]; the binary ones also `probabilities(sequence)` of every unit,
[L, V] -> [L, V]. The first frame has the independent units' likelihood. Counts are smoothed by one
half (Jeffreys, 1946), so that nothing that has not been seen is impossible.
"""

import dataclasses
from collections.abc import Sequence
from typing import Protocol

import numpy as np
import scipy.linalg
import scipy.optimize
import scipy.special

from neurovocal_tf.evaluation.baselines import BaselineStatistics
from neurovocal_tf.model.autoregression import RidgeVAR


class LikelihoodBaseline(Protocol):
    """What tells how likely each frame is after those before it."""

    def log_likelihoods(self, sequence: np.ndarray) -> np.ndarray:
        """Nats of every frame.  [L, V] -> [L]"""


# Of the sum of squared coefficients, beside a sum over frames; held-back sequences choose.
_PENALTIES = (30.0, 6.0, 1.2)
# Its frames and those before them are in memory together, and more make it hardly better.
_MOST_LOGISTIC_FRAMES = 60_000
# Of a unit after frames unlike all that were learned.
_POSSIBLE = (1e-9, 1 - 1e-9)
# A unit that never varied would have a density without bound.
_SMALLEST_VARIANCE_SHARE = 1e-6


def fit_baselines(sequences: Sequence[np.ndarray], binary: bool) -> dict[str, LikelihoodBaseline]:
    """Baselines fitted to a list of training sequences [L, V].  -> dict of name -> baseline

    `binary` chooses among models of zeros and ones and of real numbers; of the latter, `ridge_var2`
    has the full residual covariance.
    """
    sequences = [np.asarray(sequence, np.float64) for sequence in sequences]
    fits = (
        (IndependentBits, BitChain, RepeatedBits, LogisticBits)
        if binary
        else (IndependentNormals, RepeatedNormals, AutoregressiveNormals)
    )
    names = (
        ("independent", "markov_chain", "previous_frame", "logistic")
        if binary
        else ("independent", "previous_frame", "ar1")
    )
    baselines = {name: kind.fit(sequences) for name, kind in zip(names, fits, strict=True)}
    return baselines if binary else baselines | {"ridge_var2": VectorAutoregression.fit(sequences)}


def _pairs(sequences):
    """Frames that have one before them, and the ones before: two of [sum of L - 1, V]."""
    return np.concatenate([s[:-1] for s in sequences]), np.concatenate([s[1:] for s in sequences])


def _share(on, count):
    return (on + 0.5) / (count + 1.0)


class _Bits:
    """What models of binary frames have in common: the likelihood of frames that are
    independent given the past.
    """

    def log_likelihoods(self, sequence: np.ndarray) -> np.ndarray:
        """Nats of every frame.  [L, V] -> [L]"""
        probability = self.probabilities(sequence)
        return np.sum(
            np.where(np.asarray(sequence) > 0, np.log(probability), np.log1p(-probability)), axis=1
        )


@dataclasses.dataclass(frozen=True)
class IndependentBits(_Bits):
    """Independent units of probability `share` [V]."""

    share: np.ndarray

    @classmethod
    def fit(cls, sequences: Sequence[np.ndarray]) -> "IndependentBits":
        """From a list of [L, V]."""
        frames = np.concatenate(sequences)
        return cls(_share(frames.sum(axis=0), len(frames)))

    def probabilities(self, sequence: np.ndarray) -> np.ndarray:
        """p(v_t = 1).  [L, V] -> [L, V]"""
        return np.broadcast_to(self.share, np.shape(sequence))


@dataclasses.dataclass(frozen=True)
class BitChain(_Bits):
    """A two-state Markov chain for each unit: probabilities [V] of being on at `first`,
    `after_off` and `after_on`.
    """

    first: np.ndarray
    after_off: np.ndarray
    after_on: np.ndarray

    @classmethod
    def fit(cls, sequences: Sequence[np.ndarray]) -> "BitChain":
        """From a list of [L, V]."""
        before, after = _pairs(sequences)
        on, on_on = before.sum(axis=0), (before * after).sum(axis=0)
        off_on = after.sum(axis=0) - on_on
        return cls(
            IndependentBits.fit(sequences).share,
            _share(off_on, len(before) - on),
            _share(on_on, on),
        )

    def probabilities(self, sequence: np.ndarray) -> np.ndarray:
        """p(v_t = 1 | v_{t-1}).  [L, V] -> [L, V]"""
        return np.concatenate(
            [
                self.first[np.newaxis],
                np.where(np.asarray(sequence)[:-1] > 0, self.after_on, self.after_off),
            ]
        )


@dataclasses.dataclass(frozen=True)
class RepeatedBits(BitChain):
    """The frame before, each unit of which flips with its own probability, whichever way."""

    @classmethod
    def fit(cls, sequences: Sequence[np.ndarray]) -> "RepeatedBits":
        """From a list of [L, V]."""
        before, after = _pairs(sequences)
        flips = _share((before != after).sum(axis=0), len(before))
        return cls(IndependentBits.fit(sequences).share, flips, 1.0 - flips)


@dataclasses.dataclass(frozen=True)
class LogisticBits(_Bits):
    """Logistic regressions of every unit on all units of the last frames, which are silent before a
    sequence begins: a Markov model of several frames, and of spikes the generalised linear model
    (Truccolo et al., 2005).

        logit p(v_t = 1) = intercept + sum_d v_{t-d} @ coefficients[d - 1]

    Attributes:
        first: probabilities [V] of the first frame.    intercept: [V].
        coefficients: [order, V, V], by (delay - 1, from, to).
    """

    first: np.ndarray
    intercept: np.ndarray
    coefficients: np.ndarray

    @classmethod
    def fit(cls, sequences: Sequence[np.ndarray], order: int = 3) -> "LogisticBits":
        """From a list of [L, V], as many first ones as 60,000 frames allow; a penalty on the
        squares of the coefficients is chosen on every tenth sequence.
        """
        ends = np.cumsum([len(sequence) for sequence in sequences])
        num_used = int(np.searchsorted(ends, _MOST_LOGISTIC_FRAMES, side="right"))
        used = sequences[: max(num_used, 1)]
        share = IndependentBits.fit(sequences).share

        def fitted(some, penalty):
            weights = _regressed(some, order, share, penalty)
            return cls(share, weights[0], weights[1:].reshape(order, len(share), len(share)))

        held_back, rest = used[::10], [s for i, s in enumerate(used) if i % 10]
        if not rest:
            return fitted(used, max(_PENALTIES))
        candidates = {penalty: fitted(rest, penalty) for penalty in _PENALTIES}
        best = max(
            _PENALTIES, key=lambda p: sum(candidates[p].log_likelihoods(s).sum() for s in held_back)
        )
        return fitted(used, best)

    def probabilities(self, sequence: np.ndarray) -> np.ndarray:
        """p(v_t = 1 | the frames before).  [L, V] -> [L, V]"""
        order = len(self.coefficients)
        logits = self.intercept + _frames_before(
            np.asarray(sequence, np.float64), order
        ) @ self.coefficients.reshape(-1, len(self.first))
        later = np.clip(scipy.special.expit(logits[1:]), *_POSSIBLE)
        return np.concatenate([self.first[np.newaxis], later])


def _frames_before(sequence, order):
    """The `order` frames before each, the latest first, zeros before the first.

    [L, V] -> [L, order V]
    """
    padded = np.concatenate([np.zeros((order, sequence.shape[1]), sequence.dtype), sequence])
    return np.concatenate(
        [padded[order - delay : len(padded) - delay] for delay in range(1, order + 1)], axis=1
    )


def _regressed(sequences, order, share, penalty):
    """Intercept and coefficients of logistic regressions, [1 + order V, V]."""
    before = np.concatenate([_frames_before(s, order)[1:] for s in sequences]).astype(np.float32)
    after = np.concatenate([s[1:] for s in sequences]).astype(np.float32)
    if not len(before):
        return np.concatenate(
            [scipy.special.logit(share)[np.newaxis], np.zeros((before.shape[1], len(share)))]
        )
    mean = before.mean(axis=0)
    before -= mean
    # In these directions, each in steps of its own, all are about equally curved.
    curvature, directions = np.linalg.eigh((before.T @ before).astype(np.float64))
    before = before @ directions.astype(np.float32)
    steps = 1 / np.sqrt(share * (1 - share) * np.maximum(curvature, 0)[:, np.newaxis] + penalty)
    of_intercept = 1 / np.sqrt(share * (1 - share) * len(before) + 0.5)

    def loss(flat):
        flat = flat.reshape(-1, len(share))
        intercept, weights = flat[0] * of_intercept, flat[1:] * steps
        logits = before @ weights.astype(np.float32) + intercept.astype(np.float32)
        probability = scipy.special.expit(logits)
        error = probability - after
        value = np.sum(np.maximum(logits, 0) - after * logits, dtype=np.float64) + np.sum(
            np.log1p(np.exp(-np.abs(logits))), dtype=np.float64
        )
        # Half a frame with each unit and half a one without: nothing is impossible.
        value += np.sum(np.logaddexp(0, intercept) - 0.5 * intercept)
        value += 0.5 * penalty * np.sum(np.square(weights))
        of_first = error.sum(axis=0, dtype=np.float64) + scipy.special.expit(intercept) - 0.5
        gradient = (before.T @ error + penalty * weights) * steps
        return value, np.concatenate([(of_first * of_intercept)[np.newaxis], gradient]).ravel()

    start = np.zeros((1 + len(steps), len(share)))
    start[0] = scipy.special.logit(share) / of_intercept
    found = scipy.optimize.minimize(
        loss, start.ravel(), jac=True, method="L-BFGS-B", options={"maxiter": 40, "ftol": 1e-7}
    )
    weights = found.x.reshape(start.shape)
    intercept, weights = weights[0] * of_intercept, directions @ (weights[1:] * steps)
    return np.concatenate([(intercept - mean @ weights)[np.newaxis], weights])


def _log_normal(error, variance):
    return -0.5 * np.sum(np.log(2 * np.pi * variance) + np.square(error) / variance, axis=1)


def _variance(values, scale):
    return np.maximum(np.mean(np.square(values), axis=0), _SMALLEST_VARIANCE_SHARE * scale)


@dataclasses.dataclass(frozen=True)
class IndependentNormals:
    """Independent normal units of `mean` and `variance` [V]."""

    mean: np.ndarray
    variance: np.ndarray

    @classmethod
    def fit(cls, sequences: Sequence[np.ndarray]) -> "IndependentNormals":
        """From a list of [L, V]."""
        frames = np.concatenate(sequences)
        mean = frames.mean(axis=0)
        return cls(mean, _variance(frames - mean, max(np.mean(frames.var(axis=0)), 1e-12)))

    def log_likelihoods(self, sequence: np.ndarray) -> np.ndarray:
        """Nats of every frame.  [L, V] -> [L]"""
        return _log_normal(np.asarray(sequence, np.float64) - self.mean, self.variance)


@dataclasses.dataclass(frozen=True)
class AutoregressiveNormals:
    """An AR(1) for each unit: v_t = mean + slope (v_{t-1} - mean) + N(0, variance);
    `first`: `IndependentNormals`.
    """

    first: IndependentNormals
    slope: np.ndarray
    variance: np.ndarray

    @classmethod
    def fit(cls, sequences: Sequence[np.ndarray]) -> "AutoregressiveNormals":
        """From a list of [L, V]."""
        first = IndependentNormals.fit(sequences)
        before, after = (frames - first.mean for frames in _pairs(sequences))
        slope = np.sum(before * after, axis=0) / np.maximum(
            np.sum(np.square(before), axis=0), 1e-12
        )
        return cls(first, slope, _variance(after - slope * before, np.mean(first.variance)))

    def log_likelihoods(self, sequence: np.ndarray) -> np.ndarray:
        """Nats of every frame.  [L, V] -> [L]"""
        deviation = np.asarray(sequence, np.float64) - self.first.mean
        later = _log_normal(deviation[1:] - self.slope * deviation[:-1], self.variance)
        return np.concatenate([self.first.log_likelihoods(sequence[:1]), later])


@dataclasses.dataclass(frozen=True)
class RepeatedNormals(AutoregressiveNormals):
    """The frame before and normal noise, a random walk."""

    @classmethod
    def fit(cls, sequences: Sequence[np.ndarray]) -> "RepeatedNormals":
        """From a list of [L, V]."""
        first = IndependentNormals.fit(sequences)
        before, after = _pairs(sequences)
        return cls(
            first, np.ones_like(first.mean), _variance(after - before, np.mean(first.variance))
        )


@dataclasses.dataclass(frozen=True)
class VectorAutoregression:
    """A ridge VAR with a full covariance of its residuals, and of a sequence's first frames:
    Cholesky factors `residual`, `marginal`.
    """

    autoregression: RidgeVAR
    residual: np.ndarray
    marginal: np.ndarray

    @classmethod
    def fit(cls, sequences: Sequence[np.ndarray], order: int = 2) -> "VectorAutoregression":
        """From a list of [L, V]; the ridge is chosen on frames held back among them,
        see `BaselineStatistics`.
        """
        statistics = BaselineStatistics(order)
        for sequence in sequences:
            statistics.update(sequence)
        autoregression = statistics.fit()[f"ridge_var{order}"]
        frames = np.concatenate(sequences)
        marginal = _factor(frames - frames.mean(axis=0))
        residuals = [
            (sequence - autoregression.one_step_predictions(sequence))[order:]
            for sequence in sequences
        ]
        return cls(
            autoregression,
            _factor(np.concatenate(residuals)) if sum(map(len, residuals)) else marginal,
            marginal,
        )

    def log_likelihoods(self, sequence: np.ndarray) -> np.ndarray:
        """Nats of every frame.  [L, V] -> [L]"""
        sequence = np.asarray(sequence, np.float64)
        order = len(self.autoregression.coefficients)
        first = _log_multivariate(sequence[:order] - self.autoregression.mean, self.marginal)
        return np.concatenate(
            [
                first,
                _log_multivariate(
                    (sequence - self.autoregression.one_step_predictions(sequence))[order:],
                    self.residual,
                ),
            ]
        )


def _factor(errors):
    covariance = errors.T @ errors / len(errors)
    smallest = max(_SMALLEST_VARIANCE_SHARE * np.trace(covariance) / len(covariance), 1e-12)
    return scipy.linalg.cholesky(covariance + smallest * np.eye(len(covariance)), lower=True)


def _log_multivariate(errors, factor):
    whitened = scipy.linalg.solve_triangular(factor, errors.T, lower=True)
    return (
        -0.5 * np.sum(np.square(whitened), axis=0)
        - np.sum(np.log(np.diag(factor)))
        - 0.5 * len(factor) * np.log(2 * np.pi)
    )


def sampled_accuracy(actual: np.ndarray, samples: np.ndarray) -> dict[str, float]:
    """How many of the active units were predicted, both ways in use.

    Args:
        actual: binary `[N, V]`.    samples: binary `[M, N, V]`, M predictions of every frame.

    Returns:
        dict of `accuracy`: TP / (TP + FP + FN), counts summed over all frames (Bay, Ehmann &
        Downie, 2009); and `accuracy_2012`: the mean over frames and predictions of
        TP / max(TP + FP, TP + FN), which reproduces the rows of untrained models in the table of
        Boulanger-Lewandowski, Bengio & Vincent (2012) to a fifth of a per cent; a frame where both
        are empty counts as 0.
    """
    actual, samples = np.asarray(actual) > 0, np.asarray(samples) > 0
    hits, found, true = (
        np.sum(samples & actual, axis=-1),
        np.sum(samples, axis=-1),
        np.sum(actual, axis=-1),
    )
    union, larger = found + true - hits, np.maximum(found, true)
    return {
        "accuracy": float(hits.sum() / max(union.sum(), 1)),
        "accuracy_2012": float(np.mean(hits / np.maximum(larger, 1))),
    }
