"""Machines so small that every state of theirs can be counted."""

import numpy as np
import pytest
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
