"""Call types beside what people called the same calls."""

import dataclasses

import numpy as np
from sklearn.metrics import adjusted_rand_score, v_measure_score

# Fewer calls of a label are no type that could be found.
MIN_CALLS = 5
# Onset and offset in seconds, and the label.
Label = tuple[float, float, str]


@dataclasses.dataclass(frozen=True)
class LabelAgreement:
    """How well types agree with labels.

    Attributes:
        v_measure: 0 to 1 (Rosenberg & Hirschberg, 2007).
        adjusted_rand: 1 for the same, 0 for chance (Hubert & Arabie, 1985).
        types_per_label: number of types over that of labels.
        num_calls: labelled ones that count; num_rare: of labels with fewer than five calls, which
            do not.
        num_unmatched: calls that no label overlaps.
    """

    v_measure: float
    adjusted_rand: float
    types_per_label: float
    num_calls: int
    num_rare: int
    num_unmatched: int


def agreement(types: np.ndarray, labels: np.ndarray) -> LabelAgreement | None:
    """Compares types with labels.

    Args:
        types: int or str `[S]`.    labels: str `[S]`, "" where there is none.

    Returns: `LabelAgreement`, or None if no label has five calls.
    """
    is_labelled = labels != ""
    names, counts = np.unique(labels[is_labelled], return_counts=True)
    common = names[counts >= MIN_CALLS]
    counted = np.isin(labels, common)
    if not counted.any():
        return None
    return LabelAgreement(
        float(v_measure_score(labels[counted], types[counted])),
        float(adjusted_rand_score(labels[counted], types[counted])),
        len(np.unique(types[counted])) / len(common),
        int(counted.sum()),
        int(is_labelled.sum() - counted.sum()),
        int((~is_labelled).sum()),
    )


def overlapping(spans_s: np.ndarray, labelled: list[Label]) -> np.ndarray:
    """The label that overlaps each segment most, "" where none does.

    Args:
        spans_s: `[S, 2]`, seconds.    labelled: (onset_s, offset_s, label) each.

    Returns: str `[S]`.
    """
    if not labelled:
        return np.full(len(spans_s), "", dtype=object)
    onsets, offsets = np.array([times[:2] for times in labelled]).T
    found = []
    for onset, offset in spans_s:
        shared = np.minimum(offsets, offset) - np.maximum(onsets, onset)
        best = int(shared.argmax())
        found.append(labelled[best][2] if shared[best] > 0 else "")
    return np.array(found, dtype=object)
