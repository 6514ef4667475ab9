"""Samples -> onsets and offsets of vocalizations: rectify, smooth, threshold, join, keep by length, pad.

Everything is TensorFlow graph ops, so that it runs inside tf.data, and float64, so that boundaries do not depend on
how a sum is taken: integer PCM stays exact in it, and everything else is right to about 1e-12.
"""

import numpy as np
import scipy.signal
import tensorflow as tf

# What lies further than this below the loudest envelope is silence; below 16-bit rounding, above that of the filter.
_SILENCE = 1e-6
_STOPBAND_DB = 60.0
_MAX_TAPS = 8191


def detect(samples, sample_rate, config):
    """Onsets and offsets of the vocalizations in one recording.

    Args:
        samples: `[N]`, float.
        sample_rate: Hz, a Python number.
        config: `SegmentationConfig`.

    Returns: onsets `[S]` and offsets `[S]`, int64 sample indices in time order, the offset exclusive. Neighbours overlap
        where the buffer is longer than half the gap between them. Silence and a constant signal have no segments.

    Raises: ValueError if the band-pass holds no frequency below Nyquist.
    """
    samples = tf.cast(tf.convert_to_tensor(samples), tf.float64)
    num_samples = tf.size(samples, out_type=tf.int64)
    # One sample of silence stands for none: nothing has no percentile.
    samples = tf.pad(samples, [[0, tf.maximum(1 - num_samples, 0)]])
    filtered = band_pass(samples, sample_rate, config.low_hz, config.high_hz)
    loudness = envelope(filtered, smoothing_length(sample_rate, config.smoothing_ms))
    onsets, offsets = runs_above(loudness, threshold_level(loudness, config))
    per_ms = sample_rate / 1000
    onsets, offsets = join_gaps(onsets, offsets, config.min_gap_ms * per_ms)
    onsets, offsets = keep_by_length(onsets, offsets, config.min_length_ms * per_ms, config.max_length_ms * per_ms)
    return add_buffer(onsets, offsets, int(config.buffer_ms * per_ms), num_samples)


def smoothing_length(sample_rate, smoothing_ms):
    """Samples in the running mean: int(smoothing_ms), made odd so that it has a centre."""
    return int(smoothing_ms * sample_rate / 1000) | 1


# AutoGraph would otherwise rewrite SciPy's sources, which takes seconds.
@tf.autograph.experimental.do_not_convert
def band_pass_taps(sample_rate, low_hz, high_hz):
    """Odd-length linear-phase FIR, Kaiser-windowed sinc, NumPy float64 [num_taps]; None where no filter is asked for.

    An edge of 0 is no edge, and neither is an upper edge at or above Nyquist. The edges are the -6 dB points; the
    transition is half as wide as the lower edge is high, so that 60 dB are reached at three quarters of it.

    Raises: ValueError if `low_hz` is at or above Nyquist, or not below `high_hz`.
    """
    nyquist = sample_rate / 2
    if low_hz >= nyquist:
        raise ValueError(f"`low_hz` must be below half the sample rate, {nyquist:g} Hz. Received: low_hz={low_hz:g}")
    if 0 < high_hz <= low_hz:
        raise ValueError(f"`low_hz` must be below `high_hz`, {high_hz:g} Hz. Received: low_hz={low_hz:g}")
    edges = [edge for edge in (low_hz, high_hz) if 0 < edge < nyquist]
    if not edges:
        return None
    transition_hz = edges[0] / 2
    num_taps, beta = scipy.signal.kaiserord(_STOPBAND_DB, transition_hz / nyquist)
    return scipy.signal.firwin(min(num_taps | 1, _MAX_TAPS), edges, window=("kaiser", beta), pass_zero=low_hz <= 0, fs=sample_rate)


def band_pass(samples, sample_rate, low_hz, high_hz):
    """Samples between two frequencies, not delayed, ends reflected, mean removed; the samples themselves if no edge cuts.

    [N] -> [N], float64. See `band_pass_taps` for the edges and errors.
    """
    taps = band_pass_taps(sample_rate, low_hz, high_hz)
    if taps is None:
        return samples
    # A constant must come out as zero, not as the filter's rounding.
    samples -= tf.reduce_sum(samples) / tf.maximum(tf.cast(tf.size(samples), samples.dtype), 1.0)
    num_samples = tf.size(samples)
    extended = _reflect(samples, len(taps) // 2)
    # Overlap-save: blocks keep the transform short, and what is silent in a block stays exactly silent.
    block = max(4096, 1 << (4 * len(taps) - 1).bit_length())
    step = block - len(taps) + 1
    num_blocks = -(-num_samples // step)
    extended = tf.pad(extended, [[0, num_blocks * step + len(taps) - 1 - tf.size(extended)]])
    blocks = tf.signal.rfft(tf.signal.frame(extended, block, step))
    filtered = tf.signal.irfft(blocks * np.fft.rfft(taps, block), [block])[:, len(taps) - 1 :]
    return tf.reshape(filtered, [-1])[:num_samples]


def envelope(samples, length):
    """Running mean of |x| over `length` samples (odd), centred, ends reflected.  [N] -> [N], float64"""
    half = length // 2
    rectified = _reflect(tf.abs(tf.cast(samples, tf.float64)), half)
    # Without the leading zero the first window would have nothing to be subtracted from.
    sums = tf.pad(tf.cumsum(rectified), [[1, 0]])
    # A difference of prefix sums may fall a rounding below zero, where the mean of silence is zero.
    return tf.maximum(sums[length:] - sums[:-length], 0.0) / length


def threshold_level(loudness, config):
    """The level at which a vocalization begins, a scalar: a percentile of the envelope, or a factor over its noise floor.

    Never lower than 120 dB below the loudest moment, so that digital silence is no noise floor.
    """
    if config.threshold_method == "percentile":
        level = percentile(loudness, config.threshold)
    else:
        level = config.threshold * percentile(loudness, config.noise_floor_percentile)
    return tf.maximum(level, _SILENCE * tf.reduce_max(loudness))


def percentile(values, percent):
    """The `percent`-th percentile of values [N], N >= 1, linearly interpolated as `numpy.percentile` does; a scalar."""
    last = tf.size(values) - 1
    position = tf.cast(last, tf.float64) * (percent / 100)
    below = tf.cast(tf.floor(position), tf.int32)
    low, high = (tf.raw_ops.NthElement(input=values, n=n) for n in (below, tf.minimum(below + 1, last)))
    weight = tf.cast(position - tf.floor(position), values.dtype)
    # Interpolating from the nearer side is exact at both ends.
    return tf.where(weight < 0.5, low + (high - low) * weight, high - (high - low) * (1 - weight))


def runs_above(loudness, level):
    """Onsets and offsets [S] of the runs where loudness >= level.  A level that all of it reaches parts nothing: no runs."""
    active = (loudness >= level) & (tf.reduce_min(loudness) < level)
    edges = tf.pad(active, [[1, 1]])
    onsets = tf.where(edges[1:] & ~edges[:-1])[:, 0]
    offsets = tf.where(~edges[1:] & edges[:-1])[:, 0]
    return onsets, offsets


def join_gaps(onsets, offsets, min_gap):
    """Segments with less than `min_gap` samples between them become one.  [S], [S] -> [S'], [S']"""
    apart = tf.cast(onsets[1:] - offsets[:-1], tf.float64) >= min_gap
    return _part(onsets, offsets, apart)


def keep_by_length(onsets, offsets, min_length, max_length):
    """Segments strictly longer than `min_length` and strictly shorter than `max_length` samples."""
    lengths = tf.cast(offsets - onsets, tf.float64)
    kept = (lengths > min_length) & (lengths < max_length)
    return onsets[kept], offsets[kept]


def add_buffer(onsets, offsets, buffer, num_samples):
    """Segments longer by `buffer` samples on both sides, clipped to [0, num_samples]."""
    return tf.maximum(onsets - buffer, 0), tf.minimum(offsets + buffer, num_samples)


def bouts(onsets, offsets, max_gap):
    """Runs of segments with no gap longer than `max_gap` samples, gaps included.

    Args:
        onsets, offsets: int64 `[S]`, in time order; segments may overlap.
        max_gap: samples, a number.

    Returns: onsets `[S']` and offsets `[S']` of the bouts.
    """
    apart = tf.cast(onsets[1:] - offsets[:-1], tf.float64) > max_gap
    return _part(onsets, offsets, apart)


def _part(onsets, offsets, apart):
    return (
        tf.concat([onsets[:1], tf.boolean_mask(onsets[1:], apart)], axis=0),
        tf.concat([tf.boolean_mask(offsets[:-1], apart), offsets[-1:]], axis=0),
    )


def _reflect(samples, num):
    """`num` mirrored samples added on both sides, as often mirrored as a short signal needs."""
    num_samples = tf.size(samples)
    # tf.pad reflects less than one length, and a recording may be shorter than a filter: index instead.
    period = tf.maximum(2 * (num_samples - 1), 1)
    index = tf.math.floormod(tf.range(-num, num_samples + num), period)
    return tf.gather(samples, tf.minimum(index, period - index)) if num else samples
