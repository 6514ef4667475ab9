"""Calls in two dimensions by UMAP (McInnes et al., 2018), where umap-learn is installed."""

import importlib.util
import warnings

import numpy as np

_LEAST = 30


def is_there(num_points: int) -> bool:
    """Whether so many points can be seen: umap-learn is installed, and they are thirty at least."""
    return num_points >= _LEAST and importlib.util.find_spec("umap") is not None


def two(points: np.ndarray, seed: int = 0) -> np.ndarray:
    """Points `[N, D]` in two dimensions, `[N, 2]`: the same for the same seed."""
    with warnings.catch_warnings():
        # Of its own imports and of what a seed costs, which is wanted here.
        warnings.simplefilter("ignore")
        import umap  # takes seconds, and brings TensorFlow where that is installed

        return np.asarray(umap.UMAP(random_state=seed, n_jobs=1).fit_transform(points))
