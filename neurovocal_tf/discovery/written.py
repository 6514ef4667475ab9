"""All that is written of what was found: tables, labels, fitted types and the report."""

import functools
import os
from collections.abc import Callable, Mapping

from neurovocal_tf.annotations import parquet
from neurovocal_tf.config import Config
from neurovocal_tf.discovery import identity_report, report, tables
from neurovocal_tf.discovery.discover import Discovery
from neurovocal_tf.segmentation import written_files
from neurovocal_tf.segmentation.written_files import WrittenFiles


def write(
    out_dir: str,
    found: Discovery,
    paths: Mapping[str, str],
    durations_s: Mapping[str, float],
    config: Config,
    groups: Mapping[str, str],
    overwrite: bool = False,
    on_recording: Callable[[], object] = lambda: None,
    more: Mapping[str, object] | None = None,
) -> tuple[str, list[str]]:
    """Writes all tables and report.html; see `tables.write`.

    Args:
        more: further parts of the report, see `report.write`.

    Returns: the report's path, and names of the files that people have changed, and which stay as
        they are.
    """
    os.makedirs(out_dir, exist_ok=True)
    kept = tables.write(out_dir, found, paths, durations_s, config, groups, overwrite, on_recording)
    told = parts(found) | dict(more or {})
    return report.write(out_dir, found, paths, config, told), kept


def write_typed(out_dir: str, overwrite: bool = False) -> list[str]:
    """Writes all tables of a report once more as Parquet, as people have changed them since.

    Returns: names of Parquet files that people have changed, and which stay as they are.

    Raises: ValueError, one line, where Parquet cannot be written.
    """
    written, kept = WrittenFiles(out_dir, overwrite), []
    for name in sorted(os.listdir(out_dir)):
        stem, ending = os.path.splitext(name)
        if ending != ".csv" or name == written_files.NAME:
            continue
        table = os.path.join(out_dir, name)
        put = functools.partial(parquet.write_from_csv, table=table)
        if not written.write_unless_changed(stem + parquet.EXTENSION, put):
            kept.append(stem + parquet.EXTENSION)
    return kept


def summary(found: Discovery) -> list[str]:
    """What was found, in a few lines for a terminal."""
    return report.summary(found) + (
        identity_report.summary(found.identity) if found.identity else []
    )


def parts(found: Discovery) -> dict[str, object]:
    """What the report is told beside the calls, see `report.write`."""
    return {"identity": identity_report.part(found.identity)} if found.identity else {}
