"""A folder of speech, utterance by utterance: how each is said, of which units it is made, and
which are unlike what their speaker says otherwise.
"""

import collections
import dataclasses
from collections.abc import Mapping, Sequence

import numpy as np

from neurovocal_tf.audio import readers
from neurovocal_tf.config import AudioConfig
from neurovocal_tf.discovery import atypical, features, prosody, units, words
from neurovocal_tf.discovery.discover import Discovery, Label
from neurovocal_tf.discovery.norms import FEWEST_OTHERS
from neurovocal_tf.discovery.prosody import Utterance

_MOST_NAMED = 3


@dataclasses.dataclass(frozen=True)
class Speech:
    """U utterances in R recordings.

    Attributes:
        names: of the recordings, R.
        recordings: int `[U]`, number of each one's recording, in order.
        spans_s: `[U, 2]`, onsets and offsets in seconds.
        speakers: str `[U]`, "" where nobody is named.
        words: str `[U]`, what people labelled, "" for an utterance that was found.
        heard: U of `Utterance`.
        values: `[U, 12]`, under `atypical.COLUMNS`.
        judged: `Judged`.    units: `Units`.
        caveats: sentences for whoever reads the figures.
    """

    names: tuple[str, ...]
    recordings: np.ndarray
    spans_s: np.ndarray
    speakers: np.ndarray
    words: np.ndarray
    heard: list[Utterance]
    values: np.ndarray
    judged: atypical.Judged
    units: units.Units
    caveats: list[str]


def describe(
    found: Discovery,
    paths: Mapping[str, str],
    audio: AudioConfig,
    speakers: Mapping[str, str],
    labels: Mapping[str, list[Label]],
    seed: int = 0,
) -> Speech:
    """Measures and judges the utterances of a folder, by the recipe of speech.

    An utterance is what people labelled; in recordings without labels, a bout.

    Args:
        found: `Discovery`, of a recipe with cepstra.
        paths: dict of recording's name -> path.    audio: `AudioConfig`.
        speakers: dict of recording's name -> who speaks; without any, all are taken as one.
        labels: dict of recording's name -> labels; or empty.    seed: int.

    Raises: ValueError where praat-parselmouth is not installed.
    """
    prosody.check_installed()
    at_rate = dataclasses.replace(audio, sample_rate=found.fitted.sample_rate)
    spoken = [_spoken(found, number, labels) for number in range(len(found.names))]
    who = np.array([speakers.get(name, "") for name in found.names], dtype=object)
    named, of_recording = np.unique(who.astype(str), return_inverse=True)
    tracks = _heard(found.names, paths, spoken, of_recording, at_rate)
    kept = sorted(tracks)
    recordings = np.array([n for n in kept for _ in spoken[n]], int)
    spans = np.array([s[:2] for n in kept for s in spoken[n]], float).reshape(-1, 2)
    said = np.array([s[2] for n in kept for s in spoken[n]], dtype=object)
    heard = [utterance for n in kept for utterance in tracks[n]]
    recipe = found.fitted.recipe
    measured = [np.empty((0, recipe.num_columns, 2 * recipe.num_cepstra), np.float16)]
    for number in kept:
        own = spans[recordings == number]
        path = paths[found.names[number]]
        measured.append(features.measure(path, own, found.fitted.background, recipe, at_rate))
    own_speaker = of_recording[recordings]
    columns = words.columns_of(
        features.standardised(np.concatenate(measured), recipe, own_speaker), recipe
    )
    _, texts = np.unique([text.casefold() for text in said], return_inverse=True)
    values = np.array([u.values for u in heard]).reshape(-1, len(prosody.MEASURES))
    calibration = atypical.Calibration(values, columns, own_speaker, texts)
    bouts = [_bouts(found, number) for number in kept]
    pieces = units.find(
        paths,
        found.names,
        np.concatenate([np.empty((0, 2)), *bouts]),
        np.repeat(kept, [len(b) for b in bouts]).astype(int),
        of_recording,
        found.fitted,
        at_rate,
        seed,
    )
    return Speech(
        found.names,
        recordings,
        spans,
        named[own_speaker],
        said,
        heard,
        calibration.values,
        calibration.own(),
        pieces,
        _caveats(named[own_speaker], said, bool(speakers)),
    )


def _spoken(
    found: Discovery, number: int, labels: Mapping[str, list[Label]]
) -> list[tuple[float, float, str]]:
    """(onset, offset, label) of a recording's utterances, in order of the onsets."""
    own = [label for label in labels.get(found.names[number], []) if label[1] > label[0]]
    if own:
        return sorted((onset, offset, text.strip()) for onset, offset, text in own)
    return [(float(onset), float(offset), "") for onset, offset in _bouts(found, number)]


def _bouts(found: Discovery, number: int) -> np.ndarray:
    """Onsets and offsets of a recording's bouts, [B, 2]."""
    bouts = found.bouts
    ends = np.append(bouts.starts[1:], len(bouts.types)) - 1
    spans = np.column_stack([bouts.onsets_s[bouts.starts], bouts.offsets_s[ends]])
    return spans[bouts.recordings[bouts.starts] == number]


def _heard(
    names: Sequence[str],
    paths: Mapping[str, str],
    spoken: Sequence[Sequence[tuple[float, float, str]]],
    speakers: np.ndarray,
    audio: AudioConfig,
) -> dict[int, list[Utterance]]:
    """Dict of recording's number -> its utterances, without those that cannot be read; the second
    look at them is within the range of each speaker's voice.
    """
    ranges: dict[int, tuple[float, float] | None] = dict.fromkeys(speakers.tolist())
    heard: dict[int, list[Utterance]] = {}
    for _ in range(2):
        for number, name in enumerate(names):
            spans = np.array([s[:2] for s in spoken[number]], float).reshape(-1, 2)
            try:
                heard[number] = prosody.utterances(
                    paths[name], spans, audio, ranges[int(speakers[number])]
                )
            except readers.UnreadableRecording:
                heard.pop(number, None)
        for speaker in ranges:
            own = [u for n, several in heard.items() if speakers[n] == speaker for u in several]
            ranges[speaker] = prosody.voice_range_hz(own)
    return heard


def _caveats(speakers: np.ndarray, said: np.ndarray, are_named: bool) -> list[str]:
    told = []
    if not are_named:
        told.append(
            "all utterances are taken as one speaker's: --recordings_table with --speaker_column "
            "tells who speaks in which recording"
        )
    elif (speakers == "").any():
        told.append(
            f"{int((speakers == '').sum())} utterances have no speaker, and count as those of one"
        )
    if not (said != "").any():
        told.append(
            "no words are known, so that an utterance is compared with all of its speaker's: "
            "--annotations tells what is said where"
        )
    counts = collections.Counter(speakers.tolist())
    few = sorted(name or "(no name)" for name, n in counts.items() if n <= FEWEST_OTHERS)
    if few:
        told.append(
            f"{len(few)} speakers have at most {FEWEST_OTHERS} utterances, and no norm: "
            + ", ".join(few[:_MOST_NAMED])
        )
    return told
