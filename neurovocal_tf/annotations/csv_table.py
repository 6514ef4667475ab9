"""CSV: `file,onset_s,offset_s,label`, and the columns of vak, crowsetta, DAS and WhisperSeg."""

import os
from collections.abc import Mapping, Sequence

from neurovocal_tf import files
from neurovocal_tf.annotations import table
from neurovocal_tf.annotations.annotation import Annotation, check_order

COLUMNS = ("file", "onset_s", "offset_s", "label")
_FURTHER = ("channel", "low_hz", "high_hz", "score")
# Onset, offset, label and recording, in the words of:
# this package, vak and crowsetta; DAS; WhisperSeg.
_DIALECTS = (
    ("onset_s", "offset_s", "label", ("file", "notated_path")),
    ("start_seconds", "stop_seconds", "name", ("filename", "file")),
    ("onset", "offset", "cluster", ("filename", "file")),
)
KNOWN_COLUMNS = ", or ".join(f"{onset} and {offset}" for onset, offset, _, _ in _DIALECTS)


def recognises(text: str) -> bool:
    """Whether the first line names columns of onsets and offsets."""
    return bool(_dialects(table.header_of(text)))


def parse(text: str, path: str | os.PathLike[str]) -> list[Annotation]:
    """Annotations of a table, `file` as it stands there.

    DAS lists kinds of song that do not occur with times that are NaN; they are passed over.
    """
    header = table.header_of(text)
    onset, offset, label, files_ = _dialects(header)[0]
    file = next((name for name in files_ if name in header), "")
    found = []
    for row in table.rows(text, path):
        if onset == "start_seconds" and {row.text(onset).lower(), row.text(offset).lower()} <= {
            "",
            "nan",
        }:
            continue
        onset_s, offset_s = row.time_s(onset), row.time_s(offset)
        check_order(onset_s, offset_s, (onset, offset), row.place)
        channel, *further = (row.optional_number(name) for name in _FURTHER)
        found.append(
            Annotation(
                row.text(file),
                onset_s,
                offset_s,
                row.text(label),
                None if channel is None else int(channel),
                *further,
            )
        )
    return found


def write(
    path: str | os.PathLike[str],
    annotations: Sequence[Annotation],
    durations_s: Mapping[str, float],
) -> None:
    """Times to the microsecond; a column beyond the label is written if any annotation
    has something to say in it.
    """
    further = [
        name
        for name in _FURTHER
        if any(getattr(annotation, name) is not None for annotation in annotations)
    ]
    rows = (
        (
            a.file,
            f"{a.onset_s:.6f}",
            f"{a.offset_s:.6f}",
            a.label,
            *("" if getattr(a, n) is None else getattr(a, n) for n in further),
        )
        for a in annotations
    )
    files.write_csv(path, (*COLUMNS, *further), rows)


def _dialects(header: Sequence[str]) -> list[tuple[str, str, str, tuple[str, str]]]:
    return [dialect for dialect in _DIALECTS if set(dialect[:2]) <= set(header)]
