"""Tables of text: a header, a delimiter, and lines of cells.

CSV and Raven's tables are read by it.
"""

import csv
import dataclasses
import io
import os
from collections.abc import Iterator

from neurovocal_tf.annotations.annotation import number, time_s

_DELIMITERS = ",;\t"


@dataclasses.dataclass(frozen=True)
class Row:
    """One line: `cells`, dict of column -> text, and its `place`,
    the file and line for error messages.
    """

    cells: dict[str, str]
    place: str
    decimal_comma: bool

    def text(self, column: str) -> str:
        """A cell, "" where the table has no such column."""
        return self.cells.get(column) or ""

    def time_s(self, column: str) -> float:
        """A cell that must be a time in seconds. Raises ValueError."""
        return time_s(self._plain(column), column, self.place)

    def optional_number(self, column: str) -> float | None:
        """A cell that may be empty: a number, or None. Raises ValueError for anything else."""
        return (
            number(self._plain(column), column, self.place) if self.text(column).strip() else None
        )

    def _plain(self, column: str) -> str:
        text = self.text(column)
        return text.replace(",", ".") if self.decimal_comma else text


def header_of(text: str) -> list[str]:
    """Column names of a table, [] of text that is none;
    its delimiter is whichever the first line has most of.
    """
    first = text.lstrip("\n").split("\n", 1)[0]
    try:
        return [name.strip() for name in next(csv.reader([first], delimiter=_delimiter(first)), [])]
    except csv.Error:
        return []


def rows(text: str, path: str | os.PathLike[str], quoted: bool = True) -> Iterator[Row]:
    """The lines of a table under its header, those without any cell left out.

    Args:
        text: the table.    path: names it in errors.
        quoted: whether a quotation mark at a cell's begin means anything.

    Returns: iterable of `Row`. Raises ValueError for a line with more cells than the
        header, or broken quotes.
    """
    delimiter = _delimiter(text.lstrip("\n").split("\n", 1)[0])
    lines = io.StringIO(text, newline="")
    reader = csv.reader(
        lines,
        delimiter=delimiter,
        quoting=csv.QUOTE_MINIMAL if quoted else csv.QUOTE_NONE,
        strict=True,
    )
    names = None
    try:
        for cells in reader:
            if not any(cell.strip() for cell in cells):
                continue
            if names is None:
                names = [name.strip() for name in cells]
                continue
            place = f"{path}, line {reader.line_num}"
            if any(cell.strip() for cell in cells[len(names) :]):
                raise ValueError(
                    f"{place}: must have {len(names)} cells, as the header. "
                    f"Received: {len(cells)} cells"
                )
            yield Row(dict(zip(names, cells, strict=False)), place, decimal_comma=delimiter == ";")
    except csv.Error as error:
        raise ValueError(f"{path}, line {reader.line_num}: is not a table: {error}.") from None


def _delimiter(line: str) -> str:
    return max(_DELIMITERS, key=line.count)
