"""Visible units: what a frame's bins are, given the hidden units.

Each is a small tuple with the same five functions, and `noise`, the kind that `sample` draws; v, bv and `field` = h W^T are [..., V].
"""

import typing

import tensorflow as tf

from neurovocal_tf.rbm import noise


class Bernoulli(typing.NamedTuple):
    """Binary units: p(v=1|h) = sigmoid(bv + h W^T)."""

    noise = "uniforms"

    def to_hidden(self, v):
        """What W sees of v.  [..., V] -> [..., V]"""
        return v

    def mean(self, bv, field, temperature=1.0):
        """E[v|h].  [..., V] -> [..., V]"""
        return tf.sigmoid((bv + field) / temperature)

    def sample(self, mean, stream, index, temperature=1.0):
        """v ~ p(v|h) of that mean.  [..., V] -> [..., V]"""
        return tf.cast(stream.uniforms(noise.VISIBLE, index, mean.shape) < mean, mean.dtype)

    def emit(self, mean, stream, share, temperature=1.0):
        """What is sung of a last mean: a sample if any noise is wanted, else the mean.  [..., V] -> [..., V]"""
        return tf.cast(stream.uniforms(noise.EMISSION, 0, mean.shape) < mean, mean.dtype) if share > 0 else mean

    def energy_term(self, v, bv):
        """The part of E(v, h) without h.  [..., V] -> [...]"""
        return -tf.reduce_sum(v * bv, axis=-1)


class MeanField(Bernoulli):
    """Units that hold a probability in [0, 1] and are never sampled: v = sigmoid(bv + h W^T)."""

    noise = None

    def sample(self, mean, stream, index, temperature=1.0):
        """The mean itself.  [..., V] -> [..., V]"""
        return mean

    def emit(self, mean, stream, share, temperature=1.0):
        """The mean itself.  [..., V] -> [..., V]"""
        return mean


class Gaussian(typing.NamedTuple):
    """Real units with their own standard deviation: v ~ N(bv + sigma h W^T, sigma^2)  (Salakhutdinov & Hinton, 2009).

    E(v, h) = |(v - bv) / sigma|^2 / 2 - bh.h - (v / sigma) W h, `log_sigma` is [V].
    """

    log_sigma: tf.Tensor

    @property
    def noise(self):
        """What `sample` draws."""
        return "normals"

    def to_hidden(self, v):
        """v / sigma.  [..., V] -> [..., V]"""
        return v * tf.exp(-self.log_sigma)

    def mean(self, bv, field, temperature=1.0):
        """E[v|h], the same at every temperature.  [..., V] -> [..., V]"""
        return bv + tf.exp(self.log_sigma) * field

    def sample(self, mean, stream, index, temperature=1.0):
        """v ~ p(v|h) of that mean.  [..., V] -> [..., V]"""
        return mean + tf.exp(self.log_sigma) * tf.sqrt(temperature) * stream.normals(noise.VISIBLE, index, mean.shape)

    def emit(self, mean, stream, share, temperature=1.0):
        """The mean and a share of the units' own noise.  [..., V] -> [..., V]"""
        if share == 0:
            return mean
        spread = share * tf.exp(self.log_sigma) * tf.sqrt(temperature)
        return mean + spread * stream.normals(noise.EMISSION, 0, mean.shape)

    def energy_term(self, v, bv):
        """The part of E(v, h) without h.  [..., V] -> [...]"""
        return 0.5 * tf.reduce_sum(tf.square((v - bv) * tf.exp(-self.log_sigma)), axis=-1)
