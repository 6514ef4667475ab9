"""How far two samples are apart: of counts, and of values."""

import math

import numpy as np
import scipy.spatial.distance
import scipy.stats


def divergence_bits(counts: np.ndarray, other: np.ndarray) -> float:
    """Jensen-Shannon divergence of two tables of counts, 0 to 1 bit (Lin, 1991); NaN where one is
    empty. Small samples raise it.
    """
    if not counts.sum() or not other.sum():
        return math.nan
    return float(scipy.spatial.distance.jensenshannon(counts.ravel(), other.ravel(), base=2) ** 2)


def kolmogorov_smirnov(values: np.ndarray, other: np.ndarray) -> float:
    """Largest difference of two samples' cumulative distributions, 0 to 1; NaN where one is empty.
    Small samples raise it.
    """
    if not (len(values) and len(other)):
        return math.nan
    # Exactly, which takes long and may fail, only the p-value is computed, which nobody asks for.
    return float(scipy.stats.ks_2samp(values, other, method="asymp").statistic)
