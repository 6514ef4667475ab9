"""Segments as columns: onsets, offsets and peaks or scores, `[S]` each, in time order."""

import numpy as np

Columns = tuple[np.ndarray, np.ndarray, np.ndarray]


def join_gaps(
    onsets: np.ndarray, offsets: np.ndarray, peaks: np.ndarray, min_gap: float
) -> Columns:
    """Segments with less than `min_gap` samples between them become one, with the larger peak.

    [S] x 3 -> [S'] x 3
    """
    return joined(onsets, offsets, peaks, onsets[1:] - offsets[:-1] >= min_gap)


def joined(
    onsets: np.ndarray, offsets: np.ndarray, peaks: np.ndarray, apart: np.ndarray
) -> Columns:
    """Groups of segments as one each, with the largest peak, given which of the later segments lie
    apart from the one before.
    """
    if not len(onsets):
        return onsets, offsets, peaks
    firsts = np.flatnonzero(np.append(True, apart))
    return (
        onsets[firsts],
        offsets[np.append(firsts[1:], len(onsets)) - 1],
        np.maximum.reduceat(peaks, firsts),
    )


def concatenated(*parts: Columns) -> Columns:
    """Columns one after another."""
    onsets, offsets, peaks = (np.concatenate(columns) for columns in zip(*parts, strict=True))
    return onsets, offsets, peaks


def part(columns: Columns, which: slice | np.ndarray) -> Columns:
    """Some rows of them."""
    onsets, offsets, peaks = columns
    return onsets[which], offsets[which], peaks[which]


NOTHING: Columns = (np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros(0))
