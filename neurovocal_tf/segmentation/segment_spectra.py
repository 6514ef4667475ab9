"""The mean power spectrum of each segment of a recording of any length,
and the frequency of its peak.
"""

from collections.abc import Iterable, Iterator

import numpy as np
import scipy.signal

from neurovocal_tf.config import SpectrogramConfig
from neurovocal_tf.segmentation.band import in_band_or_all

# About as many are held at once of a long segment.
_STRETCH_SAMPLES = 2**19


def segment_power(
    blocks: Iterable[np.ndarray],
    sample_rate: float,
    onsets: np.ndarray,
    offsets: np.ndarray,
    config: SpectrogramConfig,
    window: str | tuple[str, float],
) -> tuple[np.ndarray, np.ndarray]:
    """Power of each segment, summed over the windows that lie within it,
    the mean of each window removed.

    A segment shorter than a window is measured in the window about its middle.

    Args:
        blocks: iterable of float `[n]`, the recording's samples in order; gone through once, and
            held no longer than needed.
        sample_rate: Hz.
        onsets, offsets: `[S]`, samples, the offset exclusive, clipped to what there is.
        config: `SpectrogramConfig`; its `n_fft` and `hop_length` count.
        window: the window's name, and what the name needs, as `scipy.signal.get_window` takes it.

    Returns: NumPy float64 `[S, V]`, and the frequencies of its bins, Hz `[V]`.
    """
    n_fft, hop_length = config.n_fft, config.hop_length
    power = np.zeros((len(onsets), n_fft // 2 + 1))
    stretches = _stretches(
        np.asarray(onsets, np.int64), np.asarray(offsets, np.int64), n_fft, hop_length
    )
    for segment, samples in _samples_of(blocks, stretches, n_fft):
        windows = scipy.signal.spectrogram(
            samples, sample_rate, window, nperseg=n_fft, noverlap=n_fft - hop_length
        )[-1]
        power[segment] += windows.sum(axis=-1)
    return power, np.arange(n_fft // 2 + 1) * (sample_rate / n_fft)


def peak_frequencies_hz(
    blocks: Iterable[np.ndarray],
    sample_rate: float,
    onsets: np.ndarray,
    offsets: np.ndarray,
    config: SpectrogramConfig,
    low_hz: float = 0.0,
    high_hz: float = 0.0,
) -> np.ndarray:
    """The frequency with the largest mean power in each segment: the peak of what seewave and
    warbleR call its mean spectrum.

    Measured in Hann windows within the segment, as there and in Raven: what is loud outside of the
    band leaks far less into it than through a window with steeper ends, and a tone between two bins
    loses 1.4 dB against one on a bin, not 3. Raven's own Peak Frequency is that of the loudest
    moment; the mean is less at the mercy of a click.

    Args:
        blocks, sample_rate, onsets, offsets, config: as for `segment_power`.
        low_hz, high_hz: only bins between them count, 0 being no limit;
            all count where there is none between.

    Returns: NumPy float64 `[S]`, Hz, the centre of a bin;
        of a silent segment the lowest that counts.
    """
    power, frequencies = segment_power(blocks, sample_rate, onsets, offsets, config, "hann")
    return frequencies[
        np.argmax(np.where(in_band_or_all(frequencies, low_hz, high_hz), power, -1.0), axis=1)
    ]


def _stretches(
    onsets: np.ndarray, offsets: np.ndarray, n_fft: int, hop: int
) -> list[tuple[int, int, int]]:
    """(first, last, segment) of what is to be read, in time order: long segments in parts that have
    the windows of the whole.
    """
    at_once, found = max(_STRETCH_SAMPLES // hop, 1), []
    for segment, (onset, offset) in enumerate(
        zip(np.maximum(onsets, 0).tolist(), offsets.tolist(), strict=True)
    ):
        num_windows = (offset - onset - (n_fft - hop)) // hop
        if num_windows < 1:
            first = max((onset + offset - n_fft) // 2, 0)
            found.append((first, first + n_fft, segment))
        for begin in range(0, num_windows, at_once):
            end = min(begin + at_once, num_windows)
            found.append((onset + begin * hop, onset + (end - 1) * hop + n_fft, segment))
    return sorted(found)


def _samples_of(
    blocks: Iterable[np.ndarray], stretches: list[tuple[int, int, int]], n_fft: int
) -> Iterator[tuple[int, np.ndarray]]:
    """(segment, float64 samples) of each stretch; of one that reaches over the end,
    a window at least of what is there.
    """
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
