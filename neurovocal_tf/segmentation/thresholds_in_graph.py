"""`thresholds`, `noise_level` and `drift` in TensorFlow's own ops, for `detector_in_graph`."""

from collections.abc import Callable

import numpy as np
import tensorflow as tf

from neurovocal_tf.config import SegmentationConfig
from neurovocal_tf.segmentation import drift, noise_level, thresholds

_BINS = noise_level.NUM_BINS


def percentile(values: tf.Tensor, percent: float) -> tf.Tensor:
    """The `percent`-th percentile over the last axis, linearly interpolated as `numpy.percentile`
    does.  [..., N] -> float64 [...]
    """
    last = tf.shape(values)[-1] - 1
    position = tf.cast(last, tf.float64) * (percent / 100)
    below = tf.cast(position, tf.int32)
    low, high = (
        tf.cast(tf.raw_ops.NthElement(input=values, n=rank), tf.float64)
        for rank in (below, tf.minimum(below + 1, last))
    )
    return _between(low, high, position - tf.cast(below, tf.float64))


def _between(low: tf.Tensor, high: tf.Tensor, weight: tf.Tensor) -> tf.Tensor:
    # Interpolating from the nearer side is exact at both ends.
    return tf.where(weight < 0.5, low + (high - low) * weight, high - (high - low) * (1 - weight))


def noise_floors(values: tf.Tensor, percent: float, silence: float) -> tuple[tf.Tensor, tf.Tensor]:
    """As `percentiles.percentile` with its `silence`, over the last axis, and the share of silence.

    [C, N] -> float64 [C] x 2
    """
    maxima = tf.reduce_max(values, axis=1, keepdims=True)
    limit = tf.bitcast(
        tf.cast(tf.cast(tf.reduce_max(maxima), tf.float64) * silence, tf.float32), tf.uint32
    )
    limit = tf.bitcast(
        tf.bitwise.bitwise_and(limit, tf.constant(0xFFFF0000, tf.uint32)), tf.float32
    )
    is_silent = (values < limit) & (maxima >= limit)
    # Sorted last, and then beyond the ranks that are sought.
    last = tf.reduce_sum(tf.cast(~is_silent, tf.int32), axis=1) - 1
    rising = tf.sort(tf.where(is_silent, tf.constant(np.inf, values.dtype), values), axis=1)
    position = tf.cast(last, tf.float64) * (percent / 100)
    below = tf.cast(position, tf.int32)
    low, high = (
        tf.cast(tf.gather(rising, rank, batch_dims=1), tf.float64)
        for rank in (below, tf.minimum(below + 1, last))
    )
    silent = 1 - tf.cast(last + 1, tf.float64) / tf.cast(tf.shape(values)[1], tf.float64)
    return _between(low, high, position - tf.cast(below, tf.float64)), silent


def over_mode(
    values: tf.Tensor,
    values_per_s: float,
    artefacts_db: float,
    per_decade: float,
    config: SegmentationConfig,
) -> tf.Tensor:
    """As `thresholds.threshold` with noise_mode, for every value.  float32 [N] -> float64 [N]"""

    def levels_db(bins: tf.Tensor) -> tf.Tensor:
        counts = tf.math.bincount(bins[:, 0], minlength=_BINS, maxlength=_BINS, dtype=tf.int64)
        loudest = tf.reduce_max(bins)
        heard = tf.where(tf.range(_BINS) >= _first_heard(loudest), counts, 0)
        mode, spread = mode_and_spread(heard)
        level = (
            mode
            + config.threshold
            + config.noise_spreads * tf.minimum(spread, thresholds.MOST_SPREAD_DB)
        )
        loudest_db = noise_level.decibels_of(tf.cast(loudest + 1, tf.float64))
        is_silent = _is_silence(tf.reduce_sum(counts), tf.reduce_sum(heard), mode, loudest_db)
        faint = _percentile_db(heard, thresholds.FAINT_PERCENT) + config.threshold
        over_silence = tf.minimum(faint, loudest_db - thresholds.HALF_DB)
        levels = tf.where(is_silent, tf.stack([np.nan, over_silence]), level)
        return tf.where(loudest > 0, levels, np.nan)

    bins = tf.gather(_table(per_decade), _upper_bits(values))[:, tf.newaxis]
    step = drift.step_length(values_per_s)
    over_noise, over_silence = tf.split(_of_windows(bins, step, levels_db, 2), 2, axis=1)
    is_unknown = tf.reduce_all(tf.math.is_nan(over_noise))
    levels = _filled(tf.where(is_unknown, over_silence, over_noise))
    loudest = tf.reduce_max(bins)
    least = noise_level.decibels_of(tf.cast(loudest + 1, tf.float64)) - artefacts_db
    levels = 10 ** (tf.maximum(levels, least) / per_decade)
    # Of silence alone the level is zero, and all of it reaches that.
    return tf.where(loudest > 0, _of_values(levels, tf.shape(values)[0], step)[:, 0], 0.0)


def floors_of_windows(power: tf.Tensor, values_per_s: float, percent: float) -> tf.Tensor:
    """Each bin's floor as `traces.ContrastTrace` has it with noise_mode, for every value.

    float32 [N, C] -> float64 [N, C]
    """

    def floors_db(bins: tf.Tensor) -> tf.Tensor:
        is_heard = bins >= _first_heard(tf.reduce_max(bins))
        # What does not count is sorted last.
        rising = tf.sort(tf.where(is_heard, bins, _BINS), axis=0)
        num = tf.reduce_sum(tf.cast(is_heard, tf.int32), axis=0)
        rank = tf.cast(
            tf.math.ceil(tf.maximum(tf.cast(num, tf.float64) * (percent / 100), 1)), tf.int32
        )
        found = tf.gather(tf.transpose(rising), tf.maximum(rank - 1, 0), batch_dims=1)
        floors = tf.where(num > 0, noise_level.decibels_of(tf.cast(found, tf.float64)), np.nan)
        largest = tf.reduce_max(bins, axis=0)
        column = tf.argmax(largest)
        is_silent = _is_silence(
            tf.shape(bins)[0],
            num[column],
            floors[column],
            noise_level.decibels_of(tf.cast(largest[column] + 1, tf.float64)),
        )
        return tf.where(is_silent, np.nan * tf.ones_like(floors), floors)

    bins = tf.gather(_table(10.0), _upper_bits(power))
    step = drift.step_length(values_per_s)
    levels = 10 ** (_filled(_of_windows(bins, step, floors_db, power.shape[1])) / 10)
    loudest = noise_level.decibels_of(tf.cast(tf.reduce_max(bins) + 1, tf.float64))
    lowest = 10 ** ((loudest - noise_level.SILENCE_DB) / 10)
    lowest = tf.maximum(lowest, np.finfo(np.float32).tiny)
    return _of_values(tf.maximum(levels, lowest), tf.shape(power)[0], step)


def mode_and_spread(counts: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """As `noise_level.mode_and_spread`, but some numbers of nothing.

    int64 [NUM_BINS] -> float64 [] x 2
    """
    half, around = len(noise_level.KERNEL) // 2, noise_level.PEAK_BINS
    padded = tf.pad(counts, [[half, half]])
    smooth = tf.add_n(
        [w * padded[i : i + _BINS] for i, w in enumerate(noise_level.KERNEL.tolist())]
    )
    highest, places = tf.argmax(smooth), tf.range(_BINS, dtype=tf.int64)
    padded = tf.pad(smooth, [[around, around]])
    largest = tf.reduce_max(
        tf.stack([padded[i : i + _BINS] for i in range(2 * around + 1)]), axis=0
    )
    no_louder = tf.cumsum(counts)
    total = tf.cast(no_louder[-1], tf.float64)
    so_many = tf.gather(no_louder, tf.minimum(places + around, _BINS - 1))
    valley = tf.where(places <= highest, smooth, smooth.dtype.max)
    for shift in (1 << i for i in range(_BINS.bit_length())):
        later = tf.pad(valley[shift:], [[0, min(shift, _BINS)]], constant_values=smooth.dtype.max)
        valley = tf.minimum(valley, later[:_BINS])
    is_peak = (
        (smooth > 0)
        & (smooth == largest)
        & (places < highest)
        & (tf.cast(so_many, tf.float64) >= noise_level.LEAST_SHARE * total)
        & (tf.cast(valley, tf.float64) < noise_level.DEEPEST_VALLEY * tf.cast(smooth, tf.float64))
    )
    mode = tf.reduce_min(tf.where(is_peak, places, highest))
    below = tf.cast(tf.cumsum(tf.reverse(counts[: mode + 1], [0])), tf.float64)
    spread = tf.reduce_sum(tf.cast(below < noise_level.WITHIN_ONE * below[-1], tf.float64))
    return (
        noise_level.decibels_of(tf.cast(mode, tf.float64)),
        (spread + 0.5) * noise_level.BIN_DB,
    )


def _percentile_db(counts: tf.Tensor, percent: float) -> tf.Tensor:
    """As `noise_level.percentiles_db`, of one histogram."""
    below = tf.cast(tf.cumsum(counts), tf.float64)
    sought = tf.maximum(below[-1] * (percent / 100), 1)
    place = tf.reduce_sum(tf.cast(below < sought, tf.float64))
    return noise_level.decibels_of(place)


def _table(per_decade: float) -> np.ndarray:
    return noise_level.bins_of(per_decade).astype(np.int32)


def _upper_bits(values: tf.Tensor) -> tf.Tensor:
    # Minus zero would be the largest of all; adding zero makes it zero.
    bits = tf.bitcast(values + 0.0, tf.uint32)
    return tf.cast(tf.bitwise.right_shift(bits, noise_level.LOW_BITS), tf.int32)


def _is_silence(
    num: tf.Tensor, num_heard: tf.Tensor, level_db: tf.Tensor, loudest_db: tf.Tensor
) -> tf.Tensor:
    """As `noise_level.is_silence`, given how many values a window has and how many are heard."""
    num, num_heard = (tf.cast(number, tf.float64) for number in (num, num_heard))
    return (num_heard < (1 - noise_level.SILENT_SHARE) * num) & (
        level_db > loudest_db - noise_level.NEAR_LOUDEST_DB
    )


def _first_heard(loudest: tf.Tensor) -> tf.Tensor:
    """As in `noise_level.without_silence`."""
    return tf.where(loudest > 0, tf.maximum(loudest + 1 - noise_level.SILENCE_BINS, 1), _BINS)


def _of_windows(
    bins: tf.Tensor, step: int, of_window: Callable[[tf.Tensor], tf.Tensor], num_columns: int
) -> tf.Tensor:
    """What a function tells of each window of two cells.  [N, C] -> float64 [W, C]"""
    length = drift.Drift(np.zeros(1), step).cell_length
    num_cells = -(-tf.shape(bins)[0] // length)
    return tf.map_fn(
        lambda cell: of_window(bins[cell * length : (cell + 2) * length]),
        tf.range(tf.maximum(num_cells - 1, 1)),
        fn_output_signature=tf.TensorSpec([num_columns], tf.float64),
    )


def _filled(levels: tf.Tensor) -> tf.Tensor:
    """As `drift.filled`, with minus infinity where nothing is known.  [W, C]"""
    places = tf.range(tf.shape(levels)[0])
    known = ~tf.math.is_nan(levels)
    here, there = places[:, tf.newaxis, tf.newaxis], places[tf.newaxis, :, tf.newaxis]
    before = tf.reduce_max(tf.where(known & (there <= here), there, -1), axis=1)
    after = tf.reduce_min(tf.where(known & (there >= here), there, tf.int32.max), axis=1)
    has_before, has_after = before >= 0, after < tf.int32.max
    first = tf.where(has_before, before, tf.where(has_after, after, 0))
    last = tf.where(has_after, after, first)
    columns = tf.transpose(levels)
    low, high = (
        tf.transpose(tf.gather(columns, tf.transpose(place), batch_dims=1))
        for place in (first, last)
    )
    weight = tf.cast(places[:, tf.newaxis] - first, tf.float64) / tf.cast(
        tf.maximum(last - first, 1), tf.float64
    )
    filled = low + (high - low) * weight
    return tf.where(has_before | has_after, filled, -np.inf)


def _of_values(levels: tf.Tensor, num: tf.Tensor, step: int) -> tf.Tensor:
    """As `drift.Drift.of_values`, of all values.  [W, C] -> [N, C]"""
    last = tf.shape(levels)[0] - 1
    steps = tf.range(-(-num // step))
    place = (tf.cast(steps, tf.float64) + 0.5) / drift.STEPS_PER_CELL - 1
    place = tf.clip_by_value(place, 0, tf.cast(last, tf.float64))
    before = tf.minimum(tf.cast(place, tf.int32), tf.maximum(last - 1, 0))
    weight = (place - tf.cast(before, tf.float64))[:, tf.newaxis]
    low, high = (tf.gather(levels, tf.minimum(before + i, last)) for i in (0, 1))
    return tf.repeat(low * (1 - weight) + high * weight, step, axis=0)[:num]
