"""One sound said with the intonation of another: its pitch is moved, its words and its voice stay.

By Praat's overlap-add of pitch periods (PSOLA: Moulines & Charpentier, 1990), by
praat-parselmouth, which comes with the extra `speech`.
"""

import numpy as np

from neurovocal_tf.discovery import prosody

_STEP_S = 0.01
# Fewer voiced frames have no median to speak of.
_FEWEST_VOICED = 5
# A pitch beyond an octave from the voice's own is an error of the tracker sooner than speech.
_MOST_SEMITONES = 12.0


def check_installed() -> None:
    """Raises ValueError, one line, where praat-parselmouth is not installed."""
    prosody.praat("`keep` of pitch")


def with_intonation_of(
    samples: np.ndarray, other: np.ndarray, sample_rate: int
) -> np.ndarray | None:
    """Samples whose pitch goes as that of another sound does, at its own median.

    Args:
        samples: `[N]`, of a voice.    other: `[M]`, of another one, said at the same time.
        sample_rate: Hz, of both.

    Returns:
        float32 `[N]`; None where either has next to no voice, so that there is nothing to move.

    Raises: ValueError where praat-parselmouth is not installed.
    """
    praat = prosody.praat("`keep` of pitch")
    (_, own), (times, wanted) = (
        prosody.track(np.asarray(one, float), sample_rate, _range_of(one, sample_rate))
        for one in (samples, other)
    )
    if min(np.sum(own > 0), np.sum(wanted > 0)) < _FEWEST_VOICED:
        return None
    median = float(np.median(own[own > 0]))
    times, wanted = times[wanted > 0], wanted[wanted > 0]
    semitones = 12 * np.log2(wanted / np.median(wanted))
    hz = median * 2 ** (np.clip(semitones, -_MOST_SEMITONES, _MOST_SEMITONES) / 12)
    low, high = _range_of(samples, sample_rate)
    sound = praat.Sound(np.asarray(samples, float), sample_rate)
    call = praat.praat.call
    manipulation = call(sound, "To Manipulation", _STEP_S, low, high)
    tier = call("Create PitchTier", "pitch", 0.0, len(samples) / sample_rate)
    for time, of_time in zip(times, hz, strict=True):
        call(tier, "Add point", float(time), float(of_time))
    call([tier, manipulation], "Replace pitch tier")
    moved = call(manipulation, "Get resynthesis (overlap-add)").values[0]
    found = np.zeros(len(samples), np.float32)
    found[: min(len(moved), len(found))] = moved[: len(found)]
    return found


def _range_of(samples: np.ndarray, sample_rate: int) -> tuple[float, float]:
    """The range of a sound's own voice."""
    span = np.array([0.0, len(samples) / sample_rate])
    heard = prosody.measure(np.asarray(samples), 0.0, span, sample_rate)
    return prosody.voice_range_hz([heard]) or (prosody.LOWEST_HZ, prosody.HIGHEST_HZ)
