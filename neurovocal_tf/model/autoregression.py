"""Vector autoregression of frames, fitted with a ridge, in memory that does not grow with their
number.
"""

import dataclasses

import numpy as np
import numpy.typing as npt

from neurovocal_tf.model import ridge as ridge_regression

# Shares of the mean variance of a bin; the held-back frames choose among them.
_RIDGES = (1e-5, 1e-4, 1e-3, 1e-2, 1e-1, 1.0)
_HELD_BACK_SHARE = 0.1
# Bounds the design matrix of a long sequence.
_BLOCK_FRAMES = 8192


@dataclasses.dataclass(frozen=True)
class RidgeVAR:
    """Vector autoregression of `order` frames:
    prediction_t = intercept + sum_i v_{t-i} @ coefficients[i - 1].

    Attributes:
        mean: `[V]`, stands for the frames before a sequence's first.
        intercept: `[V]`.
        coefficients: `[order, V, V]`.
        ridge: penalty on the coefficients, as a share of the mean variance of a bin.
    Reference: Luetkepohl, New Introduction to Multiple Time Series Analysis, 2005;
        ridge: Hoerl and Kennard, 1970.
    """

    mean: np.ndarray
    intercept: np.ndarray
    coefficients: np.ndarray
    ridge: float

    def one_step_predictions(self, sequence: npt.ArrayLike) -> np.ndarray:
        """Predictions of every frame from those before it.  [..., L, V] -> float64 [..., L, V]"""
        lags = (delayed(sequence, i + 1, self.mean) @ a for i, a in enumerate(self.coefficients))
        return self.intercept + sum(lags)


def delayed(sequence: npt.ArrayLike, steps: int, fill: np.ndarray) -> np.ndarray:
    """A sequence moved `steps` frames later, its first frames `fill` [V].

    [..., L, V] -> float64 [..., L, V]
    """
    sequence = np.asarray(sequence, np.float64)
    delayed = np.empty_like(sequence)
    delayed[..., :steps, :] = fill
    delayed[..., steps:, :] = sequence[..., :-steps, :]
    return delayed


class FrameStatistics:
    """What the mean and the autoregression of frames need of them.

    Holds the frames' sum and two moment matrices of z_t = [1, v_{t-1}, ..., v_{t-order}, v_t], one
    of the first nine tenths of every sequence and one of the last, on which the ridge is chosen.
    Frames are counted from the first sequence's mean: the moments of raw dB would cancel.

    Args:
        order: int, frames of history of the autoregression.
    """

    def __init__(self, order: int = 2) -> None:
        if order < 1:
            raise ValueError(f"`order` must be at least 1. Received: order={order}")
        self.order = order
        self.num_frames = 0
        self._shift = None

    def update(self, frames: npt.ArrayLike) -> None:
        """Adds one sequence of frames `[L, V]`, L at least 0.

        Raises ValueError for another shape or non-finite values.
        """
        frames = np.asarray(frames, np.float64)
        if frames.ndim != 2 or (self._shift is not None and frames.shape[1] != self._shift.size):
            raise ValueError(
                "`frames` must be [L, V], V the same for all sequences. "
                f"Received: frames of shape {frames.shape}"
            )
        if not np.isfinite(frames).all():
            raise ValueError("`frames` must be finite. Received: frames with NaN or Inf")
        if not len(frames):
            return
        if self._shift is None:
            self._begin(frames)
        frames = frames - self._shift
        self.num_frames += len(frames)
        self._sum += frames.sum(axis=0)
        num_predicted = max(len(frames) - self.order, 0)
        boundary = len(frames) - int(_HELD_BACK_SHARE * num_predicted)
        self._add_moments(self._fitted, frames, self.order, boundary)
        self._add_moments(self._held_back, frames, boundary, len(frames))

    def mean(self) -> np.ndarray:
        """Mean frame, float64 [V].  Raises ValueError before the first frame."""
        if not self.num_frames:
            raise ValueError(
                f"`{type(self).__name__}` must see at least one frame before it can fit. "
                "Received: none"
            )
        return self._shift + self._sum / self.num_frames

    def autoregression(self) -> RidgeVAR:
        """The autoregression of the frames.  Raises ValueError before the first frame."""
        return self._fit_var(self.mean())

    def _begin(self, frames):
        self._shift = frames.mean(axis=0)
        self._sum = np.zeros_like(self._shift)
        size = 1 + (self.order + 1) * self._shift.size
        self._fitted, self._held_back = np.zeros((size, size)), np.zeros((size, size))

    def _add_moments(self, moments, frames, start, stop):
        """Adds to `moments` the frames start to stop, those with a whole history before them."""
        for begin in range(start, stop, _BLOCK_FRAMES):
            end = min(begin + _BLOCK_FRAMES, stop)
            history = [frames[begin - lag : end - lag] for lag in range(1, self.order + 1)]
            z = np.concatenate([np.ones((end - begin, 1)), *history, frames[begin:end]], axis=1)
            moments += z.T @ z

    def _fit_var(self, mean):
        ridge = _RIDGES[len(_RIDGES) // 2]
        if self._held_back[0, 0] and self._fitted[0, 0]:
            ridge = min(
                _RIDGES,
                key=lambda r: ridge_regression.squared_error(
                    self._held_back, self._solve(self._fitted, r)
                ),
            )
        weights = self._solve(self._fitted + self._held_back, ridge)
        num_visible = mean.size
        coefficients = weights[1:].reshape(self.order, num_visible, num_visible)
        intercept = self._shift + weights[0] - self._shift @ coefficients.sum(axis=0)
        return RidgeVAR(mean=mean, intercept=intercept, coefficients=coefficients, ridge=ridge)

    def _solve(self, moments, ridge):
        """Weights [1 + order V, V] of the penalised least squares;
        the intercept, row 0, is free of the penalty.
        """
        num_visible = self._shift.size
        if not moments[0, 0]:
            mean = self._sum / self.num_frames
            num_inputs = len(moments) - num_visible
            return np.concatenate([mean[None], np.zeros((num_inputs - 1, num_visible))])
        return ridge_regression.weights_of(moments, num_visible, ridge)
