"""Two columns of seconds without a header, onsets and offsets, and perhaps labels as a third;
commas, semicolons or blanks between.
"""

import os
import re

from neurovocal_tf.annotations.annotation import (
    Annotation,
    BadRow,
    Contents,
    Options,
    check_order,
    shown,
    time_s,
)

_NUMBER = r"[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?"
_DELIMITERS = (",", ";", None)


def recognises(text: str) -> bool:
    """Whether the first line that is not empty is of two numbers, or of these and a text."""
    return _delimiter_of(text) != ""


def parse(text: str, path: str | os.PathLike[str], options: Options) -> Contents:
    """Annotations, `file` not said."""
    delimiter, contents = _delimiter_of(text), Contents()
    contents.notes.append(
        f"{path} has no header: its columns are taken as onset and offset in seconds, and label."
    )
    for line_num, line in enumerate(text.split("\n"), start=1):
        if not line.strip():
            continue
        place = f"{path}, line {line_num}"
        with contents.row():
            cells = line.split(delimiter, 2)
            if len(cells) < 2 or (delimiter and len(line.split(delimiter)) > 3):
                raise BadRow(
                    f"{place}: must be onset and offset, and perhaps a label. "
                    f"Received: {shown(line)}"
                )
            onset_s, offset_s = (
                time_s(cell, name, place)
                for cell, name in zip(cells[:2], ("onset", "offset"), strict=True)
            )
            check_order(onset_s, offset_s, ("onset", "offset"), place)
            label = cells[2].strip() if len(cells) == 3 else ""
            contents.annotations.append(Annotation("", onset_s, offset_s, label))
    return contents


def _delimiter_of(text: str) -> str | None:
    """The delimiter, None for blanks; "" if the text is no such table."""
    line = text.lstrip().split("\n", 1)[0]
    for delimiter in _DELIMITERS:
        cells = line.split(delimiter) if delimiter else line.split(None, 2)
        if len(cells) in (2, 3) and all(
            re.fullmatch(_NUMBER, cell.strip(), re.ASCII) for cell in cells[:2]
        ):
            return delimiter
    return ""
