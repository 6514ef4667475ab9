"""One-step errors: how far a prediction is from the frame that came."""

import math
from collections.abc import Callable, Iterable, Mapping

import numpy as np
import numpy.typing as npt


def one_step_error(
    actual: npt.ArrayLike, predicted: npt.ArrayLike, mask: npt.ArrayLike | None = None
) -> float:
    """Root mean square of `actual - predicted` over all bins of the masked frames;
    NaN where no frame is masked.

    Args:
        actual, predicted: `[..., L, V]`, dB (or the data's own unit).
        mask: `[..., L]`, true for frames that count; all count if None.
    """
    squared, count = _squared_error(np.asarray(actual, np.float64), predicted, mask)
    return math.sqrt(squared / count) if count else math.nan


def _squared_error(actual, predicted, mask):
    chosen = slice(None) if mask is None else np.asarray(mask, bool)
    # Indexing, not a product with the mask: padding may hold NaN.
    difference = actual[chosen] - np.asarray(predicted, np.float64)[chosen]
    return float(np.sum(difference**2)), difference.size


def one_step_errors(
    windows: Iterable[tuple[npt.ArrayLike, npt.ArrayLike]],
    predictors: Mapping[str, Callable[[np.ndarray], npt.ArrayLike]],
) -> dict[str, float]:
    """Root mean square one-step errors of several predictors, all on the same frames.

    Args:
        windows: iterable of (frames `[..., L, V]`, mask `[..., L]`),
            as batches of validation windows.
        predictors: dict of name -> function from frames to one-step predictions of the
            same shape and unit.
    Returns: dict of name -> error, in the unit of the frames.
    """
    squared, count = dict.fromkeys(predictors, 0.0), dict.fromkeys(predictors, 0)
    for frames, mask in windows:
        # Padding may hold NaN, which a predictor could spread over its whole batch.
        frames = np.where(np.asarray(mask, bool)[..., None], frames, 0.0)
        for name, predictor in predictors.items():
            error, size = _squared_error(frames, predictor(frames), mask)
            squared[name] += error
            count[name] += size
    return {
        name: math.sqrt(squared[name] / count[name]) if count[name] else math.nan
        for name in predictors
    }
