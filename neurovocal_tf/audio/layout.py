"""Where in a file its samples lie, whatever its header says, and a file as a decoder is to see it.

A header is believed as far as the file bears it out: recorders that are switched off, write to a
pipe or pass 4 GB leave sizes that are none.
"""

import io
import os
import typing
from collections.abc import Sequence

# Bytes as they are, or the stretch of the file from one place to another.
Part = bytes | tuple[int, int]

MORE_THAN_TOLD = "holds more than its header says"
# Sizes so near 2^31 or 2^32 stand for "unknown": those of sox, ffmpeg and arecord on a pipe.
_NEAR = 2**16
_LOOKED_AT = 2**16
# What is appended to files and is neither samples nor a chunk: tags, text, and what fills a sector.
TAGS = (b"TAG", b"ID3", b"APETAGEX")
TEXT = bytes((0, 9, 10, 13, *range(32, 127)))


class Layout(typing.NamedTuple):
    """What a file holds.

    Attributes:
        is_cut_off: whether it ends before what its header promises.
        surplus: what it holds beyond that, as words that follow its name, or "".
        parts: what a decoder is to be given in its place; none: the file as it is.
        num_samples: how many samples of each channel that is of use for, of which the last count;
            0: all of them.
    """

    is_cut_off: bool = False
    surplus: str = ""
    parts: tuple[Part, ...] = ()
    num_samples: int = 0


def is_unknown(size: int) -> bool:
    """Whether a size of 32 bits stands for one that the writer did not know."""
    return size >= 2**32 - _NEAR or abs(size - 2**31) <= _NEAR


def is_filling(file: typing.BinaryIO, begin: int, end: int) -> bool:
    """Whether a stretch of a file holds no samples, but a tag, text, or one byte again and again.

    Of a long one, both ends are looked at.
    """
    file.seek(begin)
    content = file.read(min(end - begin, _LOOKED_AT))
    if content.startswith(TAGS):
        return True
    if end - begin > len(content):
        file.seek(max(end - _LOOKED_AT, begin + len(content)))
        content += file.read(min(end - begin - len(content), _LOOKED_AT))
    return content.count(content[:1]) == len(content) or not content.translate(None, TEXT)


class Spliced(io.RawIOBase):
    """A file as its parts would have it: bytes, and stretches of the file at `path`."""

    def __init__(self, path: str | os.PathLike[str], parts: Sequence[Part]) -> None:
        super().__init__()
        self._file = open(path, "rb")  # noqa: SIM115, it is closed with this
        self._parts = parts
        self._ends: list[int] = []
        for part in parts:
            length = len(part) if isinstance(part, bytes) else part[1] - part[0]
            self._ends.append((self._ends[-1] if self._ends else 0) + length)
        self._place = 0

    def readable(self) -> bool:
        """It is."""
        return True

    def seekable(self) -> bool:
        """It is."""
        return True

    def tell(self) -> int:
        """The place of the next byte."""
        return self._place

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Goes to a place."""
        bases = {os.SEEK_SET: 0, os.SEEK_CUR: self._place, os.SEEK_END: self._ends[-1]}
        self._place = max(bases[whence] + offset, 0)
        return self._place

    def readinto(self, buffer: "bytearray | memoryview") -> int:  # type: ignore[override]
        """Reads up to as many bytes as the buffer holds; fewer at the end of the last part only."""
        view, done = memoryview(buffer), 0
        for part, end in zip(self._parts, self._ends, strict=True):
            left = min(end - self._place, len(view) - done)
            if left <= 0:
                continue
            length = len(part) if isinstance(part, bytes) else part[1] - part[0]
            begin = self._place - (end - length)
            if isinstance(part, bytes):
                content = part[begin : begin + left]
            else:
                self._file.seek(part[0] + begin)
                content = self._file.read(left)
            view[done : done + len(content)] = content
            done += len(content)
            self._place += len(content)
        return done

    def close(self) -> None:
        """Closes the file behind it."""
        self._file.close()
        super().close()
