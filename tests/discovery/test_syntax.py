"""Who follows whom, counted."""

import numpy as np

from neurovocal_tf.discovery.syntax import transition_counts


def test_pairs_of_call_types_are_counted_within_bouts_only():
    counts = transition_counts(
        np.array([0, 1, 0, 1, 2]), np.array([False, True, False, True, True]), 3
    )
    assert counts.tolist() == [[0, 2, 0], [0, 0, 1], [0, 0, 0]]
