"""How much rougher than the frames a model's expectation is, against loops."""

import numpy as np
import pytest
import tensorflow as tf

from neurovocal_tf.model.smoothness import excess_roughness


def by_loops(expected, actual, lengths):
    """Sum over the frames 2 to L - 2 of every row, of those before the last that counts."""
    total = 0.0
    for x, v, length in zip(expected, actual, lengths, strict=True):
        for t in range(2, length - 1):
            of_x, of_v = (abs(y[t - 1] - 2 * y[t] + y[t + 1]) for y in (x, v))
            total += np.mean(np.maximum(of_x - of_v, 0.0) ** 2)
    return total / max(sum(lengths), 1)


def found(expected, actual, lengths):
    mask = np.arange(expected.shape[1]) < np.array(lengths)[:, np.newaxis]
    arrays = (tf.constant(x, tf.float32) for x in (expected, actual, mask))
    return excess_roughness(*arrays)


@pytest.mark.parametrize("lengths", [(9, 9, 9), (9, 4, 3), (5, 1, 0), (0, 0, 0)])
def test_it_counts_what_goes_beyond_the_frames_own_between_frames_that_count(lengths, rng):
    expected, actual = rng.normal(size=(2, 3, 9, 4))
    # Frames that do not count may hold anything, and the first is expected from none.
    for i, length in enumerate(lengths):
        expected[i, length:], actual[i, length:] = 1e3, -1e3
    value = by_loops(expected, actual, lengths)
    assert (value > 0.1) == (max(lengths) > 3)
    np.testing.assert_allclose(found(expected, actual, lengths), value, rtol=1e-6)


def test_what_is_no_rougher_than_the_frames_costs_nothing(rng):
    actual = rng.normal(size=(2, 7, 4))
    straight = actual[:, :1] + np.arange(7)[:, np.newaxis] * rng.normal(size=(2, 1, 4))
    for expected in (actual, -0.9 * actual, straight):
        assert found(expected, actual, (7, 7)) < 1e-12


@pytest.mark.parametrize("num_frames", [1, 2, 3])
def test_of_fewer_than_four_frames_there_is_none(num_frames, rng):
    assert found(*rng.normal(size=(2, 2, num_frames, 4)), (num_frames,) * 2) == 0.0
