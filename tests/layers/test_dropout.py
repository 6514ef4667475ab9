"""Dropout: its share, its mean, its key."""

import numpy as np
import tensorflow as tf

from neurovocal_tf.layers.dropout import dropped
from neurovocal_tf.rbm import noise


def test_dropout_keeps_its_share_and_the_mean():
    stream, inputs = noise.BatchStream(tf.constant(1), tf.constant(0)), tf.ones([50, 40, 20])
    values = dropped(inputs, 0.3, stream, 0).numpy()
    assert set(np.unique(values)) == {np.float32(0.0), np.float32(1.0 / 0.7)}
    # Four standard errors of 40,000 draws.
    assert abs(np.mean(values == 0.0) - 0.3) < 4 * np.sqrt(0.21 / values.size)
    assert not np.array_equal(values, dropped(inputs, 0.3, stream, 1))
