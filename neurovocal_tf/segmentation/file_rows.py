"""What the tables of a segmented folder say of one recording, as the rows that they hold."""

import dataclasses
import os
from collections.abc import Iterator, Mapping

from neurovocal_tf.annotations import Annotation
from neurovocal_tf.audio import readers
from neurovocal_tf.audio.unreadable import cannot_be_opened
from neurovocal_tf.segmentation.segmented_file import SegmentedFile
from neurovocal_tf.segmentation.selection import REASONS

#: What a later start reads of files.csv.
FILE_COLUMNS = ("file", "num_bytes", "sample_rate", "duration_s", "num_segments", "note")
#: How many sounds were dropped for each reason: they stand in dropped.csv, and are only counted.
COUNTED = {reason: f"num_{reason.replace(' ', '_')}" for reason in REASONS}
FILES_CSV = (*FILE_COLUMNS[:-1], *COUNTED.values(), FILE_COLUMNS[-1])
DROPPED_CSV = ("file", "onset_s", "offset_s", "reason")
SKIPPED_CSV = ("file", "reason")
#: Onset and offset in seconds, and the reason.
Dropped = tuple[float, float, str]


@dataclasses.dataclass(frozen=True)
class FileRows:
    """What was found in one recording, with numbers as a later start reads them.

    Attributes:
        file: column of files.csv -> value, but for what is counted of `dropped`.
        dropped: in time order.    segments: `Annotation`s, in time order.
    """

    file: dict[str, str | int]
    dropped: list[Dropped]
    segments: list[Annotation]


def rows_of(name: str, place: str, num_bytes: int, found: SegmentedFile) -> FileRows:
    """The rows of a recording.

    Args:
        name: of the recording.    place: what annotations.csv calls it, see `files.place_in`.
        num_bytes: of its file.    found: what was found in it.
    """
    columns = found.onsets_s, found.offsets_s, found.scores_db
    return FileRows(
        {
            "file": name,
            "num_bytes": num_bytes,
            "sample_rate": found.sample_rate,
            "duration_s": f"{found.duration_s:.6f}",
            "num_segments": len(found.onsets_s),
            "note": found.note,
        },
        sorted(
            (round(onset, 6), round(offset, 6), reason)
            for reason, spans in found.dropped_s.items()
            for onset, offset in spans.tolist()
        ),
        [
            Annotation(place, round(onset, 6), round(offset, 6), score=round(score, 2))
            for onset, offset, score in zip(*(c.tolist() for c in columns), strict=True)
        ],
    )


def counts(dropped: list[Dropped]) -> dict[str, int]:
    """How many sounds were dropped for each reason, by the column of files.csv."""
    reasons = [reason for *_, reason in dropped]
    return {column: reasons.count(reason) for reason, column in COUNTED.items()}


def files_csv(file: dict[str, str | int], dropped: list[Dropped]) -> list[str | int]:
    """A row under `FILES_CSV`."""
    values = file | counts(dropped)
    return [values[column] for column in FILES_CSV]


def dropped_csv(name: str, dropped: list[Dropped]) -> Iterator[tuple[str, str, str, str]]:
    """Rows under `DROPPED_CSV`."""
    for onset, offset, reason in dropped:
        yield name, f"{onset:.6f}", f"{offset:.6f}", reason


def summary(
    figures: Mapping[str, float], folder: str | os.PathLike[str], is_refined: bool
) -> list[str]:
    """What was found, in two lines for a terminal.

    Args:
        figures: as of `SegmentedFolder.figures`.    folder: of the tables.
        is_refined: whether a second look was taken.
    """
    unlike = f", {figures['num_unlike_a_call']} unlike a call" if is_refined else ""
    return [
        f"{figures['num_segments']} segments in {figures['num_files']} recordings, "
        f"{figures['duration_s']:.1f} s; {figures['num_skipped']} skipped: "
        f"{os.path.join(folder, 'annotations.csv')}",
        f"dropped: {figures['num_too_short']} too short, {figures['num_too_long']} too long, "
        f"{figures['num_alone']} alone{unlike}: {os.path.join(folder, 'dropped.csv')}",
    ]


def reason_of(path: str | os.PathLike[str], error: readers.UnreadableRecording | OSError) -> str:
    """Why a recording has no rows, in the words of skipped.csv."""
    if isinstance(error, OSError):
        # The disk, or the share, has failed while it was read.
        return cannot_be_opened(path, error)
    return str(error)
