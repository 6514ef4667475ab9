"""Distances of samples against their definitions."""

import math

import numpy as np
import pytest
import reference

from neurovocal_tf.discovery.distances import divergence_bits, kolmogorov_smirnov


def test_a_divergence_is_jensens_and_shannons_in_bits(rng):
    counts = rng.integers(0, 9, size=(2, 4, 4)).astype(float)
    p, q = (c.ravel() / c.sum() for c in counts)
    expected = reference.jensen_shannon_nats(p, q) / math.log(2)
    assert divergence_bits(*counts) == pytest.approx(expected, rel=1e-9)
    assert divergence_bits(counts[0], 3 * counts[0]) == pytest.approx(0.0, abs=1e-12)
    assert divergence_bits(np.array([4, 0]), np.array([0, 2])) == pytest.approx(1.0)
    assert math.isnan(divergence_bits(counts[0], np.zeros((4, 4))))


def test_kolmogorov_and_smirnovs_distance_is_the_largest_difference_of_two_distributions(rng):
    one, other = rng.normal(size=40), rng.normal(0.5, size=30)
    places = np.concatenate([one, other])
    below = [(sample[:, None] <= places).mean(axis=0) for sample in (one, other)]
    assert kolmogorov_smirnov(one, other) == pytest.approx(np.abs(below[0] - below[1]).max())
    assert math.isnan(kolmogorov_smirnov(one, np.zeros(0)))
