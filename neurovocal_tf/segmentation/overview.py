"""A recording of any length -> what a picture of it shows: a spectrogram and a trace in few
columns, and peak frequencies.
"""

import dataclasses

import numpy as np
import numpy.typing as npt
import scipy.fft
import scipy.signal

from neurovocal_tf.config import Config, SpectrogramConfig
from neurovocal_tf.segmentation.drift import Drift
from neurovocal_tf.segmentation.segment_spectra import peak_frequencies_hz
from neurovocal_tf.segmentation.thresholds import threshold
from neurovocal_tf.segmentation.traces import TRACES, BlocksOf, Trace, pages

_PAGE_COLUMNS = 64
_SMALLEST = 1e-20


@dataclasses.dataclass(frozen=True)
class Overview:
    """What a picture shows of a recording, with C columns and V frequency bins.

    Attributes:
        column_s: seconds of a column.    max_hz: frequency of the last bin.
        decibels: float32 `[C, V]`, the largest power in each column, dB.
        trace_db: float32 `[C]`, the detector's trace, its largest value in each column, dB.
        level_db: float32 `[C]`, its threshold, dB.
        peak_frequencies_hz: float64 `[S]`, of each segment that of the largest mean power
            within the detector's band.
    """

    column_s: float
    max_hz: float
    decibels: np.ndarray
    trace_db: np.ndarray
    level_db: np.ndarray
    peak_frequencies_hz: np.ndarray


def overview(
    blocks_of: BlocksOf,
    sample_rate: float,
    config: Config,
    segments: npt.ArrayLike,
    column_s: float,
) -> Overview:
    """`Overview` of a recording.

    Args:
        blocks_of: () -> iterator of float32 `[n]`, the recording's samples.
        sample_rate: Hz.    config: `Config`; its `segmentation` and `spectrogram` count.
        segments: `[S, 2]`, onsets and offsets in seconds, in time order.
        column_s: seconds of a column.
    """
    column = max(round(column_s * sample_rate), 1)
    detector = config.segmentation
    trace = TRACES[detector.detector](blocks_of, sample_rate, detector)
    decibels = spectrogram(blocks_of, config.spectrogram, column)
    onsets, offsets = np.round(np.asarray(segments, np.float64).reshape(-1, 2) * sample_rate).T
    peaks_hz = peak_frequencies_hz(
        blocks_of(),
        sample_rate,
        onsets,
        offsets,
        config.spectrogram,
        detector.low_hz,
        detector.high_hz,
    )
    loudest, levels = _pooled_trace(trace, threshold(trace, detector), column, len(decibels))
    return Overview(
        column_s=column / sample_rate,
        max_hz=sample_rate / 2,
        decibels=decibels,
        trace_db=trace.decibels_per_decade * np.log10(np.maximum(loudest, _SMALLEST)),
        level_db=trace.decibels_per_decade * np.log10(np.maximum(levels, _SMALLEST)),
        peak_frequencies_hz=peaks_hz,
    )


def _pooled_trace(
    trace: Trace, level: Drift, column: int, num_columns: int
) -> tuple[np.ndarray, np.ndarray]:
    """The trace's largest value in each column, or the nearest where columns are narrower than its
    hop, and its threshold, float32 [C] x 2.
    """
    loudest, levels = np.zeros((2, num_columns), np.float32)
    nearest = (np.arange(num_columns) * column + column // 2 + trace.hop // 2) // trace.hop
    first = 0
    for page in trace.pages:
        last = first + len(page)
        places = (first + np.arange(len(page))) * trace.hop // column
        np.maximum.at(loudest, np.minimum(places, num_columns - 1), page[:, 0])
        here = np.flatnonzero((nearest >= first) & (nearest < last))
        if trace.hop > column:
            loudest[here] = page[nearest[here] - first, 0]
        levels[here] = np.broadcast_to(level.of_values(first, len(page)), len(page))[
            nearest[here] - first
        ]
        first = last
    # Beyond the middle of the last value.
    beyond = nearest >= first
    levels[beyond] = level.of_values(first - 1, 1)
    if trace.hop > column:
        loudest[beyond] = page[-1, 0]
    return loudest, levels


def spectrogram(blocks_of: BlocksOf, config: SpectrogramConfig, column: int) -> np.ndarray:
    """The spectrogram of a recording in columns of `column` samples, the largest power in each.

    -> dB, float32 `[C, V]`
    """
    n_fft = config.n_fft
    window = scipy.signal.get_window("hann", n_fft).astype(np.float32)
    hop = min(config.hop_length, column)
    columns = []
    for page, first in pages(blocks_of(), _PAGE_COLUMNS * column, n_fft // 2):
        num_own = len(page) - n_fft // 2 * 2
        windows = np.lib.stride_tricks.sliding_window_view(
            (page - first).astype(np.float32), n_fft
        )[:num_own:hop]
        power = np.square(np.abs(scipy.fft.rfft(windows * window)))
        places = np.arange(len(power)) * hop
        # The last column may begin after the last window's centre.
        edges = np.minimum(np.searchsorted(places, np.arange(0, num_own, column)), len(power) - 1)
        columns.append(10 * np.log10(np.maximum(np.maximum.reduceat(power, edges), _SMALLEST)))
    return np.concatenate(columns)
