"""What the recordings of an output folder were when they were segmented, in recordings.csv."""

import csv
import dataclasses
import os
from collections.abc import Iterable, Mapping

from neurovocal_tf import files
from neurovocal_tf.audio import identity
from neurovocal_tf.audio.identity import Identity
from neurovocal_tf.segmentation.reports import with_names

_NAME = "recordings.csv"
_FIELDS = tuple(field.name for field in dataclasses.fields(Identity))
COLUMNS = ("file", *_FIELDS)
_TEXTS = ("content", "sample")


class KnownRecordings:
    """Identities of recordings by name, kept in an output folder.

    Args:
        out_dir: the folder.    places: as of `Reports`.
    """

    def __init__(self, out_dir: str, places: Mapping[str, str]) -> None:
        self._path, self._places = os.path.join(out_dir, _NAME), places
        self._known = dict(_rows(self._path, places))
        results = os.path.join(out_dir, "files.csv")
        self._results_ns = os.stat(results).st_mtime_ns if os.path.exists(results) else 0

    def difference(self, name: str, path: str, num_bytes: str) -> str:
        """How a recording differs from the one of this name that was segmented, in words; "" where
        it is the same.

        Args:
            name: of the recording.    path: of its file now.
            num_bytes: its size then, as text. Results of earlier versions know no more: there a
                file is the same whose size is, and which is older than they are.
        """
        known = self._known.get(name)
        if known is not None:
            return identity.difference(path, known)
        size, modified_ns = identity.stamp_of(path)
        is_same = str(size) == num_bytes and modified_ns <= self._results_ns
        return "" if is_same else "is another recording"

    def keep(self, name: str, known: Identity) -> None:
        """Remembers what a recording is that has just been segmented."""
        self._known[name] = known

    def take(self, name: str, other: "KnownRecordings") -> None:
        """Remembers what another folder does of a recording."""
        if name in other._known:
            self._known[name] = other._known[name]

    def content(self, name: str) -> str:
        """Digest of a recording's content; "" where nothing is known of it."""
        return self._known[name].content if name in self._known else ""

    def save(self, names: Iterable[str]) -> None:
        """Writes what is known of these recordings."""
        rows = (
            row_of(self._places[name], self._known[name]) for name in names if name in self._known
        )
        files.write_csv(self._path, COLUMNS, rows)


def row_of(place: str, known: Identity) -> list[str | int]:
    """A row under `COLUMNS`."""
    return [place, *(getattr(known, field) for field in _FIELDS)]


def _rows(path: str, places: Mapping[str, str]) -> Iterable[tuple[str, Identity]]:
    """Names and identities, as far as the file is whole: whoever is not in it is looked at anew."""
    if not os.path.exists(path):
        return
    with open(path, newline="", encoding="utf-8", errors="replace") as file:
        whole = [row for row in csv.DictReader(file) if _identity(row) is not None]
    for row in with_names(whole, places):
        known = _identity(row)
        if known is not None:
            yield row["file"], known


def _identity(row: Mapping[str, str]) -> Identity | None:
    try:
        values = {name: row[name] if name in _TEXTS else int(row[name]) for name in _FIELDS}
        return Identity(**values)  # type: ignore[arg-type]
    except (KeyError, TypeError, ValueError):
        return None
