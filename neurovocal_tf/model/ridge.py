"""Least squares with a ridge, of moments: M = sum of z z' over rows z = [1, inputs, outputs]."""

import numpy as np
import scipy.linalg


def weights_of(moments: np.ndarray, num_outputs: int, ridge: float) -> np.ndarray:
    """Weights of the penalised least squares; the intercept, row 0, is free of the penalty.

    Args:
        moments: [1 + I + O, 1 + I + O], of one row at least.    num_outputs: O.
        ridge: the penalty, as a share of the mean variance of an input.

    Returns:
        [1 + I, O].
    Reference: Hoerl and Kennard, 1970.
    """
    num_inputs = len(moments) - num_outputs
    means = moments[0] / moments[0, 0]
    covariance = moments[1:] / moments[0, 0] - means[1:, None] * means
    inputs = covariance[: num_inputs - 1, 1:num_inputs]
    # Constant inputs have no variance to take a share of: any positive penalty then gives zero.
    penalty = max(ridge * np.trace(inputs) / len(inputs), 1e-12)
    slopes = scipy.linalg.solve(
        inputs + penalty * np.eye(len(inputs)),
        covariance[: num_inputs - 1, num_inputs:],
        assume_a="pos",
    )
    intercept = means[num_inputs:] - means[1:num_inputs] @ slopes
    return np.concatenate([intercept[None], slopes])


def squared_error(moments: np.ndarray, weights: np.ndarray) -> float:
    """Sum over rows and outputs of the squared error: trace(R' M R) with R = [-weights; I]."""
    residual = np.concatenate([-weights, np.eye(weights.shape[1])])
    return float(np.sum(residual * (moments @ residual)))
