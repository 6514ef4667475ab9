"""The tables of an archive, of the records of all its recordings: those of `neurovocal segment`,
byte for byte, the same as Parquet, and calls.csv.

Records go by one at a time, so that an archive's tables may be larger than memory.
"""

import contextlib
import functools
import os
import shutil
import tempfile
from collections.abc import Callable, Iterable, Mapping, Sequence

from neurovocal_tf import files
from neurovocal_tf.annotations import parquet
from neurovocal_tf.archive import stores
from neurovocal_tf.archive.catalogue import Catalogue
from neurovocal_tf.archive.parts import Record
from neurovocal_tf.segmentation import file_rows, known_recordings, written_files
from neurovocal_tf.segmentation import tables as segment_tables
from neurovocal_tf.segmentation.written_files import WrittenFiles

CALLS, _RECORDINGS = "calls.csv", "recordings.csv"
# What each record has rows of; skipped.csv is of both records and the listing.
_COLUMNS: dict[str, Sequence[str]] = {
    "annotations.csv": segment_tables.COLUMNS,
    "dropped.csv": file_rows.DROPPED_CSV,
    "files.csv": file_rows.FILES_CSV,
    _RECORDINGS: known_recordings.COLUMNS,
}


def write(
    out_dir: str,
    catalogue: Catalogue,
    records: Iterable[Record],
    call_columns: Sequence[str] = (),
    channel: int | None = None,
) -> tuple[dict[str, float], dict[str, str], list[str]]:
    """Writes all tables into the folder of an archive.

    Args:
        out_dir: the folder.    catalogue: of all recordings.
        records: of those that are done, by name.
        call_columns: of calls.csv; () for none.
        channel: which one was read, as annotations.parquet has it; None: no single one.

    Returns: figures as of `SegmentedFolder.figures`; dict of name -> reason of what has no result;
        names of tables that people had changed, and under which names those are now.
    """
    columns = _COLUMNS | ({CALLS: call_columns} if call_columns else {})
    if catalogue.is_remote:
        # When a file was changed tells nothing of its copy.
        del columns[_RECORDINGS]
    with tempfile.TemporaryDirectory(prefix="neurovocal_tf-") as made:
        figures, skipped = _write_csv(made, columns, catalogue, records)
        # Hashes before what they are of, as there.
        with stores.written_through(out_dir, first=written_files.NAME) as here:
            changed = _put(here, made, channel)
    return figures, skipped, changed


def _write_csv(
    folder: str,
    columns: Mapping[str, Sequence[str]],
    catalogue: Catalogue,
    records: Iterable[Record],
) -> tuple[dict[str, float], dict[str, str]]:
    skipped = dict(catalogue.skipped)
    figures: dict[str, float] = {"num_files": 0, "num_skipped": 0, "num_segments": 0}
    figures |= dict.fromkeys(("duration_s", *file_rows.COUNTED.values()), 0)
    at = {column: place for place, column in enumerate(file_rows.FILES_CSV)}
    with contextlib.ExitStack() as stack:
        put = {name: _table(stack, folder, name, heads) for name, heads in columns.items()}
        for record in records:
            if record.skipped:
                skipped[record.name] = record.skipped
                continue
            figures["num_files"] += 1
            (row,) = record.rows["files.csv"]
            figures["duration_s"] += float(row[at["duration_s"]])
            for column in ("num_segments", *file_rows.COUNTED.values()):
                figures[column] += int(row[at[column]])
            place = catalogue.places[record.name]
            for name in columns:
                for _, *cells in record.rows.get(name, ()):
                    put[name]([place, *cells])
        put_skipped = _table(stack, folder, "skipped.csv", file_rows.SKIPPED_CSV)
        for name, reason in sorted(skipped.items()):
            put_skipped([catalogue.places[name], reason])
    figures["num_skipped"] = len(skipped)
    return figures, skipped


def _table(
    stack: contextlib.ExitStack, folder: str, name: str, heads: Sequence[str]
) -> Callable[[Iterable[object]], None]:
    path = os.path.join(folder, name)
    file = open(path, "w", encoding="utf-8", newline="")  # noqa: SIM115, the stack closes it
    put = files.row_writer(stack.enter_context(file))
    put(heads)
    return put


def _put(here: str, made: str, channel: int | None) -> list[str]:
    """Puts tables in their places, with those of Parquet; what people have changed there goes by
    another name.
    """
    written, changed = WrittenFiles(here), []

    def put(name: str, write: Callable[[str], object]) -> None:
        aside = written.write_beside_changed(name, write)
        if aside:
            changed.append(f"{os.path.join(here, name)}, which is {aside} now")

    for name in sorted(os.listdir(made)):
        source = os.path.join(made, name)
        if name == _RECORDINGS:
            with files.replacing(os.path.join(here, name)) as temporary:
                shutil.copyfile(source, temporary)
            continue
        put(name, functools.partial(shutil.copyfile, source))
        constants = {"channel": channel} if name == "annotations.csv" else {}
        put(
            os.path.splitext(name)[0] + parquet.EXTENSION,
            functools.partial(parquet.write_from_csv, table=source, constants=constants),
        )
    return changed
