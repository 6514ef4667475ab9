"""Piano rolls to sound: plucked strings of a few harmonics, by addition of sines."""

import numpy as np

from neurovocal_tf.music.harmony import LOWEST_KEY, is_on

SAMPLE_RATE = 22_050
_NUM_HARMONICS = 8
_ATTACK_S, _RELEASE_S, _HALF_LIFE_S = 0.005, 0.08, 0.5
_LEVEL = 0.1


def synthesise(roll: np.ndarray, frame_s: float, sample_rate: int = SAMPLE_RATE) -> np.ndarray:
    """The sound of a piano roll in equal temperament, a' at 440 Hz; a key that stays on is one
    note, which dies away.

    Args:
        roll: zeros and ones `[L, 88]`.    frame_s: seconds of a frame.    sample_rate: Hz.

    Returns: float32 [N], N = L frame_s sample_rate and a release of 0.08 s, both rounded.
    """
    release = round(_RELEASE_S * sample_rate)
    samples = np.zeros(round(len(roll) * frame_s * sample_rate) + release)
    keys = np.pad(is_on(roll).astype(np.int8), ((1, 1), (0, 0)))
    steps = np.diff(keys, axis=0)
    for key in np.flatnonzero(keys.any(axis=0)):
        frames = np.flatnonzero(steps[:, key] > 0), np.flatnonzero(steps[:, key] < 0)
        for on, off in zip(*frames, strict=True):
            first, last = (round(frame * frame_s * sample_rate) for frame in (on, off))
            samples[first : last + release] += _note(key, last - first, release, sample_rate)
    return (_LEVEL * samples).astype(np.float32)


def _note(key: int, num_held: int, release: int, sample_rate: int) -> np.ndarray:
    time_s = np.arange(num_held + release) / sample_rate
    frequency_hz = 440.0 * 2 ** ((LOWEST_KEY + key - 69) / 12)
    tone = sum(
        np.sin(2 * np.pi * k * frequency_hz * time_s) / k**1.5
        for k in range(1, _NUM_HARMONICS + 1)
        if k * frequency_hz < sample_rate / 2
    )
    left = np.arange(len(time_s), 0, -1) / release
    return (
        tone
        * np.minimum(time_s / _ATTACK_S, 1)
        * np.minimum(left, 1)
        * 0.5 ** (time_s / _HALF_LIFE_S)
    )
