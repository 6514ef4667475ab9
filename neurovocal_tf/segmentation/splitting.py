"""What is longer than a call can be falls apart at its deepest dips: where calls overlap with
squeals, with each other or with an echo, the trace never falls below the threshold between them.
"""

import dataclasses

import numpy as np

from neurovocal_tf.segmentation.columns import NOTHING, Columns, concatenated, part
from neurovocal_tf.segmentation.drift import Drift
from neurovocal_tf.segmentation.traces import Trace

# Steps in the longest segment: dips are placed to its five hundredth.
STEPS_IN_LONGEST = 500
# What lasts as many times the longest segment is no row of calls; so memory stays bounded.
MOST_LENGTHS = 200


@dataclasses.dataclass(frozen=True)
class Stretch:
    """The trace within a span, in steps on a grid from the recording's start.

    Attributes:
        factors: float `[n]`, the largest value over the threshold in each step.
        first: which step is the first.    step: samples in a step.
    """

    factors: np.ndarray
    first: int
    step: int


def split(found: Columns, trace: Trace, level: Drift, longest: float, depth_db: float) -> Columns:
    """Segments cut at their deepest dips until the pieces are shorter than `longest` samples, or
    have no dip of `depth_db`.

    Args:
        found: columns of segments that are too long.    trace: a `Trace`.    level: its threshold.
        longest, depth_db: samples, dB.

    Returns: columns of the pieces, in time order; what cannot be cut stays as it is.
    """
    parts = [NOTHING]
    spans = np.stack(found[:2], axis=1)
    for place, stretch in enumerate(_stretches(trace, level, spans, longest)):
        onset, offset = spans[place]
        parts.append(
            _pieces(onset, offset, stretch, longest, depth_db, trace.decibels_per_decade)
            if stretch
            else part(found, slice(place, place + 1))
        )
    return concatenated(*parts)


def values_per_step(longest: float, hop: int) -> int:
    """Values of a trace in a step."""
    return max(int(longest / STEPS_IN_LONGEST / hop), 1)


def _stretches(
    trace: Trace, level: Drift, spans: np.ndarray, longest: float
) -> list[Stretch | None]:
    """The trace within some spans [D, 2] that do not overlap, in one pass over it;
    None where a span is too long to hold calls.
    """
    per_step = values_per_step(longest, trace.hop)
    step = per_step * trace.hop
    firsts, lasts = spans[:, 0] // step, -(-spans[:, 1] // step)
    wanted = [
        np.zeros(last - first) if (last - first) * step <= MOST_LENGTHS * longest else None
        for first, last in zip(firsts, lasts, strict=True)
    ]
    begin = 0
    for page in trace.pages:
        factors = page[:, 0] / level.of_values(begin, len(page))
        steps = (begin + np.arange(len(page))) // per_step
        for first, last, found in zip(firsts, lasts, wanted, strict=True):
            if found is None or last <= steps[0] or first > steps[-1]:
                continue
            inside = slice(*np.searchsorted(steps, (first, last)))
            np.maximum.at(found, steps[inside] - first, factors[inside])
        begin += len(page)
    return [
        None if found is None else Stretch(found, int(first), step)
        for first, found in zip(firsts, wanted, strict=True)
    ]


def _pieces(
    onset: int, offset: int, stretch: Stretch, longest: float, depth_db: float, per_decade: float
) -> Columns:
    """A dip is as deep as the lower of the loudest moments before and after it is above it."""
    decibels = per_decade * np.log10(np.maximum(stretch.factors, 1e-9))
    cuts = _cuts(decibels, longest / stretch.step, depth_db)
    edges = [0, *cuts, len(decibels)]
    peaks = [decibels[a : b + 1].max() for a, b in zip(edges[:-1], edges[1:], strict=True)]
    # In the middle of the step where the dip is.
    places = (stretch.first + np.array(cuts, np.int64)) * stretch.step + stretch.step // 2
    bounds = np.concatenate([[onset], np.clip(places, onset, offset), [offset]]).astype(np.int64)
    return bounds[:-1], bounds[1:], 10 ** (np.array(peaks) / per_decade)


def _cuts(decibels: np.ndarray, longest: float, depth_db: float) -> list[int]:
    """Where to cut, in steps and in order."""
    cuts, left = [], [(0, len(decibels))]
    while left:
        begin, end = left.pop()
        if end - begin < longest:
            continue
        values = decibels[begin:end]
        before = np.maximum.accumulate(values)
        after = np.maximum.accumulate(values[::-1])[::-1]
        sides = np.minimum(before, after)
        # Both pieces must reach the threshold themselves.
        depths = np.where(sides >= 0, sides - values, 0.0)
        dip = int(np.argmax(depths))
        if depths[dip] >= depth_db:
            cuts.append(begin + dip)
            left += [(begin, begin + dip), (begin + dip, end)]
    return sorted(cuts)
