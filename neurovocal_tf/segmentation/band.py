"""The detector's band: which frequencies it looks at, and so which of a segment's are measured."""

import numpy as np
import numpy.typing as npt


def in_band(frequencies_hz: npt.ArrayLike, low_hz: float, high_hz: float) -> np.ndarray:
    """Which frequencies lie from `low_hz` to `high_hz`, both edges included, 0 being no edge.

    [V] -> bool [V]
    """
    frequencies_hz = np.asarray(frequencies_hz)
    return (frequencies_hz >= low_hz) & ((frequencies_hz <= high_hz) | (high_hz <= 0))


def in_band_or_all(frequencies_hz: npt.ArrayLike, low_hz: float, high_hz: float) -> np.ndarray:
    """The same, but all where none lies there: edges may be closer together than bins, and
    something is to be measured.  -> bool [V]
    """
    band = in_band(frequencies_hz, low_hz, high_hz)
    return band if band.any() else np.ones_like(band)
