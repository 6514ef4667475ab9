"""batdetect2's JSON, of one recording or a list of them, as its annotation tool has it: seconds of
the sound itself, Hz, and a probability. (Its CSV has the same words as columns.)
"""

import os
from collections.abc import Mapping, Sequence
from typing import Any

from neurovocal_tf import files
from neurovocal_tf.annotations.annotation import (
    Annotation,
    BadRow,
    Contents,
    Options,
    check_order,
    json_number,
    only_file,
    time_s,
)


def recognises(value: Any) -> bool:
    """Whether a value of JSON is of recordings with lists of annotations."""
    recordings = value if isinstance(value, list) else [value]
    return bool(recordings) and all(
        isinstance(r, dict) and isinstance(r.get("annotation"), list) for r in recordings
    )


def parse(value: Any, path: str | os.PathLike[str], options: Options) -> Contents:
    """Annotations of all recordings, `file` as the recording's `id` says."""
    contents = Contents()
    for recording in value if isinstance(value, list) else [value]:
        file = str(recording.get("id") or "")
        contents.files.append(file)
        for index, call in enumerate(recording["annotation"], start=1):
            place = f"{path}, {file or 'recording'}, annotation {index}"
            with contents.row():
                if not isinstance(call, dict):
                    raise BadRow(f"{place}: must be an object of its attributes, and is none")
                contents.annotations.append(_annotation(call, file, place))
    return contents


def write(
    path: str | os.PathLike[str],
    annotations: Sequence[Annotation],
    durations_s: Mapping[str, float],
) -> None:
    """One recording as the annotation tool opens it; a label is the `class`."""
    file = only_file(annotations, "batdetect2") or next(iter(durations_s), "")
    calls = [
        {
            "start_time": round(a.onset_s, 6),
            "end_time": round(a.offset_s, 6),
            **({} if a.low_hz is None else {"low_freq": round(a.low_hz)}),
            **({} if a.high_hz is None else {"high_freq": round(a.high_hz)}),
            "class": a.label,
            "individual": "-1",
            "event": "Echolocation",
        }
        for a in annotations
    ]
    head = {
        "id": os.path.basename(file),
        "annotated": False,
        "issues": False,
        "notes": "",
        "time_exp": 1,
        "duration": round(durations_s.get(file, 0.0), 6),
    }
    files.write_json(path, {**head, "annotation": calls, "class_name": ""})


def _annotation(call: Mapping[str, Any], file: str, place: str) -> Annotation:
    onset_s, offset_s = (
        time_s(repr(json_number(call.get(name), name, place)), name, place)
        for name in ("start_time", "end_time")
    )
    check_order(onset_s, offset_s, ("start_time", "end_time"), place)
    low, high, score = (
        None if call.get(name) is None else json_number(call[name], name, place)
        for name in ("low_freq", "high_freq", "det_prob")
    )
    label = str(call.get("class") or "")
    return Annotation(file, onset_s, offset_s, label, low_hz=low, high_hz=high, score=score)
