"""Who follows whom, counted, and how far two orders are apart."""

import numpy as np
import pytest
import reference

from neurovocal_tf.discovery.syntax import divergence_nats, transition_counts


def test_transition_divergence_is_the_jensen_shannon_divergence(rng):
    counts = rng.integers(0, 9, size=(2, 4, 4)).astype(float)
    p, q = (c.ravel() / c.sum() for c in counts)
    assert divergence_nats(*counts) == pytest.approx(reference.jensen_shannon_nats(p, q), rel=1e-9)


def test_pairs_of_call_types_are_counted_within_bouts_only():
    counts = transition_counts(
        np.array([0, 1, 0, 1, 2]), np.array([False, True, False, True, True]), 3
    )
    assert counts.tolist() == [[0, 2, 0], [0, 0, 1], [0, 0, 0]]
