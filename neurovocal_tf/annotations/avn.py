"""avn's table of syllables, which `csv_table` reads."""

import os
from collections.abc import Mapping, Sequence

from neurovocal_tf import files
from neurovocal_tf.annotations.annotation import Annotation

COLUMNS = ("files", "onsets", "offsets", "labels")


def write(
    path: str | os.PathLike[str],
    annotations: Sequence[Annotation],
    durations_s: Mapping[str, float],
) -> None:
    """Seconds to the microsecond. avn looks for recordings by their names alone."""
    rows = (
        (os.path.basename(a.file), f"{a.onset_s:.6f}", f"{a.offset_s:.6f}", a.label)
        for a in annotations
    )
    files.write_csv(path, COLUMNS, rows)
