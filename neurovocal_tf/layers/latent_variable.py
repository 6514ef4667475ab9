"""A latent variable of each frame: what it has that the frames before it do not tell."""

import math
import typing
from collections.abc import Sequence
from typing import Any

import keras
import tensorflow as tf

from neurovocal_tf.layers.bounds import bounded
from neurovocal_tf.layers.initial_weights import check_weight_init
from neurovocal_tf.rbm import noise
from neurovocal_tf.rbm.products import affine, linear

# Of either normal's log standard deviation: at its ends a draw is as good as its mean, or the mean
# is nothing beside the noise.
_LARGEST_LOG_SD = 2.0


class Normals(typing.NamedTuple):
    """Independent normals, of mean `mean` and standard deviation exp(`log_sd`), [..., Z] each."""

    mean: tf.Tensor
    log_sd: tf.Tensor

    def sample(
        self, stream: noise.Stream, temperature: float | tf.Tensor = 1.0, index: int = 0
    ) -> tf.Tensor:
        """A draw of the density to the power of 1 / `temperature`.  -> [..., Z]

        Args:
            stream: source of noise.    temperature: number, or a tensor that broadcasts.
            index: which draw.
        """
        normals = stream.normals(noise.LATENT, index, noise.shape_of(self.mean))
        return self.mean + tf.exp(self.log_sd) * tf.sqrt(temperature) * normals

    def log_density(self, z: tf.Tensor) -> tf.Tensor:
        """The log of the density at z.  [..., Z] -> [...]"""
        square = tf.square((z - self.mean) * tf.exp(-self.log_sd))
        return -tf.reduce_sum(0.5 * square + self.log_sd + 0.5 * math.log(2 * math.pi), axis=-1)

    def divergence(self, other: "Normals") -> tf.Tensor:
        """Kullback-Leibler divergence from `other` to these, in nats:

            sum_i log(s'_i / s_i) + (s_i^2 + (m_i - m'_i)^2) / (2 s'_i^2) - 1 / 2

        -> [...]
        """
        squares = tf.exp(2.0 * (self.log_sd - other.log_sd)) + tf.square(
            (self.mean - other.mean) * tf.exp(-other.log_sd)
        )
        return tf.reduce_sum(other.log_sd - self.log_sd + 0.5 * squares - 0.5, axis=-1)


@keras.saving.register_keras_serializable(package="neurovocal_tf")
class LatentVariable(keras.layers.Layer):
    """A latent variable z_t of each frame, beside the state u (variational RNN).

        prior, when singing       z_t ~ N(m, s^2),      m, l = u_{t-1} Wup + bp
        posterior, in training    z_t ~ N(m', s'^2),    m', l' = u_{t-1} Wuq + v_t Wvq + bq
        log s = 2 tanh(l / 2)

    A conditional RBM reads [z_t, u_{t-1}] in the place of u_{t-1}. For every frame

        log p(v_t | u_{t-1}) >= E[log p(v_t | z_t, u_{t-1})] - KL(posterior || prior)

    and training raises the right side, z_t = m' + s' e being differentiated through.

    Args:
        num_latent: int, Z.    num_visible: int, V.
        weight_init: "scaled" (posterior's frame weights Glorot, others 0) or "published" (all from
            N(0, 0.0001)).
        seed: int, of the initial weights.

    Input shape: `[..., U]`, already delayed by one frame.
    Output: what the RBM reads where z is its prior's mean, `[..., Z + U]`.
    References: Kingma & Welling, 2014; Chung et al., 2015, https://arxiv.org/abs/1506.02216
    """

    def __init__(
        self,
        num_latent: int,
        num_visible: int,
        weight_init: str = "scaled",
        seed: int = 0,
        **kwargs: Any,
    ) -> None:
        # As the RBM that reads it, whatever the global policy.
        super().__init__(**{"dtype": "float32", **kwargs})
        if num_latent < 1 or num_visible < 1:
            raise ValueError(
                "`num_latent` and `num_visible` must be at least 1. "
                f"Received: num_latent={num_latent}, num_visible={num_visible}"
            )
        check_weight_init(weight_init)
        self.num_latent = num_latent
        self.num_visible = num_visible
        self.weight_init = weight_init
        self.seed = seed

    def build(self, input_shape: Sequence[int | None]) -> None:
        num_recurrent, twice = input_shape[-1], 2 * self.num_latent
        shapes: dict[str, tuple[int | None, ...]] = {
            "Wup": (num_recurrent, twice),
            "bp": (twice,),
            "Wuq": (num_recurrent, twice),
            "Wvq": (self.num_visible, twice),
            "bq": (twice,),
        }
        for index, (name, shape) in enumerate(shapes.items()):
            weight = self.add_weight(
                name=name, shape=shape, initializer=self._initializer(name, self.seed + index)
            )
            setattr(self, name, weight)

    def _initializer(self, name, seed):
        if self.weight_init == "published":
            return keras.initializers.RandomNormal(stddev=1e-4, seed=seed)
        # Prior and posterior begin near each other: far apart, the divergence alone would be
        # learned from, which is least where z tells nothing.
        return keras.initializers.GlorotUniform(seed=seed) if name == "Wvq" else "zeros"

    def call(self, u: tf.Tensor) -> tf.Tensor:
        return self.read(u, self.prior(u).mean)

    def compute_output_shape(self, input_shape: Sequence[int | None]) -> tuple[int | None, ...]:
        return (*input_shape[:-1], self.read_size(input_shape[-1]))

    def read_size(self, num_recurrent: int) -> int:
        """How many numbers the RBM reads, Z + U."""
        return self.num_latent + num_recurrent

    def step_weights(self) -> tuple[tf.Tensor, tf.Tensor]:
        """What `prior` needs of the weights; taken before a loop, they leave its body without
        variables.
        """
        return tf.convert_to_tensor(self.Wup), tf.convert_to_tensor(self.bp)

    def prior(
        self,
        u: tf.Tensor,
        weights: tuple[tf.Tensor, tf.Tensor] | None = None,
        axis: int = -1,
    ) -> Normals:
        """What z may be, by the frames before.

        Args:
            u: [..., U].    weights: of `step_weights`.
            axis: -1, or 0 for u [U, B], see `rbm.products`.
        """
        return _normals(affine(u, *(weights or self.step_weights()), axis), axis)

    def posterior(self, u: tf.Tensor, v: tf.Tensor) -> Normals:
        """What z may be, by the frame itself, too.

        Args:
            u: [..., U].    v: standardised frames, [..., V].
        """
        of_state = linear(u, tf.convert_to_tensor(self.Wuq))
        return _normals(of_state + affine(v, *map(tf.convert_to_tensor, (self.Wvq, self.bq))), -1)

    def read(self, u: tf.Tensor, z: tf.Tensor, axis: int = -1) -> tf.Tensor:
        """What the RBM reads; last what an encoder has last, its direct frames.

        [..., U], [..., Z] -> [..., Z + U], or with `axis` 0 [Z + U, B]
        """
        return tf.concat([z, u], axis=axis)

    def get_config(self) -> dict[str, Any]:
        names = ("num_latent", "num_visible", "weight_init", "seed")
        return {**super().get_config(), **{name: getattr(self, name) for name in names}}


def _normals(values, axis):
    mean, log_sd = tf.split(values, 2, axis=axis)
    return Normals(mean, bounded(log_sd, _LARGEST_LOG_SD))
