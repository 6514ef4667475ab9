"""Pairs of call types that a person may want to join: suggested with reasons, read back with
decisions. What shares its context is one type to people on some birds and two on others: nothing
but a person can tell.
"""

import dataclasses
import os
from collections.abc import Sequence

import numpy as np

from neurovocal_tf.annotations import table
from neurovocal_tf.annotations.text import decode
from neurovocal_tf.discovery.call_types import CallTypes

COLUMNS = (
    "type_a",
    "type_b",
    "valley",
    "separation",
    "shared_before",
    "shared_after",
    "example_a",
    "example_b",
    "reason",
    "accept",
)
_YES, _NO = frozenset(("yes", "y", "x", "1", "true")), frozenset(("", "no", "n", "0", "false"))
_MOST = 20
# On three birds, what people had merged was nearer than this, and stood alike on one side at least.
_SEPARATION, _VALLEY, _SHARED = 1.4, 0.1, 0.35


@dataclasses.dataclass(frozen=True)
class Suggestion:
    """Two types that may be one.

    Attributes:
        types: their numbers, the larger type first.
        valley, separation: see `clustering`.
        shared_before, shared_after: 0 to 1, cosine of how often each type comes before, after
            them, the two counted as one.
        reason: in a few words.
    """

    types: tuple[int, int]
    valley: float
    separation: float
    shared_before: float
    shared_after: float
    reason: str


def suggest(types: CallTypes, transitions: np.ndarray) -> list[Suggestion]:
    """Pairs that are near, and between which the density falls little, or which stand in the same
    places; twenty at most, the likeliest first.

    Args:
        types: `CallTypes`, K.    transitions: counts `[K, K]`.
    """
    found = []
    for (one, other), (valley, separation) in types.depths().items():
        before, after = (_shared(counts, one, other) for counts in (transitions.T, transitions))
        reasons = [f"the density between them falls to {valley:.0%} of the lower peak"] * (
            valley >= _VALLEY
        ) + [
            f"they stand {where} the same types ({shared:.2f})"
            for where, shared in (("after", before), ("before", after))
            if shared >= _SHARED
        ]
        if separation < _SEPARATION and reasons:
            pair = (one, other)
            found.append(Suggestion(pair, valley, separation, before, after, "; ".join(reasons)))
    likeliest = sorted(found, key=lambda s: -(s.valley + s.shared_before + s.shared_after))
    return likeliest[:_MOST]


def rows(
    suggestions: Sequence[Suggestion], names: Sequence[str], examples: Sequence[str]
) -> list[tuple[str, ...]]:
    """Rows of merges.csv, under `COLUMNS`, for a person to write yes into the last.

    Args:
        suggestions: of `Suggestion`.    names: of the types.    examples: a call of each type.
    """
    return [
        (
            *(names[number] for number in s.types),
            *(f"{v:.3f}" for v in (s.valley, s.separation, s.shared_before, s.shared_after)),
            *(examples[number] for number in s.types),
            s.reason,
            "",
        )
        for s in suggestions
    ]


def accepted(path: str | os.PathLike[str]) -> list[tuple[str, str]]:
    """Names of the pairs that a merges.csv accepts: those with yes, y, x, 1 or true.

    Raises: ValueError, one line with the file and line: no such file, no such columns, or an answer
        that is neither yes nor no.
    """
    if not os.path.isfile(path):
        raise ValueError(
            f"`merges` must be a merges.csv with yes in its column accept, and there is no such "
            f"file. Received: merges={os.fspath(path)}"
        )
    text, _ = decode(os.fspath(path))
    missing = sorted({"type_a", "type_b", "accept"} - set(table.header_of(text)))
    if missing:
        raise ValueError(
            f"`merges` must have a column {missing[0]}. Received: merges={os.fspath(path)}"
        )
    pairs = []
    for row in table.rows(text, os.fspath(path)):
        answer = row.text("accept").strip().lower()
        if answer not in _YES | _NO:
            raise ValueError(f"{row.place}: `accept` must be yes or no. Received: accept={answer}")
        if answer in _YES:
            pairs.append((row.text("type_a").strip(), row.text("type_b").strip()))
    return pairs


def _shared(counts: np.ndarray, one: int, other: int) -> float:
    """Cosine of two rows of counts [K, K], the two types themselves counted as one."""
    pair = counts[[one, other]].astype(float)
    pair[:, one] += pair[:, other]
    pair[:, other] = 0
    norms = np.linalg.norm(pair, axis=1).prod()
    return float(pair[0] @ pair[1] / norms) if norms else 0.0
