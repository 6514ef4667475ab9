"""The detector of `segmentation` in TensorFlow's own ops, for where no Python runs:
a SavedModel may call none.

Everywhere else the other serves, which needs no more memory for an hour than for a second; this one
holds a recording as a whole, so it is for the short ones that a server is sent. Both take the same
filters, bands and settings, and tests hold their segments to one another; sums are taken in another
order, so a boundary may be a sample, or a hop of the contrast, from the other's.
"""

from collections.abc import Callable

import numpy as np
import scipy.signal
import tensorflow as tf

from neurovocal_tf.config import SegmentationConfig
from neurovocal_tf.segmentation import traces
from neurovocal_tf.segmentation.band_pass import STOPBAND_DB, band_pass_taps, transform_length

_SILENCE = 10 ** (-traces.SILENCE_DB / 10)


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
    trace_of = {"envelope": _envelope, "contrast": _contrast}[config.detector]
    values, level, hop, decibels_per_decade = trace_of(samples, sample_rate, config)
    onsets, offsets, peaks = runs_above(
        values, level * 10 ** (-config.hysteresis_db / decibels_per_decade)
    )
    # A value stands for the hop around it, the last one for all that is left.
    is_last = offsets == tf.size(values, out_type=tf.int64)
    onsets = tf.maximum(onsets * hop - hop // 2, 0)
    offsets = tf.where(is_last, num_samples, offsets * hop - hop // 2)
    # A level that all of it reaches parts nothing.
    reached = (tf.cast(peaks, tf.float64) >= level) & ~((onsets == 0) & (offsets == num_samples))
    per_ms = sample_rate / 1000
    onsets, offsets = _joined(
        onsets[reached], offsets[reached], lambda gaps: gaps >= config.min_gap_ms * per_ms
    )
    lengths = tf.cast(offsets - onsets, tf.float64)
    kept = (lengths > config.min_length_ms * per_ms) & (lengths < config.max_length_ms * per_ms)
    return add_buffer(onsets[kept], offsets[kept], int(config.buffer_ms * per_ms), num_samples)


def runs_above(
    values: tf.Tensor, level: float | tf.Tensor
) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
    """Onsets, offsets and largest values of the runs where values [N] >= level.

    -> int64 [R], int64 [R], [R]
    """
    # At the precision of the level, which may lie between two of the values'.
    active = tf.cast(values, tf.float64) >= level
    begins = active & ~tf.pad(active, [[1, 0]])[:-1]
    ends = active & ~tf.pad(active, [[0, 1]])[1:]
    run = tf.cumsum(tf.cast(begins, tf.int64)) - 1
    peaks = tf.math.segment_max(tf.boolean_mask(values, active), tf.boolean_mask(run, active))
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


# --- traces: values float32 [T], level float64 [], samples from one value to the next,
# dB of a factor of 10


def _envelope(
    samples: tf.Tensor, sample_rate: float, config: SegmentationConfig
) -> tuple[tf.Tensor, tf.Tensor, int, float]:
    """As `traces.EnvelopeTrace`."""
    taps = band_pass_taps(sample_rate, config.low_hz, config.high_hz)
    length = traces.smoothing_length(sample_rate, config.smoothing_ms)
    context = length // 2 + (0 if taps is None else len(taps) // 2)
    first = samples[0]
    samples = _mirrored(samples, context)
    if taps is not None:
        # A constant must come out as exactly zero, not as the filter's rounding.
        samples = _filtered(samples - first, taps) + (first if config.low_hz <= 0 else 0.0)
    values = tf.cast(_running_mean(tf.abs(samples), length), tf.float32)
    if config.threshold_method == "absolute":
        return values, tf.constant(config.threshold, tf.float64), 1, 20.0
    if config.threshold_method == "noise_floor":
        floors, silent = noise_floors(
            values[tf.newaxis], config.noise_floor_percentile, _SILENCE**0.5
        )
        maximum = tf.cast(tf.reduce_max(values), tf.float64)
        at_most = tf.where(silent[0] > config.noise_floor_percentile / 100, maximum / 2, np.inf)
        at_least = 0.0 if taps is None else maximum * 10 ** (-STOPBAND_DB / 20)
        level = tf.maximum(tf.minimum(config.threshold * floors[0], at_most), at_least)
    else:
        level = percentile(values, config.threshold)
    return (
        values,
        tf.maximum(level, tf.cast(tf.reduce_max(values), tf.float64) * _SILENCE**0.5),
        1,
        20.0,
    )


def _contrast(
    samples: tf.Tensor, sample_rate: float, config: SegmentationConfig
) -> tuple[tf.Tensor, tf.Tensor, int, float]:
    """As `traces.ContrastTrace`."""
    n_fft, hop = config.contrast_n_fft, config.contrast_n_fft // 4
    band = traces.band(sample_rate, config)
    num_averaged = traces.smoothing_length(sample_rate / hop, config.smoothing_ms)
    num_windows = -(-tf.size(samples) // hop) + num_averaged - 1
    centred = tf.cast(
        _mirrored(samples, n_fft // 2 + num_averaged // 2 * hop) - samples[0], tf.float32
    )
    windows = tf.signal.frame(centred, n_fft, hop)[:num_windows]
    hann = scipy.signal.get_window("hann", n_fft).astype(np.float32)
    spectrum = tf.signal.rfft((windows - tf.reduce_mean(windows, axis=1, keepdims=True)) * hann)[
        :, band
    ]
    power = tf.square(tf.math.real(spectrum)) + tf.square(tf.math.imag(spectrum))
    if num_averaged > 1:
        power = tf.cast(_running_mean(tf.cast(power, tf.float64), num_averaged), tf.float32)
    if config.threshold_method == "absolute":
        floor = np.square(np.sum(hann) / 2)
    else:
        lowest = tf.maximum(
            tf.cast(tf.reduce_max(power), tf.float64) * _SILENCE, np.finfo(np.float32).tiny
        )
        floor = tf.cast(
            tf.maximum(
                noise_floors(tf.transpose(power), config.noise_floor_percentile, _SILENCE)[0],
                lowest,
            ),
            tf.float32,
        )
    over_floor, num_bins = power / floor, traces.bins_averaged(sample_rate, config)
    if num_bins > 1:
        over_floor = tf.cast(
            tf.transpose(_running_mean(tf.transpose(tf.cast(over_floor, tf.float64)), num_bins)),
            tf.float32,
        )
    values = tf.reduce_max(over_floor, axis=1)
    if config.threshold_method == "absolute":
        level = tf.constant(config.threshold**2, tf.float64)
    elif config.threshold_method == "noise_floor":
        level = tf.constant(10 ** (config.threshold / 10), tf.float64)
    else:
        level = tf.maximum(
            percentile(values, config.threshold),
            tf.cast(tf.reduce_max(values), tf.float64) * _SILENCE,
        )
    return values, level, hop, 10.0


def _filtered(samples: tf.Tensor, taps: np.ndarray) -> tf.Tensor:
    """As `band_pass.filtered`.  [N + num_taps - 1] -> [N], float64"""
    num_samples = tf.size(samples) - len(taps) + 1
    length = transform_length(len(taps))
    step = length - len(taps) + 1
    num_transforms = -(-num_samples // step)
    samples = tf.pad(samples, [[0, (num_transforms - 1) * step + length - tf.size(samples)]])
    spectra = tf.signal.rfft(tf.signal.frame(samples, length, step))
    filtered = tf.signal.irfft(spectra * np.fft.rfft(taps, length), [length])[:, len(taps) - 1 :]
    return tf.reshape(filtered, [-1])[:num_samples]


def _running_mean(values: tf.Tensor, length: int) -> tf.Tensor:
    """As `traces.running_mean`.  [N + length - 1, ...] -> [N, ...], float64"""
    sums = tf.pad(tf.cumsum(values), [[1, 0], *[[0, 0]] * (values.shape.rank - 1)])
    return tf.maximum(sums[length:] - sums[:-length], 0.0) / length


def _mirrored(samples: tf.Tensor, num: int) -> tf.Tensor:
    """`num` mirrored samples added on both sides, as often mirrored as a short signal needs."""
    num_samples = tf.size(samples)
    # tf.pad mirrors less than one length, and a recording may be shorter than a
    # filter: index instead.
    period = tf.maximum(2 * (num_samples - 1), 1)
    index = tf.math.floormod(tf.range(-num, num_samples + num), period)
    return tf.gather(samples, tf.minimum(index, period - index))


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
