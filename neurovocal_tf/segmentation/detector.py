"""Samples -> onsets, offsets and scores of vocalizations:
trace, threshold, hysteresis, join, keep by length, pad.

A recording need not be in memory: it is asked for as blocks of samples, as often as the threshold
takes, and what it gives does not depend on how it was cut into blocks. All is NumPy, so that a long
recording costs neither TensorFlow's memory nor its start; `in_graph` takes it into tf.data.
"""

import dataclasses
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from neurovocal_tf.config import SegmentationConfig
from neurovocal_tf.segmentation.thresholds import threshold_level
from neurovocal_tf.segmentation.traces import TRACES, BlocksOf

if TYPE_CHECKING:
    import tensorflow as tf

# Onsets, offsets, and peaks or scores, `[S]` each.
Columns = tuple[np.ndarray, np.ndarray, np.ndarray]

_BLOCK = 2**18


@dataclasses.dataclass(frozen=True)
class Segments:
    """Vocalizations of one recording, in time order.

    Attributes:
        onsets, offsets: int64 `[S]`, samples, the offset exclusive. Neighbours overlap where the
            buffer is longer than half the gap between them.
        scores_db: float64 `[S]`, how far the loudest moment of each reaches over the threshold,
            in dB, never negative.
        level: the threshold, in the unit of the detector's trace.
        num_samples: N, of the recording.
    """

    onsets: np.ndarray
    offsets: np.ndarray
    scores_db: np.ndarray
    level: float
    num_samples: int


def detect(samples: npt.ArrayLike, sample_rate: float, config: SegmentationConfig) -> Columns:
    """Onsets, offsets and scores of the vocalizations in some samples.

    Args:
        samples: `[N]`, float.
        sample_rate: Hz.
        config: `SegmentationConfig`.

    Returns: onsets, offsets, scores_db, each `[S]`, as in `Segments`.
        Silence and a constant signal have no segments.

    Raises: ValueError if the band holds no frequency below Nyquist, or a sample is NaN or infinite.
    """
    samples = np.asarray(samples)
    segments = detect_in_blocks(lambda: blocks_of(samples), sample_rate, config)
    return segments.onsets, segments.offsets, segments.scores_db


def in_graph(
    detect: Callable[..., Columns], *tensors: "np.ndarray | tf.Tensor"
) -> "tuple[tf.Tensor, tf.Tensor, tf.Tensor]":
    """What a detector finds in tensors, for `tf.data.Dataset.map`.

    Args:
        detect: function of NumPy arrays, samples `[N]` first, that returns onsets, offsets and
            scores_db, as the one above.
        tensors: what becomes of its arguments.

    Returns: the same as tensors: int64 `[S]`, int64 `[S]`, float64 `[S]`, S unknown.
    """
    import tensorflow as tf  # here, for those who need none

    found = tf.numpy_function(detect, tensors, (tf.int64, tf.int64, tf.float64))
    return tuple(tf.ensure_shape(column, [None]) for column in found)


def blocks_of(samples: np.ndarray, block_length: int = _BLOCK) -> Iterator[np.ndarray]:
    """Some samples in blocks, as a recording is read.  [N] -> iterator of [n]"""
    return (samples[start : start + block_length] for start in range(0, len(samples), block_length))


def detect_in_blocks(
    blocks_of: BlocksOf, sample_rate: float, config: SegmentationConfig
) -> Segments:
    """Vocalizations of a recording of any length, in bounded memory.

    Args:
        blocks_of: () -> iterator of float32 `[n]`, the recording's samples in order,
            the same samples at every call.
        sample_rate: Hz.    config: `SegmentationConfig`.

    Returns: `Segments`, the same whatever the lengths of the blocks.

    Raises: as `detect`, and what `blocks_of` raises.
    """
    counted = _Counted(blocks_of)
    trace = TRACES[config.detector](counted, sample_rate, config)
    level = threshold_level(trace, config)
    joined = _Joining(level, config, sample_rate / 1000)
    release = level * 10 ** (-config.hysteresis_db / trace.decibels_per_decade)
    num_values = 0
    for page in trace.pages:
        onsets, offsets, peaks = runs_above(page[:, 0], release)
        # A value stands for the hop around it.
        joined.add(
            (onsets + num_values) * trace.hop - trace.hop // 2,
            (offsets + num_values) * trace.hop - trace.hop // 2,
            peaks,
        )
        num_values += len(page)
    onsets, offsets, peaks = joined.finish(
        num_values * trace.hop - trace.hop // 2, counted.num_samples
    )
    onsets, offsets = add_buffer(
        onsets, offsets, int(config.buffer_ms * sample_rate / 1000), counted.num_samples
    )
    scores_db = (
        trace.decibels_per_decade * np.log10(peaks.astype(np.float64) / level)
        if len(peaks)
        else np.zeros(0)
    )
    return Segments(onsets, offsets, scores_db, level, counted.num_samples)


class _Counted:
    """Blocks, and how many samples they held when they were last gone through."""

    def __init__(self, blocks_of: BlocksOf) -> None:
        self._blocks_of, self.num_samples = blocks_of, 0

    def __call__(self) -> Iterator[np.ndarray]:
        num_samples = 0
        for block in self._blocks_of():
            # Each comparison with NaN is false: there would be no segments, and no word why.
            if not np.isfinite(block).all():
                raise ValueError("`samples` must be finite numbers. Received: NaN or infinite ones")
            num_samples += len(block)
            yield block
        self.num_samples = num_samples


class _Joining:
    """Runs above the release level, in time order, on their way to segments;
    keeps what is done and what may still grow.

    Args:
        level: a segment must reach it somewhere.    config: `SegmentationConfig`.
        per_ms: samples in a millisecond.
    """

    def __init__(self, level: float, config: SegmentationConfig, per_ms: float) -> None:
        self._level = level
        self._min_gap, self._lengths = (
            config.min_gap_ms * per_ms,
            (config.min_length_ms * per_ms, config.max_length_ms * per_ms),
        )
        self._done: list[Columns] = []
        self._open, self._last_run = _NOTHING, _NOTHING

    def add(self, onsets: np.ndarray, offsets: np.ndarray, peaks: np.ndarray) -> None:
        """Takes the runs of the next page."""
        runs = join_gaps(*_concatenated(self._last_run, (onsets, offsets, peaks)), 1)
        if not len(runs[0]):
            return
        # The last may go on in the next page.
        self._last_run = _part(runs, slice(-1, None))
        self._settle(_part(runs, slice(-1)))

    def finish(self, end: int, num_samples: int) -> Columns:
        """All segments, given where the trace's last value ends and how long the recording is."""
        onsets, offsets, peaks = self._last_run
        onsets, offsets = np.maximum(onsets, 0), np.where(offsets == end, num_samples, offsets)
        # A level that all of it reaches parts nothing.
        if not (len(onsets) and (onsets[0], offsets[0]) == (0, num_samples)):
            self._settle((onsets, offsets, peaks))
        return _concatenated(*self._done, keep_by_length(*self._open, *self._lengths))

    def _settle(self, runs: Columns) -> None:
        runs = np.maximum(runs[0], 0), runs[1], runs[2]
        joined = join_gaps(
            *_concatenated(self._open, _part(runs, runs[2] >= self._level)), self._min_gap
        )
        self._open = _part(joined, slice(-1, None))
        self._done.append(keep_by_length(*_part(joined, slice(-1)), *self._lengths))


def runs_above(values: np.ndarray, level: float) -> Columns:
    """Onsets, offsets and largest values of the runs where values [N] >= level.

    -> int64 [R], int64 [R], [R]
    """
    # NumPy would round the level to the values' precision, and perhaps below it.
    edges = np.flatnonzero(
        np.diff(values >= _at_least(level, values.dtype), prepend=False, append=False)
    )
    onsets, offsets = edges[::2].astype(np.int64), edges[1::2].astype(np.int64)
    # From each onset to its offset, and from there to the next onset, which nobody asks for; an
    # offset may be the very end.
    peaks = (
        np.maximum.reduceat(np.append(values, values[-1:]), edges)[::2]
        if len(edges)
        else values[:0]
    )
    return onsets, offsets, peaks


def _at_least(level: float, dtype: np.dtype) -> np.ndarray:
    rounded = np.asarray(level, dtype)
    return np.nextafter(rounded, np.asarray(np.inf, dtype)) if rounded < level else rounded


def join_gaps(
    onsets: np.ndarray, offsets: np.ndarray, peaks: np.ndarray, min_gap: float
) -> Columns:
    """Segments with less than `min_gap` samples between them become one, with the larger peak.

    [S] x 3 -> [S'] x 3
    """
    return _joined(onsets, offsets, peaks, onsets[1:] - offsets[:-1] >= min_gap)


def keep_by_length(
    onsets: np.ndarray, offsets: np.ndarray, peaks: np.ndarray, min_length: float, max_length: float
) -> Columns:
    """Segments strictly longer than `min_length` and strictly shorter than `max_length` samples."""
    lengths = offsets - onsets
    kept = (lengths > min_length) & (lengths < max_length)
    return onsets[kept], offsets[kept], peaks[kept]


def add_buffer(
    onsets: np.ndarray, offsets: np.ndarray, buffer: int, num_samples: int
) -> tuple[np.ndarray, np.ndarray]:
    """Segments longer by `buffer` samples on both sides, clipped to [0, num_samples]."""
    return np.maximum(onsets - buffer, 0), np.minimum(offsets + buffer, num_samples)


def _joined(
    onsets: np.ndarray, offsets: np.ndarray, peaks: np.ndarray, apart: np.ndarray
) -> Columns:
    """Groups of segments as one each, with the largest peak, given which of the later segments lie
    apart from the one before.
    """
    if not len(onsets):
        return onsets, offsets, peaks
    firsts = np.flatnonzero(np.append(True, apart))
    return (
        onsets[firsts],
        offsets[np.append(firsts[1:], len(onsets)) - 1],
        np.maximum.reduceat(peaks, firsts),
    )


def _concatenated(*parts: Columns) -> Columns:
    onsets, offsets, peaks = (np.concatenate(columns) for columns in zip(*parts, strict=True))
    return onsets, offsets, peaks


def _part(columns: Columns, which: slice | np.ndarray) -> Columns:
    onsets, offsets, peaks = columns
    return onsets[which], offsets[which], peaks[which]


_NOTHING: Columns = (np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros(0, np.float32))
