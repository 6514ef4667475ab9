"""How far back order reaches: what the types before a call tell of it, in recordings that were not
counted.
"""

import collections

import numpy as np

from neurovocal_tf.discovery import type_states
from neurovocal_tf.discovery.bouts import Bouts

ORDERS = (0, 1, 2, 3)
_NUM_FOLDS = 5
_NUM_BOOTSTRAPS = 400
_TAILS = (0.025, 0.975)


def held_out_bits(bouts: Bouts, seed: int = 0) -> dict[str, object]:
    """Bits a call costs when 0 to 3 types before it are known, in recordings that were not counted.

    Each fifth of the recordings is coded by what follows what in the others, of few counts smoothed
    by the order below (Witten & Bell, 1991); order 0 by the uniform distribution. What begins a
    bout has the beginning before it.

    Returns: dict of `bits`, `bits_low`, `bits_high`, by order; `best_order`, the lowest that costs
        no more than the cheapest one but for its own standard error; `type_states`, see
        `type_states.describe`; all None of fewer than two recordings with calls. Intervals are over
        recordings, and None of fewer than five.
    """
    present = np.unique(bouts.recordings)
    names = ("bits", "bits_low", "bits_high", "best_order", "type_states")
    if len(present) < 2 or bouts.num_types < 1:
        return dict.fromkeys(names)
    folds = np.random.default_rng(seed).permutation(len(present)) % min(_NUM_FOLDS, len(present))
    by_recording: dict[int, list[np.ndarray]] = collections.defaultdict(list)
    for sequence, start in zip(bouts.sequences, bouts.starts, strict=True):
        by_recording[int(bouts.recordings[start])].append(sequence)
    bits = np.zeros((len(present), len(ORDERS)))
    of_states: list[np.ndarray] = [np.empty(0)] * len(present)
    for fold in np.unique(folds):
        counted = [
            s for place in np.flatnonzero(folds != fold) for s in by_recording[present[place]]
        ]
        tables = [_counts(counted, order) for order in ORDERS]
        places = np.flatnonzero(folds == fold)
        coded = [by_recording[present[place]] for place in places]
        by_splits = type_states.costs(counted, coded, bouts.num_types, seed)
        for place, sequences, costs in zip(places, coded, by_splits, strict=True):
            bits[place] = sum(_bits(s, tables, bouts.num_types) for s in sequences)
            of_states[place] = costs
    sizes = np.array([sum(map(len, by_recording[name])) for name in present])
    means = bits.sum(axis=0) / sizes.sum()
    several = type_states.describe(
        bouts.sequences, bouts.num_types, np.stack(of_states), bits[:, 2], sizes, seed
    )
    found: dict[str, object] = {"bits": means.round(4).tolist()}
    return found | _intervals(bits, sizes, means, seed) | {"type_states": several}


def _intervals(
    bits: np.ndarray, sizes: np.ndarray, means: np.ndarray, seed: int
) -> dict[str, list[float] | int | None]:
    if len(sizes) < _NUM_FOLDS:
        return {"bits_low": None, "bits_high": None, "best_order": int(means.argmin())}
    rng = np.random.default_rng(seed)
    weights = rng.multinomial(len(sizes), np.full(len(sizes), 1 / len(sizes)), _NUM_BOOTSTRAPS)
    resampled = weights @ bits / (weights @ sizes)[:, None]
    low, high = np.quantile(resampled, _TAILS, axis=0).round(4).tolist()
    cheapest = int(means.argmin())
    # Orders are compared on the same recordings: what they have in common goes out.
    excess = resampled - resampled[:, [cheapest]]
    is_as_good = means - means[cheapest] <= excess.std(axis=0)
    return {"bits_low": low, "bits_high": high, "best_order": int(np.flatnonzero(is_as_good)[0])}


def _contexts(sequence: np.ndarray, order: int) -> list[tuple[int, ...]]:
    """The `order` types before each call; -1 stands for the beginning."""
    padded = [-1] * order + [int(number) for number in sequence]
    return [tuple(padded[place : place + order]) for place in range(len(sequence))]


def _counts(
    sequences: list[np.ndarray], order: int
) -> dict[tuple[int, ...], collections.Counter[int]]:
    table: dict[tuple[int, ...], collections.Counter[int]] = collections.defaultdict(
        collections.Counter
    )
    for sequence in sequences:
        for context, number in zip(_contexts(sequence, order), sequence, strict=True):
            table[context][int(number)] += 1
    return table


def _bits(
    sequence: np.ndarray,
    tables: list[dict[tuple[int, ...], collections.Counter[int]]],
    num_types: int,
) -> np.ndarray:
    """What a bout costs at each order, `[4]`."""
    chances = np.full(len(sequence), 1 / num_types)
    costs = []
    for order, table in zip(ORDERS, tables, strict=True):
        for place, context in enumerate(_contexts(sequence, order)):
            seen = table.get(context)
            if seen:
                # Witten-Bell: so many new ones were seen as there are kinds.
                total = seen.total()
                count = seen[int(sequence[place])]
                chances[place] = (count + len(seen) * chances[place]) / (total + len(seen))
        costs.append(-np.log2(chances).sum())
    return np.array(costs)
