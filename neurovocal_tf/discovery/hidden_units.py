"""Which of a model's units go with which call type: mean activity by type, and how much of the type
a unit tells.
"""

import dataclasses

import numpy as np

_NUM_LEVELS = 8
_NUM_PERMUTATIONS = 99


@dataclasses.dataclass(frozen=True)
class Readings:
    """What N calls make of U units.

    Attributes:
        means: `[N, U]`, over the frames of each call.    peaks: `[N, U]`, the highest of them.
        peaks_s: `[N, U]`, when that is, in the recording's own time.
    """

    means: np.ndarray
    peaks: np.ndarray
    peaks_s: np.ndarray


@dataclasses.dataclass(frozen=True)
class Told:
    """What each of U units tells of a call's type, one of K.

    Attributes:
        bits: `[U]`, mutual information of its mean over a call, in eight levels, with the type,
            less what types in random order have of it.
        p_values: `[U]`, how seldom the best of all units tells as much of types in random order, so
            that they hold for all units together (Westfall & Young, 1993).
        means: `[K, U]`, by type; NaN where there is none.
        type_bits: the entropy of the types, more than which no unit tells.
    """

    bits: np.ndarray
    p_values: np.ndarray
    means: np.ndarray
    type_bits: float


@dataclasses.dataclass(frozen=True)
class Units:
    """What is known of a model's units.

    Attributes:
        calls: int `[N]`, which calls were read.
        readings: `Readings` of the H hidden units.
        hidden, embedding: `Told` of these and of the embedding's dimensions.
        filters_db: `[V, H]`, by how many dB each hidden unit raises each bin.
        frequencies_hz: `[V]`.
    """

    calls: np.ndarray
    readings: Readings
    hidden: Told
    embedding: Told
    filters_db: np.ndarray
    frequencies_hz: np.ndarray


def tell(
    means: np.ndarray, types: np.ndarray, num_types: int, recordings: np.ndarray, seed: int = 0
) -> Told:
    """What units tell of types.

    Types in random order are those of each recording, shuffled within it 99 times: what differs
    from recording to recording alone is no telling.

    Args:
        means: `[N, U]`, see `Readings`.    types: int `[N]`.    num_types: K.
        recordings: int `[N]`, of each call.    seed: int.
    """
    levels = _levels(means)
    found = _bits(levels, types, num_types)
    rng = np.random.default_rng(seed)
    by_chance = np.empty((_NUM_PERMUTATIONS, means.shape[1]))
    # The calls by recording, and then their types in random order.
    places = np.argsort(recordings, kind="stable")
    for row in range(_NUM_PERMUTATIONS):
        shuffled = np.empty_like(types)
        shuffled[places] = types[np.lexsort((rng.random(len(types)), recordings))]
        by_chance[row] = _bits(levels, shuffled, num_types)
    expected = by_chance.mean(axis=0)
    best = (by_chance - expected).max(axis=1, initial=0.0)
    bits = found - expected
    as_much = (best[:, None] >= bits).sum(axis=0)
    counts = np.bincount(types, minlength=num_types)
    shares = counts[counts > 0] / max(len(types), 1)
    return Told(
        np.maximum(bits, 0.0),
        (1 + as_much) / (1 + _NUM_PERMUTATIONS),
        _means_by_type(means, types, num_types),
        float(-np.sum(shares * np.log2(shares))),
    )


def best_calls(peaks: np.ndarray, unit: int, recordings: np.ndarray, how_many: int) -> np.ndarray:
    """The calls that drive a unit most, those of other recordings first, int `[how_many or fewer]`.

    Args:
        peaks: `[N, U]`, see `Readings`.    unit: int.    recordings: int `[N]`.    how_many: int.
    """
    order = np.argsort(-peaks[:, unit], kind="stable")
    _, firsts = np.unique(recordings[order], return_index=True)
    is_first = np.zeros(len(order), bool)
    is_first[firsts] = True
    return np.concatenate([order[is_first], order[~is_first]])[:how_many]


def _levels(values: np.ndarray) -> np.ndarray:
    """Each unit's values as levels that are equally frequent, int `[N, U]`; equal values have the
    same one.
    """
    edges = np.quantile(values, np.linspace(0, 1, _NUM_LEVELS + 1)[1:-1], axis=0)
    return (values[:, None, :] > edges[None]).sum(axis=1)


def _bits(levels: np.ndarray, types: np.ndarray, num_types: int) -> np.ndarray:
    """Mutual information of levels and types, `[U]`: of few calls it is too high."""
    size = max(len(types), 1)
    is_of = (types == np.arange(num_types)[:, None]).astype(np.float32)
    joint = np.stack(
        [is_of @ (levels == level).astype(np.float32) for level in range(_NUM_LEVELS)]
    ).astype(float)
    joint /= size
    apart = joint.sum(axis=0) * joint.sum(axis=1, keepdims=True)
    ratio = np.divide(joint, apart, out=np.ones_like(joint), where=joint > 0)
    return np.sum(joint * np.log2(ratio), axis=(0, 1))


def _means_by_type(means: np.ndarray, types: np.ndarray, num_types: int) -> np.ndarray:
    found = np.full((num_types, means.shape[1]), np.nan)
    for kind in np.unique(types):
        found[kind] = means[types == kind].mean(axis=0)
    return found
