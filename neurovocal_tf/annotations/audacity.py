r"""Audacity's label tracks: onset, offset and label with tabs between, then, if a band was marked,
a line of backslash, low, high.
"""

import dataclasses
import os
import re
from collections.abc import Mapping, Sequence

from neurovocal_tf import files
from neurovocal_tf.annotations.annotation import (
    Annotation,
    BadRow,
    Contents,
    Options,
    check_order,
    number,
    on_one_line,
    only_file,
    shown,
    time_s,
)

_NUMBER = r"[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?"
_FREQUENCIES = "\\"
_UNDEFINED_HZ = -1


def recognises(text: str) -> bool:
    """Whether the first line that is not empty begins with two numbers."""
    return re.match(rf"\s*{_NUMBER}\t{_NUMBER}(\t|\n|$)", text) is not None


def parse(text: str, path: str | os.PathLike[str], options: Options) -> Contents:
    """Annotations of a label track, or of several one after another; `file` is not said, and
    Audacity's -1 Hz is no frequency. A number after the label is a score, as BirdNET-Analyzer has
    it.
    """
    contents = Contents()
    # Whether a line of frequencies may follow: none, after a label that is left out.
    last: Annotation | None = None
    is_after_bad_label = False
    for line_num, line in enumerate(text.split("\n"), start=1):
        if not line.strip():
            continue
        place, cells = f"{path}, line {line_num}", line.split("\t")
        with contents.row():
            if cells[0] == _FREQUENCIES:
                if is_after_bad_label:
                    continue
                if last is None or len(cells) < 3:
                    raise BadRow(
                        f"{place}: must be backslash, low and high frequency, and follow a label. "
                        f"Received: {shown(line)}"
                    )
                contents.annotations[-1] = _with_band(last, cells, place)
                last = None
                continue
            last, is_after_bad_label = None, True
            last = _label_of(cells, line, place)
            is_after_bad_label = False
            contents.annotations.append(last)
    return contents


def write(
    path: str | os.PathLike[str],
    annotations: Sequence[Annotation],
    durations_s: Mapping[str, float],
) -> None:
    """The label track of one recording, times to the microsecond;
    channels and scores have no place in it.
    """
    only_file(annotations, "audacity")
    lines = []
    for a in annotations:
        lines.append(f"{a.onset_s:.6f}\t{a.offset_s:.6f}\t{on_one_line(a.label)}\n")
        if a.low_hz is not None or a.high_hz is not None:
            low, high = (
                _UNDEFINED_HZ if frequency is None else frequency
                for frequency in (a.low_hz, a.high_hz)
            )
            lines.append(f"{_FREQUENCIES}\t{low:.6f}\t{high:.6f}\n")
    files.write_text(path, "".join(lines))


def _label_of(cells: Sequence[str], line: str, place: str) -> Annotation:
    if len(cells) < 2:
        raise BadRow(
            f"{place}: must be onset, offset and label, with tabs between. Received: {shown(line)}"
        )
    onset_s, offset_s = time_s(cells[0], "onset", place), time_s(cells[1], "offset", place)
    check_order(onset_s, offset_s, ("onset", "offset"), place)
    if len(cells) == 4 and re.fullmatch(_NUMBER, cells[3].strip(), re.ASCII):
        return Annotation("", onset_s, offset_s, cells[2], score=float(cells[3]))
    return Annotation("", onset_s, offset_s, "\t".join(cells[2:]))


def _with_band(label: Annotation, cells: Sequence[str], place: str) -> Annotation:
    low, high = (
        number(cell, name, place)
        for name, cell in zip(("low_hz", "high_hz"), cells[1:3], strict=True)
    )
    return dataclasses.replace(
        label, low_hz=low if low >= 0 else None, high_hz=high if high >= 0 else None
    )
