"""Writing so that a reader, or a crash, never meets half a file."""

import contextlib
import csv
import hashlib
import json
import os
import secrets
from collections.abc import Iterable, Iterator

#: Bytes of a file's name, on all systems of today.
LONGEST_NAME = 255


@contextlib.contextmanager
def replacing(path: str | os.PathLike[str]) -> Iterator[str]:
    """A temporary path beside `path`, renamed to it when the block ends well and
    removed when it does not.
    """
    path = os.path.abspath(path)
    stem, extension = os.path.splitext(os.path.basename(path))
    ending = f"-{secrets.token_urlsafe(6)}{extension}"
    # A name that fills its folder's limit leaves no room for a longer one.
    stem = _first_bytes(f".{stem}", LONGEST_NAME - len(os.fsencode(ending)))
    temporary = os.path.join(os.path.dirname(path), stem + ending)
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
        plain = csv.writer(file, lineterminator="\n")
        # Readers take a carriage return for the end of a row unless it stands in quotes, which the
        # writer gives to the characters of its own line end alone.
        quoting = csv.writer(file, lineterminator="\n", quoting=csv.QUOTE_ALL)
        plain.writerow(names)
        for row in rows:
            row = list(row)
            (quoting if any("\r" in str(value) for value in row) else plain).writerow(row)
