"""Generated pieces beside real ones, on pieces of a known grammar."""

import collections
import math

import numpy as np
import pytest
import scipy.spatial.distance

from neurovocal_tf.music import likeness

# What follows which, of chords in C: a cadence that goes astray now and then.
CHORDS = ((60, 64, 67), (60, 65, 69), (59, 62, 67), (57, 60, 64))
FOLLOWS = np.array([[0.1, 0.6, 0.2, 0.1], [0.1, 0.1, 0.8, 0], [0.8, 0, 0.1, 0.1], [0, 0.7, 0.3, 0]])


def pieces(rng, count, follows=FOLLOWS, length=30):
    rolls = []
    for _ in range(count):
        roll, chord = np.zeros((length, 88), np.uint8), 0
        for frame in roll:
            frame[np.array(CHORDS[chord]) - 21] = 1
            chord = rng.choice(4, p=follows[chord])
        rolls.append(roll)
    return rolls


@pytest.fixture(scope="module")
def figures():
    rng = np.random.default_rng(3)
    training, real = pieces(rng, 30), pieces(rng, 10)
    return {
        "same": likeness.compare_pieces(training, real, pieces(rng, 10)),
        "other order": likeness.compare_pieces(
            training, real, pieces(rng, 10, FOLLOWS.T.copy() / FOLLOWS.sum(axis=0)[:, None])
        ),
        "longer": likeness.compare_pieces(training[:10], real[:5], pieces(rng, 5, length=50)),
    }


def test_pieces_of_the_same_grammar_lie_within_the_null_and_of_another_do_not(figures):
    name = "chord_change_divergence_bits"
    assert figures["same"][f"{name}_generated"] < 1.5 * figures["same"][f"{name}_null_high"]
    assert (
        figures["other order"][f"{name}_generated"]
        > 10 * figures["other order"][f"{name}_null_high"]
    )


def test_keys_on_their_own_make_no_chords_and_a_chain_of_frames_makes_those_it_knows(figures):
    same = figures["same"]
    assert same["share_triads_and_sevenths_real"] == 1.0
    assert same["share_triads_and_sevenths_frame_chain"] == 1.0
    assert same["share_triads_and_sevenths_independent"] < 0.5
    assert same["chord_divergence_bits_independent"] > 0.3
    assert (
        same["chord_change_divergence_bits_frame_chain"]
        < 1.5 * same["chord_change_divergence_bits_null_high"]
    )
    assert same["keys_a_frame_independent"] == pytest.approx(3, abs=0.4)


def test_generated_pieces_are_cut_to_the_length_of_real_ones(figures):
    bound = 3 * figures["longer"]["chord_divergence_bits_null_high"]
    assert figures["longer"]["chord_divergence_bits_generated"] < bound


def test_a_divergence_equals_scipys_and_is_nothing_of_itself_and_a_bit_of_what_is_apart():
    one, two = collections.Counter(a=3, b=1), collections.Counter(a=1, c=2)
    shares = np.array([[3, 1, 0], [1, 0, 2]])
    expected = scipy.spatial.distance.jensenshannon(*shares, base=2) ** 2
    assert likeness.divergence_bits(one, two) == pytest.approx(expected)
    assert likeness.divergence_bits(one, one) == pytest.approx(0)
    assert likeness.divergence_bits(one, collections.Counter(d=5)) == pytest.approx(1)
    assert math.isnan(likeness.divergence_bits(one, collections.Counter()))


def test_silent_pieces_tell_nothing_and_break_nothing():
    silent = [np.zeros((6, 88), np.uint8)] * 3
    found = likeness.compare_pieces(silent, silent, silent)
    assert math.isnan(found["key_fit_generated"]) and found["keys_a_frame_generated"] == 0
