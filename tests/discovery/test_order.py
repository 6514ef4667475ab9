"""Order of calls: chains whose entropy is known, groups that differ and groups that do not."""

import numpy as np
import pytest

from neurovocal_tf.discovery import groups, reach, syntax
from neurovocal_tf.discovery.bouts import bouts_of

CHAIN = np.array([[0.0, 0.9, 0.1], [0.0, 0.0, 1.0], [0.5, 0.5, 0.0]])


def calls(sequences):
    """`Bouts` of a recording each, calls 0.05 s long and as far apart."""
    types = np.concatenate(sequences)
    recordings = np.repeat(np.arange(len(sequences)), list(map(len, sequences)))
    onsets = np.concatenate([0.1 * np.arange(len(s)) for s in sequences])
    spans = np.stack([onsets, onsets + 0.05], axis=1)
    return bouts_of(types, int(types.max()) + 1, spans, recordings, len(sequences), 1.0)


def walk(rng, length, chain=CHAIN):
    found = [0]
    for _ in range(length - 1):
        found.append(rng.choice(len(chain), p=chain[found[-1]]))
    return np.array(found)


def test_the_entropy_rate_is_the_chain_s_own(rng):
    values, vectors = np.linalg.eig(CHAIN.T)
    stationary = np.real(vectors[:, np.argmax(np.real(values))])
    stationary /= stationary.sum()
    entropies = -np.sum(CHAIN * np.log2(np.where(CHAIN > 0, CHAIN, 1)), axis=1)
    told = syntax.describe(calls([walk(rng, 600) for _ in range(8)]))
    # A thousandth per parameter and call is what counting costs.
    assert told["entropy_rate_bits"] == pytest.approx(stationary @ entropies, abs=0.03)
    assert told["entropy_rate_bits_low"] < told["entropy_rate_bits"]
    assert told["entropy_rate_bits"] < told["entropy_rate_bits_high"]
    assert told["order_p_value"] == pytest.approx(1 / 200)
    assert told["linearity"] == pytest.approx(3 / 5)


def test_calls_without_order_are_as_random_as_when_shuffled(rng):
    told = syntax.describe(calls([rng.integers(0, 3, 100) for _ in range(6)]))
    assert told["order_p_value"] > 0.05
    assert told["entropy_rate_bits"] == pytest.approx(told["shuffled_entropy_rate_bits"], abs=0.03)


def test_few_recordings_have_no_interval(rng):
    told = syntax.describe(calls([walk(rng, 50) for _ in range(4)]))
    assert told["entropy_rate_bits_low"] is None and told["shares_low"] is None
    one = calls([walk(rng, 50)])
    assert reach.held_out_bits(one)["bits"] is None


def test_repeats_and_what_bouts_begin_with_are_counted():
    found = calls([np.array([0, 0, 0, 1, 2, 2]), np.array([0, 1, 1, 2])])
    assert [run["num_runs"] for run in syntax.repeats(found)] == [2, 2, 2]
    assert [run["longest"] for run in syntax.repeats(found)] == [3, 2, 2]
    assert syntax.introduction(found) == {
        "type": 0,
        "share": 1.0,
        "mean_length": 2.0,
        "sd_length": 1.0,
    }


def test_order_reaches_as_far_back_as_the_chain_does(rng):
    def second_order(length):
        found = [0, 1]
        while len(found) < length:
            # What comes is told by the two before, and by no single one.
            likely = (found[-1] + found[-2]) % 3
            found.append(likely if rng.random() < 0.9 else int(rng.integers(3)))
        return np.array(found)

    told = reach.held_out_bits(calls([second_order(200) for _ in range(10)]))
    zero, one, two, three = told["bits"]
    assert zero == pytest.approx(np.log2(3), abs=0.05)
    assert two < one - 0.5 and three > two - 0.01
    assert told["best_order"] == 2


def test_groups_that_differ_are_told_and_those_that_do_not_are_not(rng):
    other = CHAIN[::-1, ::-1]
    differ = calls([walk(rng, 80, CHAIN if n < 6 else other) for n in range(12)])
    alike = calls([walk(rng, 80) for _ in range(12)])
    group_of = {n: "before" if n < 6 else "after" for n in range(12)}
    p_values = [
        {t["measure"]: t["p_value"] for t in groups.compare(found, group_of)[0]["tests"]}
        for found in (differ, alike)
    ]
    assert p_values[0]["order"] <= 0.01 < p_values[1]["order"]
    assert all(
        t["p_value_holm"] >= t["p_value"] for t in groups.compare(differ, group_of)[0]["tests"]
    )


def test_p_values_hold_for_recordings_as_units():
    """Recordings that differ among themselves, in groups that mean nothing: p is uniform."""
    below = 0
    for seed in range(10):
        rng = np.random.default_rng(seed)
        sequences = [rng.choice(2, 60, p=[q, 1 - q]) for q in rng.beta(2, 2, 8)]
        sequences = [np.append(s, [0, 1]) for s in sequences]
        tests = groups.compare(calls(sequences), {n: "ab"[n % 2] for n in range(8)})[0]["tests"]
        below += next(t["p_value"] for t in tests if t["measure"] == "type_shares") <= 0.1
    # Binomial of 10 with 0.1: more than four come once in 600.
    assert below <= 4


def test_a_group_of_one_recording_is_not_compared(rng):
    found = calls([walk(rng, 50) for _ in range(4)])
    told, notes = groups.compare(found, {0: "a", 1: "a", 2: "a", 3: "b"})
    assert told["tests"] == [] and [g["group"] for g in told["groups"]] == ["a", "b"]
    assert notes[0].startswith("group b has one recording")
