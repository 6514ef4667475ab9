"""What a sound must not have, measured beside a recording of the same material."""

import numpy as np
import scipy.signal

# The mains' frequencies, and what is below the first bin of a spectrogram.
_HUM_HZ = (50.0, 60.0)


def sharpest(samples):
    """Largest second difference over the loudest sample: 4 at most, and next to that of a click."""
    return float(np.abs(np.diff(samples, 2)).max() / np.abs(samples).max())


def sharpness(samples):
    """Largest second difference over their root mean square, which in sound without clicks is
    some times that of noise.
    """
    bends = np.diff(samples, 2)
    return float(np.abs(bends).max() / np.sqrt(np.mean(np.square(bends))))


def offset(samples):
    """Mean over root mean square."""
    return float(abs(np.mean(samples)) / np.sqrt(np.mean(np.square(samples))))


def hum_db(samples, rate):
    """Power within 5 Hz of 50 and 60 Hz over that of all, dB."""
    hz, power = scipy.signal.periodogram(samples, rate)
    is_hum = np.any(np.abs(hz[:, None] - _HUM_HZ) <= 5.0, axis=1)
    return float(10 * np.log10(power[is_hum].sum() / power.sum()))
