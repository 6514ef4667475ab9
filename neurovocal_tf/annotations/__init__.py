"""Which vocalization is where: onsets, offsets and labels,
in the files of the programs that people annotate with.

format    program                                             one file holds
csv       this package; also read: vak and crowsetta          any number of recordings
          (generic-seq, simple-seq), DAS, WhisperSeg
audacity  Audacity's label tracks, with the lines of          one recording
          frequencies
raven     Raven's selection tables                            any number of recordings
textgrid  Praat's TextGrid, long and short, UTF-8 and UTF-16  one recording

Times are kept within a microsecond by each of them.
"""

import os
import re
from collections.abc import Iterable, Mapping

from neurovocal_tf.annotations import audacity, csv_table, raven, textgrid
from neurovocal_tf.annotations.annotation import Annotation

__all__ = ["EXTENSIONS", "Annotation", "decode", "format_of", "read", "write"]

_MODULES = {"csv": csv_table, "audacity": audacity, "raven": raven, "textgrid": textgrid}
# What the programs themselves append to a recording's name.
EXTENSIONS = {
    "csv": ".csv",
    "audacity": ".txt",
    "raven": ".selections.txt",
    "textgrid": ".TextGrid",
}
_BYTE_ORDER_MARKS = {b"\xef\xbb\xbf": "utf-8-sig", b"\xff\xfe": "utf-16", b"\xfe\xff": "utf-16"}


def read(path: str | os.PathLike[str], tier: str | None = None) -> list[Annotation]:
    """Annotations of one file, in its order; the format is recognised by content,
    of an empty file by extension.

    What has no duration, such as a point label, marks a moment and no vocalization: it is left out.
    Columns that no attribute of `Annotation` stands for are left out too.

    Args:
        path: the file.
        tier: name of the only interval tier to read from a TextGrid; default: all of them.

    Returns: list of `Annotation`.

    Raises: ValueError, one line with the file and, where it has one, the line in it: it cannot be
        read, is of no format above, or holds a time that is no number, is negative, or an offset
        before its onset.
    """
    path = os.fspath(path)
    text = decode(path)
    name = format_of(path, text)
    if name is None:
        raise ValueError(
            f"{path}, line 1: must be the begin of an annotation file: a CSV header with "
            f"{csv_table.KNOWN_COLUMNS}; an Audacity label; Raven's header; or Praat's ooTextFile."
        )
    found = (
        textgrid.parse(text, path, tier) if name == "textgrid" else _MODULES[name].parse(text, path)
    )
    return [annotation for annotation in found if annotation.offset_s > annotation.onset_s]


def write(
    path: str | os.PathLike[str],
    annotations: Iterable[Annotation],
    format: str,
    durations_s: Mapping[str, float] | None = None,
) -> None:
    """Writes annotations; an existing file is replaced in one step.

    Args:
        path: the file; `EXTENSIONS[format]` is what its name should end in.
        annotations: iterable of `Annotation`, in the order to write; their files are relative to
            the folder of `path`, or absolute.
        format: "csv", "audacity", "raven" or "textgrid".
        durations_s: dict of file -> seconds. A TextGrid reaches to the end of its recording, by
            default to the last offset. A Raven table over several recordings counts time through
            all of them, and must be told how long each is, in Raven's order.

    Raises: ValueError: annotations of several recordings in a format for one,
        or what the format needs is not there.
    """
    if format not in _MODULES:
        raise ValueError(
            f"`format` must be one of {', '.join(_MODULES)}. Received: format={format}"
        )
    _MODULES[format].write(path, list(annotations), durations_s or {})


def format_of(path: str | os.PathLike[str], text: str) -> str | None:
    """Name of the format that a file's text is in, or None for text of another kind.

    `path` decides where there is no text.
    """
    if textgrid.recognises(text):
        return "textgrid"
    if not text.strip():
        return {".txt": "audacity"}.get(os.path.splitext(path)[1].lower())
    return next(
        (name for name in ("raven", "csv", "audacity") if _MODULES[name].recognises(text)), None
    )


def decode(path: str | os.PathLike[str]) -> str:
    """The text of a file, UTF-8 or UTF-16, without its byte-order mark.

    Raises: ValueError, one line with the file, and the line of what is no UTF-8.
    """
    try:
        with open(path, "rb") as file:
            content = file.read()
    except OSError as error:
        raise ValueError(f"{path}: cannot be read: {error.strerror}.") from None
    if content.startswith(b"ooBinaryFile"):
        raise ValueError(f"{path}: is a binary file of Praat's; save it there as a text file.")
    encoding = next(
        (name for mark, name in _BYTE_ORDER_MARKS.items() if content.startswith(mark)), "utf-8"
    )
    try:
        text = content.decode(encoding)
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise ValueError(f"{path}, line {line}: is not text in UTF-8 or UTF-16.") from None
    if "\0" in text:
        line = text.count("\n", 0, text.index("\0")) + 1
        raise ValueError(f"{path}, line {line}: is not text in UTF-8 or UTF-16.")
    return re.sub("\r\n?", "\n", text)
