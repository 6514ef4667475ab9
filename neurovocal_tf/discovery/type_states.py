"""Whether a type goes on differently in different places: partially observable Markov models of
calls, beside what two types before a call tell of it, in recordings that were not counted.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from neurovocal_tf.discovery import pomm
from neurovocal_tf.discovery.pomm import Pomm

_MOST_SPLITS = 8
_NUM_BOOTSTRAPS = 400
_TAILS = (0.025, 0.975)
_FEWEST_FOR_INTERVALS = 5
# What makes up less of the ways into or out of a state does not tell it from others.
_LEAST_TOLD = 0.2


def costs(
    counted: Sequence[np.ndarray], coded: Sequence[Sequence[np.ndarray]], num_types: int, seed: int
) -> np.ndarray:
    """Bits that recordings cost after 0 to 8 splits, learned from other ones, `[R, 9, 2]`: smoothed
    once and twice, see `Pomm.smoothed`.

    Args:
        counted: types `[L]` of bouts to learn from.    coded: those of each recording.
        num_types: K.    seed: int.
    """
    models = pomm.path(counted, num_types, _MOST_SPLITS, seed)
    bouts = [bout for own in coded for bout in own]
    of_bouts = np.stack(
        [
            np.stack([model.smoothed(is_twice).bits(bouts) for is_twice in (False, True)], axis=1)
            for model in models
        ],
        axis=1,
    )
    firsts = np.cumsum([0, *map(len, coded)])[:-1]
    found = np.add.reduceat(of_bouts, firsts, axis=0)
    # Where no more is split, more splits are as good as the last.
    return np.pad(found, ((0, 0), (0, _MOST_SPLITS + 1 - len(models)), (0, 0)), mode="edge")


def describe(
    sequences: Sequence[np.ndarray],
    num_types: int,
    bits: np.ndarray,
    second_order: np.ndarray,
    sizes: np.ndarray,
    seed: int = 0,
) -> dict[str, object] | None:
    """The states of types that have several, if so many make the calls of recordings that were not
    counted cheaper than the two types before each do; else None.

    The fewest splits count that cost no more than the cheapest number but for its own standard
    error, and all of the gain's interval has to be above 0; of fewer than five recordings there are
    no such errors and no intervals.

    Args:
        sequences: types `[L]` of all bouts.    num_types: K.
        bits: `[R, 9, 2]`, see `costs`.    second_order: bits `[R]` when two types before are known.
        sizes: calls `[R]`.    seed: int.

    Returns: dict of JSON's kinds: `bits` a call; `gain` over order 2 in bits, with `gain_low` and
        `gain_high`; `states`, a list with each state's `type`, `share` of the type's calls, and
        `before` and `after`, lists of (type, share of the ways in or out), the commonest first; -1
        stands for a bout's beginning.
    """
    bits = bits[:, :, int(bits.sum(axis=0).min(axis=0).argmin())]
    rng = np.random.default_rng(seed)
    weights = rng.multinomial(len(sizes), np.full(len(sizes), 1 / len(sizes)), _NUM_BOOTSTRAPS)
    resampled = weights @ np.column_stack([bits, second_order]) / (weights @ sizes)[:, None]
    means = np.append(bits.sum(axis=0), second_order.sum()) / sizes.sum()
    cheapest = int(means[:-1].argmin())
    has_errors = len(sizes) >= _FEWEST_FOR_INTERVALS
    slack = (resampled[:, :-1] - resampled[:, [cheapest]]).std(axis=0) if has_errors else 0.0
    splits = int(np.flatnonzero(means[:-1] - means[cheapest] <= slack)[0])
    gains = resampled[:, -1] - resampled[:, splits]
    gain = float(means[-1] - means[splits])
    low, high = np.quantile(gains, _TAILS).round(4).tolist() if has_errors else (None, None)
    if not splits or (gain if low is None else low) <= 0:
        return None
    models = pomm.path(sequences, num_types, splits, seed)
    return {
        "bits": round(float(means[splits]), 4),
        "gain": round(gain, 4),
        "gain_low": low,
        "gain_high": high,
        "states": _states(models[-1]),
    }


def in_words(told: Mapping[str, Any], names: Sequence[str]) -> list[str]:
    """What `describe` found, a line for each type with several states."""
    lines: dict[int, list[str]] = {}
    for state in told["states"]:
        ways = [
            word + " " + " or ".join(_name(number, names) for number in _main(state[key]))
            for word, key in (("after", "before"), ("before", "after"))
            if state[key]
        ]
        lines.setdefault(state["type"], []).append(f"{', '.join(ways)} ({state['share']:.0%})")
    return [
        f"type {names[kind]} has {len(own)} states: {'; '.join(own)}" for kind, own in lines.items()
    ]


def _states(model: Pomm) -> list[dict[str, Any]]:
    entries = model.counts.sum(axis=0)
    rows = np.append(model.types, -1)
    several = np.bincount(model.types, minlength=model.num_types) > 1
    found = [
        {
            "type": int(kind),
            "share": round(float(entries[state] / entries[model.types == kind].sum()), 4),
            "before": _ways(rows, model.counts[:, state]),
            "after": _ways(model.types, model.counts[state]),
        }
        for state, kind in enumerate(model.types)
        if several[kind]
    ]
    return sorted(found, key=lambda state: (state["type"], -state["share"]))


def _ways(types: np.ndarray, counts: np.ndarray) -> list[tuple[int, float]]:
    """Types with the share of counts [S] that each has, the commonest first."""
    total = max(float(counts.sum()), 1e-9)
    shares = {int(kind): float(counts[types == kind].sum()) / total for kind in np.unique(types)}
    common = sorted(shares.items(), key=lambda one: -one[1])
    return [(kind, round(share, 4)) for kind, share in common if share >= 0.01]


def _main(ways: Sequence[tuple[int, float]]) -> list[int]:
    return [kind for kind, share in ways if share >= _LEAST_TOLD] or [ways[0][0]]


def _name(number: int, names: Sequence[str]) -> str:
    return "the beginning" if number < 0 else names[number]
