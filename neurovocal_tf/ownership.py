"""Who writes into a folder: one living process for each kind of work. What a dead one left half
written is swept by whoever comes next.

A lock is the system's own (flock), which ends with its process, however that ends. Its file says
whose temporary names to sweep, and is gone where a process has ended in order.
"""

import contextlib
import os
import re
import shutil
import socket
import time
from collections.abc import Iterator

from neurovocal_tf import files

try:
    import fcntl
except ImportError:  # Windows has none: there nothing is locked, and nothing swept.
    fcntl = None  # type: ignore[assignment]

_LOCK = re.compile(r"\.neurovocal_tf-.+\.lock")
_TEXT = re.compile(r"writer ([0-9a-f]{8}), process (\d+) on (.+)\n")
_MOST_BYTES = 1000
# An owner that ends, and one that looks whether another is dead, have a lock for a moment.
_TRIES, _BETWEEN_TRIES_S = 5, 0.05


@contextlib.contextmanager
def owned(folder: str | os.PathLike[str], work: str) -> Iterator[None]:
    """The folder belongs to this process, for one kind of work, while the block runs.

    What processes that are dead left in it, of whatever work, is swept first: their temporary
    files and folders, in the folders below too, and nothing else.

    Args:
        folder: one that exists.
        work: a name for a file. Whoever may write beside each other have different ones: an
            evaluation beside a training, the workers of one search.

    Raises:
        ValueError: another living process has the folder for the same work.
    """
    path = os.path.join(folder, f".neurovocal_tf-{work}.lock")
    descriptor = _locked(path, create=True)
    try:
        for name in sorted(os.listdir(folder)):
            if _LOCK.fullmatch(name):
                _sweep_if_dead(folder, os.path.join(folder, name), path, descriptor)
        if descriptor is not None:
            text = f"writer {files.writer()}, process {os.getpid()} on {socket.gethostname()}\n"
            os.pwrite(descriptor, text.encode(), 0)
        yield
    finally:
        if descriptor is not None:
            os.unlink(path)
            os.close(descriptor)


def _locked(path: str, create: bool) -> int | None:
    """Descriptor of a locked file; None where the file system has no locks.

    Raises ValueError if another has the lock, OSError if the file cannot be opened.
    """
    if fcntl is None:
        return None
    tries_left = _TRIES if create else 1
    while True:
        descriptor = os.open(path, os.O_RDWR | (os.O_CREAT if create else 0), 0o666)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            _, process_id, host = _read(descriptor) or ("", "?", "this machine")
            os.close(descriptor)
            tries_left -= 1
            if tries_left:
                time.sleep(_BETWEEN_TRIES_S)
                continue
            raise ValueError(
                f"{os.path.dirname(path)} is being written by another run, process {process_id} "
                f"on {host}: wait until it ends, or choose another folder."
            ) from None
        except OSError:
            # Some file systems over networks have no locks.
            os.close(descriptor)
            if create:
                os.unlink(path)
            return None
        # Its last owner may have removed it between the two calls above.
        if os.path.exists(path) and os.path.samestat(os.fstat(descriptor), os.stat(path)):
            return descriptor
        os.close(descriptor)


def _sweep_if_dead(
    folder: str | os.PathLike[str], path: str, own_path: str, own: int | None
) -> None:
    """Sweeps up behind the owner of a lock, and removes that, unless it is alive."""
    try:
        descriptor = own if path == own_path else _locked(path, create=False)
    except (ValueError, OSError):
        # Its owner lives, or has just gone.
        return
    if descriptor is None:
        return
    found = _read(descriptor)
    if found:
        _sweep(folder, found[0])
        os.ftruncate(descriptor, 0)
    if descriptor != own:
        if found:
            os.unlink(path)
        os.close(descriptor)


def _sweep(folder: str | os.PathLike[str], writer: str) -> None:
    for base, subfolders, names in os.walk(folder):
        for name in names:
            if files.writer_of(name) == writer:
                os.unlink(os.path.join(base, name))
        for name in [name for name in subfolders if files.writer_of(name) == writer]:
            shutil.rmtree(os.path.join(base, name))
            subfolders.remove(name)


def _read(descriptor: int) -> tuple[str, str, str] | None:
    """Writer, process and host of a lock; None where its owner died before it had said so."""
    text = os.pread(descriptor, _MOST_BYTES, 0).decode(errors="replace")
    match = _TEXT.fullmatch(text)
    return (match[1], match[2], match[3]) if match else None
