"""Files wherever Apache Beam reads them: gs://, s3://, hdfs://, azfs://, and local ones.

A reader of sound wants a local file, so that what is elsewhere is copied for as long as it is read.
Beam is imported for what is remote alone.
"""

import contextlib
import importlib
import logging
import os
import posixpath
import re
import secrets
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from neurovocal_tf import files
from neurovocal_tf.audio import evtaf
from neurovocal_tf.audio.decoders import extension

_REMOTE = re.compile(r"([a-zA-Z][-a-zA-Z0-9+.]*)://")
# What Beam calls the extra that brings the client of a store.
_EXTRAS = {"gs": "gcp", "s3": "aws", "hdfs": "hadoop", "azfs": "azure"}
_UNFINISHED = "unfinished"
_NEEDED = "pip install 'apache-beam>=2.77' (the extra `archive`)"


class Unreachable(OSError):
    """A file that could not be fetched; the message says why, in words that follow its name."""


@dataclass(frozen=True)
class Stored:
    """A file in a store.

    Attributes:
        path: of it.    num_bytes: its size.
        modified_ns: time of its last change, ns since 1970; 0 where the store does not tell.
    """

    path: str
    num_bytes: int
    modified_ns: int


def check_installed() -> None:
    """Raises ValueError, one line, where Apache Beam is not installed."""
    root = logging.getLogger()
    level = root.level
    # It warns of clients that only some of its runners need.
    root.setLevel(logging.ERROR)
    try:
        importlib.import_module("apache_beam")
    except ImportError as error:
        raise ValueError(f"an archive needs Apache Beam: {_NEEDED}. {error}") from None
    finally:
        root.setLevel(level)


def is_remote(path: str) -> bool:
    """Whether a path is that of a store, as gs://bucket/folder is."""
    return _REMOTE.match(path) is not None


def check(path: str, setting: str) -> None:
    """Raises ValueError, one line, where there is no client for a path's store."""
    if not is_remote(path):
        return
    scheme = path.split("://")[0]
    try:
        _systems().get_filesystem(path)
    except ValueError:
        told = (
            f"pip install 'apache-beam[{_EXTRAS[scheme]}]' brings its client"
            if scheme in _EXTRAS
            else f"Beam reads {', '.join(f'{known}://' for known in _EXTRAS)} and local folders"
        )
        raise ValueError(
            f"`{setting}` must be a place that can be read here, and {scheme}:// is none: {told}. "
            f"Received: {setting}={path}"
        ) from None


def join(folder: str, *names: str) -> str:
    """The path of what lies in a folder."""
    return (posixpath if is_remote(folder) else os.path).join(folder, *names)


def place_in(folder: str, path: str) -> str:
    """What a table in a folder calls a file, see `files.place_in`: its path from there within one
    store, else all of it.
    """
    if not is_remote(folder) and not is_remote(path):
        return files.place_in(folder, path)
    here, there = urlsplit(folder), urlsplit(path)
    if (here.scheme, here.netloc) != (there.scheme, there.netloc):
        return path if is_remote(path) else os.path.abspath(path)
    return posixpath.relpath(there.path or "/", here.path or "/")


def below(folder: str) -> list[Stored]:
    """All files of a remote folder and of those below it, sorted.

    Raises: OSError if it cannot be listed.
    """
    folder = folder.rstrip("/")
    if _systems().get_filesystem(folder).has_dirs():
        found = list(_walked(folder))
    else:
        found = _matched(f"{folder}/**")
    return sorted(found, key=lambda stored: stored.path)


def names_in(folder: str) -> list[str]:
    """Names of what lies in a folder itself, sorted; [] where there is no such folder."""
    if not is_remote(folder):
        return sorted(os.listdir(folder)) if os.path.isdir(folder) else []
    try:
        found = _matched(f"{folder.rstrip('/')}/*")
    except OSError:
        # Some stores refuse to list what is not there.
        return []
    return sorted(posixpath.basename(stored.path) for stored in found)


def exists(path: str) -> bool:
    """Whether there is such a file."""
    return _systems().exists(path) if is_remote(path) else os.path.exists(path)


def read_bytes(path: str) -> bytes:
    """All of a file.  Raises OSError."""
    with _opened(path) as file:
        return file.read()


def lines_of(path: str) -> Iterator[str]:
    """A text, line by line, without the ends of lines.  Raises OSError."""
    with _opened(path) as file:
        for line in file:
            yield line.decode("utf-8").rstrip("\n")


def write_whole(path: str, content: bytes) -> None:
    """Writes a file, which is there as a whole or not at all; one that is there stays."""
    folder, name = path.rsplit("/", 1) if is_remote(path) else os.path.split(path)
    beside = join(folder, _UNFINISHED, f"{secrets.token_hex(8)}-{name}")
    if not is_remote(path):
        os.makedirs(os.path.dirname(beside), exist_ok=True)
        with open(beside, "wb") as file:
            file.write(content)
        os.replace(beside, path)
        return
    systems = _systems()
    with systems.create(beside, compression_type=_plain()) as file:
        file.write(content)
    try:
        systems.rename([beside], [path])
    except OSError:
        # Two workers that did the same one after the other, where a store does not rename over
        # what is there.
        if not exists(path):
            raise
        systems.delete([beside])


def sweep(folder: str) -> None:
    """Removes what writers that have died have left half written in a local folder."""
    shutil.rmtree(os.path.join(folder, _UNFINISHED), ignore_errors=True)


@contextlib.contextmanager
def local_copy(path: str) -> Iterator[str]:
    """A file as a local one, while the block runs: itself, or a copy.

    Raises: Unreachable if it cannot be fetched.
    """
    if not is_remote(path):
        yield path
        return
    with tempfile.TemporaryDirectory(prefix="neurovocal_tf-") as folder:
        here = os.path.join(folder, posixpath.basename(path))
        _fetch(path, here)
        if extension(path) == evtaf.EXTENSION:
            # Its rate stands beside it; where that is missing, the reader says so.
            with contextlib.suppress(Unreachable):
                _fetch(_beside(path), _beside(here))
        yield here


@contextlib.contextmanager
def local_folder(folder: str) -> Iterator[str]:
    """A folder as a local one, while the block runs: itself, or a copy of the files in it, without
    the folders below.
    """
    if not is_remote(folder):
        yield folder
        return
    with tempfile.TemporaryDirectory(prefix="neurovocal_tf-") as here:
        for stored in _matched(f"{folder.rstrip('/')}/*"):
            name = posixpath.basename(stored.path)
            if stored.num_bytes:
                _fetch(stored.path, os.path.join(here, name))
        yield here


@contextlib.contextmanager
def written_through(folder: str) -> Iterator[str]:
    """A folder as a local one to write tables in: itself, or one with what is there of it already,
    whose changes are uploaded when the block ends well.
    """
    with local_folder(folder) as here:
        before = _stamps(here)
        yield here
        if here == folder:
            return
        for name, stamp in sorted(_stamps(here).items()):
            if before.get(name) != stamp:
                with (
                    open(os.path.join(here, name), "rb") as source,
                    _systems().create(join(folder, name), compression_type=_plain()) as target,
                ):
                    shutil.copyfileobj(source, target)


def _stamps(folder: str) -> dict[str, tuple[int, int]]:
    with os.scandir(folder) as entries:
        told = {entry.name: entry.stat() for entry in entries if entry.is_file()}
    return {name: (one.st_ino, one.st_mtime_ns) for name, one in told.items()}


def _fetch(path: str, here: str) -> None:
    try:
        with _opened(path) as source, open(here, "wb") as target:
            shutil.copyfileobj(source, target, 2**20)
    # Clients of stores raise errors of their own.
    except Exception as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        raise Unreachable(f"cannot be fetched: {reason[:200]}") from None


def _beside(path: str) -> str:
    return f"{os.path.splitext(path)[0]}.rec"


def _walked(folder: str) -> Iterator[Stored]:
    """Of a store that lists one folder at a time, and folders as empty files."""
    for stored in _matched(f"{folder}/*"):
        inside: list[Stored] = []
        if not stored.num_bytes:
            # Of an empty file there is nothing to list, which some say with an error.
            with contextlib.suppress(OSError):
                inside = [one for one in _walked(stored.path.rstrip("/")) if one != stored]
        yield from inside or [stored]


def _matched(pattern: str) -> list[Stored]:
    (result,) = _systems().match([pattern])
    return [
        Stored(one.path, one.size_in_bytes, round(one.last_updated_in_seconds * 1e9))
        for one in result.metadata_list
    ]


def _opened(path: str) -> Any:
    if not is_remote(path):
        return open(path, "rb")
    # Whatever its ending: what is compressed is for others to decompress.
    return _systems().open(path, compression_type=_plain())


def _plain() -> str:
    from apache_beam.io.filesystem import CompressionTypes

    return CompressionTypes.UNCOMPRESSED


def _systems() -> Any:
    from apache_beam.io.filesystems import FileSystems

    return FileSystems
