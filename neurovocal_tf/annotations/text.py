"""The text of a file that people have saved with whatever program they have."""

import os
import re

from neurovocal_tf.annotations import parquet

_BYTE_ORDER_MARKS = {b"\xef\xbb\xbf": "utf-8-sig", b"\xff\xfe": "utf-16", b"\xfe\xff": "utf-16"}
# What no text holds but tabs, line breaks and form feeds; Windows-1252 leaves five bytes without a
# letter, which decode to such characters or not at all.
_NO_TEXT = re.compile("[\x00-\x08\x0b\x0e-\x1f\x7f-\x9f]")


def decode(path: str | os.PathLike[str]) -> tuple[str, str]:
    """The text of a file without its byte-order mark, line breaks as \\n, and a note or "".

    UTF-8, UTF-16 with its mark, and what is neither as Windows-1252, which the note says. The text
    of a Parquet table is that of the same table as CSV.

    Raises: ValueError, one line with the file, and the line of what is no text.
    """
    content = content_of(path)
    if parquet.is_one(path):
        return parquet.as_csv(content, path), ""
    if content.startswith(b"ooBinaryFile"):
        raise ValueError(f"{path}: is a binary file of Praat's; save it there as a text file.")
    encoding = next(
        (name for mark, name in _BYTE_ORDER_MARKS.items() if content.startswith(mark)), ""
    )
    note, text = "", None
    try:
        text = content.decode(encoding or "utf-8")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        if not encoding:
            text = _as_windows_1252(content)
            note = f"{path}, line {line}: is not UTF-8, and the file is read as Windows-1252."
    else:
        # Windows-1252's letters may stand for others, but UTF-8's control characters for nothing.
        found = _NO_TEXT.search(text)
        if found:
            line, text = text.count("\n", 0, found.start()) + 1, None
    if text is None:
        raise ValueError(f"{path}, line {line}: is not text in UTF-8, UTF-16 or Windows-1252.")
    return re.sub("\r\n?", "\n", text), note


def content_of(path: str | os.PathLike[str]) -> bytes:
    """The bytes of a file. Raises ValueError, one line with the file."""
    try:
        with open(path, "rb") as file:
            return file.read()
    except OSError as error:
        raise ValueError(f"{path}: cannot be read: {error.strerror}.") from None


def _as_windows_1252(content: bytes) -> str | None:
    """None for what is no text."""
    try:
        text = content.decode("cp1252")
    except UnicodeDecodeError:
        return None
    return None if _NO_TEXT.search(text) else text
