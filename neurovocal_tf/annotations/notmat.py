"""evsonganaly's `.not.mat`: onsets and offsets in milliseconds, and a letter for each of them.

It is named after its recording, `song.cbin` by `song.cbin.not.mat`.
"""

import os
from collections.abc import Mapping, Sequence

import numpy as np
import scipy.io

from neurovocal_tf import files
from neurovocal_tf.annotations import mat_file
from neurovocal_tf.annotations.annotation import (
    Annotation,
    Contents,
    Options,
    check_order,
    only_file,
    time_s,
)

EXTENSION = ".not.mat"
_NAMES = ("onsets", "offsets", "labels")
# What it segments with where nobody has said otherwise; it stops at a file without them.
_OF_EVSONGANALY = {"min_int": 5.0, "min_dur": 30.0, "sm_win": 2.0, "threshold": 5000.0}


def parse(content: bytes, path: str | os.PathLike[str], options: Options) -> Contents:
    """Annotations, `file` not said.

    Raises ValueError for what is no MAT file, or has not as many onsets as offsets and letters.
    """
    try:
        found = mat_file.variables(content)
    except mat_file.Broken as reason:
        raise ValueError(f"{path}: is not a MAT file that is whole: it {reason}.") from None
    onsets, offsets = (_milliseconds(found.get(name), name, path) for name in _NAMES[:2])
    labels = found.get("labels", "")
    if not isinstance(labels, str):
        # Without any syllable MATLAB keeps an empty array of numbers.
        if len(labels):
            raise ValueError(f"{path}: must have letters as `labels`, and has numbers.")
        labels = ""
    if not len(onsets) == len(offsets) == len(labels):
        raise ValueError(
            f"{path}: must have as many onsets as offsets and labels. Received: {len(onsets)}, "
            f"{len(offsets)} and {len(labels)}"
        )
    contents = Contents()
    for index, row in enumerate(zip(onsets, offsets, labels, strict=True), start=1):
        place = f"{path}, syllable {index}"
        with contents.row():
            onset_s, offset_s = (
                time_s(repr(float(time) / 1000), name, place)
                for time, name in zip(row[:2], _NAMES, strict=False)
            )
            check_order(onset_s, offset_s, _NAMES[:2], place)
            contents.annotations.append(Annotation("", onset_s, offset_s, row[2]))
    return contents


def write(
    path: str | os.PathLike[str],
    annotations: Sequence[Annotation],
    durations_s: Mapping[str, float],
    sample_rates: Mapping[str, float],
) -> None:
    """The syllables of one recording; a label's first letter is kept, "-" where it has none.

    Raises ValueError unless `sample_rates` tells the recording's.
    """
    file = only_file(annotations, "notmat") or next(iter(sample_rates), "")
    if file not in sample_rates:
        raise ValueError(
            "`sample_rates` must tell the recording's rate for format=notmat. "
            f"Received: none of {file}"
        )
    variables = {
        "fname": os.path.basename(file),
        "Fs": float(sample_rates[file]),
        "onsets": np.array([[1000 * a.onset_s] for a in annotations]).reshape(-1, 1),
        "offsets": np.array([[1000 * a.offset_s] for a in annotations]).reshape(-1, 1),
        "labels": "".join(a.label[:1] or "-" for a in annotations),
        **_OF_EVSONGANALY,
    }
    with files.replacing(path) as temporary, open(temporary, "wb") as target:
        scipy.io.savemat(target, variables)


def _milliseconds(value: object, name: str, path: str | os.PathLike[str]) -> np.ndarray:
    if not isinstance(value, np.ndarray):
        raise ValueError(f"{path}: must have numbers as `{name}`, and has none.")
    return value
