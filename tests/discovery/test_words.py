"""The distance of words beside a plain search of all paths."""

import functools

import numpy as np
import pytest

from neurovocal_tf.discovery import words
from neurovocal_tf.discovery.features import PRESETS, directions


def cheapest(one, other):
    """The cost of the cheapest path, by recursion."""
    costs = 1 - one @ other.T

    @functools.cache
    def total(i, j):
        if min(i, j) < 0 or abs(i - j) > 4:
            return np.inf
        if i == j == 0:
            return costs[0, 0]
        return costs[i, j] + min(total(i - 1, j), total(i, j - 1), total(i - 1, j - 1))

    return total(len(one) - 1, len(other) - 1) / len(one)


def test_the_cheapest_path_is_found(rng):
    some = directions(rng.normal(size=(6, 16, 13)))
    found = words.distances(some[0], some[1:])
    expected = [cheapest(some[0], other) for other in some[1:]]
    np.testing.assert_allclose(found, expected, rtol=1e-4)


def test_a_word_said_louder_or_at_another_pace_stays_near(rng):
    recipe = PRESETS["speech"]
    sounds = rng.normal(size=(2, 4, 26))
    steady = np.repeat(sounds, 4, axis=1)
    slow = np.repeat(sounds[0], [6, 4, 4, 2], axis=0)
    columns = words.columns_of(np.stack([steady[0], 3 * steady[0], slow, steady[1]]), recipe)
    assert columns.shape == (4, 16, 13)
    louder, slower, other = words.distances(columns[0], columns[1:])
    assert louder == pytest.approx(0, abs=1e-5) and slower < 1e-5 < 0.3 < other


def test_fewer_than_three_others_are_no_measure(rng):
    some = directions(rng.normal(size=(4, 16, 13)))
    assert np.isnan(words.nearest(some[0], some[2:]))
    three = words.distances(some[0], some[1:])
    assert words.nearest(some[0], some[1:]) == pytest.approx(three.mean())
