"""annotations.csv of a segmented folder.

Once people have changed it, it is theirs and stays as it is; what is found from then on goes to
annotations_2.csv, and so on.
"""

import csv
import itertools
import os
from collections.abc import Callable, Iterable, Iterator, Mapping

from neurovocal_tf import files
from neurovocal_tf.annotations import Annotation, csv_table, matching
from neurovocal_tf.segmentation.written_files import WrittenFiles

COLUMNS = (*csv_table.COLUMNS, "score")
_TO_GIVE_UP = "--overwrite gives up what people have changed"


class Tables:
    """Segments by recording, in the tables of one folder.

    Args:
        folder: where the tables are.    written: what has been written there.
        paths: dict of recording's name -> path.
        places: as of `Reports`.
        length_of: as `matching.match` takes it.

    Attributes:
        found: dict of recording's name -> list of `Annotation`, as the detector found them.
        by_hand: the same of the recordings in tables that people have changed, as they have them.
        notes: sentences for the user.

    Raises: ValueError if a table that people have changed cannot be read.
    """

    def __init__(
        self,
        folder: str,
        written: WrittenFiles,
        paths: Mapping[str, str],
        places: Mapping[str, str],
        length_of: Callable[[str], matching.Length | None],
    ) -> None:
        self._folder, self._written, self._paths = folder, written, paths
        self._length_of = length_of
        self.found: dict[str, list[Annotation]] = {}
        self.by_hand: dict[str, list[Annotation]] = {}
        self.notes: list[str] = []
        # Recordings whose segments are in the table that is written to.
        self._saved: set[str] = set()
        self._changed: set[str] = set()
        names = {places[name]: name for name in paths}
        for table in self._tables():
            if written.is_changed(table):
                self._take_over(table)
            if not written.is_as_written(table):
                continue
            for annotation in _rows(os.path.join(folder, table)):
                if annotation.file in names:
                    self.found.setdefault(names[annotation.file], []).append(annotation)
        self._saved = set(self.found)

    @property
    def is_any_changed(self) -> bool:
        """Whether people have changed any of the tables."""
        return bool(self._changed)

    def segments(self, name: str) -> list[Annotation]:
        """The segments of a recording: people's where they have changed them."""
        return self.by_hand[name] if name in self.by_hand else self.found.get(name, [])

    def save(self, finished: Iterable[str]) -> None:
        """Writes the segments of the recordings that are finished, sorted by name."""
        for table in self._tables():
            if table not in self._changed and self._written.is_changed(table):
                self._take_over_while_running(table)
        kept = [name for name in finished if name not in self.by_hand]
        target = next(table for table in _table_names() if table not in self._changed)
        rows = [row for name in kept for row in self.found.get(name, [])]
        if rows or not self._changed or os.path.exists(os.path.join(self._folder, target)):
            self._written.write(target, lambda path: _write(path, rows))
        for table in self._tables():
            if table != target and table not in self._changed:
                self._written.remove(table)
        self._saved = set(kept)

    def _take_over(self, table: str) -> None:
        """What people have changed is theirs from now on."""
        path = os.path.join(self._folder, table)
        self._changed.add(table)
        self.notes.append(
            f"{path} has been changed since it was written, and is kept as it is; what is new goes "
            f"to {next(t for t in _table_names() if t not in self._changed)}. {_TO_GIVE_UP}"
        )
        try:
            matched = matching.match(path, self._paths.values(), "out", length_of=self._length_of)
        except ValueError as error:
            raise ValueError(f"{error} {_TO_GIVE_UP}.") from None
        self.notes += matched.notes(path)
        names = {path: name for name, path in self._paths.items()}
        for recording, annotations in matched.of.items():
            self.by_hand[names[recording]] = list(annotations)

    def _take_over_while_running(self, table: str) -> None:
        """The same for a table that was changed while others were being found.

        Whatever it has become, the recordings that were in it are not written again.
        """
        try:
            self._take_over(table)
        except ValueError as error:
            self.notes.append(str(error))
            self.by_hand |= {name: self.found.get(name, []) for name in self._saved}
        else:
            for name in self._saved:
                self.by_hand.setdefault(name, [])

    def _tables(self) -> list[str]:
        """Those that are there; somebody may have removed the first."""
        names = set(os.listdir(self._folder))
        return [table for table in itertools.islice(_table_names(), 1000) if table in names]


def is_as_written(path: str, counts: Mapping[str, int]) -> bool:
    """Whether a table that was written before hashes were kept is as it was: without labels, and
    with as many segments of each place of a recording as `counts` says.
    """
    try:
        rows = _rows(path)
    except (ValueError, KeyError):
        return False
    found = dict.fromkeys(counts, 0)
    for row in rows:
        if row.label or row.file not in found:
            return False
        found[row.file] += 1
    return found == dict(counts)


def _table_names() -> Iterator[str]:
    yield "annotations.csv"
    for number in itertools.count(2):
        yield f"annotations_{number}.csv"


def _rows(path: str) -> list[Annotation]:
    with open(path, newline="", encoding="utf-8") as file:
        return [
            Annotation(
                row["file"],
                float(row["onset_s"]),
                float(row["offset_s"]),
                row["label"],
                score=float(row["score"]),
            )
            for row in csv.DictReader(file)
        ]


def row_of(annotation: Annotation) -> tuple[str, str, str, str, str]:
    """A row under `COLUMNS`, of a segment that has a score."""
    a = annotation
    return a.file, f"{a.onset_s:.6f}", f"{a.offset_s:.6f}", a.label, f"{a.score:.2f}"


def _write(path: str, annotations: Iterable[Annotation]) -> None:
    files.write_csv(path, COLUMNS, map(row_of, annotations))
