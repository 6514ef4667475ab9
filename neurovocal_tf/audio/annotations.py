"""Which vocalization is where: onsets, offsets and labels in a CSV file with the header `file,onset_s,offset_s,label`."""

import csv
import dataclasses
import math

from neurovocal_tf import files

COLUMNS = ("file", "onset_s", "offset_s", "label")


@dataclasses.dataclass(frozen=True)
class Annotation:
    """One vocalization.

    Attributes:
        file: name of the recording, relative to the folder of the CSV file.
        onset_s, offset_s: seconds from the start of the recording.
        label: call type, or "".
    """

    file: str
    onset_s: float
    offset_s: float
    label: str = ""


def write_annotations(path, annotations):
    """Writes annotations as CSV, times to the microsecond; an existing file is replaced in one step.

    Args:
        path: the file.
        annotations: iterable of `Annotation`, in the order to write.
    """
    rows = ((a.file, f"{a.onset_s:.6f}", f"{a.offset_s:.6f}", a.label) for a in annotations)
    files.write_csv(path, COLUMNS, rows)


def read_annotations(path):
    """Annotations of a CSV file, in its order; further columns are left out.  Returns a list of `Annotation`.

    Raises: ValueError, one line with the file and the line in it, for a missing file or column, a time that is no number, or an
        offset that is not after its onset.
    """
    try:
        # A byte-order mark is what spreadsheets put before the first column's name.
        with open(path, newline="", encoding="utf-8-sig") as file:
            reader = csv.DictReader(file, strict=True)
            missing = [column for column in COLUMNS[:3] if column not in (reader.fieldnames or ())]
            if missing:
                raise ValueError(f"{path}: has no column `{missing[0]}`; the first line must be {','.join(COLUMNS)}.")
            return [_annotation(row, f"{path}, line {reader.line_num}") for row in reader]
    except OSError as error:
        raise ValueError(f"{path}: cannot be read: {error.strerror}.") from None
    except (csv.Error, UnicodeDecodeError) as error:
        raise ValueError(f"{path}: is not a CSV file: {error}.") from None


def _annotation(row, place):
    times = []
    for column in ("onset_s", "offset_s"):
        try:
            times.append(float(row[column]))
        except (TypeError, ValueError):
            times.append(math.nan)
        if not (math.isfinite(times[-1]) and times[-1] >= 0):
            raise ValueError(f"{place}: `{column}` must be a time in seconds. Received: {column}={row[column]}")
    if times[1] <= times[0]:
        raise ValueError(f"{place}: `offset_s` must be after `onset_s`. Received: onset_s={times[0]:g}, offset_s={times[1]:g}")
    return Annotation(row["file"] or "", times[0], times[1], row.get("label") or "")
