"""Numbers and letters from a MAT file of level 5, which MATLAB writes with -v6 and -v7 ("MAT-File
Format", The MathWorks).

SciPy's reader follows what a damaged file claims out of its memory, and takes the process with it.
"""

import struct
import zlib
from collections.abc import Iterator

import numpy as np

_HEADER_BYTES, _LEVEL_5 = 128, 0x0100
_MATRIX, _COMPRESSED = 14, 15
_TYPES = {
    1: "i1",
    2: "u1",
    3: "i2",
    4: "u2",
    5: "i4",
    6: "u4",
    7: "f4",
    9: "f8",
    12: "i8",
    13: "u8",
}
_UTF = {16: "utf-8", 17: "utf-16", 18: "utf-32"}
_CHAR_CLASS, _NUMBER_CLASSES = 4, range(6, 16)
_MAX_BYTES = 2**28


class Broken(ValueError):
    """The file is not what it claims to be, or of another level."""


def variables(content: bytes) -> dict[str, np.ndarray | str]:
    """The arrays of numbers, flat in MATLAB's order, and texts of a file; what else there is, such
    as structures, is passed over.

    Raises `Broken` for a file that is cut off, damaged, or of another level.
    """
    if len(content) < _HEADER_BYTES:
        raise Broken("is too short")
    order = {b"IM": "<", b"MI": ">"}.get(content[126:128], "")
    if not order or struct.unpack(f"{order}H", content[124:126])[0] != _LEVEL_5:
        raise Broken("is not of level 5: save it in MATLAB with -v7 or -v6")
    found: dict[str, np.ndarray | str] = {}
    for kind, data in _elements(content[_HEADER_BYTES:], order):
        if kind == _COMPRESSED:
            kind, data = next(_elements(_decompressed(data), order), (0, b""))
        if kind == _MATRIX:
            name, value = _matrix(data, order)
            if value is not None:
                found[name] = value
    return found


def _elements(data: bytes, order: str) -> Iterator[tuple[int, bytes]]:
    """Type and content of each element, one after another."""
    place = 0
    while place < len(data):
        tag = data[place : place + 8]
        if len(tag) < 8:
            raise Broken("is cut off")
        kind, size = struct.unpack(f"{order}II", tag)
        begin = place + 8
        if kind >> 16:
            # A small one, within its own tag.
            kind, size, begin = kind & 0xFFFF, kind >> 16, place + 4
            if size > 4:
                raise Broken("is damaged")
        if begin + size > len(data):
            raise Broken("is cut off")
        yield kind, data[begin : begin + size]
        end = begin + size
        place = end if kind == _COMPRESSED else end + -end % 8


def _decompressed(data: bytes) -> bytes:
    try:
        return zlib.decompressobj().decompress(data, _MAX_BYTES)
    except zlib.error:
        raise Broken("is damaged") from None


def _matrix(data: bytes, order: str) -> tuple[str, np.ndarray | str | None]:
    """Name and value; None for what has neither numbers nor letters."""
    parts = _elements(data, order)
    header = [next(parts, (0, b""))[1] for _ in range(3)]
    if len(header[0]) < 4:
        raise Broken("is damaged")
    flags, name = struct.unpack(f"{order}I", header[0][:4])[0], header[2].decode("latin-1")
    array_class = flags & 0xFF
    if array_class != _CHAR_CLASS and array_class not in _NUMBER_CLASSES:
        return name, None
    kind, values = next(parts, (0, b""))
    if array_class == _CHAR_CLASS and kind in _UTF:
        ending = "" if kind == 16 else {"<": "-le", ">": "-be"}[order]
        return name, values.decode(f"{_UTF[kind]}{ending}", errors="replace")
    if kind not in _TYPES or len(values) % int(_TYPES[kind][1]):
        raise Broken("is damaged")
    numbers = np.frombuffer(values, f"{order}{_TYPES[kind]}")
    if array_class != _CHAR_CLASS:
        return name, numbers
    if len(numbers) and not 0 <= numbers.min() <= numbers.max() <= 0xFFFF:
        raise Broken("is damaged")
    return name, "".join(map(chr, numbers.astype(int)))
