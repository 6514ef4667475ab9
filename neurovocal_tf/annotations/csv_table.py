"""CSV with a header: `file,onset_s,offset_s,label`, and the columns of other programs, which
`columns` lists.
"""

import os
from collections.abc import Mapping, Sequence

from neurovocal_tf import files
from neurovocal_tf.annotations import columns, table
from neurovocal_tf.annotations.annotation import Annotation, Contents, Options

COLUMNS = ("file", "onset_s", "offset_s", "label")
_FURTHER = ("channel", "low_hz", "high_hz", "score")


def recognises(text: str) -> bool:
    """Whether the first line names columns of onsets and offsets, or of durations."""
    return columns.times(table.header_of(text)) is not None


def parse(text: str, path: str | os.PathLike[str], options: Options) -> Contents:
    """Annotations of a table, `file` as it stands there.

    DAS lists kinds of song that do not occur with times that are NaN; they are passed over.
    """
    header, contents = table.header_of(text), Contents()
    times = columns.times(header, path)
    assert times is not None
    file, score = columns.file_column(header), columns.score_column(header)
    low, high = columns.band_columns(header)
    # Others count channels from 1, or do not say.
    channel = "channel" if {"channel", "onset_s"} <= set(header) else ""
    rows = list(table.rows(text, path, contents=contents))
    used = (times.onset, times.end, file, score, low, high, channel)
    label = columns.label_column(header, rows, path, options, contents, used)
    is_das = columns.key(times.onset) == "startseconds"
    contents.in_samples = times.per_second is None
    for row in rows:
        if is_das and row.is_empty(times.onset) and row.is_empty(times.end):
            contents.files.append(row.text(file))
            continue
        with contents.row():
            onset, offset = times.of(row)
            number = row.optional_number(channel)
            contents.annotations.append(
                Annotation(
                    row.text(file),
                    onset,
                    offset,
                    row.text(label),
                    None if number is None else int(number),
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
