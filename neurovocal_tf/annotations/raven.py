"""Raven's selection tables (Cornell Lab of Ornithology),
of one recording or of several played one after another.

`Begin Time (s)` counts through all recordings of a table, `File Offset (s)` in the selection's own.
"""

import os
from collections.abc import Mapping, Sequence

from neurovocal_tf import files
from neurovocal_tf.annotations import table
from neurovocal_tf.annotations.annotation import Annotation, check_order, on_one_line

_BEGIN, _END, _OFFSET = "Begin Time (s)", "End Time (s)", "File Offset (s)"
_LOW, _HIGH = "Low Freq (Hz)", "High Freq (Hz)"
COLUMNS = (
    "Selection",
    "View",
    "Channel",
    _BEGIN,
    _END,
    _LOW,
    _HIGH,
    "Begin File",
    "Begin Path",
    _OFFSET,
    "Annotation",
)
_LABELS = ("Annotation", "Label", "Call Type", "Species", "Common Name")
_SCORES = ("Score", "Confidence")


def recognises(text: str) -> bool:
    """Whether the first line names Raven's two columns of times."""
    return {_BEGIN, _END} <= set(table.header_of(text))


def parse(text: str, path: str | os.PathLike[str]) -> list[Annotation]:
    """Annotations of a table; a selection that is listed once for each view counts once.

    A path below the table's own folder becomes relative to it.
    """
    header = table.header_of(text)
    label, score = (
        next((name for name in names if name in header), "") for names in (_LABELS, _SCORES)
    )
    found: dict[tuple[str, str, float | None, float, float], Annotation] = {}
    for row in table.rows(text, path, quoted=False):
        begin_s, end_s = row.time_s(_BEGIN), row.time_s(_END)
        check_order(begin_s, end_s, (_BEGIN, _END), row.place)
        onset_s = row.time_s(_OFFSET) if row.text(_OFFSET).strip() else begin_s
        channel = row.optional_number("Channel")
        annotation = Annotation(
            file=_relative(row.text("Begin Path").strip(), path) or row.text("Begin File").strip(),
            onset_s=onset_s,
            offset_s=onset_s + (end_s - begin_s),
            label=row.text(label),
            channel=None if channel is None else int(channel) - 1,
            low_hz=row.optional_number(_LOW),
            high_hz=row.optional_number(_HIGH),
            score=row.optional_number(score),
        )
        view = row.text("Selection").strip() or row.place, annotation.file, channel, begin_s, end_s
        found.setdefault(view, annotation)
    return list(found.values())


def write(
    path: str | os.PathLike[str],
    annotations: Sequence[Annotation],
    durations_s: Mapping[str, float],
) -> None:
    """A table that Raven opens; with annotations of several recordings,
    or durations of several, one over all of them.
    """
    recordings = list(durations_s) or list(dict.fromkeys(a.file for a in annotations))
    for a in annotations:
        if a.file not in durations_s and (durations_s or len(recordings) > 1):
            raise ValueError(
                "`durations_s` must hold every recording of a table over several. "
                f"Received: none of {a.file}"
            )
        if a.low_hz is None or a.high_hz is None:
            raise ValueError(
                "`annotations` must have low_hz and high_hz for format=raven. "
                f"Received: none at {a.onset_s:g} s of {a.file}"
            )
    begins, begin_s = {}, 0.0
    for recording in recordings:
        begins[recording] = begin_s
        begin_s += durations_s.get(recording, 0.0)
    scored = any(a.score is not None for a in annotations)
    lines = ["\t".join((*COLUMNS, "Score") if scored else COLUMNS)]
    for selection, a in enumerate(annotations, start=1):
        onset_s, offset_s = begins[a.file] + a.onset_s, begins[a.file] + a.offset_s
        # Nanoseconds: the reader adds three of these times,
        # and their roundings must stay below a microsecond.
        cells = [
            str(selection),
            "Spectrogram 1",
            str((a.channel or 0) + 1),
            f"{onset_s:.9f}",
            f"{offset_s:.9f}",
        ]
        cells += [
            f"{a.low_hz:.6f}",
            f"{a.high_hz:.6f}",
            os.path.basename(a.file),
            _absolute(a.file, path),
        ]
        cells += [
            f"{a.onset_s:.9f}",
            a.label,
            *([] if not scored else ["" if a.score is None else repr(float(a.score))]),
        ]
        lines.append("\t".join(map(on_one_line, cells)))
    files.write_text(path, "\n".join(lines) + "\n")


def _absolute(file: str, path: str | os.PathLike[str]) -> str:
    return os.path.abspath(os.path.join(os.path.dirname(path), file)) if file else ""


def _relative(file: str, path: str | os.PathLike[str]) -> str:
    folder = os.path.dirname(os.path.abspath(path)) + os.sep
    return file.removeprefix(folder)
