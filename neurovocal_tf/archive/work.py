"""What a worker does: the recordings of a part, one after another."""

import contextlib
import dataclasses
import hashlib
import json

from neurovocal_tf.archive import calls, parts, stores
from neurovocal_tf.archive.catalogue import Entry
from neurovocal_tf.archive.parts import Cell, Part, Record
from neurovocal_tf.audio import identity
from neurovocal_tf.audio.unreadable import UnreadableRecording
from neurovocal_tf.config import Config
from neurovocal_tf.segmentation import (
    begun_with,
    file_rows,
    known_recordings,
    refinement,
    tables,
)
from neurovocal_tf.segmentation.segmented_file import segment_file


@dataclasses.dataclass(frozen=True)
class Work:
    """What is to be found, and where it goes; all of it as text, for it travels to other machines.

    Attributes:
        out_dir: folder of the results.    config: JSON of a `Config`.
        refined: JSON of a `Refinement`, or "".
        judged_by: JSON of `calls.JudgedBy`, or "" where calls are only looked for.
    """

    out_dir: str
    config: str
    refined: str = ""
    judged_by: str = ""

    @property
    def settings(self) -> str:
        """Digest of all that says what is found; where it goes does not."""
        config = begun_with.counted_settings(Config.from_json(self.config))
        judged = calls.JudgedBy.from_json(self.judged_by).settings if self.judged_by else []
        told = json.dumps([config, self.refined, judged])
        return hashlib.blake2b(told.encode(), digest_size=12).hexdigest()

    def to_json(self) -> str:
        """The work as text."""
        return json.dumps(dataclasses.astuple(self))

    @classmethod
    def from_json(cls, text: str) -> "Work":
        """What `to_json` gave."""
        return cls(*json.loads(text))


class Worker:
    """Does parts of a `Work`; what it needs for that is read once.

    Raises: ValueError if a model or call types cannot be read.
    """

    def __init__(self, work: Work) -> None:
        self._out_dir = work.out_dir
        self._config = Config.from_json(work.config)
        self._refinement = refinement.from_json(work.refined) if work.refined else None
        self._judge = (
            calls.Judge(calls.JudgedBy.from_json(work.judged_by), self._config)
            if work.judged_by
            else None
        )

    def do(self, part: Part) -> None:
        """Does a part, unless it is done."""
        if not parts.is_done(part, self._out_dir):
            parts.write(part, map(self._record, part.entries), self._out_dir)

    def _record(self, entry: Entry) -> Record:
        told = entry.name, entry.num_bytes, entry.modified_ns
        with contextlib.ExitStack() as stack:
            try:
                path = stack.enter_context(stores.local_copy(entry.path))
                rows = self._rows(entry, path)
            except UnreadableRecording as reason:
                return Record(*told, str(reason), True, {})
            except stores.Unreachable as reason:
                return Record(*told, str(reason), False, {})
            except OSError as error:
                return Record(*told, file_rows.reason_of(entry.path, error), False, {})
        return Record(*told, "", True, rows)

    def _rows(self, entry: Entry, path: str) -> dict[str, list[list[Cell]]]:
        found = segment_file(path, self._config, refinement=self._refinement)
        of_file = file_rows.rows_of(entry.name, entry.name, entry.num_bytes, found)
        rows: dict[str, list[list[Cell]]] = {
            "annotations.csv": [list(tables.row_of(a)) for a in of_file.segments],
            "files.csv": [file_rows.files_csv(of_file.file, of_file.dropped)],
            "dropped.csv": [
                list(row) for row in file_rows.dropped_csv(entry.name, of_file.dropped)
            ],
        }
        if path == entry.path:
            # A copy's own time says nothing of what it is a copy of.
            known = identity.identity_of(path)
            rows["recordings.csv"] = [known_recordings.row_of(entry.name, known)]
        if self._judge:
            rows["calls.csv"] = self._judge.rows(path, of_file.segments)
        return rows
