"""Which preset fits some recordings: told from their rate, from where the energy of their loudest
moments lies, and from how long ultrasonic calls last.
"""

import os
from collections.abc import Iterable, Mapping, Sequence

import numpy as np
import scipy.signal

from neurovocal_tf.audio import readers
from neurovocal_tf.config import AudioConfig, SegmentationConfig
from neurovocal_tf.segmentation import detector
from neurovocal_tf.segmentation.folder import recordings_by_name

_ULTRASONIC_RATE = 150_000
# No bird is recorded at less.
_LOWEST_SONG_RATE = 16_000
# Half of the energy of speech lies below, the fundamental and the first formant; of song above.
_SPEECH_BELOW_HZ = 1200.0
# Weighted by their energy, pulses of bats are shorter than that, calls of mice longer.
_BAT_BELOW_MS = 17.0
_MOST_RECORDINGS = 12
_MOST_S = 30.0
_ULTRASONIC = SegmentationConfig(
    detector="contrast",
    low_hz=15_000.0,
    high_hz=140_000.0,
    contrast_background_hz=20_000.0,
    noise_floor_percentile=20.0,
    threshold=5.0,
    noise_spreads=1.5,
    smoothing_ms=2.5,
    offset_below_peak_db=10.0,
    min_gap_ms=3.0,
    min_length_ms=1.0,
    max_length_ms=300.0,
)


def choose(paths: Mapping[str, str], config: AudioConfig) -> tuple[str, str]:
    """The preset for some recordings, and why.

    Args:
        paths: dict of name -> path; twelve of them at most are listened to, spread over all, and
            half a minute of each.
        config: `AudioConfig`.

    Returns: the preset's name, and a sentence.

    Raises: ValueError if none of them can be read.
    """
    heard = list(_heard(_spread(sorted(paths.values())), config))
    if not heard:
        raise ValueError(
            "`preset` must be named, since no recording can be read to choose it by. "
            "Received: preset=auto"
        )
    rate = int(np.median([rate for _, rate in heard]))
    if rate >= _ULTRASONIC_RATE:
        return _for_ultrasound(heard, rate)
    if rate < _LOWEST_SONG_RATE:
        return "speech", f"the rate is {rate:,} Hz, too low for birds"
    middle_hz = float(np.median([_middle_of_energy_hz(*some) for some in heard]))
    name = "speech" if middle_hz < _SPEECH_BELOW_HZ else "songbird"
    side = "below" if middle_hz < _SPEECH_BELOW_HZ else "above"
    return name, (
        f"the rate is {rate:,} Hz, and half of the energy of the loudest moments lies {side} "
        f"{middle_hz:,.0f} Hz"
    )


def choose_for_folder(
    data_dir: str | os.PathLike[str] | None, config: AudioConfig
) -> tuple[str, str]:
    """The preset for the recordings of a folder, and why, as `choose`.

    Raises: ValueError if there is no folder, or nothing in it that can be read.
    """
    if data_dir is None:
        raise ValueError(
            "`preset` must be named, since there are no recordings to choose it by. "
            "Received: preset=auto"
        )
    return choose(recordings_by_name(data_dir), config)


def _for_ultrasound(heard: Sequence[tuple[np.ndarray, int]], rate: int) -> tuple[str, str]:
    durations, energies = [np.zeros(0)], [np.zeros(0)]
    for samples, own_rate in heard:
        onsets, offsets, scores_db = detector.detect(samples, own_rate, _ULTRASONIC)
        durations.append((offsets - onsets) / own_rate * 1000)
        energies.append(durations[-1] * 10 ** (scores_db / 10))
    lengths, weights = np.concatenate(durations), np.concatenate(energies)
    if not len(lengths):
        return "mouse_usv", f"the rate is {rate:,} Hz; no call was heard that could tell more"
    order = np.argsort(lengths)
    weights = np.cumsum(weights[order])
    middle_ms = float(lengths[order][np.searchsorted(weights, weights[-1] / 2)])
    name = "bat" if middle_ms < _BAT_BELOW_MS else "mouse_usv"
    return name, (
        f"the rate is {rate:,} Hz, and half of the calls' energy is in calls of up to "
        f"{middle_ms:.0f} ms"
    )


def _middle_of_energy_hz(samples: np.ndarray, rate: int) -> float:
    """Below which half of the energy of the loudest twentieth of all moments lies, what is in the
    background taken away.
    """
    n_fft = 2 ** round(np.log2(0.016 * rate))
    samples = np.pad(samples, (0, max(n_fft - len(samples), 0)))
    frequencies, _, power = scipy.signal.spectrogram(
        samples - samples.mean(), rate, "hann", n_fft, n_fft // 2
    )
    loudest = np.argsort(power.sum(axis=0))[-max(power.shape[1] // 20, 1) :]
    energy = power[:, loudest].mean(axis=1) - np.percentile(power, 20, axis=1)
    # Hum and wind.
    energy = np.cumsum(np.where(frequencies < 80, 0.0, np.maximum(energy, 0.0)))
    return float(frequencies[np.searchsorted(energy, energy[-1] / 2)])


def _spread(paths: Sequence[str]) -> list[str]:
    places = np.linspace(0, len(paths) - 1, min(len(paths), _MOST_RECORDINGS)).round()
    return [paths[int(place)] for place in places]


def _heard(
    paths: Iterable[str | os.PathLike[str]], config: AudioConfig
) -> Iterable[tuple[np.ndarray, int]]:
    """The first half minute of each that can be read, float32 [N], and its rate."""
    for path in paths:
        parts, length = [], 0
        try:
            rate = readers.probe(path, config.time_expansion).rate_at(config.sample_rate)
            for block in readers.blocks(
                path, config.channel, rate, config.time_expansion, config.float_scale
            ):
                parts.append(block)
                length += len(block)
                if length >= _MOST_S * rate:
                    break
        except readers.UnreadableRecording:
            continue
        if length:
            yield np.concatenate(parts)[: int(_MOST_S * rate)], rate
