"""Tables that are made anew each time: files.csv, dropped.csv, skipped.csv, scores.csv.

What people have made of one, such as a column of their own, is kept under another name.
"""

import os
from collections.abc import Iterable, Mapping, Sequence

from neurovocal_tf import files
from neurovocal_tf.annotations import table
from neurovocal_tf.annotations.text import decode
from neurovocal_tf.segmentation.written_files import WrittenFiles

_NAMES = ("files.csv", "dropped.csv", "skipped.csv", "scores.csv")


class Reports:
    """The reports of one folder.

    Args:
        folder: where they are.    written: what has been written there.
        overwrite: whether what people have changed is given up.
        places: dict of recording's name -> what the column `file` calls it, see `files.place_in`.

    Attributes:
        notes: sentences for the user.
    """

    def __init__(
        self, folder: str, written: WrittenFiles, overwrite: bool, places: Mapping[str, str]
    ) -> None:
        self._folder, self._written, self._overwrite = folder, written, overwrite
        self._places = places
        self.notes: list[str] = []

    def rows(self, name: str, columns: Sequence[str]) -> list[dict[str, str]]:
        """What an earlier start wrote, whatever a spreadsheet made of it, `file` as the name of a
        recording; [] if it wrote nothing.

        Raises ValueError if it has not those columns any more.
        """
        path = os.path.join(self._folder, name)
        if not os.path.exists(path):
            return []
        text, _ = decode(path)
        missing = sorted(set(columns) - set(table.header_of(text)))
        if missing and self._overwrite:
            return []
        if missing:
            raise ValueError(
                f"{path}, line 1: must have a column {missing[0]}, as it was written. "
                "--overwrite gives up what people have changed."
            )
        rows = [{column: row.text(column) for column in columns} for row in table.rows(text, path)]
        return with_names(rows, self._places)

    def write(self, name: str, columns: Sequence[str], rows: Iterable[Iterable[object]]) -> None:
        """Writes a report.

        Args:
            name: of its file.    columns: `file` is the first.
            rows: `file` as the name of a recording, or as it is where it is none.
        """
        placed = [(self._places.get(str(file), file), *others) for file, *others in rows]
        aside = self._written.write_beside_changed(
            name, lambda path: files.write_csv(path, columns, placed)
        )
        if aside:
            self.notes.append(
                f"{os.path.join(self._folder, name)} had been changed since it was written: what "
                f"it was then is now {aside}"
            )

    def adopt(self) -> None:
        """Takes those that were written before hashes were kept for what they are."""
        for name in _NAMES:
            self._written.adopt(name)


def with_names(rows: list[dict[str, str]], places: Mapping[str, str]) -> list[dict[str, str]]:
    """Rows of a table with the names of recordings in the place of what `file` calls them; tables
    of earlier versions have the names themselves.

    Args:
        rows: dicts with a `file`.    places: dict of name -> what `file` calls it.
    """
    names = {place: name for name, place in places.items()}
    if any(row["file"] in places and row["file"] not in names for row in rows):
        return rows
    return [row | {"file": names.get(row["file"], row["file"])} for row in rows]
