"""A recording of any length -> what a picture of it shows: a spectrogram and a trace in few
columns, and peak frequencies.
"""

import dataclasses

import numpy as np
import numpy.typing as npt
import scipy.fft
import scipy.signal

from neurovocal_tf.config import Config, SpectrogramConfig
from neurovocal_tf.segmentation.segment_spectra import peak_frequencies_hz
from neurovocal_tf.segmentation.thresholds import threshold_level
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
        level_db: its threshold.
        peak_frequencies_hz: float64 `[S]`, of each segment that of the largest mean power
            within the detector's band.
    """

    column_s: float
    max_hz: float
    decibels: np.ndarray
    trace_db: np.ndarray
    level_db: float
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
    level = threshold_level(trace, config.segmentation)
    return Overview(
        column_s=column / sample_rate,
        max_hz=sample_rate / 2,
        decibels=decibels,
        trace_db=(
            trace.decibels_per_decade
            * np.log10(np.maximum(_pooled_trace(trace, column, len(decibels)), _SMALLEST))
        ).astype(np.float32),
        level_db=float(trace.decibels_per_decade * np.log10(max(level, _SMALLEST))),
        peak_frequencies_hz=peaks_hz,
    )


def _pooled_trace(trace: Trace, column: int, num_columns: int) -> np.ndarray:
    pooled, first = np.zeros(num_columns, np.float32), 0
    for page in trace.pages:
        places = (first + np.arange(len(page))) * trace.hop // column
        np.maximum.at(pooled, np.minimum(places, num_columns - 1), page[:, 0])
        first += len(page)
    return pooled


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
