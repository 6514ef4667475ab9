"""Visible units: what a frame's bins are, given the hidden units.

Each is a small tuple with the same functions, and `noise`, the kind that `sample` draws; v, bv and
`field` = h W^T are [..., V].
"""

import math
import typing
from collections.abc import Callable

import tensorflow as tf

from neurovocal_tf.rbm import noise
from neurovocal_tf.rbm.noise import Stream


class Bernoulli(typing.NamedTuple):
    """Binary units: p(v=1|h) = sigmoid(bv + h W^T)."""

    noise = "uniforms"

    def standardised(self) -> "tuple[Bernoulli, float]":
        """(These units measured in their standard deviation, and that)
        for those that have one; here themselves and 1.
        """
        return self, 1.0

    def of_frames(self) -> list[tf.Tensor]:
        """What of these units differs from frame to frame; here nothing."""
        return []

    def map_frames(self, function: Callable[[tf.Tensor], tf.Tensor]) -> "Bernoulli":
        """The same units with `function` applied to each of `of_frames`."""
        return self

    def to_hidden(self, v: tf.Tensor) -> tf.Tensor:
        """What W sees of v.  [..., V] -> [..., V]"""
        return v

    def mean(
        self, bv: tf.Tensor, field: tf.Tensor, temperature: float | tf.Tensor = 1.0
    ) -> tf.Tensor:
        """E[v|h].  [..., V] -> [..., V]"""
        return tf.sigmoid((bv + field) / temperature)

    def sample(
        self,
        mean: tf.Tensor,
        stream: Stream,
        index: int | tf.Tensor,
        temperature: float | tf.Tensor = 1.0,
    ) -> tf.Tensor:
        """v ~ p(v|h) of that mean.  [..., V] -> [..., V]"""
        return tf.cast(
            stream.uniforms(noise.VISIBLE, index, noise.shape_of(mean)) < mean, mean.dtype
        )

    def emit(self, mean: tf.Tensor, sample: tf.Tensor, share: float) -> tf.Tensor:
        """What is sung of a chain's last mean and sample: the sample if any noise is wanted, else
        the mean.  [..., V] -> [..., V]
        """
        return sample if share > 0 else mean

    def energy_term(self, v: tf.Tensor, bv: tf.Tensor) -> tf.Tensor:
        """The part of E(v, h) without h.  [..., V] -> [...]"""
        return -tf.reduce_sum(v * bv, axis=-1)

    def shifted(self, bv: tf.Tensor, field: tf.Tensor) -> tf.Tensor:
        """The bias of independent units that are distributed as these are under `field`.

        [..., V] -> [..., V]
        """
        return bv + field

    def log_partition(self, bv: tf.Tensor, field: tf.Tensor) -> tf.Tensor:
        """log sum_v exp(-e(v) + v.field) = sum_i softplus(bv_i + field_i).  [..., V] -> [...]"""
        return tf.reduce_sum(tf.nn.softplus(bv + field), axis=-1)


class MeanField(Bernoulli):
    """Units that hold a probability in [0, 1] and are never sampled: v = sigmoid(bv + h W^T)."""

    noise = None

    def sample(
        self,
        mean: tf.Tensor,
        stream: Stream,
        index: int | tf.Tensor,
        temperature: float | tf.Tensor = 1.0,
    ) -> tf.Tensor:
        """The mean itself.  [..., V] -> [..., V]"""
        return mean


class StandardGaussian(typing.NamedTuple):
    """Real units of standard deviation 1, all that a chain needs to know of them."""

    def mean(
        self, bv: tf.Tensor, field: tf.Tensor, temperature: float | tf.Tensor = 1.0
    ) -> tf.Tensor:
        """E[v|h], the same at every temperature.  [..., V] -> [..., V]"""
        return bv + field

    def sample(
        self,
        mean: tf.Tensor,
        stream: Stream,
        index: int | tf.Tensor,
        temperature: float | tf.Tensor = 1.0,
    ) -> tf.Tensor:
        """v ~ p(v|h) of that mean.  [..., V] -> [..., V]"""
        normals = stream.normals(noise.VISIBLE, index, noise.shape_of(mean))
        return mean + tf.sqrt(temperature) * normals


class Gaussian(typing.NamedTuple):
    """Real units with their own standard deviation: v ~ N(bv + sigma h W^T, sigma^2)
    (Salakhutdinov & Hinton, 2009).

    E(v, h) = |(v - bv) / sigma|^2 / 2 - bh.h - (v / sigma) W h; `log_sigma` is [V], or as bv is,
    [..., V], where the noise differs from frame to frame.
    """

    log_sigma: tf.Tensor

    @property
    def noise(self) -> str:
        """What `sample` draws."""
        return "normals"

    def standardised(self) -> tuple[StandardGaussian, tf.Tensor]:
        """(These units measured in their standard deviation, and that, as `log_sigma`)."""
        return StandardGaussian(), tf.exp(self.log_sigma)

    def of_frames(self) -> list[tf.Tensor]:
        """What of these units differs from frame to frame: `log_sigma`, unless it is [V]."""
        return [] if len(self.log_sigma.shape) == 1 else [self.log_sigma]

    def map_frames(self, function: Callable[[tf.Tensor], tf.Tensor]) -> "Gaussian":
        """The same units with `function` applied to each of `of_frames`."""
        return Gaussian(*map(function, self.of_frames())) if self.of_frames() else self

    def to_hidden(self, v: tf.Tensor) -> tf.Tensor:
        """v / sigma.  [..., V] -> [..., V]"""
        return v * tf.exp(-self.log_sigma)

    def mean(
        self, bv: tf.Tensor, field: tf.Tensor, temperature: float | tf.Tensor = 1.0
    ) -> tf.Tensor:
        """E[v|h], the same at every temperature.  [..., V] -> [..., V]"""
        return bv + tf.exp(self.log_sigma) * field

    def sample(
        self,
        mean: tf.Tensor,
        stream: Stream,
        index: int | tf.Tensor,
        temperature: float | tf.Tensor = 1.0,
    ) -> tf.Tensor:
        """v ~ p(v|h) of that mean.  [..., V] -> [..., V]"""
        return mean + tf.exp(self.log_sigma) * tf.sqrt(temperature) * stream.normals(
            noise.VISIBLE, index, noise.shape_of(mean)
        )

    def emit(self, mean: tf.Tensor, sample: tf.Tensor, share: float | tf.Tensor) -> tf.Tensor:
        """The mean and a share of the units' own noise, which is what the sample has more.

        [..., V] -> [..., V]
        """
        return mean + share * (sample - mean)

    def energy_term(self, v: tf.Tensor, bv: tf.Tensor) -> tf.Tensor:
        """The part of E(v, h) without h.  [..., V] -> [...]"""
        return 0.5 * tf.reduce_sum(tf.square((v - bv) * tf.exp(-self.log_sigma)), axis=-1)

    def shifted(self, bv: tf.Tensor, field: tf.Tensor) -> tf.Tensor:
        """The bias of independent units that are distributed as these are under `field`.

        [..., V] -> [..., V]
        """
        return bv + tf.exp(self.log_sigma) * field

    def log_partition(self, bv: tf.Tensor, field: tf.Tensor) -> tf.Tensor:
        """log of the integral of exp(-e(v) + (v / sigma).field)
        = sum_i log(sigma_i sqrt(2 pi)) + field_i^2 / 2 + bv_i field_i / sigma_i,
        by completing the square.  [..., V] -> [...]
        """
        per_unit = (
            self.log_sigma
            + 0.5 * math.log(2 * math.pi)
            + field * (0.5 * field + bv * tf.exp(-self.log_sigma))
        )
        return tf.reduce_sum(per_unit, axis=-1)


# The visible units of a machine.
Units = Bernoulli | Gaussian
