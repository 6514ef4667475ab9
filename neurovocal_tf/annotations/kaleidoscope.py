"""Kaleidoscope's tables (Wildlife Acoustics), and BirdNET-Analyzer's in their form:
folder and file, offset and duration in seconds.

A name with an asterisk is that of the same column without.
"""

import os
from collections.abc import Mapping, Sequence

from neurovocal_tf import files
from neurovocal_tf.annotations import columns, table
from neurovocal_tf.annotations.annotation import Annotation, Contents, Options, check_order, time_s

COLUMNS = ("INDIR", "FOLDER", "IN FILE", "CHANNEL", "OFFSET", "DURATION")
_LOW, _HIGH, _LABEL = "Fmin", "Fmax", "MANUAL ID"


def recognises(text: str) -> bool:
    """Whether the first line names Kaleidoscope's columns of files and times."""
    header = table.header_of(text)
    return all(_column(header, name) for name in ("IN FILE", "OFFSET", "DURATION"))


def parse(text: str, path: str | os.PathLike[str], options: Options) -> Contents:
    """Annotations of a table, `file` with the folders that it names.

    Frequencies are read where they are in Hz, which is where sounds have been clustered; those of
    bats' passes are in kHz and of the calls within.
    """
    header, contents = table.header_of(text), Contents()
    name = {column: _column(header, column) for column in (*COLUMNS, _LOW, _HIGH)}
    in_hz = bool(columns.first(header, ("top1match",)))
    low, high = (name[_LOW], name[_HIGH]) if in_hz else ("", "")
    score = columns.score_column(header)
    rows = list(table.rows(text, path, contents=contents))
    label = columns.label_column(header, rows, path, options, contents, header)
    for row in rows:
        with contents.row():
            onset_s, duration_s = (
                time_s(row.plain(name[c]), c, row.place) for c in ("OFFSET", "DURATION")
            )
            check_order(0.0, duration_s, ("OFFSET", "DURATION"), row.place)
            channel = row.optional_number(name["CHANNEL"])
            folders = [row.text(name[c]).strip() for c in ("INDIR", "FOLDER", "IN FILE")]
            contents.annotations.append(
                Annotation(
                    "/".join(filter(None, (part.replace("\\", "/") for part in folders))),
                    onset_s,
                    onset_s + duration_s,
                    row.text(label),
                    None if channel is None else int(channel),
                    row.optional_number(low),
                    row.optional_number(high),
                    row.optional_number(score),
                )
            )
    return contents


def write(
    path: str | os.PathLike[str],
    annotations: Sequence[Annotation],
    durations_s: Mapping[str, float],
) -> None:
    """A table that Kaleidoscope opens as results, times to the microsecond, the label as MANUAL ID;
    scores have no place in it.
    """
    rows = []
    for a in annotations:
        folder, base = os.path.split(os.path.abspath(os.path.join(os.path.dirname(path), a.file)))
        times = (f"{a.onset_s:.6f}", f"{a.offset_s - a.onset_s:.6f}")
        rows.append((folder, "", base, a.channel or 0, *times, a.label))
    files.write_csv(path, (*COLUMNS, _LABEL), rows)


def _column(header: Sequence[str], name: str) -> str:
    return columns.first(header, (columns.key(name),))
