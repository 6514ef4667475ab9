"""How much rougher in time a model expects frames to be than they are."""

import tensorflow as tf


def excess_roughness(expected: tf.Tensor, actual: tf.Tensor, mask: tf.Tensor) -> tf.Tensor:
    """The part of the second differences in time of what is expected that goes beyond those of
    the frames themselves, squared: mean over bins, and over the frames that count.

    With d_t = x_{t-1} - 2 x_t + x_{t+1} it is max(|d_t(expected)| - |d_t(actual)|, 0)^2, so that
    nothing is asked where the frames jump, too. A frame beside one that does not count has none,
    and neither has the second of a row, beside one that is expected from no frame.
    Reference: Whittaker, On a new method of graduation, 1923, for the penalty on differences.

    Args:
        expected: [B, T, V], each frame as foretold from those before it.
        actual: [B, T, V].    mask: [B, T], 1 where a frame counts; those come first in a row.

    Returns:
        [].
    """
    excess = tf.nn.relu(tf.abs(_second_difference(expected)) - tf.abs(_second_difference(actual)))
    roughness = tf.reduce_mean(tf.square(excess), axis=-1)
    # Of the frames 2 to T - 2; where the next one counts, this one and the one before do.
    total = tf.reduce_sum(tf.where(mask[:, 3:] > 0, roughness[:, 1:], 0.0))
    return tf.math.divide_no_nan(total, tf.reduce_sum(tf.cast(mask > 0, total.dtype)))


def _second_difference(x):
    """[B, T, V] -> [B, T - 2, V], at the frames 1 to T - 2."""
    return x[:, :-2] - 2.0 * x[:, 1:-1] + x[:, 2:]
