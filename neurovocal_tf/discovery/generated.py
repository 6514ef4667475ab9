"""Songs that a model has generated beside the real ones, by the same call types: how far they are
apart, and how far real songs are from real ones.
"""

import dataclasses
import math
from typing import Any

import numpy as np

from neurovocal_tf.discovery import syntax
from neurovocal_tf.discovery.bouts import Bouts
from neurovocal_tf.discovery.call_types import with_unfamiliar
from neurovocal_tf.discovery.discover import Discovery
from neurovocal_tf.discovery.distances import divergence_bits, kolmogorov_smirnov

FILE_NAME = "generated.json"
_NUM_SPLITS = 100
_TAILS = (0.025, 0.975)
_MOST_TRANSITIONS = 12


def compare(real: Discovery, generated: Discovery, seed: int = 0) -> dict[str, object]:
    """Generated songs beside real ones.

    Real recordings are split 100 times: as many as hold as many calls as were generated, half of
    them at most, stand beside the rest, and the generated songs beside the same rest. So the
    distances of both are of samples of one size, which raises them.

    Args:
        real: `Discovery` of the recordings.    generated: that of the songs, by the same types.
        seed: int.

    Returns: dict of JSON's kinds: `types`, their names; `num_calls`, `seconds` of calls and
        `num_songs`, (real, generated) each; `measures`, see `_measures`; `shares`, of each type,
        the last being "unfamiliar": `real`, `low`, `high`, `generated`, `median_s` (real,
        generated); `transitions`, the twelve that differ most: `types` (from, to), `real`, `low`,
        `high`, `generated`, shares of all transitions. What real songs have none of, or of one
        recording, is None.
    """
    num_types = len(real.type_names)
    ours, theirs = _known(real), _known(generated)
    rng = np.random.default_rng(seed)
    beside = _beside(ours, len(theirs.types), rng)
    parts = [part for part, _ in beside]
    of_parts = np.stack([_shares(part) for part in parts]) if parts else None
    joint = np.stack([_joint(part) for part in parts]) if parts else None
    return {
        "types": [*real.type_names, "unfamiliar"],
        "num_calls": [len(ours.types), len(theirs.types)],
        "seconds": [
            round(float(np.sum(bouts.offsets_s - bouts.onsets_s)), 2) for bouts in (ours, theirs)
        ],
        "num_songs": [ours.num_recordings, theirs.num_recordings],
        "measures": _measures(ours, theirs, beside, rng),
        "shares": [
            _with_bounds(float(_shares(ours)[k]), of_parts, (k,))
            | {
                "generated": round(float(_shares(theirs)[k]), 5),
                "median_s": [_median_s(bouts, k) for bouts in (ours, theirs)],
            }
            for k in range(num_types + 1)
        ],
        "transitions": [
            {"types": [int(k) for k in pair]}
            | _with_bounds(float(_joint(ours)[pair]), joint, pair)
            | {"generated": round(float(_joint(theirs)[pair]), 5)}
            for pair in _most_different(_joint(ours), _joint(theirs))
        ],
    }


def summary(compared: dict[str, Any]) -> str:
    """What `compare` found, as a line for a terminal."""
    rows = {row["measure"]: row for row in compared["measures"]}

    def beside(name: str, digits: int) -> str:
        theirs, ours = (rows[name][key] for key in ("generated", "real"))
        return " beside ".join("?" if v is None else f"{v:.{digits}f}" for v in (theirs, ours))

    return (
        f"{compared['num_songs'][1]} generated songs with {compared['num_calls'][1]:,} calls, each "
        f"figure beside other real songs': transitions {beside('transitions_bits', 3)} bits apart, "
        f"entropy rate {beside('entropy_rate_bits', 2)} bits, share of unfamiliar calls "
        f"{beside('share_unfamiliar', 3)}"
    )


def _known(found: Discovery) -> Bouts:
    size = len(found.type_names)
    types = with_unfamiliar(found.bouts.types, found.is_familiar, size)
    return found.bouts.relabelled(types, size + 1)


def _beside(bouts: Bouts, num_calls: int, rng: np.random.Generator) -> list[tuple[Bouts, Bouts]]:
    """Some recordings with about so many calls, and the rest; nothing of a single recording."""
    counts = np.bincount(bouts.recordings, minlength=bouts.num_recordings)
    present = np.flatnonzero(counts)
    if len(present) < 2:
        return []
    found = []
    for _ in range(_NUM_SPLITS):
        order = rng.permutation(present)
        enough = int(np.searchsorted(np.cumsum(counts[order]), num_calls)) + 1
        chosen = np.zeros(bouts.num_recordings, bool)
        chosen[order[: min(enough, len(order) // 2)]] = True
        found.append((bouts.of_recordings(chosen), bouts.of_recordings(~chosen)))
    return found


_DISTANCES = {
    "types_bits": lambda one, other: divergence_bits(_counts(one), _counts(other)),
    "transitions_bits": lambda one, other: divergence_bits(_pairs(one), _pairs(other)),
    "durations_ks": lambda one, other: kolmogorov_smirnov(_durations_s(one), _durations_s(other)),
    "gaps_ks": lambda one, other: kolmogorov_smirnov(one.gaps_s, other.gaps_s),
}
_VALUES = {
    "entropy_rate_bits": lambda bouts: float(syntax.entropy_rate_bits(_pairs(bouts))),
    "share_unfamiliar": lambda bouts: float(_shares(bouts)[-1]),
}


def _measures(
    real: Bouts, generated: Bouts, beside: list[tuple[Bouts, Bouts]], rng: np.random.Generator
) -> list[dict[str, object]]:
    """Rows of `measure`; `generated`; `real`, `low` and `high`, the same of as many real calls,
    median and the middle 95 %; `shuffled`, of those in random order, as far as order matters.

    Distances are `types_bits` and `transitions_bits`, Jensen-Shannon divergences; `durations_ks`
    and `gaps_ks`, Kolmogorov and Smirnov's. `entropy_rate_bits` and `share_unfamiliar` are values.
    """
    rows = []
    for name, distance in _DISTANCES.items():
        real_ones = [distance(part, rest) for part, rest in beside]
        generated_ones = [distance(generated, rest) for _, rest in beside] or [
            distance(generated, real)
        ]
        shuffled = (
            [distance(_shuffled(part, rng), rest) for part, rest in beside]
            if name == "transitions_bits"
            else []
        )
        rows.append(_row(name, generated_ones, real_ones, shuffled))
    for name, value in _VALUES.items():
        real_ones = [value(part) for part, _ in beside] or [value(real)]
        shuffled = (
            [value(_shuffled(part, rng)) for part, _ in beside]
            if name == "entropy_rate_bits"
            else []
        )
        rows.append(_row(name, [value(generated)], real_ones, shuffled))
    return rows


def _row(
    name: str, generated: list[float], real: list[float], shuffled: list[float]
) -> dict[str, object]:
    low, high = np.quantile(real, _TAILS).tolist() if len(real) > 1 else (math.nan, math.nan)
    return {
        "measure": name,
        "generated": _middle(generated),
        "real": _middle(real),
        "low": _rounded(low),
        "high": _rounded(high),
        "shuffled": _middle(shuffled),
    }


def _shuffled(bouts: Bouts, rng: np.random.Generator) -> Bouts:
    """The same calls of each recording in random order."""
    order = np.lexsort((rng.random(len(bouts.types)), bouts.recordings))
    return dataclasses.replace(bouts, types=bouts.types[order])


def _counts(bouts: Bouts) -> np.ndarray:
    return np.bincount(bouts.types, minlength=bouts.num_types).astype(float)


def _pairs(bouts: Bouts) -> np.ndarray:
    return syntax.transition_counts(bouts.types, bouts.follows, bouts.num_types)


def _shares(bouts: Bouts) -> np.ndarray:
    counts = _counts(bouts)
    return counts / max(counts.sum(), 1)


def _joint(bouts: Bouts) -> np.ndarray:
    counts = _pairs(bouts)
    return counts / max(counts.sum(), 1)


def _durations_s(bouts: Bouts) -> np.ndarray:
    return bouts.offsets_s - bouts.onsets_s


def _median_s(bouts: Bouts, kind: int) -> float | None:
    own = _durations_s(bouts)[bouts.types == kind]
    return round(float(np.median(own)), 4) if len(own) else None


def _most_different(one: np.ndarray, other: np.ndarray) -> list[tuple[int, int]]:
    apart = np.abs(one - other)
    order = np.argsort(-apart, axis=None, kind="stable")[:_MOST_TRANSITIONS]
    pairs = [divmod(int(place), len(one)) for place in order]
    return [pair for pair in pairs if apart[pair] > 0]


def _with_bounds(
    value: float, of_parts: np.ndarray | None, place: tuple[int, ...]
) -> dict[str, object]:
    found: dict[str, object] = {"real": round(value, 5), "low": None, "high": None}
    if of_parts is not None:
        low, high = np.quantile([part[place] for part in of_parts], _TAILS)
        found |= {"low": _rounded(low), "high": _rounded(high)}
    return found


def _middle(values: list[float]) -> float | None:
    return _rounded(float(np.median(values))) if values else None


def _rounded(value: float) -> float | None:
    return None if math.isnan(value) else round(float(value), 5)
