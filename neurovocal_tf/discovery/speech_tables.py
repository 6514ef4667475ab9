"""What was found in speech, as files: utterances.csv, and a TextGrid for each recording with what
is said, its units, its pitch and its scores.
"""

import functools
import os
from collections.abc import Callable, Mapping, Sequence

import numpy as np

from neurovocal_tf import files
from neurovocal_tf.annotations import Annotation, textgrid
from neurovocal_tf.discovery.atypical import COLUMNS
from neurovocal_tf.discovery.speech import Speech
from neurovocal_tf.segmentation import formats
from neurovocal_tf.segmentation.written_files import WrittenFiles

NAME, FOLDER = "utterances.csv", "prosody"
_FIRST = ("file", "onset_s", "offset_s", "speaker", "word", "num_others")
_LAST = ("atypical", "fired", "reason")
_ENDS = ("z", "z_low", "z_high")
UTTERANCE_COLUMNS = (
    *_FIRST,
    *(name if not end else f"{name}_{end}" for name in COLUMNS for end in ("", *_ENDS)),
    *_LAST,
)
# Of pitch in a TextGrid; a point every 5 ms would hide all else there.
_POINT_STEP_S = 0.02


def write(
    out_dir: str,
    speech: Speech,
    paths: Mapping[str, str],
    durations_s: Mapping[str, float],
    overwrite: bool = False,
) -> list[str]:
    """Writes utterances.csv and prosody/NAME.TextGrid, with tiers words, units, f0 and score.

    Args:
        out_dir: folder.    speech: `Speech`.
        paths, durations_s: dicts of recording's name -> path, seconds.
        overwrite: whether to give up what people have changed.

    Returns: names of the files that people have changed, and which stay as they are.
    """
    written, kept = WrittenFiles(out_dir, overwrite), []

    def put(name: str, write_to: Callable[[str], object]) -> None:
        os.makedirs(os.path.dirname(os.path.join(out_dir, name)), exist_ok=True)
        if not written.write_unless_changed(name, write_to):
            kept.append(name)

    put(NAME, lambda path: files.write_csv(path, UTTERANCE_COLUMNS, utterance_rows(speech)))
    stem_of = formats.stems_of(paths)
    for number in np.unique(speech.recordings):
        name = speech.names[number]
        put(
            os.path.join(FOLDER, files.fitting(stem_of[name], ".TextGrid")),
            functools.partial(
                textgrid.write_tiers,
                tiers=_tiers(speech, number, paths[name]),
                # What people label may end later than the sound.
                duration_s=max(
                    durations_s[name], float(speech.spans_s[speech.recordings == number].max())
                ),
            ),
        )
    return kept


def utterance_rows(speech: Speech) -> list[list[object]]:
    """Rows under `UTTERANCE_COLUMNS`; what is not known is empty."""
    judged = speech.judged
    found = judged.deviations
    rows: list[list[object]] = []
    for place, (onset, offset) in enumerate(speech.spans_s):
        several = zip(
            speech.values[place], found.z[place], found.low[place], found.high[place], strict=True
        )
        rows.append(
            [
                speech.names[speech.recordings[place]],
                f"{onset:.6f}",
                f"{offset:.6f}",
                speech.speakers[place],
                speech.words[place],
                int(found.num_others[place, 0]),
                *(_number(value) for values in several for value in values),
                _number(judged.atypical[place]),
                judged.fired[place],
                judged.reason(place),
            ]
        )
    return rows


def _tiers(
    speech: Speech, number: int, path: str
) -> dict[str, Sequence[Annotation] | Sequence[textgrid.Point]]:
    own = np.flatnonzero(speech.recordings == number)
    pieces = speech.units
    labelled = [place for place in own if speech.words[place]]
    said = [_interval(path, speech.spans_s[p], str(speech.words[p])) for p in labelled]
    tiers: dict[str, Sequence[Annotation] | Sequence[textgrid.Point]] = {
        "words": said,
        "units": [
            _interval(path, pieces.spans_s[piece], pieces.names[pieces.types[piece]])
            for piece in np.flatnonzero(pieces.recordings == number)
        ],
        "f0": _pitch_points(speech, own),
        "score": [_interval(path, speech.spans_s[p], _score(speech, p)) for p in own],
    }
    return tiers if said else {name: tier for name, tier in tiers.items() if name != "words"}


def _interval(path: str, span_s: np.ndarray, label: str) -> Annotation:
    return Annotation(path, float(span_s[0]), float(span_s[1]), label)


def _pitch_points(speech: Speech, own: np.ndarray) -> list[textgrid.Point]:
    """The pitch of some utterances, Hz, every 20 ms; utterances that overlap share their points."""
    at: dict[int, textgrid.Point] = {}
    for place in own:
        heard = speech.heard[place]
        for time_s, hz in zip(heard.times_s, heard.f0_hz, strict=True):
            step = round(time_s / _POINT_STEP_S)
            if hz > 0:
                at.setdefault(step, textgrid.Point(float(time_s), f"{hz:.1f}"))
    return [at[step] for step in sorted(at)]


def _score(speech: Speech, place: int) -> str:
    atypical = speech.judged.atypical[place]
    if np.isnan(atypical):
        return "no norm"
    reason = speech.judged.reason(place)
    return f"{atypical:.2f}" + (f" {reason}" if reason else "")


def _number(value: float) -> str:
    return "" if np.isnan(value) else f"{value:.4g}"
