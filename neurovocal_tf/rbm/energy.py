"""The energy of a restricted Boltzmann machine and what follows from it.

    E(v, h) = e(v) - bh.h - x(v) W (g * h)

with e(v) and x(v) from the visible units: -v.bv and v for binary ones, |(v - bv) / sigma|^2 / 2 and
v / sigma for Gaussian ones. Biases, the gain g and sigma may differ from frame to frame: bv is
[..., V], bh and g are [..., H], W is one [V, H].
Reference: Smolensky, 1986; Hinton, 2002 (contrastive divergence).
"""

import typing
from collections.abc import Callable

import numpy as np
import tensorflow as tf

from neurovocal_tf.rbm.products import linear
from neurovocal_tf.rbm.units import Bernoulli, MeanField, Units


class RBM(typing.NamedTuple):
    """A restricted Boltzmann machine: W [V, H], bv [..., V], bh [..., H], its visible units, and
    the gain [..., H], or [..., 1] for all.
    """

    W: tf.Tensor
    bv: tf.Tensor
    bh: tf.Tensor
    units: Units
    gain: tf.Tensor | np.ndarray = np.ones(1, np.float32)
    # Where its units lie, see `products`. Of the class and no field:
    # what Keras hands on holds tensors alone.
    axis = -1

    def of_frames(self) -> list[tf.Tensor]:
        """All that differs from frame to frame: bv, bh, what the units have of their own, and the
        gain.
        """
        return [self.bv, self.bh, *self.units.of_frames(), self.gain]

    def map_frames(self, function: Callable[[tf.Tensor], tf.Tensor]) -> "RBM":
        """The same machine with `function` applied to each of `of_frames`, in their order."""
        return self._replace(
            bv=function(self.bv),
            bh=function(self.bh),
            units=self.units.map_frames(function),
            gain=function(self.gain),
        )


class RBMInLanes(RBM):
    """The same with its units along the first axis, bv [V, B], bh [H, B]: for Gibbs chains and the
    functions here as far as `bias_mean`.
    """

    axis = 0


def hidden_field(rbm: RBM, v: tf.Tensor) -> tf.Tensor:
    """g * (x(v) W), what the visible units tell the hidden ones.  [..., V] -> [..., H]"""
    return linear(rbm.units.to_hidden(v), rbm.W, axis=rbm.axis) * rbm.gain


def visible_field(rbm: RBM, h: tf.Tensor) -> tf.Tensor:
    """(g * h) W', what the hidden units tell the visible ones.  [..., H] -> [..., V]"""
    return linear(h * rbm.gain, rbm.W, transposed=True, axis=rbm.axis)


def hidden_logits(rbm: RBM, v: tf.Tensor) -> tf.Tensor:
    """Logit of p(h_j=1|v).  [..., V] -> [..., H]"""
    return rbm.bh + hidden_field(rbm, v)


def visible_mean(rbm: RBM, h: tf.Tensor, temperature: float | tf.Tensor = 1.0) -> tf.Tensor:
    """E[v|h].  [..., H] -> [..., V]"""
    return rbm.units.mean(rbm.bv, visible_field(rbm, h), temperature)


def bias_mean(rbm: RBM) -> tf.Tensor:
    """E[v] under the biases alone, as if no hidden unit were on.  -> [..., V]"""
    return rbm.units.mean(rbm.bv, tf.zeros_like(rbm.bv))


def free_energy(rbm: RBM, v: tf.Tensor) -> tf.Tensor:
    """F(v) = e(v) - sum_j softplus(bh_j + (x(v) W)_j), so that p(v) = exp(-F(v)) / Z.

    [..., V] -> [...]
    """
    return rbm.units.energy_term(v, rbm.bv) - tf.reduce_sum(
        tf.nn.softplus(hidden_logits(rbm, v)), axis=-1
    )


def contrastive_divergence(
    rbm: RBM, positive: tf.Tensor, negative: tf.Tensor, mask: tf.Tensor
) -> tf.Tensor:
    """Mean over the frames in `mask` of F(positive) - F(negative):
    its gradient, the samples held fixed, is CD's.

    Args:
        positive: the data, [B, T, V].    negative: the end of a Gibbs chain, [B, T, V].
        mask: [B, T], 1 where a frame counts.
    """
    difference = free_energy(rbm, positive) - free_energy(rbm, tf.stop_gradient(negative))
    return masked_mean(difference, mask)


def masked_mean(values: tf.Tensor, mask: tf.Tensor) -> tf.Tensor:
    """Mean of `values` [B, T] over the frames in `mask` [B, T]; 0 for an empty mask.  -> []"""
    return tf.math.divide_no_nan(
        tf.reduce_sum(tf.where(mask > 0, values, 0.0)),
        tf.reduce_sum(tf.cast(mask > 0, values.dtype)),
    )


def mean_field(rbm: RBM, num_steps: int = 10) -> tf.Tensor:
    """A frame's mean under the machine, by `num_steps` mean-field updates from the biases'
    own mean.  -> [..., V]
    """

    def update(step, v):
        return step + 1, visible_mean(rbm, tf.sigmoid(hidden_logits(rbm, v)))

    return tf.while_loop(
        lambda step, _: step < num_steps, update, (0, bias_mean(rbm)), maximum_iterations=num_steps
    )[1]


def pseudo_log_likelihood(rbm: RBM, v: tf.Tensor) -> tf.Tensor:
    """sum_i log p(v_i | all other v), in nats: exact, and no likelihood.

    [..., V] of zeros and ones -> [...]

    With d = 1 - 2 v_i, unit i flips at the cost
    dF = -d bv_i - sum_j softplus(l_j + d g_j W_ij) - softplus(l_j), l the hidden logits of v, and
    p(v_i | rest) = sigmoid(dF). No partition function is needed, which makes it a cheap monitor;
    but what units tell of one another is counted for each of them, so that it may rise while the
    likelihood falls. Binary units only: for real ones every term is an integral of its own, and
    mean-field ones hold fractions, which have no probability.
    Reference: Besag, 1975; for RBMs Marlin et al., 2010.
    """
    # Mean-field units are a kind of Bernoulli, and hold what is neither 0 nor 1:
    # `ais.sampled_units` are those that they stand for.
    if not isinstance(rbm.units, Bernoulli) or isinstance(rbm.units, MeanField):
        raise ValueError(
            f"`rbm` must have binary visible units. Received: rbm.units={type(rbm.units).__name__}"
        )
    logits = hidden_logits(rbm, v)
    softplus = tf.nn.softplus(logits)
    num_visible = v.shape[-1]

    def add_unit(i, total):
        direction = 1.0 - 2.0 * v[..., i]
        moved = tf.nn.softplus(logits + direction[..., tf.newaxis] * rbm.W[i] * rbm.gain) - softplus
        cost = -direction * rbm.bv[..., i] - tf.reduce_sum(moved, axis=-1)
        return i + 1, total - tf.nn.softplus(-cost)

    return tf.while_loop(
        lambda i, _: i < num_visible, add_unit, (tf.constant(0), tf.zeros_like(logits[..., 0]))
    )[1]
