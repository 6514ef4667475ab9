"""Files wherever Apache Beam reads them: gs://, s3://, hdfs://, azfs://, and local ones.

A reader of sound wants a local file, so that what is elsewhere is copied for as long as it is read.
Beam is imported for what is remote alone.
"""

import contextlib
import importlib
import io
import logging
import os
import posixpath
import re
import secrets
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, BinaryIO
from urllib.parse import urlsplit

from neurovocal_tf import files
from neurovocal_tf.audio import evtaf
from neurovocal_tf.audio.decoders import extension

_REMOTE = re.compile(r"([a-zA-Z][-a-zA-Z0-9+.]*)://")
# Of each store what Beam calls the extra that brings its client, and a module of that.
_CLIENTS = {
    "gs": ("gcp", "google.cloud.storage"),
    "s3": ("aws", "boto3"),
    "hdfs": ("hadoop", "hdfs"),
    "azfs": ("azure", "azure.storage.blob"),
}
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
    """Raises ValueError, one line, where a path's store cannot be asked."""
    if not is_remote(path):
        return
    scheme = path.split("://")[0]
    extra, client = _CLIENTS.get(scheme, ("", ""))
    try:
        if client:
            importlib.import_module(client)
        _systems().get_filesystem(path)
        return
    except ImportError:
        told = f"pip install 'apache-beam[{extra}]' brings its client"
    except (ValueError, OSError) as error:
        known = ", ".join(f"{name}://" for name in _CLIENTS)
        told = f"{error}, which --beam tells" if extra else f"Beam reads {known} and local folders"
    raise ValueError(
        f"`{setting}` must be a place that can be read here, and {scheme}:// is none: {told}. "
        f"Received: {setting}={path}"
    )


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
        found = _listed(folder)
    return sorted(found, key=lambda stored: stored.path)


def names_in(folder: str) -> list[str]:
    """Names of what lies in a folder itself, sorted; [] where there is no such folder."""
    if not is_remote(folder):
        return sorted(os.listdir(folder)) if os.path.isdir(folder) else []
    try:
        return sorted(posixpath.basename(stored.path) for stored in _in_itself(folder))
    except OSError:
        # Some stores refuse to list what is not there.
        return []


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
    """Writes a file, which takes the place of what is there as a whole or not at all."""
    if is_remote(path):
        _upload(io.BytesIO(content), path)
        return
    beside = _beside(path)
    os.makedirs(os.path.dirname(beside), exist_ok=True)
    with open(beside, "wb") as file:
        file.write(content)
    os.replace(beside, path)


def write_text(path: str, text: str) -> None:
    """Writes UTF-8 text, as a whole or not at all; its folder is there."""
    if is_remote(path):
        write_whole(path, text.encode("utf-8"))
    else:
        files.write_text(path, text)


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
                _fetch(_with_rate(path), _with_rate(here))
        yield here


@contextlib.contextmanager
def local_folder(folder: str) -> Iterator[str]:
    """A folder as a local one, while the block runs: itself, or a copy of the files in it, without
    the folders below.

    Raises: ValueError, one line, if it holds nothing, or cannot be fetched. One that the block
        raises about the copy is about the folder.
    """
    if not is_remote(folder):
        yield folder
        return
    with tempfile.TemporaryDirectory(prefix="neurovocal_tf-") as here:
        stored = [one for one in _in_itself(folder) if one.num_bytes]
        if not stored:
            raise ValueError(f"{folder} must be a folder that holds files, and there are none")
        for one in stored:
            try:
                _fetch(one.path, os.path.join(here, posixpath.basename(one.path)))
            except Unreachable as reason:
                raise ValueError(f"{one.path} {reason}") from None
        try:
            yield here
        except ValueError as error:
            raise ValueError(str(error).replace(here, folder)) from error


@contextlib.contextmanager
def written_through(folder: str, first: str) -> Iterator[str]:
    """A folder as a local one to write tables in: itself, or one with what is there of it already,
    whose changes are uploaded when the block ends well.

    Args:
        folder: local or remote.    first: name of the file that goes before all others.
    """
    with local_folder(folder) as here:
        before = _stamps(here)
        yield here
        if here == folder:
            return
        changed = [name for name, stamp in _stamps(here).items() if before.get(name) != stamp]
        # What has got another name is there under that before something else takes its place.
        for name in sorted(changed, key=lambda name: (name != first, name in before, name)):
            with open(os.path.join(here, name), "rb") as source:
                _upload(source, join(folder, name))


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


def _with_rate(path: str) -> str:
    """The file of EvTAF that tells a recording's rate."""
    return f"{os.path.splitext(path)[0]}.rec"


def _upload(source: BinaryIO, path: str) -> None:
    systems, beside = _systems(), _beside(path)
    with systems.create(beside, compression_type=_plain()) as target:
        shutil.copyfileobj(source, target)
    try:
        systems.rename([beside], [path])
    except OSError:
        # Some stores do not rename over what is there.
        if not exists(path):
            raise
        systems.delete([path])
        systems.rename([beside], [path])


def _beside(path: str) -> str:
    """Where a file lies that is not whole yet, under a name of its own."""
    folder, name = path.rsplit("/", 1) if is_remote(path) else os.path.split(path)
    return join(folder, _UNFINISHED, f"{secrets.token_hex(8)}-{name}")


def _walked(folder: str) -> Iterator[Stored]:
    """Of a store that lists one folder at a time, and folders as empty files."""
    for stored in _listed(folder):
        inside: list[Stored] = []
        if not stored.num_bytes:
            # Of an empty file there is nothing to list, which some say with an error.
            with contextlib.suppress(OSError):
                inside = [one for one in _walked(stored.path.rstrip("/")) if one != stored]
        yield from inside or [stored]


def _in_itself(folder: str) -> list[Stored]:
    """What lies in a folder itself; folders in it may be among that."""
    folder = folder.rstrip("/")
    return [one for one in _listed(folder) if posixpath.dirname(one.path) == folder]


def _listed(folder: str) -> list[Stored]:
    """What a store tells of a folder: of one that has no folders, all that is below, too."""
    # The `match` of `FileSystems` takes *, ? and [ in names for a pattern, and nothing quotes them.
    found = _systems().get_filesystem(folder)._list(f"{folder}/")
    return [
        Stored(one.path, one.size_in_bytes, round(one.last_updated_in_seconds * 1e9))
        for one in found
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
