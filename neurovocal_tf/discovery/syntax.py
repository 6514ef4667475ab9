"""The order of call types: which follows which, how fixed that is and how linear."""

import math

import numpy as np

from neurovocal_tf.discovery.bouts import Bouts

_NUM_BOOTSTRAPS, _NUM_SHUFFLES = 400, 199
# An interval over fewer recordings would be one of nothing.
MIN_RECORDINGS = 5
_TAILS = (0.025, 0.975)
_SLIP = 0.01


def transition_counts(call_types: np.ndarray, follows: np.ndarray, num_types: int) -> np.ndarray:
    """How often each call type follows each within bouts.

    Args:
        call_types: int [S], of syllables in the order in which they were sung, below `num_types`.
        follows: bool [S], whether a syllable continues the bout of the one before it.
        num_types: int, K.

    Returns:
        float [K, K], by (type, next type).
    """
    counts = np.zeros((num_types, num_types))
    np.add.at(counts, (call_types[:-1][follows[1:]], call_types[1:][follows[1:]]), 1)
    return counts


def transition_shares(counts: np.ndarray) -> np.ndarray:
    """How often each type is followed by each, of all that follows it; 0 where nothing does.

    [..., K, K] -> [..., K, K]
    """
    return counts / np.maximum(counts.sum(axis=-1, keepdims=True), 1)


def entropy_rate_bits(counts: np.ndarray) -> np.ndarray:
    """How uncertain the next type is when one is known, bits; of few counts it is too low.

    - sum_i p(i) sum_j p(j | i) log2 p(j | i)        [..., K, K] -> [...], NaN where empty
    """
    shares = transition_shares(counts)
    of_rows = -np.sum(shares * np.log2(np.where(shares > 0, shares, 1.0)), axis=-1)
    return _over(np.sum(counts.sum(axis=-1) * of_rows, axis=-1), counts.sum(axis=(-1, -2)))


def consistency(counts: np.ndarray) -> np.ndarray:
    """Share of transitions that are their type's most frequent one (Scharff & Nottebohm, 1991).

    [..., K, K] -> [...], NaN where empty
    """
    return _over(counts.max(axis=-1).sum(axis=-1), counts.sum(axis=(-1, -2)))


def linearity(counts: np.ndarray) -> np.ndarray:
    """Types that are followed by any, over kinds of transitions: 1 where each has one successor
    (Scharff & Nottebohm, 1991). What makes up less than 1 % of its type's transitions does not
    count: of such slips more are found the longer one listens.  [..., K, K] -> [...], NaN where
    empty
    """
    kinds = (transition_shares(counts) >= _SLIP).sum(axis=(-1, -2))
    return _over((counts.sum(axis=-1) > 0).sum(axis=-1), kinds)


MEASURES = {
    "entropy_rate_bits": entropy_rate_bits,
    "consistency": consistency,
    "linearity": linearity,
}


def describe(bouts: Bouts, seed: int = 0) -> dict[str, object]:
    """The order of some calls: flat dict of numbers and tables, of JSON's kinds, None where nothing
    can be told.

    Keys: `transitions`, counts `[K][K]`; `shares`, with `shares_low` and `shares_high`; each of
    `MEASURES`, with `_low` and `_high`; `shuffled_entropy_rate_bits` and `order_p_value`;
    `repeats`; `bouts`; `introduction`; `num_recordings`. An interval is the middle 95 % of 400
    bootstraps over the recordings, and None of fewer than five of them.
    """
    per_recording = bouts.by_recording(
        lambda part: transition_counts(part.types, part.follows, part.num_types)
    )
    per_recording = per_recording[np.isin(np.arange(bouts.num_recordings), bouts.recordings)]
    counts = per_recording.sum(axis=0)
    described: dict[str, object] = {
        "num_recordings": len(per_recording),
        "transitions": counts.astype(int).tolist(),
        "shares": transition_shares(counts).round(4).tolist(),
    }
    resampled = _resampled(per_recording, seed)
    for name, measure in MEASURES.items():
        described |= _with_interval(
            name, float(measure(counts)), None if resampled is None else measure(resampled)
        )
    bounds = (None, None)
    if resampled is not None:
        bounds = np.quantile(transition_shares(resampled), _TAILS, axis=0).round(4).tolist()
    described |= {"shares_low": bounds[0], "shares_high": bounds[1]}
    return (
        described
        | _against_shuffled(bouts, float(entropy_rate_bits(counts)), seed)
        | {
            "repeats": repeats(bouts),
            "bouts": _bouts(bouts),
            "introduction": introduction(bouts),
        }
    )


def repeats(bouts: Bouts) -> list[dict[str, float | int]]:
    """Of each type: how many runs of it there are, the mean and longest length of a run, and the
    share of runs of two and more.
    """
    lengths: list[list[int]] = [[] for _ in range(bouts.num_types)]
    for sequence in bouts.sequences:
        edges = np.flatnonzero(np.diff(sequence)) + 1
        for run in np.split(sequence, edges):
            lengths[run[0]].append(len(run))
    return [
        {
            "num_runs": len(runs),
            "mean_length": round(float(np.mean(runs)), 3) if runs else 0.0,
            "longest": max(runs, default=0),
            "share_repeated": round(float(np.mean(np.array(runs) > 1)), 4) if runs else 0.0,
        }
        for runs in lengths
    ]


def introduction(bouts: Bouts) -> dict[str, float | int | None]:
    """With which type bouts begin most often, in what share of them, and how often it is given
    there before another follows: mean and standard deviation.
    """
    sequences = [sequence for sequence in bouts.sequences if len(sequence)]
    if not sequences:
        return {"type": None, "share": None, "mean_length": None, "sd_length": None}
    first = np.bincount([sequence[0] for sequence in sequences], minlength=bouts.num_types)
    most = int(first.argmax())
    lengths = [
        int(np.append(np.flatnonzero(sequence != most), len(sequence))[0])
        for sequence in sequences
        if sequence[0] == most
    ]
    return {
        "type": most,
        "share": round(float(first[most] / len(sequences)), 4),
        "mean_length": round(float(np.mean(lengths)), 3),
        "sd_length": round(float(np.std(lengths)), 3),
    }


def _bouts(bouts: Bouts) -> dict[str, float | int | None]:
    starts = bouts.starts
    ends = np.append(starts[1:], len(bouts.types)) - 1
    lengths_s = bouts.offsets_s[ends] - bouts.onsets_s[starts] if len(starts) else np.zeros(0)
    counts = ends - starts + 1

    def middle(values: np.ndarray) -> float | None:
        return round(float(np.median(values)), 4) if len(values) else None

    return {
        "num_bouts": len(starts),
        "median_num_calls": middle(counts),
        "median_duration_s": middle(lengths_s),
        "median_gap_s": middle(bouts.gaps_s),
    }


def _against_shuffled(bouts: Bouts, observed: float, seed: int) -> dict[str, float | None]:
    """Whether there is an order at all: the entropy rate beside that of each recording's types in
    random order, and the share of such orders that are as certain (Phipson & Smyth, 2010).
    """
    if math.isnan(observed) or bouts.num_types < 2:
        return {"shuffled_entropy_rate_bits": None, "order_p_value": None}
    rng = np.random.default_rng(seed)
    shuffled = []
    for _ in range(_NUM_SHUFFLES):
        # By recording, then at random: every recording keeps its own types.
        order = np.lexsort((rng.random(len(bouts.types)), bouts.recordings))
        counts = transition_counts(bouts.types[order], bouts.follows, bouts.num_types)
        shuffled.append(float(entropy_rate_bits(counts)))
    return {
        "shuffled_entropy_rate_bits": round(float(np.mean(shuffled)), 4),
        "order_p_value": (1 + sum(value <= observed for value in shuffled)) / (1 + _NUM_SHUFFLES),
    }


def _resampled(per_recording: np.ndarray, seed: int) -> np.ndarray | None:
    """Counts of recordings drawn with replacement, [400, K, K]; None of too few of them."""
    size = len(per_recording)
    if size < MIN_RECORDINGS:
        return None
    rng = np.random.default_rng(seed)
    weights = rng.multinomial(size, np.full(size, 1 / size), _NUM_BOOTSTRAPS)
    return np.tensordot(weights.astype(float), per_recording, axes=1)


def _with_interval(
    name: str, value: float, resampled: np.ndarray | None
) -> dict[str, float | None]:
    if math.isnan(value):
        return {name: None, f"{name}_low": None, f"{name}_high": None}
    low = high = None
    if resampled is not None and not np.isnan(resampled).all():
        bounds = np.nanquantile(resampled, _TAILS)
        # Kinds of transitions can only be lost by drawing anew: the value itself is always in.
        low, high = round(min(bounds[0], value), 4), round(max(bounds[1], value), 4)
    return {name: round(value, 4), f"{name}_low": low, f"{name}_high": high}


def _over(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """one / other, NaN where that is 0."""
    return np.where(other > 0, one / np.maximum(other, 1), np.nan)
