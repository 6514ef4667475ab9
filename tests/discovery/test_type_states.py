"""Types with several states: chances by hand, and birds that need such states and do not."""

import itertools

import numpy as np
import pytest

from neurovocal_tf.discovery import pomm, reach, type_states
from neurovocal_tf.discovery.bouts import bouts_of

NAMES = tuple("abcdefghi")


def calls(sequences):
    """`Bouts` of a recording each."""
    recordings = np.repeat(np.arange(len(sequences)), list(map(len, sequences)))
    onsets = np.concatenate([0.1 * np.arange(len(s)) for s in sequences])
    spans = np.stack([onsets, onsets + 0.05], axis=1)
    types = np.concatenate(sequences)
    return bouts_of(types, len(NAMES), spans, recordings, len(sequences), 1.0)


def sung(rng, songs, num_calls=40):
    """Songs, as words, in random order."""
    found = ""
    while len(found) < num_calls:
        found += songs[rng.integers(len(songs))]
    return np.array([NAMES.index(letter) for letter in found[:num_calls]])


def told_of(rng, songs, num_recordings=10):
    return reach.held_out_bits(calls([sung(rng, songs) for _ in range(num_recordings)]))


def some_model(rng, types=(0, 1, 1, 2, 0)):
    chances = rng.dirichlet(np.ones(len(types)), len(types) + 1)
    return pomm.Pomm(np.array(types), 3, chances, np.zeros_like(chances))


def enumerated(model, sequence):
    """Chances of all ways through the states of a bout, by way."""
    ways = itertools.product(*(np.flatnonzero(model.types == kind) for kind in sequence))
    return {
        way: np.prod([model.chances[i, j] for i, j in itertools.pairwise((-1, *way))])
        for way in ways
    }


def test_a_bout_costs_what_all_ways_through_its_states_cost_together(rng):
    model = some_model(rng)
    bouts = [np.array(types) for types in ([0, 1, 2, 1, 0], [1], [2, 2], [0, 0, 1, 1, 1, 2])]
    by_hand = [-np.log2(sum(enumerated(model, bout).values())) for bout in bouts]
    np.testing.assert_allclose(model.bits(bouts), by_hand, rtol=1e-12)


def test_a_step_counts_each_way_by_its_chance_and_makes_no_bout_less_likely(rng):
    model = some_model(rng)
    bouts = [np.array([0, 1, 2, 1, 0]), np.array([1, 1, 0])]
    counts = np.zeros_like(model.chances)
    for bout in bouts:
        ways = enumerated(model, bout)
        for way, chance in ways.items():
            for i, j in itertools.pairwise((-1, *way)):
                counts[i, j] += chance / sum(ways.values())
    together = pomm.Together.of([(bout, True) for bout in bouts])
    after = [model.fitted(together, steps) for steps in (1, 2, 3, 4)]
    np.testing.assert_allclose(after[0].counts, counts, atol=1e-12)
    chances = [one.log_chance(together) for one in (model, *after)]
    assert np.all(np.diff(chances) > -1e-6)


def first_order(rng, num_types=5, num_recordings=8):
    chain = rng.dirichlet(np.full(num_types, 0.5), num_types)
    sequences = []
    for _ in range(num_recordings):
        sequence = [0]
        for _ in range(39):
            sequence.append(rng.choice(num_types, p=chain[sequence[-1]]))
        sequences.append(np.array(sequence))
    return sequences


def test_with_a_state_for_each_type_it_is_the_first_order(rng):
    sequences = first_order(rng)
    costs = type_states.costs(sequences[:4], [[s] for s in sequences[4:]], len(NAMES), 0)
    tables = [reach._counts(sequences[:4], order) for order in reach.ORDERS]
    by_order = [reach._bits(s, tables, len(NAMES))[1] for s in sequences[4:]]
    np.testing.assert_allclose(costs[:, 0, 0], by_order, rtol=1e-6)


@pytest.mark.parametrize(
    ("songs", "states"),
    [
        # b goes on by the type before it, of three each: for the second order six contexts.
        (["abc", "fbc", "gbc", "dbe", "hbe", "ibe"], {"b": 2}),
        # What comes after the second b is told by what came before the first.
        (["abbc", "dbbe"], {"b": 4}),
        (["abfc", "dbfe"], {"b": 2, "f": 2}),
    ],
)
def test_a_type_that_goes_on_by_what_came_before_has_several_states(rng, songs, states):
    told = told_of(rng, songs)["type_states"]
    counts = {NAMES[s["type"]]: 0 for s in told["states"]}
    for state in told["states"]:
        counts[NAMES[state["type"]]] += 1
    assert counts == states
    assert 0 < told["gain_low"] <= told["gain"] <= told["gain_high"]


def test_states_are_told_by_what_comes_before_and_after(rng):
    told = told_of(rng, ["abc", "fbc", "gbc", "dbe", "hbe", "ibe"])
    (line,) = type_states.in_words(told["type_states"], NAMES)
    assert line.startswith("type b has 2 states: after ")
    ways = {part.split(", before ")[1][0]: part for part in line.split(": ")[1].split("; ")}
    assert set("afg") <= set(ways["c"].split(",")[0][6:])
    assert set("dhi") <= set(ways["e"].split(",")[0][6:])


def test_where_two_types_before_tell_as_much_none_has_several_states(rng):
    told = told_of(rng, ["abc", "dbe"])
    assert told["bits"][2] < told["bits"][1] - 0.2
    assert told["type_states"] is None


@pytest.mark.parametrize("seed", range(4))
def test_a_bird_of_the_first_order_has_no_type_of_several_states(seed):
    sequences = first_order(np.random.default_rng(seed))
    assert reach.held_out_bits(calls(sequences))["type_states"] is None


def test_long_bouts_are_learned_from_whole(rng):
    (one,) = pomm.path([np.concatenate(first_order(rng))], 5, 0)
    assert one.counts.sum() == pytest.approx(8 * 40)
