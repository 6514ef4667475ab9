"""What training drops: its share, its mean, its key, in either order of the axes."""

import numpy as np
import tensorflow as tf

from neurovocal_tf.layers.training_noise import dropped
from neurovocal_tf.rbm import noise


def test_dropout_keeps_its_share_and_the_mean_in_either_order_of_the_axes():
    stream, inputs = noise.BatchStream(tf.constant(1), tf.constant(0)), tf.ones([40, 50, 20])
    values = dropped(inputs, 0.3, stream, 0).numpy()
    assert set(np.unique(values)) == {np.float32(0.0), np.float32(1.0) / np.float32(0.7)}
    # Four standard errors of 40,000 draws.
    assert abs(np.mean(values == 0.0) - 0.3) < 4 * np.sqrt(0.21 / values.size)
    assert not np.array_equal(values, dropped(inputs, 0.3, stream, 1))
    time_first = dropped(tf.transpose(inputs, [1, 0, 2]), 0.3, stream, 0, time_first=True)
    np.testing.assert_array_equal(tf.transpose(time_first, [1, 0, 2]), values)
    assert dropped(inputs, 0.0, stream, 0) is inputs
