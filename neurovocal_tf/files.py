"""Writing so that a reader, or a crash, never meets half a file."""

import contextlib
import csv
import functools
import hashlib
import json
import os
import re
import secrets
from collections.abc import Callable, Iterable, Iterator
from typing import TextIO

#: Bytes of a file's name, on all systems of today.
LONGEST_NAME = 255
# After a stem: who writes, and what tells this writing from that process's others.
_TEMPORARY = re.compile(r"\..*-([0-9a-f]{8})[0-9a-f]{8}(\.[^.]*)?", re.DOTALL)


def writer() -> str:
    """What the temporary names of this process have in them and no other's, 8 hex digits."""
    return _writer_of(os.getpid())


@functools.cache
def _writer_of(process_id: int) -> str:
    # A forked process has its parent's memory, and is a writer of its own.
    return secrets.token_hex(4)


def temporary_name(name: str) -> str:
    """A hidden name of this process's own, new at every call, with the extension of `name`."""
    stem, extension = os.path.splitext(name)
    ending = f"-{writer()}{secrets.token_hex(4)}{extension}"
    # A name that fills its folder's limit leaves no room for a longer one.
    return _first_bytes(f".{stem}", LONGEST_NAME - len(os.fsencode(ending))) + ending


def writer_of(name: str) -> str | None:
    """The `writer` that has made up a temporary name; None for any other name."""
    match = _TEMPORARY.fullmatch(name)
    return match and match[1]


@contextlib.contextmanager
def replacing(path: str | os.PathLike[str]) -> Iterator[str]:
    """A temporary path beside `path`, renamed to it when the block ends well and
    removed when it does not.
    """
    path = os.path.abspath(path)
    temporary = os.path.join(os.path.dirname(path), temporary_name(os.path.basename(path)))
    # With the permissions of any new file. Those of `tempfile` are for their owner alone, and what
    # other files get could only be read by setting the process's umask, for a moment in which other
    # threads' files would be open to all.
    os.close(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666))
    try:
        yield temporary
        os.replace(temporary, path)
    except BaseException:
        if os.path.exists(temporary):
            os.unlink(temporary)
        raise


def place_in(folder: str | os.PathLike[str], path: str | os.PathLike[str]) -> str:
    """What the column `file` of a table in `folder` calls the file at `path`, in every table: its
    path from there; the whole path where none leads there, as to another drive.
    """
    above, base = os.path.split(os.path.abspath(path))
    # Of linked folders, what lies above is another one; a linked file keeps its name.
    whole = os.path.join(os.path.realpath(above), base)
    try:
        return os.path.relpath(whole, os.path.realpath(folder))
    except ValueError:
        return whole


def fitting(name: str, ending: str) -> str:
    """A file's name of `name` and `ending`, which no folder's limit refuses: of a long one the end
    of the name gives way to a hash of it. Folders in front of it stay.
    """
    folder, base = os.path.split(name)
    if len(os.fsencode(base + ending)) > LONGEST_NAME:
        ending = f"-{hashlib.sha256(os.fsencode(base)).hexdigest()[:8]}{ending}"
        base = _first_bytes(base, LONGEST_NAME - len(os.fsencode(ending)))
    return os.path.join(folder, base + ending)


def _first_bytes(name: str, num_bytes: int) -> str:
    """The beginning of a name, in whole letters, of at most so many bytes."""
    return os.fsencode(name)[:num_bytes].decode("utf-8", "ignore")


def write_text(path: str | os.PathLike[str], text: str) -> None:
    """Writes UTF-8 text."""
    with replacing(path) as temporary, open(temporary, "w", encoding="utf-8") as file:
        file.write(text)


def write_json(path: str | os.PathLike[str], value: object) -> None:
    """Writes a value as indented JSON."""
    write_text(path, json.dumps(value, indent=2) + "\n")


def write_csv(
    path: str | os.PathLike[str], names: Iterable[str], rows: Iterable[Iterable[object]]
) -> None:
    """Writes a header and rows."""
    with replacing(path) as temporary, open(temporary, "w", encoding="utf-8", newline="") as file:
        write_row = row_writer(file)
        write_row(names)
        for row in rows:
            write_row(row)


def row_writer(file: TextIO) -> Callable[[Iterable[object]], None]:
    """A function that writes a row of a CSV table.

    Args:
        file: open for writing, with newline="".
    """
    plain = csv.writer(file, lineterminator="\n")
    # Readers take a carriage return for the end of a row unless it stands in quotes, which the
    # writer gives to the characters of its own line end alone.
    quoting = csv.writer(file, lineterminator="\n", quoting=csv.QUOTE_ALL)

    def write_row(row: Iterable[object]) -> None:
        row = list(row)
        (quoting if any("\r" in str(value) for value in row) else plain).writerow(row)

    return write_row
