"""What the report's page is told of speech: the speakers, and the utterances that are most unlike
what their speakers say otherwise, with their pitch, as pictures and sounds.
"""

import dataclasses
from collections.abc import Mapping

import numpy as np

from neurovocal_tf.audio import readers
from neurovocal_tf.config import AudioConfig
from neurovocal_tf.discovery import atypical, clips, features
from neurovocal_tf.discovery.discover import Discovery
from neurovocal_tf.discovery.speech import Speech

# Some 12 kB a picture, and what is left of this for sounds.
_MOST_SHOWN, _MOST_SOUND_BYTES = 24, 3_000_000
_PICTURE_COLUMNS, _PICTURE_BINS = 200, 64
_MARGIN_S, _MOST_CLIP_S = 0.05, 4.0
_MOST_SPEAKERS = 200
_FAR_Z = 2.0
# What a measure is called, its unit and digits.
_NAMES: Mapping[str, tuple[str, str, int]] = {
    "duration_s": ("duration", "s", 2),
    "length_s": ("length", "s", 2),
    "f0_median_hz": ("pitch", "Hz", 0),
    "f0_range_st": ("range of pitch", "semitones", 1),
    "f0_slope_st_per_s": ("slope of pitch", "semitones/s", 1),
    "voiced_share": ("voiced share", "", 2),
    "energy_db": ("level", "dB", 1),
    "rate_per_s": ("syllables", "/s", 1),
    "num_pauses": ("pauses", "", 0),
    "pause_s": ("longest silence", "s", 2),
    "lull_db": ("depth of the deepest lull", "dB", 1),
    atypical.DISTANCE: ("distance from the nearest", "", 2),
}
_OF_SPEAKERS = (
    "duration_s",
    "f0_median_hz",
    "f0_range_st",
    "f0_slope_st_per_s",
    "voiced_share",
    "rate_per_s",
    "num_pauses",
)


def summary(speech: Speech) -> list[str]:
    """What was found in speech, in a few lines."""
    judged, pieces = speech.judged, speech.units
    speakers = len(set(speech.speakers.tolist()))
    lines = [
        f"{len(speech.heard):,} utterances of {speakers} speaker{'s' * (speakers != 1)}: "
        f"{int(np.sum(judged.fired != '')):,} unlike what the speaker says otherwise; one in "
        "twenty is by chance"
    ]
    if len(pieces.types):
        lengths_ms = 1000 * (pieces.spans_s[:, 1] - pieces.spans_s[:, 0])
        lines.append(
            f"{len(pieces.types):,} units of {len(pieces.names)} kinds, in the median "
            f"{np.median(lengths_ms):.0f} ms long"
        )
    return lines


def part(
    speech: Speech, found: Discovery, paths: Mapping[str, str], audio: AudioConfig
) -> dict[str, object]:
    """What the page is told, of JSON's kinds."""
    scores = np.nan_to_num(speech.judged.atypical, nan=-1.0)
    ranked = np.argsort(-scores, kind="stable")
    shown = [int(place) for place in ranked[:_MOST_SHOWN] if speech.judged.fired[place]]
    pictures = _pictures(speech, shown, found, paths, audio)
    return {
        "told": summary(speech),
        "measures": [_titled(name) for name in _OF_SPEAKERS],
        "speakers": _speakers(speech),
        "odd": [
            {
                "file": speech.names[speech.recordings[place]],
                "onset": round(float(speech.spans_s[place, 0]), 3),
                "speaker": str(speech.speakers[place]),
                "word": str(speech.words[place]),
                "reason": reason(speech, place),
            }
            | pictures.get(place, {})
            for place in shown
        ],
        "of": int(np.sum(speech.judged.fired != "")),
    }


def reason(speech: Speech, place: int) -> str:
    """Why an utterance is atypical: what fired, and what else is far off; "" if nothing fired."""
    fired = str(speech.judged.fired[place])
    if not fired:
        return ""
    found = speech.judged.deviations
    column = atypical.COLUMNS.index(fired)
    num_others = int(found.num_others[place, column])
    interval = f"{found.low[place, column]:+.1f} to {found.high[place, column]:+.1f}"
    told = (
        f"{speech.judged.reason(place)}: {_valued(fired, speech.values[place, column])}, "
        f"{found.z[place, column]:+.1f} standard deviations ({interval}) from {num_others} others"
    )
    also = [
        f"{_NAMES[name][0]} {found.z[place, number]:+.1f}"
        for number, name in enumerate(atypical.COLUMNS)
        if name != fired and abs(found.z[place, number]) > _FAR_Z
    ]
    return told + (f"; also {', '.join(also)}" if also else "")


def _speakers(speech: Speech) -> list[dict[str, object]]:
    """Of each speaker the number of utterances, and the median of each measure."""
    columns = [atypical.COLUMNS.index(name) for name in _OF_SPEAKERS]
    listed: list[dict[str, object]] = []
    for speaker in sorted(set(speech.speakers.tolist()))[:_MOST_SPEAKERS]:
        own = speech.values[speech.speakers == speaker][:, columns]
        medians = [np.median(v[~np.isnan(v)]) if (~np.isnan(v)).any() else np.nan for v in own.T]
        listed.append(
            {
                "speaker": speaker,
                "utterances": len(own),
                "atypical": int(np.sum(speech.judged.fired[speech.speakers == speaker] != "")),
                "medians": [
                    "" if np.isnan(value) else f"{value:.{_NAMES[name][2]}f}"
                    for name, value in zip(_OF_SPEAKERS, medians, strict=True)
                ],
            }
        )
    return listed


def _pictures(
    speech: Speech,
    shown: list[int],
    found: Discovery,
    paths: Mapping[str, str],
    audio: AudioConfig,
) -> dict[int, dict[str, object]]:
    """Of each utterance the spectrogram, the pitch over it and the sound."""
    rate, sounds = found.fitted.sample_rate, clips.Sounds(_MOST_SOUND_BYTES)
    at_rate = dataclasses.replace(audio, sample_rate=rate)
    pictures: dict[int, dict[str, object]] = {}
    for place in shown:
        onset, offset = map(float, speech.spans_s[place])
        span = np.array([[onset, min(offset, onset + _MOST_CLIP_S)]])
        path = paths[speech.names[speech.recordings[place]]]
        try:
            samples, first = next(features.samples_of(path, span, at_rate, _MARGIN_S))
        except readers.UnreadableRecording:
            continue
        pitch = _pitch(speech, place, first / rate, len(samples) / rate)
        pictures[place] = _picture(samples, found) | pitch | sounds.of(samples, rate)
    return pictures


def _picture(samples: np.ndarray, found: Discovery) -> dict[str, object]:
    centres = np.linspace(0, len(samples), _PICTURE_COLUMNS)
    seconds = round(len(samples) / found.fitted.sample_rate, 4)
    return clips.picture(samples, centres, found.fitted, _PICTURE_BINS) | {"seconds": seconds}


def _pitch(speech: Speech, place: int, begin_s: float, length_s: float) -> dict[str, object]:
    """The track of pitch in shares of the picture's width, null where there is no voice."""
    heard = speech.heard[place]
    shares = (heard.times_s - begin_s) / length_s
    is_seen = (shares >= 0) & (shares <= 1)
    return {
        "times": shares[is_seen].round(4).tolist(),
        "pitch": [round(float(hz), 1) if hz > 0 else None for hz in heard.f0_hz[is_seen]],
    }


def _titled(name: str) -> str:
    title, unit, _ = _NAMES[name]
    return f"{title}, {unit}" if unit else title


def _valued(name: str, value: float) -> str:
    title, unit, digits = _NAMES[name]
    return f"{title} {value:.{digits}f}{'' if unit.startswith('/') else ' '}{unit}".rstrip()
