"""opensoundscape's table of boxed annotations, which `csv_table` reads."""

import os
from collections.abc import Mapping, Sequence

from neurovocal_tf import files
from neurovocal_tf.annotations.annotation import Annotation

COLUMNS = (
    "audio_file",
    "annotation_file",
    "annotation",
    "start_time",
    "end_time",
    "low_f",
    "high_f",
)


def write(
    path: str | os.PathLike[str],
    annotations: Sequence[Annotation],
    durations_s: Mapping[str, float],
) -> None:
    """Seconds to the microsecond, and Hz or nothing; scores have no place in it."""
    rows = (
        (
            a.file,
            "",
            a.label,
            f"{a.onset_s:.6f}",
            f"{a.offset_s:.6f}",
            *("" if hz is None else hz for hz in (a.low_hz, a.high_hz)),
        )
        for a in annotations
    )
    files.write_csv(path, COLUMNS, rows)
