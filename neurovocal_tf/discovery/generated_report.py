"""Generated songs in the report: stretches of them and of real ones, to see and to hear."""

import dataclasses
from collections.abc import Mapping

import numpy as np

from neurovocal_tf.audio import readers
from neurovocal_tf.config import AudioConfig
from neurovocal_tf.discovery import clips, features
from neurovocal_tf.discovery.discover import Discovery
from neurovocal_tf.pages import html

_NUM_EXAMPLES = 2
_EXAMPLE_S, _MOST_SAMPLES = 3.0, 150_000
_COLUMNS_PER_S, _BINS = 125, 64


def examples(found: Discovery, paths: Mapping[str, str], audio: AudioConfig) -> list[dict]:
    """Stretches of those songs in which most is sung, with picture, sound and the calls in them.

    Args:
        found: `Discovery`.    paths: dict of song's name -> path.
        audio: `AudioConfig` to read them with.

    Returns: list of dicts of JSON's kinds: `file`, `seconds`, `columns`, `bins`, `picture`, `hz`,
        `sound`, `rate` and `calls`, a list of (onset, offset, number of the type).
    """
    rate = found.fitted.sample_rate
    length_s = min(_EXAMPLE_S, _MOST_SAMPLES / rate)
    counts = np.bincount(found.bouts.recordings, minlength=len(found.names))
    told = []
    for number in np.argsort(-counts, kind="stable")[:_NUM_EXAMPLES]:
        own = np.flatnonzero(found.bouts.recordings == number)
        if not len(own):
            continue
        begin = _fullest(found.bouts.onsets_s[own], length_s)
        try:
            told.append(_example(found, int(number), own, begin, length_s, paths, audio, rate))
        except readers.UnreadableRecording:
            continue
    return told


def _fullest(onsets_s: np.ndarray, length_s: float) -> float:
    """The onset after which most calls begin within so long."""
    following = np.searchsorted(onsets_s, onsets_s + length_s) - np.arange(len(onsets_s))
    return float(onsets_s[following.argmax()])


def _example(
    found: Discovery,
    number: int,
    own: np.ndarray,
    begin: float,
    length_s: float,
    paths: Mapping[str, str],
    audio: AudioConfig,
    rate: int,
) -> dict[str, object]:
    name, bouts = found.names[number], found.bouts
    at_rate = dataclasses.replace(audio, sample_rate=rate)
    span = np.array([[begin, begin + length_s]])
    ((samples, first),) = features.samples_of(paths[name], span, at_rate, 0.0)
    seconds = len(samples) / rate
    centres = np.linspace(0, len(samples), max(round(seconds * _COLUMNS_PER_S), 2))
    inside = own[(bouts.onsets_s[own] < begin + seconds) & (bouts.offsets_s[own] > begin)]
    start = first / rate
    return clips.picture(samples, centres, found.fitted, _BINS) | {
        "file": name,
        "seconds": round(seconds, 3),
        "sound": html.base64_text(clips.pcm(samples)),
        "rate": rate,
        "calls": [
            [
                round(max(float(bouts.onsets_s[call] - start), 0.0), 3),
                round(min(float(bouts.offsets_s[call] - start), seconds), 3),
                int(bouts.types[call]) if found.is_familiar[call] else len(found.type_names),
            ]
            for call in inside
        ],
    }
