"""Tables of text: a header, a delimiter, and lines of cells.

CSV, Raven's and Kaleidoscope's tables are read by it.
"""

import csv
import dataclasses
import io
import os
import re
from collections.abc import Iterator

from neurovocal_tf.annotations.annotation import NO_NUMBERS, BadRow, Contents, number

_DELIMITERS = ",;\t"
# How spreadsheets are told the delimiter, in the first line.
_SEP = re.compile(r'\s*"?sep=([,;\t])"?[ ,;]*(?:\n|$)', re.IGNORECASE)


@dataclasses.dataclass(frozen=True)
class Row:
    """One line: `cells`, dict of column -> text, and its `place`,
    the file and line for error messages.
    """

    cells: dict[str, str]
    place: str

    def text(self, column: str) -> str:
        """A cell, "" where the table has no such column."""
        return self.cells.get(column) or "" if column else ""

    def number(self, column: str, what: str = "a number") -> float:
        """A cell that must be a number. Raises BadRow."""
        return number(self.plain(column), column, self.place, what)

    def optional_number(self, column: str) -> float | None:
        """A cell that may be empty: a number, or None. Raises BadRow for anything else."""
        return None if self.is_empty(column) else self.number(column)

    def is_empty(self, column: str) -> bool:
        """Whether a cell that is meant for a number has none."""
        return self.text(column).strip().lower() in NO_NUMBERS

    def plain(self, column: str) -> str:
        """A number as other programs write it: a comma within a cell is that of its decimals, for
        one between cells would not be in it.
        """
        text = self.text(column)
        return text.replace(",", ".") if text.count(",") == 1 and "." not in text else text


def header_of(text: str) -> list[str]:
    """Column names of a table, [] of text that is none;
    its delimiter is whichever the first line has most of, or what `sep=` says.
    """
    delimiter, text = _delimiter_and_table(text)
    first = text.lstrip("\n").split("\n", 1)[0]
    try:
        return [name.strip() for name in next(csv.reader([first], delimiter=delimiter), [])]
    except csv.Error:
        return []


def rows(
    text: str,
    path: str | os.PathLike[str],
    quoted: bool = True,
    contents: Contents | None = None,
) -> Iterator[Row]:
    """The lines of a table under its header, those without any cell left out.

    Args:
        text: the table.    path: names it in errors.
        quoted: whether a quotation mark at a cell's begin means anything.
        contents: where a line is put as bad that has more cells than the header; None: it is
            an error.

    Returns: iterable of `Row`. Raises ValueError for such a line, or broken quotes.
    """
    delimiter, text = _delimiter_and_table(text)
    reader = csv.reader(
        io.StringIO(text, newline=""),
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
                reason = (
                    f"{place}: must have {len(names)} cells, as the header. "
                    f"Received: {len(cells)} cells"
                )
                if contents is None:
                    raise BadRow(reason)
                contents.bad_rows.append(reason)
                continue
            yield Row(dict(zip(names, cells, strict=False)), place)
    except csv.Error as error:
        raise ValueError(f"{path}, line {reader.line_num}: is not a table: {error}.") from None


def _delimiter_and_table(text: str) -> tuple[str, str]:
    """The delimiter, and the table without the line that names it, its other lines in place."""
    said = _SEP.match(text)
    if said:
        return said[1], "\n" * text[: said.end()].count("\n") + text[said.end() :]
    first = text.lstrip("\n").split("\n", 1)[0]
    return max(_DELIMITERS, key=first.count), text
