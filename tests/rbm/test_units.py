"""What visible units emit: their mean, a sample, or something between."""

import numpy as np
import tensorflow as tf

from neurovocal_tf.rbm import noise, units


def test_mean_field_units_hold_their_probability_and_are_never_sampled():
    mean = tf.constant([[0.2, 0.9]])
    assert units.MeanField().sample(mean, None, 0) is mean
    np.testing.assert_allclose(
        units.MeanField().mean(tf.constant([0.3]), tf.constant([0.7]), 2.0),
        [1 / (1 + np.exp(-0.5))],
        rtol=1e-6,
    )


def test_emission_of_no_noise_is_the_mean():
    mean, sample = tf.constant([[0.2, 0.9]]), tf.constant([[0.0, 1.0]])
    assert units.Bernoulli().emit(mean, sample, 0.0) is mean
    np.testing.assert_array_equal(units.Gaussian(tf.zeros([2])).emit(mean, sample, 0.0), mean)


def test_emission_of_gaussian_units_has_its_share_of_their_noise():
    stream = noise.RowStream(tf.range(20_000, dtype=tf.int64), tf.zeros([20_000], tf.int64))
    mean = tf.fill([20_000, 2], 3.0)
    gaussian = units.Gaussian(tf.math.log([0.5, 2.0]))
    emitted = gaussian.emit(
        mean, gaussian.sample(mean, stream, 0, tf.fill([20_000, 1], 2.25)), 0.4
    ).numpy()
    np.testing.assert_allclose(
        emitted.std(axis=0), 0.4 * np.array([0.5, 2.0]) * 1.5, rtol=4 / np.sqrt(2 * 20_000)
    )
    np.testing.assert_allclose(emitted.mean(axis=0), 3.0, atol=4 * 1.2 / np.sqrt(20_000))


def test_emission_of_binary_units_is_a_sample():
    stream = noise.RowStream(tf.range(20_000, dtype=tf.int64), tf.zeros([20_000], tf.int64))
    mean = tf.fill([20_000, 2], 0.3)
    emitted = units.Bernoulli().emit(mean, units.Bernoulli().sample(mean, stream, 0), 0.5).numpy()
    assert set(np.unique(emitted)) == {0.0, 1.0}
    np.testing.assert_allclose(emitted.mean(axis=0), 0.3, atol=4 * np.sqrt(0.21 / 20_000))
