"""Gibbs chains against exact samples of tiny machines."""

import numpy as np
import pytest
import tensorflow as tf
from tiny_machines import (
    BOTH_SIGMAS,
    NUM_VISIBLE,
    assert_distributed_as_the_model,
    machine,
    parameters,
    samples_of_the_model,
)

from neurovocal_tf.rbm import gibbs, noise

NUM_CHAINS = 30_000


@BOTH_SIGMAS
@pytest.mark.parametrize("temperature", [0.7, 1.0, 1.8])
@pytest.mark.parametrize("start, num_steps", [("model", 2), ("zeros", 60)])
def test_a_gibbs_chain_stays_at_the_models_distribution_and_goes_there(
    sigma, temperature, start, num_steps, rng
):
    values = parameters(rng)
    first = (
        samples_of_the_model(rng, values, sigma, temperature, NUM_CHAINS)
        if start == "model"
        else np.zeros((NUM_CHAINS, NUM_VISIBLE))
    )
    chain = tf.function(gibbs.gibbs_chain, autograph=False)
    stream = noise.BatchStream(tf.constant(1), tf.constant(2))
    rbm = machine(*values, sigma)
    sample, mean = chain(
        rbm,
        tf.constant(first, tf.float32),
        tf.constant(num_steps),
        stream,
        tf.constant(temperature),
    )
    assert_distributed_as_the_model(sample.numpy().astype(np.float64), values, sigma, temperature)
    # The mean has the samples' expectation and less variance: it is the last half-step's E[v|h].
    assert np.all(mean.numpy().var(axis=0) < sample.numpy().var(axis=0))
    np.testing.assert_allclose(
        mean.numpy().mean(axis=0),
        sample.numpy().mean(axis=0),
        atol=4 * sample.numpy().std() / np.sqrt(NUM_CHAINS),
    )


def test_a_chain_of_no_steps_returns_its_start():
    v = tf.constant([[1.0, 0.0, 1.0, 0.0]])
    rbm = machine(*parameters(np.random.default_rng(0)))
    sample, mean = gibbs.gibbs_chain(rbm, v, 0, noise.BatchStream(tf.constant(0), tf.constant(0)))
    np.testing.assert_array_equal(sample, v)
    np.testing.assert_array_equal(mean, v)


def test_noise_may_differ_from_row_to_row(rng):
    values = parameters(rng)
    sigmas = np.array([[0.5, 1.0, 1.6, 0.8], [1.2, 0.4, 0.7, 1.5]])
    sample, _ = tf.function(gibbs.gibbs_chain, autograph=False)(
        machine(*values, np.repeat(sigmas, NUM_CHAINS // 2, axis=0)),
        tf.zeros([NUM_CHAINS, NUM_VISIBLE]),
        tf.constant(60),
        noise.BatchStream(tf.constant(1), tf.constant(2)),
    )
    for rows, sigma in zip(np.split(sample.numpy().astype(np.float64), 2), sigmas, strict=True):
        assert_distributed_as_the_model(rows, values, sigma, 1.0)


def test_temperature_may_differ_from_row_to_row(rng):
    values = parameters(rng)
    temperatures = np.repeat([0.7, 1.8], NUM_CHAINS // 2).astype(np.float32)[:, None]
    stream = noise.BatchStream(tf.constant(1), tf.constant(2))
    chain = tf.function(gibbs.gibbs_chain, autograph=False)
    sample, _ = chain(
        machine(*values),
        tf.zeros([NUM_CHAINS, NUM_VISIBLE]),
        tf.constant(60),
        stream,
        tf.constant(temperatures),
    )
    for rows, temperature in zip(np.split(sample.numpy().astype(np.float64), 2), (0.7, 1.8)):
        assert_distributed_as_the_model(rows, values, None, temperature)
