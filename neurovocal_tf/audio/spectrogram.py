"""Samples -> power spectrogram -> dB or model frames, and the way back,
each inverse beside its function.
"""

import dataclasses
import json
import math
from typing import TypeVar

import numpy as np
import scipy.signal
import tensorflow as tf

from neurovocal_tf.config import SpectrogramConfig
from neurovocal_tf.settings import check_section

Count = TypeVar("Count", int, np.ndarray, tf.Tensor)

_SMALLEST = float(np.finfo(np.float32).tiny)


def num_frames(num_samples: Count, config: SpectrogramConfig) -> Count:
    """Whole windows in `num_samples`, as `scipy.signal.spectrogram` counts them:
    (N - noverlap) // hop_length, never negative.

    Args:
        num_samples: int, NumPy integers or an integer tensor.
        config: `SpectrogramConfig`.

    Returns: the same kind of number.
    """
    noverlap = config.n_fft - config.hop_length
    whole = (num_samples - noverlap) // config.hop_length
    if tf.is_tensor(num_samples):
        return tf.maximum(whole, tf.zeros_like(whole))
    return np.maximum(whole, 0) if isinstance(whole, np.ndarray) else max(whole, 0)


def num_bins(config: SpectrogramConfig) -> int:
    """V, the frequency bins of a frame: n_fft / 2 + 1."""
    return config.n_fft // 2 + 1


def bin_frequencies_hz(sample_rate: float, config: SpectrogramConfig) -> np.ndarray:
    """Centre frequency in Hz of every bin, NumPy float64 [V]."""
    return np.arange(num_bins(config)) * (sample_rate / config.n_fft)


def first_edge(config: SpectrogramConfig) -> float:
    """Where the first frame begins, in samples, if each frame stands for what lies about the middle
    of its window, as far as halfway to the next one's; the edges after it are a hop apart.
    """
    return (config.n_fft - config.hop_length) / 2


# AutoGraph would otherwise rewrite SciPy's sources, which takes seconds.
@tf.autograph.experimental.do_not_convert
def window(config: SpectrogramConfig) -> np.ndarray:
    """The analysis window, Tukey(0.25) and periodic as `scipy.signal.spectrogram` makes it;
    NumPy float64 [n_fft].
    """
    return scipy.signal.get_window(("tukey", 0.25), config.n_fft)


def density_scaling(sample_rate: float | tf.Tensor, config: SpectrogramConfig) -> tf.Tensor:
    """Factor per bin from |rfft|^2 to power spectral density, [V]: 1 / (rate * sum(window^2)),
    twice that between DC and Nyquist.

    `sample_rate` may be a number or a scalar tensor.
    """
    one_sided = np.full(num_bins(config), 2.0, np.float32)
    one_sided[[0, -1]] = 1.0
    return one_sided / (tf.cast(sample_rate, tf.float32) * np.float32(np.sum(window(config) ** 2)))


def power_spectrogram(
    samples: np.ndarray | tf.Tensor, sample_rate: float | tf.Tensor, config: SpectrogramConfig
) -> tf.Tensor:
    """Power spectral density of whole windows: `scipy.signal.spectrogram` with its
    defaults, in graph ops.

    Tukey(0.25) window, the mean of each window removed, one-sided.

    Args:
        samples: `[..., N]`, any float type.
        sample_rate: Hz, a number or a scalar tensor.
        config: `SpectrogramConfig`.

    Returns: float32 `[..., L, V]`, units of samples^2 / Hz, with L = `num_frames(N, config)`.
    """
    check_section("config", config, SpectrogramConfig)
    samples = tf.cast(tf.convert_to_tensor(samples), tf.float32)
    return _power_of_windows(
        tf.signal.frame(samples, config.n_fft, config.hop_length), sample_rate, config
    )


def span_power_spectrograms(
    samples: np.ndarray | tf.Tensor,
    onsets: tf.Tensor,
    offsets: tf.Tensor,
    sample_rate: float | tf.Tensor,
    config: SpectrogramConfig,
) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
    """Power spectrograms of spans of some samples, one after another, each what `power_spectrogram`
    makes of the span alone.

    Args:
        samples: `[N]`, any float type.
        onsets, offsets: int64 `[S]`, samples, the offset exclusive.
        sample_rate, config: as for `power_spectrogram`.

    Returns: float32 `[sum of L, V]`, the frames L of each span, int64 `[S]`, and the first sample
        of each frame's window, int64 `[sum of L]`.
    """
    lengths = num_frames(offsets - onsets, config)
    frame_onsets = (
        tf.repeat(onsets, lengths) + tf.ragged.range(lengths).flat_values * config.hop_length
    )
    windows = tf.gather(
        tf.cast(samples, tf.float32),
        frame_onsets[:, tf.newaxis] + tf.range(config.n_fft, dtype=tf.int64),
    )
    return _power_of_windows(windows, sample_rate, config), lengths, frame_onsets


def _power_of_windows(
    windows: tf.Tensor, sample_rate: float | tf.Tensor, config: SpectrogramConfig
) -> tf.Tensor:
    windows -= tf.reduce_mean(windows, axis=-1, keepdims=True)
    spectrum = tf.signal.rfft(windows * window(config).astype(np.float32))
    power = tf.square(tf.math.real(spectrum)) + tf.square(tf.math.imag(spectrum))
    return power * density_scaling(sample_rate, config)


@dataclasses.dataclass(frozen=True)
class FrameScale:
    """What turns power into the frames a model learns, and back.

    Attributes:
        scaling: "decibel", or "max_power": linear power of each spectrogram
            divided by its own maximum.
        reference_power: power density that is 0 dB.
        dynamic_range_db: how far below the reference the soft floor lies.
        mean_max_power: mean over the training spectrograms of their maxima. `max_power` cannot be
            undone; this is the gain that brings generated frames back to the loudness of the data.
    """

    scaling: str = "decibel"
    reference_power: float = 1.0
    dynamic_range_db: float = 70.0
    mean_max_power: float = 1.0

    def __post_init__(self) -> None:
        choices = next(
            f.metadata["choices"]
            for f in dataclasses.fields(SpectrogramConfig)
            if f.name == "scaling"
        )
        if self.scaling not in choices:
            raise ValueError(
                f"`scaling` must be one of {', '.join(choices)}. Received: scaling={self.scaling}"
            )
        for name in ("reference_power", "dynamic_range_db", "mean_max_power"):
            value = getattr(self, name)
            if not (math.isfinite(value) and value > 0):
                raise ValueError(f"`{name}` must be finite and above 0. Received: {name}={value}")

    is_sound = True

    @property
    def in_decibels(self) -> bool:
        """Whether the frames a model learns are in dB."""
        return self.scaling == "decibel"

    @property
    def unit(self) -> str:
        """Unit of the frames a model learns, and of its errors."""
        return "dB" if self.in_decibels else "relative power"

    @property
    def unit_suffix(self) -> str:
        """What ends the name of a figure in that unit."""
        return "_db" if self.in_decibels else "_power"

    @property
    def silence(self) -> float:
        """What is shown where there is nothing, in dB."""
        return -self.dynamic_range_db

    def shown(self, frames: np.ndarray | tf.Tensor) -> tf.Tensor:
        """What people see of model frames: dB.  [..., L, V] -> [..., L, V]"""
        return model_frames_to_decibels(frames, self)

    def to_json(self) -> str:
        """This scale as JSON text."""
        return json.dumps(dataclasses.asdict(self), indent=2)

    @classmethod
    def from_json(cls, text: str) -> "FrameScale":
        """Inverse of `to_json`.

        Raises ValueError for anything but an object of exactly these fields.
        """
        values = json.loads(text)
        names = [field.name for field in dataclasses.fields(cls)]
        if not isinstance(values, dict) or sorted(values) != sorted(names):
            raise ValueError(f"A frame scale must hold the fields {', '.join(names)}.")
        return cls(**values)


@dataclasses.dataclass(frozen=True)
class OwnUnit:
    """Stands for a `FrameScale` where frames are no spectra of a sound:
    a model learns, draws and sings them as they are.
    """

    is_sound = False
    in_decibels = False
    unit = "of the data's unit"
    unit_suffix = ""
    silence = 0.0

    def shown(self, frames: np.ndarray | tf.Tensor) -> np.ndarray | tf.Tensor:
        """The frames themselves."""
        return frames


class PianoKeys(OwnUnit):
    """Of frames that are the keys of a piano, on or off, MIDI notes 21 to 108."""


def to_decibels(power: np.ndarray | tf.Tensor, scale: FrameScale) -> tf.Tensor:
    """Power -> dB over the reference, 10 log10(P / reference + 10^(-range / 10)), float32, any
    shape.

    The floor is soft: what is far below it comes out at -dynamic_range_db, and nothing is clipped.
    """
    floor = 10.0 ** (-scale.dynamic_range_db / 10)
    relative = tf.cast(power, tf.float32) / scale.reference_power
    return (10 / math.log(10)) * tf.math.log(relative + floor)


def to_power(decibels: np.ndarray | tf.Tensor, scale: FrameScale) -> tf.Tensor:
    """Inverse of `to_decibels`; what is below the floor is silence, so never negative.

    float32, any shape.
    """
    floor = 10.0 ** (-scale.dynamic_range_db / 10)
    relative = tf.exp(tf.cast(decibels, tf.float32) * (math.log(10) / 10))
    return scale.reference_power * tf.maximum(relative - floor, 0.0)


def to_model_frames(power: np.ndarray | tf.Tensor, scale: FrameScale) -> tf.Tensor:
    """One spectrogram as the frames a model learns:
    dB, or its power over its own maximum (zeros for silence).

    [..., L, V] -> [..., L, V]; for `max_power` the maximum is over the last two axes.
    """
    if scale.scaling == "decibel":
        return to_decibels(power, scale)
    power = tf.cast(power, tf.float32)
    return power / tf.maximum(tf.reduce_max(power, axis=(-2, -1), keepdims=True), _SMALLEST)


def spans_to_model_frames(power: tf.Tensor, lengths: tf.Tensor, scale: FrameScale) -> tf.Tensor:
    """Spectrograms one after another as model frames, each span on its own.

    [sum of L, V], int [S] -> [sum of L, V]
    """
    if scale.scaling == "decibel":
        return to_decibels(power, scale)
    span = tf.repeat(tf.range(tf.size(lengths)), lengths)
    maxima = tf.math.segment_max(tf.reduce_max(power, axis=-1), span)
    return power / tf.maximum(tf.gather(maxima, span), _SMALLEST)[:, tf.newaxis]


def model_frames_to_decibels(frames: np.ndarray | tf.Tensor, scale: FrameScale) -> tf.Tensor:
    """Model frames -> dB, the form of every public spectrogram.  [..., L, V] -> [..., L, V]"""
    if scale.scaling == "decibel":
        return tf.cast(frames, tf.float32)
    return to_decibels(tf.maximum(tf.cast(frames, tf.float32), 0.0) * scale.mean_max_power, scale)


def decibels_to_model_frames(decibels: np.ndarray | tf.Tensor, scale: FrameScale) -> tf.Tensor:
    """dB -> model frames, inverse of `model_frames_to_decibels`.  [..., L, V] -> [..., L, V]"""
    if scale.scaling == "decibel":
        return tf.cast(decibels, tf.float32)
    return to_power(decibels, scale) / scale.mean_max_power
