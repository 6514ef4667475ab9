"""Where a training step's chains begin, and where they end."""

import tensorflow as tf

from neurovocal_tf.rbm import noise
from neurovocal_tf.rbm.energy import RBM, bias_mean
from neurovocal_tf.rbm.gibbs import gibbs_chain


def negative_phase(
    rbm: RBM, positive: tf.Tensor, start: str, num_steps: tf.Tensor, stream: noise.Stream
) -> tuple[tf.Tensor, tf.Tensor]:
    """The end of a chain of k steps and its mean, [B, T, V] each; from the data, or from where
    generation starts.

    A short chain from the data never leaves the data's mode, so that CD does not learn how
    probable a call's onset is. Chains from where generation starts teach the very sampler that
    sings (short-run MCMC: Nijkamp et al., 2019, https://arxiv.org/abs/1904.09770).

    Args:
        rbm: `RBM` of every frame.    positive: [B, T, V], standardised.    start: "data" or "bias".
        num_steps: int32 [], k.    stream: source of noise.
    """
    first = positive if start == "data" else bias_mean(rbm)
    return gibbs_chain(rbm, first, num_steps, stream)
