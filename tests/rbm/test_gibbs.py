"""Gibbs chains against exact samples of tiny machines."""

import numpy as np
import pytest
import reference
import scipy.stats
import tensorflow as tf
from tiny_machines import BOTH_SIGMAS, NUM_VISIBLE, machine, parameters

from neurovocal_tf.rbm import gibbs, noise

NUM_CHAINS = 30_000


def samples_of_the_model(rng, values, sigma, temperature):
    """Exact samples, [NUM_CHAINS, V], by enumeration."""
    if sigma is None:
        p = reference.joint(*values, temperature).sum(axis=1)
        return reference.binary_states(NUM_VISIBLE)[rng.choice(len(p), NUM_CHAINS, p=p)]
    weights, means, spread, _ = reference.mixture(*values, sigma, temperature)
    component = rng.choice(len(weights), NUM_CHAINS, p=weights)
    return means[component] + spread * rng.normal(size=(NUM_CHAINS, NUM_VISIBLE))


def assert_distributed_as_the_model(samples, values, sigma, temperature):
    if sigma is None:
        p = reference.joint(*values, temperature).sum(axis=1)
        counts = np.bincount(
            (samples @ 2 ** np.arange(NUM_VISIBLE)[::-1]).astype(int), minlength=len(p)
        )
        assert scipy.stats.chisquare(counts, p * len(samples)).pvalue > 1e-3
        return
    weights, means, spread, _ = reference.mixture(*values, sigma, temperature)
    # The marginal along any direction is a mixture of normals:
    # bins alone would miss their correlations.
    for direction in (*np.eye(NUM_VISIBLE), np.ones(NUM_VISIBLE), np.array([1.0, -1.0, 0.5, 0.0])):
        centres, width = means @ direction, np.linalg.norm(spread * direction)
        cdf = lambda x, centres=centres, width=width: sum(  # noqa: E731
            p * scipy.stats.norm.cdf(x, c, width) for p, c in zip(weights, centres)
        )
        assert scipy.stats.kstest(samples @ direction, cdf).pvalue > 1e-3


@BOTH_SIGMAS
@pytest.mark.parametrize("temperature", [0.7, 1.0, 1.8])
@pytest.mark.parametrize("start, num_steps", [("model", 2), ("zeros", 60)])
def test_a_gibbs_chain_stays_at_the_models_distribution_and_goes_there(
    sigma, temperature, start, num_steps, rng
):
    values = parameters(rng)
    first = (
        samples_of_the_model(rng, values, sigma, temperature)
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
