"""Raven's selection tables (Cornell Lab of Ornithology),
of one recording or of several played one after another.

`Begin Time (s)` counts through all recordings of a table, `File Offset (s)` in the selection's own.
"""

import dataclasses
import os
from collections.abc import Mapping, Sequence

from neurovocal_tf import files
from neurovocal_tf.annotations import columns, table
from neurovocal_tf.annotations.annotation import (
    Annotation,
    Contents,
    Options,
    check_order,
    on_one_line,
    time_s,
)
from neurovocal_tf.annotations.table import Row

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
# Measurements that Raven adds to a table by itself.
_OF_RAVEN = ("Delta Time (s)", "Delta Freq (Hz)", "Avg Power Density (dB FS/Hz)", "Occupancy")


def recognises(text: str) -> bool:
    """Whether the first line names Raven's two columns of times."""
    header = table.header_of(text)
    return bool(_column(header, _BEGIN) and _column(header, _END))


def parse(text: str, path: str | os.PathLike[str], options: Options) -> Contents:
    """Annotations of a table; a selection that is listed once for each view counts once, with the
    band of its spectrogram and the label of whichever has one.

    A path below the table's own folder becomes relative to it.

    Raises ValueError for a table of several recordings that does not tell when each begins.
    """
    header, contents = table.header_of(text), Contents()
    rows = list(table.rows(text, path, quoted=False, contents=contents))
    name = {column: _column(header, column) for column in COLUMNS}
    score = columns.score_column(header)
    label = columns.label_column(
        header, rows, path, options, contents, (*name.values(), score, *_OF_RAVEN)
    )
    selections: dict[tuple[str, str, str, float, float], list[tuple[Row, Annotation]]] = {}
    for row in rows:
        with contents.row():
            begin_s, end_s = (time_s(row.plain(name[c]), c, row.place) for c in (_BEGIN, _END))
            check_order(begin_s, end_s, (_BEGIN, _END), row.place)
            onset_s = begin_s
            if row.text(name[_OFFSET]).strip():
                onset_s = time_s(row.plain(name[_OFFSET]), _OFFSET, row.place)
            channel = row.optional_number(name["Channel"])
            annotation = Annotation(
                file=_file_of(row, name, path),
                onset_s=onset_s,
                offset_s=onset_s + (end_s - begin_s),
                label=row.text(label),
                channel=None if channel is None else int(channel) - 1,
                low_hz=row.optional_number(name[_LOW]),
                high_hz=row.optional_number(name[_HIGH]),
                score=row.optional_number(score),
            )
            number = row.text(name["Selection"]).strip() or row.place
            view = number, annotation.file, row.text(name["Channel"]), begin_s, end_s
            selections.setdefault(view, []).append((row, annotation))
    contents.annotations = [_of_views(views, name["View"]) for views in selections.values()]
    _check_times(contents, bool(name[_OFFSET]), rows, name, path)
    return contents


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


def _column(header: Sequence[str], name: str) -> str:
    return columns.first(header, (columns.key(name),))


def _file_of(row: Row, name: Mapping[str, str], path: str | os.PathLike[str]) -> str:
    begin_path = row.text(name["Begin Path"]).strip()
    return _relative(begin_path, path) or row.text(name["Begin File"]).strip()


def _of_views(views: Sequence[tuple[Row, Annotation]], view: str) -> Annotation:
    """The one annotation that a selection's rows in several views stand for."""
    found = [a for row, a in views if row.text(view).lower().startswith("spectrogram")]
    chosen = (found or [a for _, a in views])[0]
    if chosen.label.strip():
        return chosen
    label = next((a.label for _, a in views if a.label.strip()), chosen.label)
    return dataclasses.replace(chosen, label=label)


def _check_times(
    contents: Contents,
    has_offset: bool,
    rows: Sequence[Row],
    name: Mapping[str, str],
    path: str | os.PathLike[str],
) -> None:
    """Raises ValueError where times may count through several recordings or within each.

    Played one after another, no two recordings have selections at one time: where they have, the
    times are those within each.
    """
    spans: dict[str, list[float]] = {}
    for a in contents.annotations:
        span = spans.setdefault(a.file, [a.onset_s, a.offset_s])
        span[:] = min(span[0], a.onset_s), max(span[1], a.offset_s)
    if len(spans) < 2:
        return
    without = next((row for row in rows if not row.text(name[_OFFSET]).strip()), None)
    if without is None:
        return
    ordered = sorted(spans.values())
    if not has_offset and any(
        begin < end for (_, end), (begin, _) in zip(ordered, ordered[1:], strict=False)
    ):
        contents.notes.append(
            f"{path} is of several recordings without a column {_OFFSET}; their times overlap, and "
            "are taken as those within each recording."
        )
        return
    raise ValueError(
        f"{without.place}: must have a time in a column {_OFFSET}, for {_BEGIN} may count through "
        f"all {len(spans)} recordings of the table: choose that column in Raven, and save again."
    )


def _absolute(file: str, path: str | os.PathLike[str]) -> str:
    return os.path.abspath(os.path.join(os.path.dirname(path), file)) if file else ""


def _relative(file: str, path: str | os.PathLike[str]) -> str:
    folder = os.path.dirname(os.path.abspath(path)) + os.sep
    return file.removeprefix(folder)
