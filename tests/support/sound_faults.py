"""What a sound must not have, measured so that it can stand beside a recording of the same kind."""

import numpy as np
import scipy.signal

_MAINS_HZ = (50.0, 60.0)
_AROUND_HZ = 5.0


def sharpness(samples):
    """Largest second difference over their root mean square: a click is far above it."""
    bends = np.diff(np.asarray(samples, np.float64), 2)
    return float(np.abs(bends).max() / np.sqrt(np.mean(np.square(bends))))


def offset(samples):
    """Mean over root mean square."""
    samples = np.asarray(samples, np.float64)
    return float(abs(samples.mean()) / np.sqrt(np.mean(np.square(samples))))


def hum_db(samples, rate):
    """Power around 50 and 60 Hz over that of all but the mean, dB."""
    hz, power = scipy.signal.periodogram(samples, rate)
    is_hum = np.any(np.abs(hz[:, None] - _MAINS_HZ) <= _AROUND_HZ, axis=1)
    return float(10 * np.log10(power[is_hum].sum() / power.sum()))
