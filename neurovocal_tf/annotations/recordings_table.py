"""Tables of facts about recordings, such as days, individuals or contexts."""

import os
from collections.abc import Mapping

from neurovocal_tf.annotations import names, table
from neurovocal_tf.annotations.text import decode

_MOST_NAMED = 3


def values_of(
    path: str | os.PathLike[str],
    column: str,
    recordings: Mapping[str, str],
    setting: str = "group_column",
) -> tuple[dict[str, str], list[str]]:
    """What a table says of each recording that it names.

    Args:
        path: table with a column `file`, names of recordings as annotations have them.
        column: name of the column that is wanted.    recordings: dict of name -> path.
        setting: that names the column.

    Returns: dict of recording's name -> value, without those that are not in the table or whose
        cell is empty; and sentences for the user.

    Raises: ValueError, one line: there is no such table or column, no recording of it is there, or
        one has two values.
    """
    if not os.path.isfile(path):
        raise ValueError(
            "`recordings_table` must be a table with a column file, and there is no such file. "
            f"Received: recordings_table={os.fspath(path)}"
        )
    text, _ = decode(os.fspath(path))
    header = table.header_of(text)
    for flag, wanted, given in (
        ("recordings_table", "file", os.fspath(path)),
        (setting, column, column),
    ):
        if wanted not in header:
            raise ValueError(
                f"`{flag}` must name a column of the table: {', '.join(header) or 'it has none'}"
                f". Received: {flag}={given}"
            )
    known = names.Recordings(tuple(recordings.values()))
    name_of = {where: name for name, where in recordings.items()}
    found: dict[str, str] = {}
    absent: list[str] = []
    for row in table.rows(text, os.fspath(path)):
        said, value = row.text("file").strip(), row.text(column).strip()
        meant, *_ = known.meant(said, os.fspath(path))
        if meant is None:
            absent.append(said)
        elif value:
            name = name_of[meant]
            if found.setdefault(name, value) != value:
                raise ValueError(
                    f"{row.place}: {said} must have one {column}. "
                    f"Received: {found[name]} and {value}"
                )
    if not found:
        raise ValueError(
            "`recordings_table` must name recordings of the folder, and names none. "
            f"Received: recordings_table={os.fspath(path)}"
        )
    notes = []
    if absent:
        first = ", ".join(absent[:_MOST_NAMED])
        notes.append(f"{len(absent)} recordings of the table are not in the folder: {first}")
    left = [name for name in recordings if name not in found]
    if left:
        first = ", ".join(left[:_MOST_NAMED])
        notes.append(f"{len(left)} of {len(recordings)} recordings have no {column}: {first}")
    return found, notes
