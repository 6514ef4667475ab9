"""The order of call types: which follows which, and how far two such orders are apart."""

import math

import numpy as np
import scipy.spatial.distance


def transition_counts(call_types: np.ndarray, follows: np.ndarray, num_types: int) -> np.ndarray:
    """How often each call type follows each within bouts.

    Args:
        call_types: int [S], of syllables in the order in which they were sung, below `num_types`.
        follows: bool [S], whether a syllable continues the bout of the one before it.
        num_types: int, K.

    Returns:
        float [K, K], by (type, next type).
    """
    counts = np.zeros((num_types, num_types))
    np.add.at(counts, (call_types[:-1][follows[1:]], call_types[1:][follows[1:]]), 1)
    return counts


def divergence_nats(counts: np.ndarray, other: np.ndarray) -> float:
    """Jensen-Shannon divergence of two tables of counts [K, K], 0 to log 2 (Lin, 1991); NaN where
    one is empty. Small samples raise it.
    """
    if not counts.sum() or not other.sum():
        return math.nan
    return float(scipy.spatial.distance.jensenshannon(counts.ravel(), other.ravel()) ** 2)
