"""How something is said: the pitch, loudness, rate and pauses of an utterance.

The fundamental frequency is Praat's (Boersma, 1993: autocorrelation over that of the window), by
praat-parselmouth, which comes with the extra `speech`. On simulated voices of 85 to 330 Hz it is
right to 4 cents; librosa's pYIN is to 6, and takes 25 to 150 times as long.
"""

import dataclasses
import types
from collections.abc import Sequence

import numpy as np
import scipy.signal

from neurovocal_tf.config import AudioConfig
from neurovocal_tf.discovery import features

# What an utterance is judged by; see `measure` for each.
MEASURES = (
    "duration_s",
    "length_s",
    "f0_median_hz",
    "f0_range_st",
    "f0_slope_st_per_s",
    "voiced_share",
    "energy_db",
    "rate_per_s",
    "num_pauses",
    "pause_s",
    "lull_db",
)
STEP_S = 0.005
# Voices of men, women and children; whispers and creaks have no pitch to speak of.
LOWEST_HZ, HIGHEST_HZ = 60.0, 600.0
# Three periods of the lowest, so that the ends of an utterance have whole windows.
_MARGIN_S = 1.5 / LOWEST_HZ
# Of a track: what is rarer than that at either end is an octave's error as likely as speech.
_RANGE_PERCENTILES = (10.0, 90.0)
_FEWEST_VOICED = 5
# De Jong & Wempe (2009): silence is 25 dB under the loudest, a syllable is 2 dB above the dips
# beside it. What is shorter than this is a stop's closure.
_LEVEL_S, _SILENCE_DB, _DIP_DB, _PAUSE_S = 0.02, 25.0, 2.0, 0.1
# Longer than the closures of most stops; of a noisy recording no pause is 25 dB down.
_LULL_S = 0.15
# Of an utterance without a voice, so that it has a length all the same.
_LEAST_VOICED_S = 0.05
# How far cepstra are apart after 40 ms, where the level is at most 50 dB under the loudest. What is
# usual of speech makes a length seconds.
_CHANGE_STEPS, _CHANGE_RANGE_DB, _USUAL_CHANGE_DB = 8, 50.0, 20.0
_LEAST_POWER = 1e-12


@dataclasses.dataclass(frozen=True)
class Utterance:
    """How one utterance is said.

    Attributes:
        times_s: `[L]`, seconds from the recording's start, every 5 ms.
        f0_hz: `[L]`, its fundamental frequency, 0 where it has none.
        values: `[11]`, under `MEASURES`; NaN where there is none, as of pitch in a whisper.
    """

    times_s: np.ndarray
    f0_hz: np.ndarray
    values: np.ndarray


def check_installed() -> None:
    """Raises ValueError, one line, where praat-parselmouth is not installed."""
    praat()


def utterances(
    path: str, spans_s: np.ndarray, audio: AudioConfig, range_hz: tuple[float, float] | None = None
) -> list[Utterance]:
    """The utterances of one recording, each measured as `measure` does.

    Args:
        path: the file.    spans_s: `[S, 2]`, onsets and offsets in seconds, in order of the onsets.
        audio: `AudioConfig`, whose `sample_rate` is not 0.
        range_hz: of the speaker's voice, see `voice_range_hz`; None: that of all voices.

    Raises: `readers.UnreadableRecording`; ValueError where praat-parselmouth is not installed.
    """
    cut = features.samples_of(path, spans_s, audio, _MARGIN_S)
    return [
        measure(samples, first / audio.sample_rate, span, audio.sample_rate, range_hz)
        for span, (samples, first) in zip(spans_s, cut, strict=True)
    ]


def measure(
    samples: np.ndarray,
    begin_s: float,
    span_s: Sequence[float] | np.ndarray,
    sample_rate: float,
    range_hz: tuple[float, float] | None = None,
) -> Utterance:
    """How an utterance is said.

    Lengths: `duration_s`, and the geometric mean of that, of the time that sounds and of the time
    that has a voice, over the cube root of how fast the spectrum changes (`length_s`): what is said
    slowly is long in all of these, whose errors are not the same.
    Pitch: the median of the fundamental frequency (`f0_median_hz`), its range from the 10th to the
    90th percentile in semitones (`f0_range_st`), the slope of the line through it
    (`f0_slope_st_per_s`), and the share of the time in which there is one (`voiced_share`).
    Loudness: mean power over full scale (`energy_db`). Rate: peaks of the level a second, which
    syllables have (`rate_per_s`).
    Pauses: silences within it of 0.1 s and more (`num_pauses`), the longest silence of any length
    (`pause_s`), and by how many dB the quietest 0.15 s lie under the loudest (`lull_db`).

    Args:
        samples: `[N]`, the utterance, and a little before and after it where there is some.
        begin_s: where they begin in the recording.    span_s: onset and offset in the recording.
        sample_rate: Hz.    range_hz: of the voice.
    """
    onset, offset = float(span_s[0]), float(span_s[1])
    samples = np.nan_to_num(samples.astype(float), posinf=0.0, neginf=0.0)
    times, hz = track(samples, sample_rate, range_hz or (LOWEST_HZ, HIGHEST_HZ))
    times = times + begin_s
    is_within = (times >= onset) & (times <= offset)
    times, hz = times[is_within], hz[is_within]
    inside = samples[
        max(round((onset - begin_s) * sample_rate), 0) : round((offset - begin_s) * sample_rate)
    ]
    levels = _levels_db(inside, sample_rate)
    silences_s = _silences_s(levels)
    voiced = hz > 0
    duration_s = offset - onset
    sounding_s = STEP_S * float(np.sum(levels > levels.max(initial=-np.inf) - _SILENCE_DB))
    voiced_s = STEP_S * float(voiced.sum())
    values = [
        duration_s,
        np.cbrt(
            duration_s
            * max(sounding_s, STEP_S)
            * (voiced_s + _LEAST_VOICED_S)
            / _change(inside, levels, sample_rate)
        ),
        *_pitch(times[voiced], hz[voiced]),
        float(voiced.mean()) if len(hz) else 0.0,
        10 * np.log10(np.mean(np.square(inside)) + _LEAST_POWER) if len(inside) else np.nan,
        _num_syllables(levels) / duration_s if duration_s > 0 else np.nan,
        float(np.sum(silences_s >= _PAUSE_S)),
        float(silences_s.max(initial=0.0)),
        _lull_db(levels),
    ]
    return Utterance(times, hz, np.array(values))


def voice_range_hz(heard: Sequence[Utterance]) -> tuple[float, float] | None:
    """The range of a speaker's voice, in which a second look at it finds fewer octaves' errors: 0.7
    times the first quartile to 1.8 times the third (De Looze & Hirst, 2008, a little wider).

    None where there is not enough of it.
    """
    hz = np.concatenate([u.f0_hz[u.f0_hz > 0] for u in heard] or [np.zeros(0)])
    if len(hz) < 10 * _FEWEST_VOICED:
        return None
    low, high = np.percentile(hz, [25, 75])
    return max(0.7 * float(low), LOWEST_HZ), min(1.8 * float(high), HIGHEST_HZ)


def track(
    samples: np.ndarray, rate: float, range_hz: tuple[float, float]
) -> tuple[np.ndarray, np.ndarray]:
    """Seconds from the first sample, and Hz of the fundamental, 0 where there is none.  [L], [L]"""
    parselmouth = praat()
    low, high = range_hz
    high = min(high, rate / 2)
    if high <= low:
        return np.zeros(0), np.zeros(0)
    # Praat refuses what is shorter than its window of three periods.
    missing = int(np.ceil(4 / low * rate)) - len(samples)
    padded = np.pad(samples, (0, max(missing, 0)))
    pitch = parselmouth.Sound(padded, rate).to_pitch_ac(
        time_step=STEP_S, pitch_floor=low, pitch_ceiling=high
    )
    return pitch.xs(), pitch.selected_array["frequency"]


def praat(needing: str = "`prosody`") -> types.ModuleType:
    """The module parselmouth.  Raises ValueError, which says what needs it, where there is none."""
    try:
        import parselmouth
    except ImportError:
        raise ValueError(
            f"{needing} needs praat-parselmouth, which is not installed: "
            "pip install praat-parselmouth"
        ) from None
    module: types.ModuleType = parselmouth
    return module


def _pitch(times: np.ndarray, hz: np.ndarray) -> tuple[float, float, float]:
    """Median Hz, range in semitones, slope in semitones a second, of what is voiced."""
    if len(hz) < _FEWEST_VOICED:
        return np.nan, np.nan, np.nan
    semitones = 12 * np.log2(hz)
    low, high = np.percentile(semitones, _RANGE_PERCENTILES)
    about = times - times.mean()
    slope = about @ semitones / (about @ about)
    return float(np.median(hz)), float(high - low), float(slope)


def _levels_db(samples: np.ndarray, rate: float) -> np.ndarray:
    """Level in windows of 20 ms every 5 ms, dB `[L]`."""
    step, size = max(round(STEP_S * rate), 1), max(round(_LEVEL_S * rate), 1)
    window = np.hanning(size + 2)[1:-1]
    powers = scipy.signal.fftconvolve(np.square(samples), window / window.sum(), mode="same")
    return 10 * np.log10(np.maximum(powers[::step], 0.0) + _LEAST_POWER)


def _change(samples: np.ndarray, levels: np.ndarray, rate: float) -> float:
    """How fast the spectrum changes from the first sound to the last, over what is usual."""
    if not len(levels):
        return 1.0
    recipe = features.PRESETS["speech"]
    n_fft = recipe.n_fft(rate)
    sounding = np.flatnonzero(levels > levels.max() - _SILENCE_DB)
    centres = np.arange(sounding[0], sounding[-1] + 1) * STEP_S * rate
    samples = samples.astype(np.float32)
    loudest = features.decibels(samples, centres, n_fft).max(axis=0)
    behind = np.full_like(loudest, loudest.max() - _CHANGE_RANGE_DB)
    # Without the first, which is the level.
    cepstra = features.frames(samples, centres, behind, recipe, rate)[:, 1 : recipe.num_cepstra]
    steps = min(_CHANGE_STEPS, len(cepstra) - 1)
    if steps < 1:
        return 1.0
    apart = np.linalg.norm(cepstra[steps:] - cepstra[:-steps], axis=1).mean()
    return max(float(apart), 1.0) / _USUAL_CHANGE_DB


def _silences_s(levels: np.ndarray) -> np.ndarray:
    """Lengths of the silences between the first and the last sound."""
    if not len(levels):
        return np.zeros(0)
    sounding = np.flatnonzero(levels > levels.max() - _SILENCE_DB)
    gaps = np.diff(sounding) - 1
    return gaps[gaps > 0] * STEP_S


def _lull_db(levels: np.ndarray) -> float:
    """How far the quietest 0.15 s between the first and the last sound are under the loudest."""
    if not len(levels):
        return 0.0
    sounding = np.flatnonzero(levels > levels.max() - _SILENCE_DB)
    inside = levels[sounding[0] : sounding[-1] + 1]
    size = min(round(_LULL_S / STEP_S), len(inside))
    means = np.convolve(inside, np.full(size, 1 / size), mode="valid")
    return float(levels.max() - means.min())


def _num_syllables(levels: np.ndarray) -> int:
    if not len(levels):
        return 0
    padded = np.pad(levels, 1, constant_values=levels.max() - 2 * _SILENCE_DB)
    peaks, _ = scipy.signal.find_peaks(
        padded, height=levels.max() - _SILENCE_DB, prominence=_DIP_DB
    )
    return len(peaks)
