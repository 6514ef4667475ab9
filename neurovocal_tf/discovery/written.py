"""All that is written of what was found: tables, labels, fitted types and the report."""

import os
from collections.abc import Callable, Mapping

from neurovocal_tf.config import Config
from neurovocal_tf.discovery import identity_report, report, tables
from neurovocal_tf.discovery.discover import Discovery


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


def summary(found: Discovery) -> list[str]:
    """What was found, in a few lines for a terminal."""
    return report.summary(found) + (
        identity_report.summary(found.identity) if found.identity else []
    )


def parts(found: Discovery) -> dict[str, object]:
    """What the report is told beside the calls, see `report.write`."""
    return {"identity": identity_report.part(found.identity)} if found.identity else {}
