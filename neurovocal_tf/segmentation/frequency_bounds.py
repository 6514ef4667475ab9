"""The band that each segment of a recording occupies, of recordings of any length."""

import numpy as np
import scipy.signal

from neurovocal_tf.segmentation.band import in_band_or_all

# About as many are held at once of a long segment.
_STRETCH_SAMPLES = 2**19


def frequency_bounds_hz(blocks, sample_rate, onsets, offsets, n_fft, share=0.9, low_hz=0.0, high_hz=0.0):
    """The band with the middle `share` of each segment's power: for 0.9, what Raven calls Frequency 5% and Frequency 95%.

    Measured in the windows of `spectrogram.power_spectrogram`, half a window apart. Bounds are edges of bins, so that a pure tone has
    a band too. A segment shorter than a window is measured in the window about its middle; a silent one has the whole band.

    Args:
        blocks: iterable of float `[n]`, the recording's samples in order; gone through once, and held no longer than needed.
        sample_rate: Hz.    onsets, offsets: int `[S]`, samples, the offset exclusive, clipped to what there is.
        n_fft: samples in a window.    share: above 0, up to 1.
        low_hz, high_hz: only bins between them count, 0 being no limit; all count where there is none between.

    Returns: NumPy float64 `[S, 2]`, Hz, low and high.
    """
    if not 0 < share <= 1:
        raise ValueError(f"`share` must be above 0, and at most 1. Received: share={share}")
    power = np.zeros((len(onsets), n_fft // 2 + 1))
    frequencies = np.arange(n_fft // 2 + 1) * (sample_rate / n_fft)
    band = in_band_or_all(frequencies, low_hz, high_hz)
    stretches = _stretches(np.asarray(onsets, np.int64), np.asarray(offsets, np.int64), n_fft)
    for segment, samples in _samples_of(blocks, stretches, n_fft):
        windows = scipy.signal.spectrogram(samples, sample_rate, nperseg=n_fft, noverlap=n_fft // 2)[-1]
        power[segment] += np.where(band, windows.sum(axis=-1), 0.0)
    below = np.cumsum(power, axis=-1)
    targets = below[:, -1:] * ((1 - share) / 2, (1 + share) / 2)
    # A bin without power cannot be the lowest, even of all the power there is.
    low = np.argmax((below >= targets[:, :1]) & (below > 0), axis=-1)
    high = np.argmax(below >= targets[:, 1:], axis=-1)
    bins = np.where(below[:, -1:] > 0, np.stack([low, high], axis=-1), np.flatnonzero(band)[[0, -1]])
    edges = (bins + (-0.5, 0.5)) * (sample_rate / n_fft)
    return np.clip(edges, 0.0, sample_rate / 2)


def _stretches(onsets, offsets, n_fft):
    """(first, last, segment) of what is to be read, in time order: long segments in parts that have the windows of the whole."""
    hop = n_fft - n_fft // 2
    at_once, found = max(_STRETCH_SAMPLES // hop, 1), []
    for segment, (onset, offset) in enumerate(zip(np.maximum(onsets, 0).tolist(), offsets.tolist(), strict=True)):
        num_windows = (offset - onset - n_fft // 2) // hop
        if num_windows < 1:
            first = max((onset + offset - n_fft) // 2, 0)
            found.append((first, first + n_fft, segment))
        for begin in range(0, num_windows, at_once):
            end = min(begin + at_once, num_windows)
            found.append((onset + begin * hop, onset + (end - 1) * hop + n_fft, segment))
    return sorted(found)


def _samples_of(blocks, stretches, n_fft):
    """(segment, float64 samples) of each stretch; of one that reaches over the end, a window at least of what is there."""
    blocks, held, start = iter(blocks), np.zeros(0), 0
    for first, last, segment in stretches:
        while start + len(held) < last:
            block = next(blocks, None)
            if block is None:
                break
            # A window more than is asked for: should the recording end here, its last one is.
            dropped = min(max(first - n_fft - start, 0), len(held))
            held, start = np.concatenate([held[dropped:], block]), start + dropped
        last = min(last, start + len(held))
        samples = held[max(min(first, last - n_fft) - start, 0) : max(last - start, 0)]
        yield segment, np.pad(np.asarray(samples, np.float64), (0, max(n_fft - len(samples), 0)))
