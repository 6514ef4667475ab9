"""How near the sound made of a recording's own frames comes to the recording: what a song loses
between its frames and the ear, whoever sang it.

Frames hold no phases, and at a hop of half a window they hardly determine them: a spectrogram of
the sound agrees with the frames where these lie, and differs between them. So both are compared on
a grid much finer than the frames'.
"""

import math
from collections.abc import Iterable, Iterator

import numpy as np
import tensorflow as tf

from neurovocal_tf.audio import spectrogram
from neurovocal_tf.config import SpectrogramConfig
from neurovocal_tf.generation.singer import Singer

# Hops of the grid in a window: 32 samples of 256.
_HOPS_IN_WINDOW = 8
# A minute of song at 32 kHz, in parts of a few seconds.
_MOST_SAMPLES, _PART_SAMPLES = 2**21, 2**18


def resynthesised(
    singer: Singer, heard: Iterable[tuple[np.ndarray, int]], seed: int = 0
) -> dict[str, float]:
    """Spectral convergence of some recordings' sound, made of their frames, dB.

        20 log10(| |STFT x| - |STFT y| | / | |STFT x| |)

    x is the recording, y the sound, the norms are over all bins and frames, and the windows are
    those of the frames. 0 is no nearer than silence.

    Args:
        singer: `Singer`, whose settings and scale count.
        heard: recordings, see `Recordings.heard`, of which about the first minute counts.
        seed: int, of the phases that are drawn.

    Returns: flat dict, NaN of silence and of recordings shorter than a window:
        `resynthesis_db`, on a grid of an eighth of a window; `resynthesis_own_grid_db`, where the
        frames themselves lie, which tells whether the phases agree with all frames;
        `resynthesis_random_phases_db`, as the first, of sound whose phases are drawn at random:
        what the right loudness in every frame is worth alone.
    """
    own = singer.config.spectrogram
    fine = SpectrogramConfig(n_fft=own.n_fft, hop_length=max(own.n_fft // _HOPS_IN_WINDOW, 1))
    rng = np.random.default_rng(seed)
    sums = {name: np.zeros(2) for name in ("", "_own_grid", "_random_phases")}
    for samples in _parts(heard, own):
        power = spectrogram.power_spectrogram(samples, singer.sample_rate, own)
        # Whole hops alone have been heard.
        samples = samples[: (len(power) - 1) * own.hop_length + own.n_fft]
        sound = singer.sound(spectrogram.to_decibels(power, singer.scale)).numpy()
        phaseless = with_random_phases(power.numpy(), singer.sample_rate, own, rng)
        sums[""] += _apart(samples, sound, fine)
        sums["_own_grid"] += _apart(samples, sound, own)
        sums["_random_phases"] += _apart(samples, phaseless, fine)
    return {f"resynthesis{name}_db": _ratio_db(*both) for name, both in sums.items()}


def with_random_phases(
    power: np.ndarray, sample_rate: float, config: SpectrogramConfig, rng: np.random.Generator
) -> np.ndarray:
    """Sound of a power spectrogram under phases that know nothing of each other.  [L, V] -> [N]"""
    magnitude = np.sqrt(power / spectrogram.density_scaling(sample_rate, config).numpy())
    spectrum = magnitude * np.exp(2j * np.pi * rng.random(magnitude.shape))
    window = spectrogram.window(config)
    frames = np.fft.irfft(spectrum, config.n_fft) * window
    weights = np.broadcast_to(np.square(window), frames.shape)
    sound, weight = (
        tf.signal.overlap_and_add(parts, config.hop_length).numpy() for parts in (frames, weights)
    )
    # At both ends a window alone goes to zero.
    return (sound / np.maximum(weight, 0.1 * weight.max())).astype(np.float32)


def _parts(
    heard: Iterable[tuple[np.ndarray, int]], config: SpectrogramConfig
) -> Iterator[np.ndarray]:
    """The first samples of some recordings, in parts of a window at least."""
    left = _MOST_SAMPLES
    for samples, _ in heard:
        for first in range(0, min(len(samples), left), _PART_SAMPLES):
            part = samples[first : first + min(_PART_SAMPLES, left)]
            left -= len(part)
            if len(part) >= config.n_fft:
                yield part
        if left <= 0:
            return


def _apart(samples: np.ndarray, sound: np.ndarray, config: SpectrogramConfig) -> np.ndarray:
    """Sums of squares of the difference of two sounds' magnitudes, and of the first's."""
    # A rate is a factor of both.
    wanted, got = (
        np.sqrt(spectrogram.power_spectrogram(one, 1.0, config).numpy()) for one in (samples, sound)
    )
    return np.array([np.square(got - wanted).sum(), np.square(wanted).sum()], np.float64)


def _ratio_db(apart: float, whole: float) -> float:
    return 10 * math.log10(apart / whole) if apart > 0 and whole > 0 else math.nan
