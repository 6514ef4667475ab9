"""One linear-phase band-pass for every detector:
designed once, applied to one page of samples at a time.
"""

import functools

import numpy as np
import scipy.fft
import scipy.signal

STOPBAND_DB = 60.0
_MAX_TAPS = 8191
_SHORTEST_TRANSFORM = 4096


@functools.lru_cache(maxsize=32)
def band_pass_taps(sample_rate: float, low_hz: float, high_hz: float) -> np.ndarray | None:
    """Odd-length linear-phase FIR, Kaiser-windowed sinc, NumPy float64 [num_taps];
    None where no filter is asked for.

    An edge of 0 is no edge, and neither is an upper edge at or above Nyquist. The edges are the
    -6 dB points; the transition is half as wide as the lower edge is high, so that 60 dB are
    reached at three quarters of it. With a lower edge nothing passes at 0 Hz.

    Raises: ValueError if `low_hz` is at or above Nyquist, or not below `high_hz`.
    """
    nyquist = sample_rate / 2
    if low_hz >= nyquist:
        raise ValueError(
            f"`low_hz` must be below half the sample rate, {nyquist:g} Hz. "
            f"Received: low_hz={low_hz:g}"
        )
    if 0 < high_hz <= low_hz:
        raise ValueError(
            f"`low_hz` must be below `high_hz`, {high_hz:g} Hz. Received: low_hz={low_hz:g}"
        )
    edges = [edge for edge in (low_hz, high_hz) if 0 < edge < nyquist]
    if not edges:
        return None
    transition_hz = edges[0] / 2
    num_taps, beta = scipy.signal.kaiserord(STOPBAND_DB, transition_hz / nyquist)
    num_taps = min(num_taps | 1, _MAX_TAPS)
    taps = scipy.signal.firwin(
        num_taps, edges, window=("kaiser", beta), pass_zero=low_hz <= 0, fs=sample_rate
    )
    if low_hz > 0:
        # 60 dB under an offset is still louder than a quiet room.
        window = scipy.signal.get_window(("kaiser", beta), num_taps, fftbins=False)
        taps -= window * (taps.sum() / window.sum())
    taps.setflags(write=False)
    return taps


def transform_length(num_taps: int) -> int:
    """Samples of the transforms that filter by overlap-save."""
    return max(_SHORTEST_TRANSFORM, 1 << (4 * num_taps - 1).bit_length())


def filtered(page: np.ndarray, taps: np.ndarray) -> np.ndarray:
    """Convolution where all taps meet samples, by overlap-save.  [N + num_taps - 1] -> [N], float64

    Transforms are short and start at fixed places of the page,
    so that what is silent among silence stays exactly silent.
    """
    num_samples = len(page) - len(taps) + 1
    length = transform_length(len(taps))
    step = length - len(taps) + 1
    num_transforms = -(-num_samples // step)
    padded = np.zeros((num_transforms - 1) * step + length)
    padded[: len(page)] = page
    windows = np.lib.stride_tricks.sliding_window_view(padded, length)[::step]
    spectra = scipy.fft.rfft(windows)
    spectra *= scipy.fft.rfft(taps, length)
    return scipy.fft.irfft(spectra, length, overwrite_x=True)[:, len(taps) - 1 :].reshape(-1)[
        :num_samples
    ]
