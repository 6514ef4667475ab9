"""What is done of an archive: a file for some recordings each, which is there as a whole or not at
all.

A worker does a part of the recordings at a time, and writes the part's file when it is done. The
file's name depends on the recordings and the settings, and its content on nothing else: of a worker
that was lost, a part is done again, and whoever does a part that is done writes the same. A part in
which a store or a disk has failed is written anew. The first line of a file tells what it is of,
each further line is a recording's `Record`, sorted by name.
"""

import dataclasses
import hashlib
import heapq
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from neurovocal_tf.archive import stores
from neurovocal_tf.archive.catalogue import Entry

FOLDER = "parts"
_ENDING = ".jsonl"
_VERSION = 1
# So small that little is lost with a worker, so large that there are not too many files to list.
_LEAST_RECORDINGS, _MOST_PARTS = 32, 2000
_SMALLER = 8
Cell = str | int


@dataclasses.dataclass(frozen=True)
class Record:
    """What was found in one recording.

    Attributes:
        name, num_bytes, modified_ns: as of its `Entry`.
        skipped: why it has no rows; "" where it has.
        is_final: whether it would be the same again: not where the store or the disk failed.
        rows: dict of table -> rows, whose first cell is the name.
    """

    name: str
    num_bytes: int
    modified_ns: int
    skipped: str
    is_final: bool
    rows: dict[str, list[list[Cell]]]


@dataclasses.dataclass(frozen=True)
class Part:
    """Recordings that are done by one worker.

    Attributes:
        entries: sorted by name.    settings: digest of what says what is found.
    """

    entries: tuple[Entry, ...]
    settings: str

    @property
    def file(self) -> str:
        """Name of the part's file."""
        told = json.dumps([self.settings, *(dataclasses.astuple(e) for e in self.entries)])
        return hashlib.blake2b(told.encode(), digest_size=12).hexdigest() + _ENDING

    def to_json(self) -> str:
        """The part as a line of text."""
        return json.dumps([self.settings, [dataclasses.astuple(e) for e in self.entries]])

    @classmethod
    def from_json(cls, text: str) -> "Part":
        """What `to_json` gave."""
        settings, entries = json.loads(text)
        return cls(tuple(Entry(*entry) for entry in entries), settings)


def planned(entries: Sequence[Entry], settings: str, num_losses: int = 0) -> list[Part]:
    """Recordings, sorted by name, as parts.

    Args:
        entries: of them.    settings: as of `Part`.
        num_losses: how often in turn workers were lost with no part done. Parts are the smaller
            then, so that a recording that ends its worker holds up fewer others.
    """
    size = max(_LEAST_RECORDINGS, -(-len(entries) // _MOST_PARTS))
    size = max(size // _SMALLER**num_losses, 1)
    return [
        Part(tuple(entries[first : first + size]), settings)
        for first in range(0, len(entries), size)
    ]


def path_of(part: Part, out_dir: str) -> str:
    """Where the file of a part is."""
    return stores.join(out_dir, FOLDER, part.file)


def is_done(part: Part, out_dir: str) -> bool:
    """Whether a part need not be done again: its file is there, and nothing has failed in it that
    may go well another time.
    """
    path = path_of(part, out_dir)
    if not stores.exists(path):
        return False
    return all(is_final for *_, is_final in _head_of(path)["recordings"])


def write(part: Part, records: Iterable[Record], out_dir: str) -> None:
    """Writes the file of a part, in the place of what is there."""
    records = list(records)
    index = [[r.name, r.num_bytes, r.modified_ns, r.is_final] for r in records]
    head = {"version": _VERSION, "settings": part.settings, "recordings": index}
    lines = [head, *(dataclasses.astuple(record) for record in records)]
    text = "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines)
    stores.write_whole(path_of(part, out_dir), text.encode("utf-8"))


@dataclasses.dataclass(frozen=True)
class Done:
    """Which recordings are done, and where.

    Attributes:
        files: dict of name -> name of the part's file that counts for it.
        final: names of those that need not be done again.
    """

    files: dict[str, str]
    final: frozenset[str]


def done(out_dir: str, entries: Mapping[str, Entry], settings: str) -> Done:
    """What is done of some recordings as they are now, with some settings.

    Raises: ValueError if a part's file is none.
    """
    found: dict[str, str] = {}
    final: set[str] = set()
    folder = stores.join(out_dir, FOLDER)
    for file in stores.names_in(folder):
        if not file.endswith(_ENDING):
            continue
        head = _head_of(stores.join(folder, file))
        for name, *stamp, is_final in head["recordings"] if head["settings"] == settings else ():
            entry = entries.get(name)
            if entry is None or [entry.num_bytes, entry.modified_ns] != stamp or name in final:
                continue
            found[name] = file
            if is_final:
                final.add(name)
    return Done(found, frozenset(final))


def records(out_dir: str, known: Done) -> Iterator[Record]:
    """The records that count, sorted by name. Parts are open while their names go by: of what was
    done in one go, one at a time.
    """
    begins: dict[str, str] = {}
    for name, file in known.files.items():
        begins[file] = min(name, begins.get(file, name))
    waiting = sorted(((name, file) for file, name in begins.items()), reverse=True)
    # A name is in one file alone, so that no two records are compared.
    heads: list[tuple[str, Record, Iterator[Record]]] = []
    while waiting or heads:
        while waiting and (not heads or waiting[-1][0] <= heads[0][0]):
            _advance(_records_of(out_dir, waiting.pop()[1], known), heads)
        _, record, rest = heapq.heappop(heads)
        yield record
        _advance(rest, heads)


def _advance(rest: Iterator[Record], heads: list[tuple[str, Record, Iterator[Record]]]) -> None:
    record = next(rest, None)
    if record is not None:
        heapq.heappush(heads, (record.name, record, rest))


def _records_of(out_dir: str, file: str, known: Done) -> Iterator[Record]:
    path = stores.join(out_dir, FOLDER, file)
    lines = stores.lines_of(path)
    head = _read(path, next(lines, ""))
    for name, *_ in head["recordings"]:
        line = next(lines, "")
        if known.files.get(name) == file:
            yield Record(*_read(path, line))


def _head_of(path: str) -> dict[str, Any]:
    head = _read(path, next(stores.lines_of(path), ""))
    if not isinstance(head, dict) or head.get("version") != _VERSION:
        raise ValueError(f"{path} must be a part of this version: remove it to do it again")
    return head


def _read(path: str, line: str) -> Any:
    try:
        return json.loads(line)
    except ValueError:
        raise ValueError(f"{path} must be a part that is whole: remove it to do it again") from None
