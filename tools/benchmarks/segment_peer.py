"""The published detector and spectrograms as a plain loop of NumPy and SciPy,
as one would write them in a notebook.
"""

import numpy as np
import scipy.signal


def segment_spectrograms(samples, sample_rate, segmentation, n_fft, hop_length):
    """Segments of some samples, and the power spectrogram of each.

    Rectify, running mean by prefix sums, percentile of the whole envelope, join, keep by length: no
    band-pass.

    Args:
        samples: float32 `[N]`.    sample_rate: Hz.
        segmentation: `SegmentationConfig` of a percentile and no band.
        n_fft, hop_length: of the spectrograms.

    Returns: onsets and offsets, lists of ints; list of `[V, L]`.
    """
    width = int(segmentation.smoothing_ms * sample_rate / 1000) // 2 * 2 + 1
    padded = np.pad(np.abs(samples.astype(np.float64)), width // 2, mode="symmetric")
    sums = np.concatenate([[0.0], np.cumsum(padded)])
    envelope = (sums[width:] - sums[:-width]) / width
    above = np.concatenate(
        [[False], envelope >= np.percentile(envelope, segmentation.threshold), [False]]
    )
    changes = np.flatnonzero(above[1:] != above[:-1])
    joined = []
    for onset, offset in zip(changes[::2], changes[1::2], strict=True):
        if joined and onset - joined[-1][1] < segmentation.min_gap_ms * sample_rate / 1000:
            joined[-1][1] = offset
        else:
            joined.append([onset, offset])
    shortest, longest = (
        length * sample_rate / 1000
        for length in (segmentation.min_length_ms, segmentation.max_length_ms)
    )
    kept = [(onset, offset) for onset, offset in joined if shortest < offset - onset < longest]
    overlap = n_fft - hop_length
    spectrograms = [
        scipy.signal.spectrogram(samples[a:b], sample_rate, nperseg=n_fft, noverlap=overlap)[2]
        for a, b in kept
    ]
    return [int(onset) for onset, _ in kept], [int(offset) for _, offset in kept], spectrograms
