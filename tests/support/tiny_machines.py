"""Machines so small that every state of theirs can be counted."""

import numpy as np
import pytest
import reference
import scipy.stats
import tensorflow as tf

from neurovocal_tf.rbm import energy, units

# Sums of about ten float32 numbers of size 1 to 10.
FLOAT32 = dict(rtol=2e-6, atol=5e-6)
NUM_VISIBLE, NUM_HIDDEN = 4, 3
SIGMA = np.array([0.5, 1.0, 1.6, 0.8])
BOTH_SIGMAS = pytest.mark.parametrize("sigma", [None, SIGMA], ids=["bernoulli", "gaussian"])


def parameters(rng, num_visible=NUM_VISIBLE, num_hidden=NUM_HIDDEN):
    """W, bv, bh in float64 that float32 can hold, large enough for strong couplings."""
    shapes = (num_visible, num_hidden), (num_visible,), (num_hidden,)
    return [rng.normal(size=s).astype(np.float32).astype(np.float64) for s in shapes]


def machine(W, bv, bh, sigma=None, batch=()):
    """The RBM of those parameters, its biases repeated over `batch`."""
    kind = (
        units.Bernoulli()
        if sigma is None
        else units.Gaussian(tf.constant(np.log(sigma), tf.float32))
    )
    W, bv, bh = (tf.constant(p, tf.float32) for p in (W, bv, bh))
    return energy.RBM(
        W, tf.broadcast_to(bv, [*batch, *bv.shape]), tf.broadcast_to(bh, [*batch, *bh.shape]), kind
    )


def samples_of_the_model(rng, values, sigma, temperature, num_samples):
    """Exact samples, [num_samples, V], by enumeration."""
    if sigma is None:
        p = reference.joint(*values, temperature).sum(axis=1)
        return reference.binary_states(NUM_VISIBLE)[rng.choice(len(p), num_samples, p=p)]
    weights, means, spread, _ = reference.mixture(*values, sigma, temperature)
    component = rng.choice(len(weights), num_samples, p=weights)
    return means[component] + spread * rng.normal(size=(num_samples, NUM_VISIBLE))


def assert_distributed_as_the_model(samples, values, sigma, temperature):
    """Fails for samples [N, V] of another distribution than the machine's of those values."""
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
