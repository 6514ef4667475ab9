"""`traces` in TensorFlow's own ops, for `detector_in_graph`: the trace, the level of each of its
values, samples from one value to the next, and dB of a factor of 10.
"""

import numpy as np
import scipy.signal
import tensorflow as tf

from neurovocal_tf.config import SegmentationConfig
from neurovocal_tf.segmentation import traces
from neurovocal_tf.segmentation.band_pass import STOPBAND_DB, band_pass_taps, transform_length
from neurovocal_tf.segmentation.noise_level import SILENCE_DB
from neurovocal_tf.segmentation.thresholds import SMALLEST_LEVEL
from neurovocal_tf.segmentation.thresholds_in_graph import (
    floors_of_windows,
    noise_floors,
    over_mode,
    percentile,
)

# float32 [T], float64 [T] or [], samples, dB.
TraceInGraph = tuple[tf.Tensor, tf.Tensor, int, float]

_SILENCE = 10 ** (-SILENCE_DB / 10)


def envelope(samples: tf.Tensor, sample_rate: float, config: SegmentationConfig) -> TraceInGraph:
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
        return values, tf.constant(max(config.threshold, SMALLEST_LEVEL), tf.float64), 1, 20.0
    if config.threshold_method == "noise_mode":
        artefacts_db = SILENCE_DB if taps is None else STOPBAND_DB
        return values, over_mode(values, sample_rate, artefacts_db, 20.0, config), 1, 20.0
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


def contrast(samples: tf.Tensor, sample_rate: float, config: SegmentationConfig) -> TraceInGraph:
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
    elif config.threshold_method == "noise_mode":
        floor = tf.cast(
            floors_of_windows(power, sample_rate / hop, config.noise_floor_percentile), tf.float32
        )
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
    if num_bands := traces.background_bands(sample_rate, config):
        over_floor = _without_background(over_floor, num_bands)
    if num_bins > 1:
        over_floor = tf.cast(
            tf.transpose(_running_mean(tf.transpose(tf.cast(over_floor, tf.float64)), num_bins)),
            tf.float32,
        )
    values = tf.reduce_max(over_floor, axis=1)
    if config.threshold_method == "absolute":
        level = tf.constant(max(config.threshold**2, SMALLEST_LEVEL), tf.float64)
    elif config.threshold_method == "noise_mode":
        level = over_mode(values, sample_rate / hop, SILENCE_DB, 10.0, config)
    elif config.threshold_method == "noise_floor":
        level = tf.constant(10 ** (config.threshold / 10), tf.float64)
    else:
        level = tf.maximum(
            percentile(values, config.threshold),
            tf.cast(tf.reduce_max(values), tf.float64) * _SILENCE,
        )
    return values, level, hop, 10.0


def _without_background(over_floor: tf.Tensor, num_bands: int) -> tf.Tensor:
    """As `traces.without_background`."""
    edges, weights = traces.bands_of(over_floor.shape[1], num_bands)
    medians = tf.stack(
        [
            percentile(over_floor[:, begin:end], 50.0)
            for begin, end in zip(edges[:-1], edges[1:], strict=True)
        ],
        axis=1,
    )
    medians = tf.cast(tf.maximum(medians, 1), tf.float32)
    return over_floor / tf.exp(tf.matmul(tf.math.log(medians), weights))


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
