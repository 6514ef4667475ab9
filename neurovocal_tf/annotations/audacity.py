r"""Audacity's label tracks: onset, offset and label with tabs between, then, if a band was marked,
a line of backslash, low, high.
"""

import os
import re
from collections.abc import Mapping, Sequence

from neurovocal_tf import files
from neurovocal_tf.annotations.annotation import (
    Annotation,
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


def parse(text: str, path: str | os.PathLike[str]) -> list[Annotation]:
    """Annotations of a label track, or of several one after another; `file` is not said, and
    Audacity's -1 Hz is no frequency.
    """
    found: list[tuple[float, float, str, dict[str, float | None]]] = []
    for line_num, line in enumerate(text.split("\n"), start=1):
        if not line.strip():
            continue
        place, cells = f"{path}, line {line_num}", line.split("\t", 2)
        if len(cells) < 2:
            raise ValueError(
                f"{place}: must be onset, offset and label, with tabs between. "
                f"Received: {shown(line)}"
            )
        if cells[0] != _FREQUENCIES:
            onset_s, offset_s = time_s(cells[0], "onset", place), time_s(cells[1], "offset", place)
            check_order(onset_s, offset_s, ("onset", "offset"), place)
            found.append((onset_s, offset_s, cells[2] if len(cells) == 3 else "", {}))
            continue
        if not found or found[-1][3] or len(cells) < 3:
            raise ValueError(
                f"{place}: must be backslash, low and high frequency, and follow a label. "
                f"Received: {shown(line)}"
            )
        for name, cell in zip(("low_hz", "high_hz"), cells[1:], strict=True):
            frequency = number(cell, name, place)
            found[-1][3][name] = frequency if frequency >= 0 else None
    return [
        Annotation(
            "", onset_s, offset_s, label, low_hz=band.get("low_hz"), high_hz=band.get("high_hz")
        )
        for onset_s, offset_s, label, band in found
    ]


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
