"""What a command has written into a folder, by the hash of each file: what people have changed
since is theirs.

The hashes are appended to written.csv before a file takes its place, so that whatever a crash
leaves there is known.
"""

import csv
import hashlib
import os
from collections.abc import Callable
from typing import Any

from neurovocal_tf import files

NAME = "written.csv"
_COLUMNS = ("file", "sha256")
# Names of files need not be UTF-8.
_ENCODING: dict[str, Any] = {"encoding": "utf-8", "errors": "surrogateescape"}


class WrittenFiles:
    """The files of one folder.

    Args:
        folder: where they are.
        overwrite: whether what people have changed is given up.

    Attributes:
        overwrite: the same.    is_new: whether the folder keeps no hashes yet.
    """

    def __init__(self, folder: str, overwrite: bool = False) -> None:
        self._folder, self.overwrite = folder, overwrite
        self._hashes: dict[str, set[str]] = {}
        self.is_new = not os.path.exists(self._path(NAME))
        if not self.is_new:
            with open(self._path(NAME), newline="", **_ENCODING) as file:
                # The last line may have been cut off.
                for row in csv.reader(file):
                    if len(row) == len(_COLUMNS):
                        self._hashes.setdefault(row[0], set()).add(row[1])

    def is_as_written(self, name: str) -> bool:
        """Whether a file that is there has not been changed."""
        return _hash_of(self._path(name)) in self._hashes.get(name, ())

    def is_changed(self, name: str) -> bool:
        """Whether a file is there that is not as it was written, and is not to be given up."""
        is_there = os.path.exists(self._path(name))
        return not self.overwrite and is_there and not self.is_as_written(name)

    def adopt(self, name: str) -> None:
        """Takes a file as it is for one that was written."""
        if os.path.exists(self._path(name)):
            self._add(name, _hash_of(self._path(name)))

    def write(self, name: str, write: Callable[[str], object]) -> None:
        """Replaces a file in one step.

        Args:
            name: relative to the folder.    write: function that writes it to a path.
        """
        with files.replacing(self._path(name)) as temporary:
            write(temporary)
            self._add(name, _hash_of(temporary))

    def write_unless_changed(self, name: str, write: Callable[[str], object]) -> bool:
        """As `write`, and whether it did: not where the file is changed."""
        if self.is_changed(name):
            return False
        self.write(name, write)
        return True

    def write_beside_changed(self, name: str, write: Callable[[str], object]) -> str:
        """As `write`; a file that is changed gets another name, which is returned, else ""."""
        aside = ""
        if self.is_changed(name):
            stem, extension = os.path.splitext(name)
            aside = f"{stem}_changed{extension}"
            number = 2
            while os.path.exists(self._path(aside)):
                aside, number = f"{stem}_changed_{number}{extension}", number + 1
            os.rename(self._path(name), self._path(aside))
        self.write(name, write)
        return aside

    def remove(self, name: str) -> None:
        """Removes a file."""
        os.unlink(self._path(name))

    def _add(self, name: str, digest: str) -> None:
        known = self._hashes.setdefault(name, set())
        if digest in known:
            return
        known.add(digest)
        is_begun = os.path.exists(self._path(NAME))
        with open(self._path(NAME), "a", newline="", **_ENCODING) as file:
            writer = csv.writer(file, lineterminator="\n")
            if not is_begun:
                writer.writerow(_COLUMNS)
            writer.writerow((name, digest))

    def _path(self, name: str) -> str:
        return os.path.join(self._folder, name)


def _hash_of(path: str) -> str:
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        for block in iter(lambda: file.read(2**20), b""):
            digest.update(block)
    return digest.hexdigest()
