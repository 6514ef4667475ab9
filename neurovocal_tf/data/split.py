"""Which recordings train and which are held out, where somebody has listed them.

A list is a text file of names of recordings, or patterns such as `day_1/*.wav`, relative to the
data folder, one a line; lines that begin with # are comments. Or it is `TABLE.csv:COLUMN=VALUE`:
the recordings that the column `file` of a table names, relative to the data folder too or to the
table's own, in the rows with that value in that column.
"""

import dataclasses
import glob
import os
import re
from collections.abc import Callable, Iterable, Mapping, Sequence

from neurovocal_tf.annotations import table
from neurovocal_tf.annotations.text import decode
from neurovocal_tf.audio import listing
from neurovocal_tf.config import DataConfig

_OF_TABLE = re.compile(
    r"(?P<table>.+\.(?:csv|tsv|parquet)):(?P<column>[^=]+)=(?P<value>.*)", re.IGNORECASE
)


@dataclasses.dataclass(frozen=True)
class NamedSplit:
    """Who trains and who validates.

    Attributes:
        training, held_out: frozensets of paths.
        lists: dict of setting -> sorted tuple of the names that its list gives, relative to the
            data folder, of those lists that are given.
        notes: tuple of sentences for the user.
    """

    training: frozenset[str]
    held_out: frozenset[str]
    lists: dict[str, tuple[str, ...]]
    notes: tuple[str, ...]


def is_named(config: DataConfig) -> bool:
    """Whether the settings of the data, `DataConfig`, name a split."""
    return bool(config.train_list or config.held_out_list)


def named_split(config: DataConfig, data_dir: str, paths: Iterable[str]) -> NamedSplit:
    """The split that the settings name.

    Args:
        config: `DataConfig`, with one list at least.
        data_dir: recordings, as `listing.look_at` takes them.
        paths: of all recordings there.

    Returns:
        `NamedSplit`. Where one list is given, all the other recordings are the other part.

    Raises:
        ValueError: a list cannot be read or names what is not there,
            or both name the same recording.
    """
    folder, names = _names_in(data_dir, paths)
    given = {
        setting: getattr(config, setting)
        for setting in ("train_list", "held_out_list")
        if getattr(config, setting)
    }
    places = {setting: _listed(text, setting, names, folder) for setting, text in given.items()}
    training, held_out = (places.get(setting) for setting in ("train_list", "held_out_list"))
    for name in sorted((training or {}).keys() & (held_out or {}).keys()):
        raise ValueError(
            "`held_out_list` must name other recordings than `train_list`. "
            f"Received: {name} in both, {held_out[name]} and {training[name]}"
        )
    listed = set().union(*places.values())
    rest, notes = names.keys() - listed, ()
    if len(places) == 1:
        (setting,) = places
        if not rest:
            raise ValueError(
                f"`{setting}` must leave recordings to the other part. "
                f"Received: {setting}={given[setting]}, which names all"
            )
        what = "are held out" if setting == "train_list" else "train"
        notes = (f"{len(rest)} of {len(names)} recordings are not in {given[setting]} and {what}",)
    elif rest:
        notes = (f"{len(rest)} of {len(names)} recordings are in neither list and are left out",)
    training, held_out = (
        frozenset(names[name] for name in (rest if part is None else part))
        for part in (training, held_out)
    )
    return NamedSplit(
        training,
        held_out,
        {setting: tuple(sorted(part)) for setting, part in places.items()},
        notes,
    )


def listed(text: str, setting: str, data_dir: str, paths: Iterable[str]) -> list[str]:
    """The recordings that one list names, sorted paths.

    Args:
        text: the list's path, or `TABLE.csv:COLUMN=VALUE`.    setting: the name it is given by.
        data_dir: recordings, as `listing.look_at` takes them.    paths: of all recordings there.

    Raises:
        ValueError: as `named_split`.
    """
    folder, names = _names_in(data_dir, paths)
    return sorted(names[name] for name in _listed(text, setting, names, folder))


def check_unchanged(
    before: Mapping[str, Sequence[str]],
    config: DataConfig,
    data_dir: str,
    list_recordings: Callable[[str], Sequence[str]],
) -> None:
    """Raises ValueError where the lists do not name what they named when a run began.

    Args:
        before: dict of setting -> names, `NamedSplit.lists` of then.
        config: `DataConfig` of now.    data_dir: of now.
        list_recordings: function of `data_dir` that gives the paths of all recordings there.
    """
    now = named_split(config, data_dir, list_recordings(data_dir)).lists if is_named(config) else {}
    for setting in ("train_list", "held_out_list"):
        other = sorted(set(before.get(setting, ())) ^ set(now.get(setting, ())))
        if other:
            raise ValueError(
                f"`{setting}` cannot change when a run goes on, and it names others than the run "
                f"began with, such as {other[0]}. Use another --workdir. Received: "
                f"{setting}={getattr(config, setting)}"
            )


def _names_in(data_dir, paths):
    """The data folder, and a dict of name in it -> path, of all recordings."""
    folder = listing.folder_of(data_dir)
    return folder, {os.path.relpath(path, folder): path for path in paths}


def _listed(text, setting, names, folder):
    """Dict of name -> where it is listed, of all that a list names among `names`."""
    found = {}
    in_table = _OF_TABLE.fullmatch(text)
    for pattern, place in (_of_table if in_table else _of_lines)(text, setting):
        matched = _matching(pattern, names, folder)
        if not matched and in_table:
            beside = os.path.join(os.path.dirname(in_table["table"]), pattern)
            matched = {os.path.relpath(os.path.realpath(beside), os.path.realpath(folder))}
            matched &= names.keys()
        if not matched:
            raise ValueError(
                f"`{setting}` must name recordings below the data folder. "
                f"Received: {pattern}, which names none, {place}"
            )
        for name in matched:
            found.setdefault(name, place)
    if not found:
        raise ValueError(
            f"`{setting}` must name a recording. Received: {setting}={text}, which names none"
        )
    return found


def _matching(pattern, names, folder):
    """The names that a line or a cell means."""
    # A name may have the characters of a pattern in it.
    found = {pattern, *glob.glob(pattern, root_dir=folder, recursive=True)}
    return {os.path.relpath(os.path.join(folder, name), folder) for name in found} & names.keys()


def _of_lines(path, setting):
    for number, line in enumerate(_text(path, setting).splitlines(), start=1):
        line = line.strip()
        if line and not line.startswith("#"):
            yield line, f"in line {number} of {path}"


def _of_table(text, setting):
    path, column, value = _OF_TABLE.fullmatch(text).groups()
    content, some = _text(path, setting), False
    header = table.header_of(content)
    for name in ("file", column):
        if name not in header:
            raise ValueError(
                f"`{setting}` must name a table with a column {name}. "
                f"Received: {path} with {', '.join(header) or 'none'}"
            )
    for row in table.rows(content, path):
        if row.text(column).strip() == value:
            some = True
            yield row.text("file").strip(), f"in {row.place}"
    if not some:
        raise ValueError(
            f"`{setting}` must be a value that is in the table. "
            f"Received: {column}={value}, which no row of {path} has"
        )


def _text(path, setting):
    if not os.path.isfile(path):
        raise ValueError(
            f"`{setting}` must be a text file or TABLE.csv:COLUMN=VALUE, and there is no such "
            f"file. Received: {setting}={path}"
        )
    return decode(path)[0]
