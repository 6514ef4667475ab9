"""The detector of `segmentation` in TensorFlow's own ops, for where no Python runs:
a SavedModel may call none.

Everywhere else the other serves, which needs no more memory for an hour than for a second; this one
holds a recording as a whole, so it is for the short ones that a server is sent. Both take the same
filters, bands and settings, and tests hold their segments to one another; sums are taken in another
order, so a boundary may be a sample, or a hop of the contrast, from the other's.
"""

from collections.abc import Callable

import numpy as np
import tensorflow as tf

from neurovocal_tf.config import SegmentationConfig
from neurovocal_tf.segmentation.echoes import held_values
from neurovocal_tf.segmentation.splitting_in_graph import split
from neurovocal_tf.segmentation.traces_in_graph import contrast, envelope


def detect(
    samples: tf.Tensor, sample_rate: float, config: SegmentationConfig
) -> tuple[tf.Tensor, tf.Tensor]:
    """Onsets and offsets of the vocalizations in some samples, as `detector.detect` finds them.

    Args:
        samples: float32 tensor [N].    sample_rate: Hz, a Python number.
        config: `SegmentationConfig`.

    Returns: onsets and offsets, int64 [S] samples in time order, the offset exclusive.

    Raises: ValueError if the band holds no frequency below Nyquist.
    """
    num_samples = tf.size(samples, out_type=tf.int64)
    # One sample of silence stands for none: nothing has no percentile.
    samples = tf.pad(tf.cast(samples, tf.float64), [[0, tf.maximum(1 - num_samples, 0)]])
    trace_of = {"envelope": envelope, "contrast": contrast}[config.detector]
    values, level, hop, decibels_per_decade = trace_of(samples, sample_rate, config)
    release = level * 10 ** (-config.hysteresis_db / decibels_per_decade)
    if num_held := held_values(config, sample_rate / hop):
        factor = 10 ** (-config.offset_below_peak_db / decibels_per_decade)
        release = tf.maximum(release, _held(values, num_held) * factor)
    factors = tf.cast(values, tf.float64) / level
    onsets, offsets, peaks = runs_above(values, release, factors)
    # A value stands for the hop around it, the last one for all that is left.
    is_last = offsets == tf.size(values, out_type=tf.int64)
    onsets = tf.maximum(onsets * hop - hop // 2, 0)
    offsets = tf.where(is_last, num_samples, offsets * hop - hop // 2)
    # A level that all of it reaches parts nothing.
    reached = (peaks >= 1) & ~((onsets == 0) & (offsets == num_samples))
    per_ms = sample_rate / 1000
    onsets, offsets = _joined(
        onsets[reached], offsets[reached], lambda gaps: gaps >= config.min_gap_ms * per_ms
    )
    if config.split_depth_db:
        decibels = decibels_per_decade / np.log(10) * tf.math.log(tf.maximum(factors, 1e-9))
        longest = config.max_length_ms * per_ms
        onsets, offsets = split(onsets, offsets, decibels, hop, longest, config.split_depth_db)
    lengths = tf.cast(offsets - onsets, tf.float64)
    kept = (lengths > config.min_length_ms * per_ms) & (lengths < config.max_length_ms * per_ms)
    onsets, offsets = onsets[kept], offsets[kept]
    in_company = (
        _group_sizes(onsets, offsets, config.group_gap_s * sample_rate) >= config.min_group_segments
    )
    return onsets[in_company], offsets[in_company]


def runs_above(
    values: tf.Tensor, level: tf.Tensor, factors: tf.Tensor
) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
    """Onsets and offsets of the runs where values [N] >= level, [N] or [], and the largest of
    their factors [N].

    -> int64 [R], int64 [R], [R]
    """
    # At the precision of the level, which may lie between two of the values'.
    active = tf.cast(values, tf.float64) >= level
    begins = active & ~tf.pad(active, [[1, 0]])[:-1]
    ends = active & ~tf.pad(active, [[0, 1]])[1:]
    run = tf.cumsum(tf.cast(begins, tf.int64)) - 1
    peaks = tf.math.segment_max(tf.boolean_mask(factors, active), tf.boolean_mask(run, active))
    return tf.where(begins)[:, 0], tf.where(ends)[:, 0] + 1, peaks


def add_buffer(
    onsets: tf.Tensor, offsets: tf.Tensor, buffer: int, num_samples: int | tf.Tensor
) -> tuple[tf.Tensor, tf.Tensor]:
    """Segments longer by `buffer` samples on both sides, clipped to [0, num_samples]."""
    return tf.maximum(onsets - buffer, 0), tf.minimum(offsets + buffer, num_samples)


def bouts(onsets: tf.Tensor, offsets: tf.Tensor, max_gap: float) -> tuple[tf.Tensor, tf.Tensor]:
    """Runs of segments with no gap longer than `max_gap` samples, gaps included.

    Args:
        onsets, offsets: int64 `[S]`, in time order; segments may overlap.
        max_gap: samples, a number.

    Returns: onsets and offsets `[S']` of the bouts.
    """
    return _joined(onsets, offsets, lambda gaps: gaps > max_gap)


def _held(values: tf.Tensor, num: int) -> tf.Tensor:
    """Each value or the largest of the `num` before it, whichever is larger."""
    # Twice as far each time; the last two windows overlap.
    length, largest = 1, values
    while length < num + 1:
        shift = min(length, num + 1 - length)
        largest = tf.maximum(largest, tf.pad(largest, [[shift, 0]])[: tf.size(largest)])
        length += shift
    return tf.cast(largest, tf.float64)


def _group_sizes(onsets: tf.Tensor, offsets: tf.Tensor, max_gap: float) -> tf.Tensor:
    """As `selection.group_sizes`."""
    apart = tf.cast(onsets[1:] - offsets[:-1], tf.float64) > max_gap
    group = tf.cumsum(tf.cast(tf.concat([tf.zeros_like(onsets[:1], tf.bool), apart], 0), tf.int64))
    return tf.gather(tf.math.segment_sum(tf.ones_like(group), group), group)


def _joined(
    onsets: tf.Tensor, offsets: tf.Tensor, is_apart: Callable[[tf.Tensor], tf.Tensor]
) -> tuple[tf.Tensor, tf.Tensor]:
    """Groups of segments as one each; `is_apart` tells, of the gaps between neighbours,
    float64 [S - 1], which stay.
    """
    apart = is_apart(tf.cast(onsets[1:] - offsets[:-1], tf.float64))
    return (
        tf.concat([onsets[:1], tf.boolean_mask(onsets[1:], apart)], axis=0),
        tf.concat([tf.boolean_mask(offsets[:-1], apart), offsets[-1:]], axis=0),
    )
