"""Samples -> onsets, offsets and scores of vocalizations:
trace, threshold, hysteresis and echoes, join, split what is too long, keep by length and company.

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
from neurovocal_tf.segmentation.columns import NOTHING, Columns, concatenated, join_gaps, part
from neurovocal_tf.segmentation.drift import Drift
from neurovocal_tf.segmentation.echoes import Echoes
from neurovocal_tf.segmentation.selection import select
from neurovocal_tf.segmentation.splitting import split
from neurovocal_tf.segmentation.thresholds import threshold
from neurovocal_tf.segmentation.traces import TRACES, BlocksOf

if TYPE_CHECKING:
    import tensorflow as tf

_BLOCK = 2**18


@dataclasses.dataclass(frozen=True)
class Segments:
    """Vocalizations of one recording, in time order.

    Attributes:
        onsets, offsets: int64 `[S]`, samples, the offset exclusive: of the sound itself.
        scores_db: float64 `[S]`, how far the loudest moment of each reaches over the threshold,
            in dB, never negative.
        level: the threshold, in the unit of the detector's trace, as it drifts.
        num_samples: N, of the recording.
        dropped: reason -> onsets and offsets, int64 `[D, 2]`, of what reaches the threshold and is
            no segment; see `selection`.
    """

    onsets: np.ndarray
    offsets: np.ndarray
    scores_db: np.ndarray
    level: Drift
    num_samples: int
    dropped: dict[str, np.ndarray]


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
    level = threshold(trace, config)
    runs = _Runs(config.min_gap_ms * sample_rate / 1000)
    echoes = Echoes(config, sample_rate / trace.hop, trace.decibels_per_decade)
    release = 10 ** (-config.hysteresis_db / trace.decibels_per_decade)
    num_values = 0
    for page in trace.pages:
        values = page[:, 0]
        levels = level.of_values(num_values, len(values))
        onsets, offsets, peaks = runs_above(values, levels, echoes.level(values, levels * release))
        # A value stands for the hop around it.
        runs.add(
            (onsets + num_values) * trace.hop - trace.hop // 2,
            (offsets + num_values) * trace.hop - trace.hop // 2,
            peaks,
        )
        num_values += len(page)
    joined = runs.finish(num_values * trace.hop - trace.hop // 2, counted.num_samples)
    longest = config.max_length_ms * sample_rate / 1000
    kept, dropped = select(
        joined,
        config,
        sample_rate,
        lambda long_ones: split(long_ones, trace, level, longest, config.split_depth_db),
    )
    onsets, offsets, peaks = kept
    scores_db = trace.decibels_per_decade * np.log10(peaks)
    return Segments(onsets, offsets, scores_db, level, counted.num_samples, dropped)


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


class _Runs:
    """Runs above the release level, in time order, on their way to segments.

    Args:
        min_gap: runs that reach the threshold and are less than so many samples apart are one.
    """

    def __init__(self, min_gap: float) -> None:
        self._min_gap = min_gap
        self._done: list[Columns] = []
        self._open, self._last_run = NOTHING, NOTHING

    def add(self, onsets: np.ndarray, offsets: np.ndarray, peaks: np.ndarray) -> None:
        """Takes the runs of the next page; peaks over the threshold, as a factor."""
        runs = join_gaps(*concatenated(self._last_run, (onsets, offsets, peaks)), 1)
        if not len(runs[0]):
            return
        # The last may go on in the next page.
        self._last_run = part(runs, slice(-1, None))
        self._settle(part(runs, slice(-1)))

    def finish(self, end: int, num_samples: int) -> Columns:
        """All of them, given where the trace's last value ends and how long the recording is."""
        onsets, offsets, peaks = self._last_run
        onsets, offsets = np.maximum(onsets, 0), np.where(offsets == end, num_samples, offsets)
        # A level that all of it reaches parts nothing.
        if not (len(onsets) and (onsets[0], offsets[0]) == (0, num_samples)):
            self._settle((onsets, offsets, peaks))
        return concatenated(*self._done, self._open)

    def _settle(self, runs: Columns) -> None:
        runs = np.maximum(runs[0], 0), runs[1], runs[2]
        joined = join_gaps(*concatenated(self._open, part(runs, runs[2] >= 1)), self._min_gap)
        self._open = part(joined, slice(-1, None))
        self._done.append(part(joined, slice(-1)))


def runs_above(values: np.ndarray, levels: np.ndarray, releases: np.ndarray) -> Columns:
    """Onsets, offsets and largest values of the runs where values [N] >= the release level;
    levels are `[N]` or `[1]`, values count as factors of them.

    -> int64 [R], int64 [R], float64 [R]
    """
    # NumPy would round the level to the values' precision, and perhaps below it.
    edges = np.flatnonzero(
        np.diff(values >= _at_least(releases, values.dtype), prepend=False, append=False)
    )
    onsets, offsets = edges[::2].astype(np.int64), edges[1::2].astype(np.int64)
    if not len(edges):
        return onsets, offsets, np.zeros(0)
    # Of a level that stays the same only the peaks need be divided.
    is_constant = len(levels) == 1
    # Silence has a level of zero, and all of it reaches that.
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        factors = values if is_constant else values / levels.astype(values.dtype)
        # From each onset to its offset, and from there to the next onset, which nobody asks for; an
        # offset may be the very end.
        peaks = np.maximum.reduceat(np.append(factors, factors[-1:]), edges)[::2]
        return onsets, offsets, peaks / (levels if is_constant else 1.0)


def _at_least(levels: np.ndarray, dtype: np.dtype) -> np.ndarray:
    with np.errstate(over="ignore"):
        rounded = levels.astype(dtype)
    above = np.nextafter(rounded, np.asarray(np.inf, dtype))
    return np.where(rounded < levels, above, rounded)
