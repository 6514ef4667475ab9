"""How many frames there were, as a state holds it: a number of each row, in float32.

Whoever tries a step on a state of noise, as `model.tiling` does, comes upon a count that is no
whole number, which no frames add up to. Such a one is due for everything, so that the step computes
all that one may.
"""

import tensorflow as tf


def is_noise(count: tf.Tensor) -> tf.Tensor:
    """Whether it is no count of frames.  [...] -> bool [...]"""
    return count != tf.round(count)


def is_due(count: tf.Tensor, every: int) -> tf.Tensor:
    """Whether what happens at every so many frames does so now.  [...] -> bool [...]"""
    return (count % every == 0.0) | is_noise(count)


def whole(count: tf.Tensor, bound: int) -> tf.Tensor:
    """As an int32 from 0 to `bound` - 1, whatever it is.  [...] -> [...]"""
    return tf.clip_by_value(tf.cast(tf.round(count), tf.int32), 0, bound - 1)
