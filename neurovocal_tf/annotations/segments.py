"""Annotated segments of one recording, (onset_s, offset_s, label) in time order, as what cuts
sequences and labels frames.
"""

from collections.abc import Iterable
from typing import TYPE_CHECKING

import numpy as np

from neurovocal_tf.annotations.annotation import Annotation

if TYPE_CHECKING:
    import tensorflow as tf

# (onset_s, offset_s, label)
Segment = tuple[float, float, str]


def of(annotations: Iterable[Annotation], channel: str = "mean") -> tuple[Segment, ...]:
    """The segments that some `Annotation`s mark, on one channel where both name one.

    -> tuple of (onset_s, offset_s, label)
    """
    number = int(channel) if channel.isdigit() else None
    return tuple(
        (a.onset_s, a.offset_s, a.label)
        for a in annotations
        if None in (number, a.channel) or a.channel == number
    )


def cuts(segments: Iterable[Segment], sequence: str) -> np.ndarray:
    """Onsets and offsets in seconds that cut sequences of a kind, NumPy float64 [S, 2]: of bouts,
    none overlaps or touches another.
    """
    times: list[list[float]] = []
    for onset_s, offset_s, _ in segments:
        # A bout ends with whatever ends last in it, which need not be what began last.
        if sequence == "bout" and times and onset_s <= times[-1][1]:
            times[-1][1] = max(times[-1][1], offset_s)
        else:
            times.append([onset_s, offset_s])
    return np.array(times, np.float64).reshape(-1, 2)


def label_changes(segments: Iterable[Segment]) -> tuple[np.ndarray, list[str]]:
    """When the label changes, and to which: "" where there is no segment,
    of overlapping ones the last begun.

    Returns: seconds, increasing, NumPy float64 [K], and list of K labels.
    """
    times = sorted({time for segment in segments for time in segment[:2]})
    labels, still_open, following = [], [], iter([*segments, None])
    segment = next(following)
    for time in times:
        while segment is not None and segment[0] <= time:
            still_open.append(segment)
            segment = next(following)
        while still_open and still_open[-1][1] <= time:
            still_open.pop()
        labels.append(still_open[-1][2] if still_open else "")
    return np.array(times, np.float64), labels


def in_samples(
    times_s: "tf.Tensor", sample_rate: float, first_sample: "tf.Tensor", num_samples: "tf.Tensor"
) -> "tuple[tf.Tensor, tf.Tensor]":
    """Segments as samples of a stretch of their recording;
    what lies outside is cut off or left out.

    Args:
        times_s: float64 [S, 2].    sample_rate: Hz.
        first_sample, num_samples: int64 [], of the stretch.

    Returns: onsets and offsets, int64 [S'], as `detector.detect` gives them.
    """
    import tensorflow as tf  # here, for those who need none

    spans = tf.cast(tf.round(times_s * sample_rate), tf.int64) - first_sample
    spans = tf.clip_by_value(spans, 0, num_samples)
    kept = tf.boolean_mask(spans, spans[:, 1] > spans[:, 0])
    return kept[:, 0], kept[:, 1]


def labels_at(times_s: "tf.Tensor", changes_s: "tf.Tensor", labels: "tf.Tensor") -> "tf.Tensor":
    """The label at some times.

    Args:
        times_s: float64 [L].    changes_s, labels: float64 [K] and string [K], see `label_changes`.

    Returns: string [L].
    """
    import tensorflow as tf  # here, for those who need none

    return tf.gather(
        tf.concat([[""], labels], axis=0), tf.searchsorted(changes_s, times_s, side="right")
    )
