"""TIMIT's transcriptions, `.phn` and `.wrd`: first and last sample and label, with blanks between
(Garofolo et al., 1993, https://doi.org/10.35111/17gk-bn40).
"""

import os

from neurovocal_tf.annotations.annotation import (
    Annotation,
    BadRow,
    Contents,
    Options,
    check_order,
    shown,
)

EXTENSIONS = (".phn", ".wrd")


def parse(text: str, path: str | os.PathLike[str], options: Options) -> Contents:
    """Annotations in samples of the recording, `file` not said."""
    contents = Contents(in_samples=True)
    for line_num, line in enumerate(text.split("\n"), start=1):
        if not line.strip():
            continue
        place, cells = f"{path}, line {line_num}", line.split(None, 2)
        with contents.row():
            if len(cells) < 3 or not all(c.isdecimal() and c.isascii() for c in cells[:2]):
                raise BadRow(
                    f"{place}: must be first sample, last sample and label. Received: {shown(line)}"
                )
            first, last = map(float, cells[:2])
            check_order(first, last, ("first", "last"), place)
            contents.annotations.append(Annotation("", first, last, cells[2].strip()))
    return contents
