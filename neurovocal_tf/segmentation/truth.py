"""Segments found in a folder beside what people marked in it:
which belongs to which file, and how well they agree.
"""

import math
import os
from collections.abc import Mapping, Sequence

import numpy as np

from neurovocal_tf.annotations import matching, segments
from neurovocal_tf.audio import readers
from neurovocal_tf.config import Config
from neurovocal_tf.segmentation.agreement import Agreement, agreement
from neurovocal_tf.segmentation.recording_lengths import length_of
from neurovocal_tf.segmentation.tuning import Example

_SCORES = tuple(
    f"{kind}_{score}"
    for kind in ("segment", "onset", "frame")
    for score in ("precision", "recall", "f1")
)
# Beside the tolerance asked for: what ten milliseconds hide, histograms of durations show.
_TIGHT_MS = (2, 5)
_COLUMNS = (
    "file",
    "num_found",
    "num_true",
    *_SCORES,
    *(f"segment_f1_{ms}ms" for ms in _TIGHT_MS),
    "onset_error_ms",
    "offset_error_ms",
)
POOLED = "pooled"
# Tuning goes through its recordings some two hundred times.
_MAX_EXAMPLES_S = 1200.0


def segments_by_file(
    path: str | os.PathLike[str],
    paths: Mapping[str, str],
    channel: str = "mean",
    choice: matching.Choice = matching.Choice(),  # noqa: B008
    time_expansion: int = 1,
) -> tuple[dict[str, np.ndarray], list[str]]:
    """Annotated segments of each of some recordings.

    Args:
        path: as `matching.match`: a file of annotations or a folder of them, with or without #TIER.
        paths: dict of name -> path of the recordings.
        channel: as `segments.of`.
        choice: which annotations are taken.    time_expansion: of the recordings.

    Returns: dict of name -> `[S, 2]`, onsets and offsets in seconds, without the recordings that
        have no annotation; and what `Matched.notes` tells.

    Raises: ValueError as `matching.match`, or if none of the recordings is annotated.
    """
    found = matching.match(
        path, paths.values(), "truth", choice, length_of=length_of(time_expansion)
    )
    found.check_any(path, "truth")
    by_name = {
        name: np.array([times for *times, _ in segments.of(found.of[where], channel)]).reshape(
            -1, 2
        )
        for name, where in paths.items()
        if where in found.of
    }
    return by_name, found.notes(path)


def score(
    found: Mapping[str, np.ndarray], true: Mapping[str, np.ndarray], tolerance_s: float
) -> list[dict[str, str | float]]:
    """Scores of each file and of all together.

    Args:
        found, true: dicts of name -> `[S, 2]`, seconds; files that are in both count.
        tolerance_s: of a boundary.

    Returns: list of dicts with `file`, `num_found`, `num_true`, `Agreement.scores`, and
        `segment_f1_2ms` and `segment_f1_5ms`; the last is `pooled`.
    """
    tolerances_s = (tolerance_s, *(ms / 1000 for ms in _TIGHT_MS))
    counts = {
        name: [agreement(found[name], true[name], each) for each in tolerances_s]
        for name in sorted(true)
        if name in found
    }
    counts[POOLED] = [
        sum((of_file[i] for of_file in counts.values()), Agreement())
        for i in range(len(tolerances_s))
    ]
    return [_scores(name, *agreements) for name, agreements in counts.items()]


def _scores(name: str, asked: Agreement, *tight: Agreement) -> dict[str, str | float]:
    row: dict[str, str | float] = {
        "file": name,
        "num_found": asked.num_found,
        "num_true": asked.num_true,
        **asked.scores(),
    }
    for ms, counts in zip(_TIGHT_MS, tight, strict=True):
        row[f"segment_f1_{ms}ms"] = counts.scores()["segment_f1"]
    return row


def score_rows(
    table: Sequence[Mapping[str, str | float]],
) -> tuple[tuple[str, ...], list[list[str]]]:
    """What `score` returns as columns and rows of a table; what is not defined is left empty."""
    return _COLUMNS, [[_number(row[column], ".4f") for column in _COLUMNS] for row in table]


def as_table(table: Sequence[Mapping[str, str | float]]) -> str:
    """What `score` returns as lines of text, the pooled scores last."""
    width = max(len(str(row["file"])) for row in table)
    head = (
        f"{'':{width}}  found   true  | segments: P    R     F1   | onsets: P    R     F1   | "
        "time: P    R     F1"
    )
    lines = [head]
    for row in table:
        groups = [
            " ".join(_number(row[name], ".3f").rjust(5) for name in _SCORES[i : i + 3])
            for i in (0, 3, 6)
        ]
        lines.append(
            f"{row['file']:{width}}  {row['num_found']:5}  {row['num_true']:5}  |      "
            f"{groups[0]}  |    {groups[1]}  |  {groups[2]}"
        )
    return "\n".join([*lines, *_boundaries(table[-1])])


def _boundaries(pooled: Mapping[str, str | float]) -> list[str]:
    """How near the boundaries are, in a line."""
    if math.isnan(float(pooled["onset_error_ms"])):
        return []
    tight = ", ".join(f"{pooled[f'segment_f1_{ms}ms']:.3f} within {ms} ms" for ms in _TIGHT_MS)
    return [
        f"segments: F1 {tight}; of those found, the median onset is "
        f"{_late(float(pooled['onset_error_ms']))}, the offset "
        f"{_late(float(pooled['offset_error_ms']))}"
    ]


def _late(milliseconds: float) -> str:
    return f"{abs(milliseconds):.2f} ms {'late' if milliseconds > 0 else 'early'}"


def examples(
    paths: Mapping[str, str], true: Mapping[str, np.ndarray], config: Config
) -> list[Example]:
    """The annotated recordings as `Example`s to tune a detector with, twenty minutes at most.

    Args:
        paths: dict of name -> path.    true: dict of name -> `[S, 2]`.
        config: `Config`; its `audio` counts.

    Raises: ValueError if none of them can be read.
    """
    found, total_s = [], 0.0
    for name in sorted(true):
        if total_s > _MAX_EXAMPLES_S:
            break
        try:
            recording = readers.probe(paths[name], config.audio.time_expansion)
            rate = recording.rate_at(config.audio.sample_rate)
            samples = readers.read(
                recording,
                config.audio.channel,
                rate,
                config.audio.time_expansion,
                config.audio.float_scale,
            )
        except readers.UnreadableRecording:
            continue
        found.append(Example(samples, rate, true[name]))
        total_s += len(samples) / rate
    if not found:
        raise ValueError("`truth` must name a recording that can be read, and names none.")
    return found


def _number(value: str | float, form: str) -> str:
    if not isinstance(value, float):
        return str(value)
    return "" if math.isnan(value) else format(value, form)
