"""Bats that pass by, with echoes: recordings with the truth about every pulse.

Pulses last 4 to 6 ms, are half of them sweeps and half of one frequency, and lie 10 to 30 dB over
the noise; each has two echoes, 3 to 15 ms later and 6 to 20 dB fainter, which are no calls.
"""

from collections.abc import Sequence

import numpy as np
import scipy.signal

from neurovocal_tf.annotations import Annotation

SWEEP, CONSTANT = "sweep", "constant"
SAMPLE_RATE = 250_000
_DURATION_S = (0.004, 0.006)
_SWEEP_FROM_HZ, _SWEEP_TO_HZ = (60e3, 110e3), (25e3, 50e3)
_CONSTANT_HZ = (30e3, 110e3)
_OVER_NOISE_DB = (10.0, 30.0)
_NUM_ECHOES = 2
_ECHO_AFTER_S, _ECHO_BELOW_DB = (0.003, 0.015), (6.0, 20.0)
_INTERVAL_S = (0.04, 0.15)
_NOISE_RMS = 0.003


def simulate_pulses(
    seed: int | Sequence[int],
    duration_s: float = 6.0,
    sample_rate: int = SAMPLE_RATE,
    file: str = "",
) -> tuple[np.ndarray, list[Annotation]]:
    """One recording.

    Args:
        seed: int or sequence of ints; the same seed gives the same pulses.
        duration_s: seconds.    sample_rate: Hz, at least 250,000.
        file: the name to put into the annotations.

    Returns: samples, NumPy float32 `[N]` below full scale, and a list of `Annotation` in time
        order, labelled sweep or constant.
    """
    if sample_rate < SAMPLE_RATE:
        raise ValueError(
            f"`sample_rate` must be at least {SAMPLE_RATE} Hz. Received: sample_rate={sample_rate}"
        )
    rng = np.random.default_rng(seed)
    num_samples = round(duration_s * sample_rate)
    samples = _NOISE_RMS * rng.standard_normal(num_samples)
    annotations, onset_s = [], rng.uniform(*_INTERVAL_S)
    # The last echo, too, lies within the recording.
    while onset_s < duration_s - _ECHO_AFTER_S[1] - 2 * _DURATION_S[1]:
        label = str(rng.choice([SWEEP, CONSTANT]))
        pulse = _pulse(label, sample_rate, rng)
        onset = round(onset_s * sample_rate)
        samples[onset : onset + len(pulse)] += pulse
        annotations.append(
            Annotation(file, onset / sample_rate, (onset + len(pulse)) / sample_rate, label)
        )
        for _ in range(_NUM_ECHOES):
            later = onset + round(rng.uniform(*_ECHO_AFTER_S) * sample_rate)
            fainter = 10 ** (-rng.uniform(*_ECHO_BELOW_DB) / 20)
            samples[later : later + len(pulse)] += fainter * pulse
        onset_s += rng.uniform(*_INTERVAL_S)
    return np.clip(samples, -1, 1).astype(np.float32), annotations


def _pulse(label: str, sample_rate: int, rng: np.random.Generator) -> np.ndarray:
    num_samples = round(rng.uniform(*_DURATION_S) * sample_rate)
    time_s = np.arange(num_samples) / sample_rate
    first_hz = last_hz = rng.uniform(*_CONSTANT_HZ)
    if label == SWEEP:
        first_hz, last_hz = rng.uniform(*_SWEEP_FROM_HZ), rng.uniform(*_SWEEP_TO_HZ)
    slope = (last_hz - first_hz) / (num_samples / sample_rate)
    phase = 2 * np.pi * (first_hz * time_s + slope * time_s**2 / 2)
    amplitude = np.sqrt(2) * _NOISE_RMS * 10 ** (rng.uniform(*_OVER_NOISE_DB) / 20)
    return amplitude * np.sin(phase) * scipy.signal.windows.tukey(num_samples, 0.3)
