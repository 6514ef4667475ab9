"""Simple predictors of the next frame, which a sequence model has to beat:
mean, previous frame, ridge autoregression.
"""

import dataclasses
from typing import Protocol

import numpy as np
import numpy.typing as npt

from neurovocal_tf.model.autoregression import FrameStatistics, delayed


class Baseline(Protocol):
    """What predicts each frame from those before it."""

    def one_step_predictions(self, sequence: npt.ArrayLike) -> np.ndarray:
        """Predictions of every frame.  [..., L, V] -> float64 [..., L, V]"""


@dataclasses.dataclass(frozen=True)
class MeanBaseline:
    """Predicts the training frames' mean `[V]`."""

    mean: np.ndarray

    def one_step_predictions(self, sequence: npt.ArrayLike) -> np.ndarray:
        """Predictions of every frame from those before it.  [..., L, V] -> float64 [..., L, V]"""
        return np.broadcast_to(self.mean, np.shape(sequence)).copy()


@dataclasses.dataclass(frozen=True)
class PreviousFrameBaseline:
    """Predicts the frame before; the training frames' mean `[V]` where there is none."""

    mean: np.ndarray

    def one_step_predictions(self, sequence: npt.ArrayLike) -> np.ndarray:
        """Predictions of every frame from those before it.  [..., L, V] -> float64 [..., L, V]"""
        return delayed(sequence, 1, self.mean)


class BaselineStatistics(FrameStatistics):
    """What the one-step baselines need of the training frames, see `FrameStatistics`."""

    def fit(self) -> dict[str, Baseline]:
        """The baselines: dict of `mean`, `previous_frame` and `ridge_var<order>`.

        Raises ValueError before the first frame.
        """
        mean = self.mean()
        return {
            "mean": MeanBaseline(mean),
            "previous_frame": PreviousFrameBaseline(mean),
            f"ridge_var{self.order}": self.autoregression(),
        }
