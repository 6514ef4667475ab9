"""Power spectrogram -> waveform: a guess of the phases from the peaks, then fast Griffin-Lim.

Deterministic and built of TensorFlow's own ops, so that it can be part of a SavedModel. No row of a
batch depends on another.
"""

import numpy as np
import tensorflow as tf

from neurovocal_tf.audio import spectrogram
from neurovocal_tf.audio.spectrogram import Count
from neurovocal_tf.config import SpectrogramConfig

# Below any amplitude that matters, and large enough to divide by.
_SMALLEST = 1e-20
# Where the windows at both ends add up to less than this share of their sum inside, the estimate
# would be divided by next to nothing: a click. There the sound fades instead.
_EDGE_FLOOR = 0.1
# Zeros of the transform of a Tukey(0.25) window lie 1 / (1 - 0.25 / 2) bins apart.
_LOBES_PER_BIN = 0.875
# A spectrogram has lost the mean of every window. The estimate's own means go on in its place, or
# the lowest bins cannot settle; a little less of them each time, or the sound wanders off at
# frequencies below the first bin.
_MEANS_KEPT = 0.95


def num_output_samples(num_frames: Count, config: SpectrogramConfig) -> Count:
    """Samples that `num_frames` frames (at least one) span: (L - 1) * hop_length + n_fft."""
    return (num_frames - 1) * config.hop_length + config.n_fft


def griffin_lim(
    power: np.ndarray | tf.Tensor,
    sample_rate: float | tf.Tensor,
    config: SpectrogramConfig,
    num_iterations: int | tf.Tensor = 100,
    momentum: float = 0.99,
    lengths: tf.Tensor | None = None,
    known: tf.Tensor | None = None,
) -> tf.Tensor:
    """Waveforms whose power spectrograms are close to the given ones.

    Fast Griffin-Lim (Perraudin, Balazs, Sondergaard, 2013, doi 10.1109/WASPAA.2013.6701851),
    started from single-pass spectrogram inversion, `phases_from_peaks`.

    Args:
        power: `[B, L, V]`, power spectral density as `spectrogram.power_spectrogram`
            gives it, L at least 1.
        sample_rate: Hz, a number or a scalar tensor; the loudness depends on it.
        config: `SpectrogramConfig`.
        num_iterations: iterations, a number or a scalar tensor; 0 keeps the first guess.
        momentum: of the accelerated iteration; 0 is plain Griffin-Lim, and well above 1 diverges.
        lengths: optional int `[B]`: row b has `lengths[b]` frames,
            and sounds as it would alone; the rest is silent.
        known: optional float32 `[B, P]`, the first samples, which have sounded already: a long
            sound is made part by part (Zhu, Beauregard, Wyse, 2007, doi 10.1109/TASL.2007.899236).
            They stay as they are, up to the last hop of them, over which they give way to the
            estimate, and the phases go on from those of their whole windows. P is less than N;
            default: none.

    Returns: float32 `[B, N]`, N = `num_output_samples(L, config)`.
    """
    power = tf.maximum(tf.cast(power, tf.float32), 0.0)
    num_rows, num_frames = tf.shape(power)[0], tf.shape(power)[1]
    if lengths is None:
        lengths = tf.fill([num_rows], num_frames)
    present = tf.sequence_mask(lengths, num_frames, dtype=tf.float32)[:, :, tf.newaxis]
    magnitude = present * tf.sqrt(power / spectrogram.density_scaling(sample_rate, config))
    window = spectrogram.window(config).astype(np.float32)
    window_sum = _overlap_add(present * np.square(window), config)
    # A row of no frames has no window at all.
    divisor = tf.maximum(
        window_sum,
        tf.maximum(_EDGE_FLOOR * tf.reduce_max(window_sum, axis=-1, keepdims=True), _SMALLEST),
    )

    known = tf.zeros([num_rows, 0]) if known is None else known
    certain, given = _certainty(known, tf.shape(window_sum)[1], config)

    def waveform(spectrum, means):
        frames = (
            tf.signal.irfft(with_magnitude(spectrum), [config.n_fft]) + means * present * window
        )
        estimate = _overlap_add(frames * window, config) / divisor
        return certain * given + (1 - certain) * estimate

    def with_magnitude(spectrum):
        real, imag = tf.math.real(spectrum), tf.math.imag(spectrum)
        gain = magnitude / tf.maximum(tf.sqrt(tf.square(real) + tf.square(imag)), _SMALLEST)
        return tf.complex(real * gain, imag * gain)

    def iterate(step, spectrum, previous, means):
        frames = tf.signal.frame(waveform(spectrum, means), config.n_fft, config.hop_length)
        means = tf.reduce_mean(frames, axis=-1, keepdims=True)
        consistent = tf.signal.rfft((frames - means) * window)
        return (
            step + 1,
            consistent + momentum * (consistent - previous),
            consistent,
            _MEANS_KEPT * means,
        )

    phase = phases_from_peaks(magnitude, config, _phases(known, config))
    start = tf.complex(magnitude * _sine(phase + 0.25), magnitude * _sine(phase))
    _, spectrum, _, means = tf.while_loop(
        lambda step, *_: step < num_iterations,
        iterate,
        (0, start, start, tf.zeros_like(present)),
        maximum_iterations=num_iterations,
    )
    return waveform(spectrum, means)


def _certainty(
    known: tf.Tensor, num_samples: int | tf.Tensor, config: SpectrogramConfig
) -> tuple[tf.Tensor, tf.Tensor]:
    """How far each sample is given, 1 to 0, and the samples as far as they are, both [.., N]."""
    num_known = tf.shape(known)[1]
    ahead = tf.cast(num_known - tf.range(num_samples), tf.float32) / config.hop_length
    certain = tf.clip_by_value(ahead, 0.0, 1.0)
    return certain, tf.pad(known, [[0, 0], [0, num_samples - num_known]])


def _phases(known: tf.Tensor, config: SpectrogramConfig) -> tf.Tensor:
    """Phases of the whole windows of samples, in cycles, [B, K, V]."""
    windows = tf.signal.frame(known, config.n_fft, config.hop_length)
    windows -= tf.reduce_mean(windows, axis=-1, keepdims=True)
    return tf.math.angle(
        tf.signal.rfft(windows * spectrogram.window(config).astype(np.float32))
    ) / (2 * np.pi)


def phases_from_peaks(
    magnitude: tf.Tensor, config: SpectrogramConfig, known: tf.Tensor
) -> tf.Tensor:
    """A first guess of the phases: every peak of a frame is a sinusoid that goes on
    from the frame before.

    Single-pass spectrogram inversion (Beauregard, Harish, Wyse, 2015): the bins around a peak give
    its frequency, the frequency how far its phase has moved on since the last frame, and all bins
    that lead uphill to a peak belong to its sinusoid. Their phases differ from its phase in the
    middle of the window by what the window's own transform has at their distance.

    Args:
        magnitude: `[B, L, V]`.
        config: `SpectrogramConfig`.
        known: `[B, K, V]`, K less than L, the phases of the first frames, in cycles. They stay, and
            the others go on from them.

    Returns: float32 `[B, L, V]`, in cycles, any whole number of them too many.
    """
    bins = np.arange(spectrogram.num_bins(config))
    padded = tf.pad(magnitude, [[0, 0], [0, 0], [1, 1]], constant_values=-1.0)
    left, middle, right = padded[..., :-2], padded[..., 1:-1], padded[..., 2:]
    peak = _summit(left, middle, right, bins)
    frequency = tf.gather(
        bins.astype(np.float32) + _peak_shift(left, middle, right, config), peak, batch_dims=2
    )
    # The first frame goes on from itself, for what counts is only how later ones differ from it.
    before = tf.concat(
        [frequency[:, :1], tf.gather(frequency[:, :-1], peak[:, 1:], batch_dims=2)], axis=1
    )
    moved_on = (0.5 * config.hop_length / config.n_fft) * (before + frequency)

    def next_frame(phase, frame):
        peak, moved_on = frame
        phase = tf.gather(phase, peak, batch_dims=1) + moved_on
        return phase - tf.floor(phase)

    # Half a cycle from bin to bin is half a window of delay,
    # and half a cycle the change of sign from lobe to lobe.
    lobe = tf.floor(tf.abs(bins.astype(np.float32) - frequency) * _LOBES_PER_BIN)
    turned = 0.5 * ((bins % 2).astype(np.float32) + lobe)
    num_known = tf.shape(known)[1]
    # Of nothing known the sinusoids go on from zero.
    last_known = tf.concat(
        [tf.zeros_like(magnitude[:, :1]), known - turned[:, :num_known]], axis=1
    )[:, -1]
    frames_first = [1, 0, 2]
    rest = (
        tf.transpose(peak[:, num_known:], frames_first),
        tf.transpose(moved_on[:, num_known:], frames_first),
    )
    centre = tf.transpose(tf.scan(next_frame, rest, last_known), frames_first)
    return tf.concat([known, centre + turned[:, num_known:]], axis=1)


def _summit(left: tf.Tensor, middle: tf.Tensor, right: tf.Tensor, bins: np.ndarray) -> tf.Tensor:
    """For every bin the peak reached by going uphill from it, [B, L, V]."""
    uphill = tf.where((left > middle) & (left >= right), -1, tf.where(right > middle, 1, 0))
    goal = uphill + bins.astype(np.int32)
    # Each pass doubles the length of every path.
    for _ in range(len(bins).bit_length()):
        goal = tf.gather(goal, goal, batch_dims=2)
    return goal


def _peak_shift(
    left: tf.Tensor, middle: tf.Tensor, right: tf.Tensor, config: SpectrogramConfig
) -> tf.Tensor:
    """How far a sinusoid's frequency is above the bin of its peak, -0.5 to 0.5, [B, L, V];
    it holds at peaks only.

    The larger neighbour's share of the peak tells:
    a polynomial fitted to the window's own transform.
    """
    time = np.arange(config.n_fft) - config.n_fft / 2
    shifts = np.linspace(0, 0.5, 101)
    at_peak, beside = (
        np.cos(2 * np.pi * np.outer(d, time) / config.n_fft) @ spectrogram.window(config)
        for d in (shifts, 1 - shifts)
    )
    coefficients = np.polyfit(beside / at_peak, shifts, 4).astype(np.float32)
    share = tf.clip_by_value(tf.maximum(left, right) / tf.maximum(middle, _SMALLEST), 0.0, 1.0)
    shift = tf.clip_by_value(tf.math.polyval(list(coefficients), share), 0.0, 0.5)
    return tf.where(right > left, shift, -shift)


def _sine(cycles: tf.Tensor) -> tf.Tensor:
    """sin(2 pi x) within 0.002, of additions and products only.

    A library's sine may differ in its last bit with the place in the batch,
    and a row must sound as it does alone.
    """
    wrapped = cycles - tf.round(cycles)
    parabola = 8 * wrapped * (1 - 2 * tf.abs(wrapped))
    return parabola * (0.775 + 0.225 * tf.abs(parabola))


def _overlap_add(frames: tf.Tensor, config: SpectrogramConfig) -> tf.Tensor:
    return tf.signal.overlap_and_add(frames, config.hop_length)
