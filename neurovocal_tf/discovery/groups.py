"""Groups of recordings, such as days, individuals or contexts, and in what their calls differ."""

import collections
from collections.abc import Mapping

import numpy as np

from neurovocal_tf.discovery import syntax
from neurovocal_tf.discovery.bouts import Bouts

_NUM_PERMUTATIONS = 999
_FEWEST_RECORDINGS = 2


def compare(
    bouts: Bouts, groups: Mapping[int, str], seed: int = 0
) -> tuple[dict[str, object], list[str]]:
    """What differs between groups of recordings, and whether chance does as much.

    The unit is the recording: a difference counts by how seldom 999 random shares of the recordings
    among the groups make one as large (Phipson & Smyth, 2010). All tests together are held to their
    level by Holm (1979).

    Args:
        bouts: `Bouts`.    groups: dict of a recording's number -> its group.    seed: int.

    Returns: dict of JSON's kinds: `groups`, a list with each one's figures, and `tests`, a list of
        `measure`, `difference`, `p_value`, `p_value_holm`; and sentences for the user.
    """
    present = set(bouts.recordings.tolist())
    sizes = collections.Counter(group for number, group in groups.items() if number in present)
    small = sorted(group for group, size in sizes.items() if size < _FEWEST_RECORDINGS)
    notes = [
        f"group {group} has one recording with calls: nothing can be said of how it differs"
        for group in small
    ]
    chosen = [
        number for number in sorted(groups) if number in present and groups[number] not in small
    ]
    members = sorted({groups[number] for number in chosen})
    figures = _Figures(bouts)
    listed = [
        figures.of([n for n in sorted(groups) if groups[n] == group and n in present], group)
        for group in sorted(sizes)
    ]
    if len(members) < 2:
        notes.append("fewer than two groups have two recordings: none are compared")
        return {"groups": listed, "tests": []}, notes
    of_each = np.array([members.index(groups[number]) for number in chosen])
    tests = _tests(figures, np.array(chosen), of_each, len(members), seed)
    return {"groups": listed, "tests": tests}, notes


class _Figures:
    """What is counted in each recording."""

    def __init__(self, bouts: Bouts) -> None:
        self.transitions = bouts.by_recording(
            lambda part: syntax.transition_counts(part.types, part.follows, part.num_types)
        )
        self.types = bouts.by_recording(
            lambda part: np.bincount(part.types, minlength=part.num_types)
        )
        self.seconds = bouts.by_recording(lambda part: np.sum(part.offsets_s - part.onsets_s))

    def of(self, chosen: list[int], group: str) -> dict[str, object]:
        """The figures of one group, for a table."""
        counts, calls = self.transitions[chosen].sum(axis=0), self.types[chosen].sum(axis=0)
        total = max(int(calls.sum()), 1)
        measures = {name: float(measure(counts)) for name, measure in syntax.MEASURES.items()}
        return {
            "group": group,
            "num_recordings": len(chosen),
            "num_calls": int(calls.sum()),
            "mean_duration_s": round(float(self.seconds[chosen].sum() / total), 4),
            "type_shares": (calls / total).round(4).tolist(),
        } | {name: None if np.isnan(v) else round(v, 4) for name, v in measures.items()}

    def differences(self, weights: np.ndarray) -> dict[str, np.ndarray]:
        """How far groups are apart in each measure, for P ways to share R recordings out.

        float [P, G, R] -> dict of [P]
        """
        counts = np.tensordot(weights, self.transitions, axes=1)
        calls = np.tensordot(weights, self.types, axes=1)
        seconds = weights @ self.seconds / np.maximum(calls.sum(axis=-1), 1)
        entropies = _entropy_bits(calls)
        sizes = calls.sum(axis=-1)
        rates = np.nan_to_num(syntax.entropy_rate_bits(counts))
        steps = counts.sum(axis=(-1, -2))
        whole, all_steps = calls.sum(axis=1), counts.sum(axis=1)
        return {
            # Mutual information of the group with the type, and with the next type when one is
            # known: bits.
            "type_shares": _entropy_bits(whole)
            - np.sum(sizes * entropies, axis=1) / np.maximum(sizes.sum(axis=1), 1),
            "order": np.nan_to_num(syntax.entropy_rate_bits(all_steps))
            - np.sum(steps * rates, axis=1) / np.maximum(steps.sum(axis=1), 1),
            "entropy_rate_bits": np.ptp(rates, axis=1),
            "consistency": np.ptp(np.nan_to_num(syntax.consistency(counts)), axis=1),
            "mean_duration_s": np.ptp(seconds, axis=1),
        }


def _tests(
    figures: _Figures, chosen: np.ndarray, of_each: np.ndarray, num_groups: int, seed: int
) -> list[dict[str, object]]:
    rng = np.random.default_rng(seed)

    def differences(shared_out: np.ndarray) -> dict[str, np.ndarray]:
        weights = np.zeros((1, num_groups, len(figures.types)))
        weights[0, shared_out, chosen] = 1
        return figures.differences(weights)

    observed = differences(of_each)
    as_large = dict.fromkeys(observed, 0)
    for _ in range(_NUM_PERMUTATIONS):
        for name, value in differences(rng.permutation(of_each)).items():
            as_large[name] += bool(value[0] >= observed[name][0] - 1e-12)
    p_values = {name: (1 + count) / (1 + _NUM_PERMUTATIONS) for name, count in as_large.items()}
    held, so_far = {}, 0.0
    for place, name in enumerate(sorted(p_values, key=lambda n: p_values[n])):
        so_far = max(so_far, min((len(p_values) - place) * p_values[name], 1.0))
        held[name] = so_far
    return [
        {
            "measure": name,
            "difference": round(float(value[0]), 5),
            "p_value": round(p_values[name], 4),
            "p_value_holm": round(held[name], 4),
        }
        for name, value in observed.items()
    ]


def _entropy_bits(counts: np.ndarray) -> np.ndarray:
    """[..., K] -> [...]"""
    shares = counts / np.maximum(counts.sum(axis=-1, keepdims=True), 1)
    return -np.sum(shares * np.log2(np.where(shares > 0, shares, 1.0)), axis=-1)
