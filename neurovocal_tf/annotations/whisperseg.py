"""WhisperSeg's JSON of one recording: lists of onsets and offsets in seconds, and of clusters."""

import os
from collections.abc import Mapping, Sequence
from typing import Any

from neurovocal_tf import files
from neurovocal_tf.annotations.annotation import (
    Annotation,
    Contents,
    Options,
    check_order,
    json_number,
    only_file,
    time_s,
)


def recognises(value: Any) -> bool:
    """Whether a value of JSON has both lists of times."""
    return isinstance(value, dict) and all(
        isinstance(value.get(name), list) for name in ("onset", "offset")
    )


def parse(value: Any, path: str | os.PathLike[str], options: Options) -> Contents:
    """Annotations, `file` not said. Raises ValueError unless the lists are of one length."""
    onsets, offsets = value["onset"], value["offset"]
    clusters = value.get("cluster", [""] * len(onsets))
    if not isinstance(clusters, list) or not len(onsets) == len(offsets) == len(clusters):
        raise ValueError(f"{path}: must have as many of onset, offset and cluster as of each.")
    contents = Contents()
    for index, row in enumerate(zip(onsets, offsets, clusters, strict=True), start=1):
        place = f"{path}, segment {index}"
        with contents.row():
            onset_s, offset_s = (
                time_s(repr(json_number(time, name, place)), name, place)
                for time, name in zip(row[:2], ("onset", "offset"), strict=True)
            )
            check_order(onset_s, offset_s, ("onset", "offset"), place)
            contents.annotations.append(Annotation("", onset_s, offset_s, str(row[2])))
    return contents


def write(
    path: str | os.PathLike[str],
    annotations: Sequence[Annotation],
    durations_s: Mapping[str, float],
) -> None:
    """The lists of one recording, times to the microsecond."""
    only_file(annotations, "whisperseg")
    files.write_json(
        path,
        {
            "onset": [round(a.onset_s, 6) for a in annotations],
            "offset": [round(a.offset_s, 6) for a in annotations],
            "cluster": [a.label for a in annotations],
        },
    )
