"""What keeps a layer's numbers in bounds that its gradient still passes."""

import tensorflow as tf


def bounded(x: tf.Tensor, largest: float) -> tf.Tensor:
    """x near 0, and never beyond `largest` either way.  [...] -> [...]"""
    # XLA for processors (TensorFlow 2.17) makes one operation of a product and what follows it,
    # with one factor for all and the last sum first: log sigma + tanh(x) and exp(2 tanh(x / 2))
    # come out wrong. What is read twice, it leaves alone.
    return tf.where(tf.math.is_nan(x), x, largest * tf.tanh(x / largest))
