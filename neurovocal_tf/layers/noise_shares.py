"""How much of a Gaussian unit's noise is heard in songs at each level: a share by how loud its mean
is.

Levels are of standardised frames: 0 is a bin's mean over all frames, -1 a standard deviation below.
"""

import tensorflow as tf

#: The levels that have a share of their own, a fifth of a standard deviation apart. Above the last
#: all of the noise is sung, below the first as much as there.
FIRST_LEVEL, STEP, NUM_LEVELS = -2.0, 0.2, 16


def places(level: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Between which two levels some levels lie.

    -> (int32, the lower one's number; float32, how far on the way to the next, 0 to 1), as level
    """
    steps = tf.clip_by_value((level - FIRST_LEVEL) / STEP, 0.0, NUM_LEVELS - 1.0)
    lower = tf.minimum(tf.floor(steps), NUM_LEVELS - 2.0)
    return tf.cast(lower, tf.int32), steps - lower


def share_at(shares: tf.Tensor, level: tf.Tensor) -> tf.Tensor:
    """The share at some levels, straight between those of `shares` [NUM_LEVELS]; as level."""
    lower, way = places(level)
    return (1.0 - way) * tf.gather(shares, lower) + way * tf.gather(shares, lower + 1)
