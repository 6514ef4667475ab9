"""A bird with known call types and a known syntax:
its recordings come with the truth about every call.
"""

import os
from collections.abc import Callable, Sequence

import numpy as np
import soundfile

from neurovocal_tf import annotations as annotation_files
from neurovocal_tf import files
from neurovocal_tf.annotations import Annotation

INTRODUCTORY_NOTE = "i"
END = "end"

# P(next call | call): a bout begins with an introductory note, and every row sums to 1.
TRANSITIONS = {
    "i": {"i": 0.60, "a": 0.40},
    "a": {"b": 0.85, "d": 0.15},
    "b": {"c": 0.70, "e": 0.30},
    "c": {"d": 0.80, "a": 0.20},
    "d": {"e": 0.45, "a": 0.35, "d": 0.10, END: 0.10},
    "e": {"a": 0.75, "c": 0.10, END: 0.15},
}
CALL_TYPES = tuple(TRANSITIONS)

# Mean durations; each call is up to `_DURATION_JITTER` longer or shorter,
# and `_PITCH_JITTER` higher or lower.
_DURATIONS_S = {"i": 0.035, "a": 0.065, "b": 0.090, "c": 0.110, "d": 0.130, "e": 0.050}
_DURATION_JITTER = 0.10
_PITCH_JITTER = 0.03
_RAMP_S = 0.004
_GAP_S = (0.020, 0.080)
_PAUSE_S = (0.6, 1.1)
_CALL_RMS = 0.1
_NOISE_BELOW_CALLS_DB = (35.0, 45.0)
_MIN_SAMPLE_RATE = 16_000


def simulate_song(
    seed: int | Sequence[int],
    duration_s: float = 6.0,
    sample_rate: int = _MIN_SAMPLE_RATE,
    file: str = "",
) -> tuple[np.ndarray, list[Annotation]]:
    """One recording of the simulated bird: bouts of calls over noise that falls off with frequency.

    Calls are: i, soft introductory note; a, rising sweep; b, falling sweep; c, harmonic stack; d,
    trill; e, high tone. Their order follows `TRANSITIONS`; gaps are 20 to 80 ms, pauses between
    bouts 0.6 to 1.1 s, and the noise lies 35 to 45 dB below the calls.

    Args:
        seed: int or sequence of ints; the same seed gives the same song.
        duration_s: seconds, at least 1.
        sample_rate: Hz, at least 16,000.
        file: the name to put into the annotations.

    Returns: samples, NumPy float32 `[N]` below full scale,
        and a list of `Annotation` in time order.
    """
    if sample_rate < _MIN_SAMPLE_RATE:
        raise ValueError(
            f"`sample_rate` must be at least {_MIN_SAMPLE_RATE} Hz. "
            f"Received: sample_rate={sample_rate}"
        )
    if duration_s < 1:
        raise ValueError(f"`duration_s` must be at least 1. Received: duration_s={duration_s}")
    rng = np.random.default_rng(seed)
    num_samples = round(duration_s * sample_rate)
    samples = _background(num_samples, sample_rate, rng)
    annotations = []
    onset, call_type = int(rng.uniform(0.15, 0.4) * sample_rate), INTRODUCTORY_NOTE
    while True:
        call = _call(call_type, sample_rate, rng)
        offset = onset + len(call)
        # The last call must end before the recording does, or its length would not be known.
        if offset > num_samples - int(0.05 * sample_rate):
            return np.clip(samples, -1, 1).astype(np.float32), annotations
        samples[onset:offset] += call
        annotations.append(Annotation(file, onset / sample_rate, offset / sample_rate, call_type))
        call_type = rng.choice(
            list(TRANSITIONS[call_type]), p=list(TRANSITIONS[call_type].values())
        )
        ended = call_type == END
        onset = offset + int(rng.uniform(*(_PAUSE_S if ended else _GAP_S)) * sample_rate)
        call_type = INTRODUCTORY_NOTE if ended else str(call_type)


def write_recordings(
    folder: str | os.PathLike[str],
    num_recordings: int = 12,
    duration_s: float = 6.0,
    seed: int = 0,
    sample_rate: int = _MIN_SAMPLE_RATE,
    simulate: Callable[..., tuple[np.ndarray, list[Annotation]]] = simulate_song,
) -> list[str]:
    """Writes recordings of the simulated bird, or of another animal, as 16-bit WAV,
    and the truth about them as `annotations.csv`.

    The same arguments give the same bytes, and a recording does not depend on how many are written.
    Existing files of the same names are replaced, each in one step.

    Args:
        folder: where to; made if it is not there.
        num_recordings: files, at least 1.
        duration_s: seconds of each.
        seed: int.
        sample_rate: Hz, at least 16,000.
        simulate: function with the arguments and results of `simulate_song`.

    Returns: the paths of the recordings.
    """
    if num_recordings < 1:
        raise ValueError(
            f"`num_recordings` must be at least 1. Received: num_recordings={num_recordings}"
        )
    os.makedirs(folder, exist_ok=True)
    paths, annotations = [], []
    for index in range(num_recordings):
        name = f"simulated_{index:03d}.wav"
        samples, truth = simulate((seed, index), duration_s, sample_rate, file=name)
        annotations += truth
        paths.append(os.path.join(folder, name))
        with files.replacing(paths[-1]) as temporary:
            soundfile.write(temporary, samples, sample_rate, subtype="PCM_16", format="WAV")
    annotation_files.write(os.path.join(folder, "annotations.csv"), annotations, "csv")
    return paths


def _call(call_type, sample_rate, rng):
    duration_s = _DURATIONS_S[call_type] * rng.uniform(1 - _DURATION_JITTER, 1 + _DURATION_JITTER)
    pitch = rng.uniform(1 - _PITCH_JITTER, 1 + _PITCH_JITTER)
    time_s = np.arange(round(duration_s * sample_rate)) / sample_rate
    position = time_s / duration_s
    if call_type == "i":
        tone = 0.5 * _tone(pitch * (2400 + 300 * np.sin(np.pi * position)), sample_rate)
    elif call_type == "a":
        tone = _tone(pitch * (1800 + 2900 * position), sample_rate)
    elif call_type == "b":
        tone = _tone(pitch * (5600 - 3400 * position**0.7), sample_rate)
    elif call_type == "c":
        multiples = np.arange(1, 8)
        harmonics = (
            _tone(pitch * 720 * k * np.ones_like(time_s), sample_rate) / np.sqrt(k)
            for k in multiples
        )
        tone = sum(harmonics) / np.sqrt(np.sum(1 / multiples))
    elif call_type == "d":
        trill = np.cos(2 * np.pi * 45 * pitch * time_s)
        tone = (1 - 0.35 * trill) * _tone(pitch * (3400 + 500 * trill), sample_rate)
    else:
        tone = _tone(pitch * 6500 * np.ones_like(time_s), sample_rate)
    ramp = np.clip(np.minimum(time_s, time_s[-1] - time_s) / _RAMP_S, 0, 1)
    return np.sqrt(2) * _CALL_RMS * np.sin(0.5 * np.pi * ramp) ** 2 * tone


def _tone(frequency_hz, sample_rate):
    return np.sin(2 * np.pi * np.cumsum(frequency_hz) / sample_rate)


def _background(num_samples, sample_rate, rng):
    """Noise whose power falls as 1 / f above 100 Hz, NumPy float64 [num_samples]."""
    spectrum = np.fft.rfft(rng.standard_normal(num_samples))
    frequency_hz = np.fft.rfftfreq(num_samples, 1 / sample_rate)
    noise = np.fft.irfft(spectrum / np.sqrt(np.maximum(frequency_hz, 100.0)), num_samples)
    level_db = -rng.uniform(*_NOISE_BELOW_CALLS_DB)
    return noise * (_CALL_RMS * 10 ** (level_db / 20) / np.sqrt(np.mean(noise**2)))
