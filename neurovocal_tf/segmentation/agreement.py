"""How well found segments agree with the truth:
precision, recall and F1 of segments, of onsets, and of time.
"""

import dataclasses
import math

import numpy as np
import numpy.typing as npt
import scipy.sparse


@dataclasses.dataclass(frozen=True)
class Agreement:
    """Counts from which the scores follow. Those of several files add up to the pooled ones.

    Attributes:
        num_found, num_true: segments.
        num_segment_hits: found segments with both boundaries within the tolerance of a
            true one's, one to one.
        num_onset_hits: found segments with the onset within it, one to one.
        found_s, true_s, common_s: seconds inside found segments, inside true ones, and inside both.
        onset_errors_s, offset_errors_s: found less true, of each pair of `num_segment_hits`.
    """

    num_found: int = 0
    num_true: int = 0
    num_segment_hits: int = 0
    num_onset_hits: int = 0
    found_s: float = 0.0
    true_s: float = 0.0
    common_s: float = 0.0
    onset_errors_s: tuple[float, ...] = ()
    offset_errors_s: tuple[float, ...] = ()

    def __add__(self, other: "Agreement") -> "Agreement":
        return Agreement(
            *(
                a + b
                for a, b in zip(dataclasses.astuple(self), dataclasses.astuple(other), strict=True)
            )
        )

    def scores(self) -> dict[str, float]:
        """Flat dict of `segment_`, `onset_` and `frame_` with `precision`, `recall` and `f1`, and
        of `onset_error_ms` and `offset_error_ms`, medians with their sign: positive is too late.
        NaN where there is nothing to divide by.

        Frames are taken as infinitely short, so that their scores are shares of time.
        """
        counts = {
            "segment": (self.num_segment_hits, self.num_found, self.num_true),
            "onset": (self.num_onset_hits, self.num_found, self.num_true),
            "frame": (self.common_s, self.found_s, self.true_s),
        }
        table = {}
        for kind, (hits, found, true) in counts.items():
            table[f"{kind}_precision"], table[f"{kind}_recall"] = (
                _share(hits, found),
                _share(hits, true),
            )
            table[f"{kind}_f1"] = _share(2 * hits, found + true)
        for kind, errors_s in (("onset", self.onset_errors_s), ("offset", self.offset_errors_s)):
            table[f"{kind}_error_ms"] = 1000 * float(np.median(errors_s)) if errors_s else math.nan
        return table


def agreement(found: npt.ArrayLike, true: npt.ArrayLike, tolerance_s: float) -> Agreement:
    """`Agreement` of found with true segments of one recording.

    Args:
        found, true: `[S, 2]`, onsets and offsets in seconds, in any order; they may overlap.
        tolerance_s: how far a boundary may be off, in seconds.
    """
    found, true = (np.asarray(segments, np.float64).reshape(-1, 2) for segments in (found, true))
    # Times are written to the microsecond: one that is off by the tolerance itself is not to
    # be lost to rounding.
    near = [
        np.abs(found[:, np.newaxis, i] - true[np.newaxis, :, i]) <= tolerance_s + 1e-6
        for i in (0, 1)
    ]
    found_time, true_time = _union(found), _union(true)
    places, partners = _matched(near[0] & near[1])
    errors = found[places] - true[partners]
    return Agreement(
        num_found=len(found),
        num_true=len(true),
        num_segment_hits=len(places),
        num_onset_hits=len(_matched(near[0])[0]),
        found_s=_length(found_time),
        true_s=_length(true_time),
        common_s=_length(found_time)
        + _length(true_time)
        - _length(_union(np.concatenate([found_time, true_time]))),
        onset_errors_s=tuple(errors[:, 0].tolist()),
        offset_errors_s=tuple(errors[:, 1].tolist()),
    )


def _matched(near: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The most pairs that can be made one to one (Hopcroft & Karp, 1973): int [P] x 2"""
    if not near.any():
        return np.zeros(0, np.int64), np.zeros(0, np.int64)
    partners = scipy.sparse.csgraph.maximum_bipartite_matching(
        scipy.sparse.csr_array(near), perm_type="column"
    )
    places = np.flatnonzero(partners >= 0)
    return places, partners[places]


def _union(segments: np.ndarray) -> np.ndarray:
    """Segments [S, 2] that cover the same time and do not overlap."""
    segments = segments[np.argsort(segments[:, 0], kind="stable")]
    ends = np.maximum.accumulate(segments[:, 1])
    firsts = (
        np.flatnonzero(np.append(True, segments[1:, 0] > ends[:-1]))
        if len(segments)
        else np.zeros(0, np.int64)
    )
    return np.stack(
        [
            segments[firsts, 0],
            ends[np.append(firsts[1:], len(segments)) - 1] if len(segments) else ends,
        ],
        axis=1,
    )


def _length(segments: np.ndarray) -> float:
    return float(np.sum(segments[:, 1] - segments[:, 0]))


def _share(part: float, whole: float) -> float:
    return part / whole if whole else math.nan
