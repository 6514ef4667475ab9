"""Gibbs sampling: from v to h and back, at temperature T from p proportional to exp(-E / T)."""

import tensorflow as tf

from neurovocal_tf.rbm import noise
from neurovocal_tf.rbm.energy import bias_mean, hidden_logits, visible_mean


def sample_hidden(rbm, v, stream, index, temperature=1.0):
    """h ~ p(h|v).  [..., V] -> [..., H] of zeros and ones"""
    probability = tf.sigmoid(hidden_logits(rbm, v) / temperature)
    return tf.cast(stream.uniforms(noise.HIDDEN, index, probability.shape) < probability, probability.dtype)


def start_of_chain(rbm, kind):
    """Where the chain of each frame starts: "bias", at the mean under the biases alone, or "zeros".  -> [..., V]"""
    return bias_mean(rbm) if kind == "bias" else tf.zeros_like(rbm.bv)


def gibbs_chain(rbm, v, num_steps, stream, temperature=1.0):
    """`num_steps` full steps from v.

    Args:
        rbm: an `RBM` whose biases match v.    v: [..., V], the start, of static shape.    num_steps: int or scalar int tensor.
        stream: source of noise.    temperature: number, or a tensor that broadcasts against [..., V] and [..., H].

    Returns:
        (sample, mean): v after the last step and E[v|h] of that step, both [..., V].
    """

    def step(index, v, _):
        h = sample_hidden(rbm, v, stream, index, temperature)
        mean = visible_mean(rbm, h, temperature)
        sample = rbm.units.sample(mean, stream, index, temperature)
        return index + 1, tf.ensure_shape(sample, v.shape), tf.ensure_shape(mean, v.shape)

    _, sample, mean = tf.while_loop(lambda index, *_: index < num_steps, step, (tf.constant(0), v, v))
    return sample, mean
