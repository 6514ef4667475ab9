"""How much of the noise is sung at which level."""

import numpy as np

from neurovocal_tf.layers.noise_shares import FIRST_LEVEL, NUM_LEVELS, STEP, share_at


def test_shares_lie_straight_between_those_of_the_levels_and_hold_beyond_them(rng):
    levels = FIRST_LEVEL + STEP * np.arange(NUM_LEVELS)
    shares = rng.uniform(size=NUM_LEVELS).astype(np.float32)
    asked = np.concatenate([levels, rng.uniform(-5, 5, 200), [-1e6, 1e6]]).astype(np.float32)
    found = share_at(shares, asked)
    # A level in float32 is known to 2^-23 of two; the steepest way between two shares is 1 a STEP.
    np.testing.assert_allclose(found, np.interp(asked, levels, shares), atol=4e-6)
