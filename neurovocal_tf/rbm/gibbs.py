"""Gibbs sampling: from v to h and back, at temperature T from p proportional to exp(-E / T)."""

from collections.abc import Callable

import tensorflow as tf

from neurovocal_tf.rbm import noise
from neurovocal_tf.rbm.energy import RBM, bias_mean
from neurovocal_tf.rbm.products import linear


def start_of_chain(rbm: RBM, kind: str) -> tf.Tensor:
    """Where the chain of each frame starts: "bias", at the mean under the biases alone, or "zeros".

    -> [..., V]
    """
    return bias_mean(rbm) if kind == "bias" else tf.zeros_like(rbm.bv)


def gibbs_chain(
    rbm: RBM,
    v: tf.Tensor,
    num_steps: int | tf.Tensor,
    stream: noise.Stream,
    temperature: float | tf.Tensor = 1.0,
    transposed: tf.Tensor | None = None,
    exchange: Callable[[int | tf.Tensor, tf.Tensor, tf.Tensor], tf.Tensor] | None = None,
) -> tuple[tf.Tensor, tf.Tensor]:
    """`num_steps` full steps from v.

    Args:
        rbm: an `RBM` whose biases match v, and whose `axis` tells where both have their units.
        v: [..., V], or [V, B], the start.    num_steps: int or scalar int tensor.
        stream: source of noise. Where it is drawn ahead the steps, an int, stand one after another
            in the graph: a loop's own operations would take a tenth of the time of such small ones.
        temperature: number, or a tensor that broadcasts against v and h.
        transposed: W' [H, V], where a loop around the chain has it ready.
        exchange: takes a step's number, v in its standard deviation and x(v) W, before the step,
            and returns the x(v) W to go on with; see `tempering`.

    Returns:
        (sample, mean): v after the last step and E[v|h] of that step, both shaped as v.
    """
    # A product with a transposed kernel takes longer, in every step.
    to_visible = tf.transpose(rbm.W) if transposed is None else transposed
    # In units of its standard deviation, v is what W sees.
    units, scale = rbm.units.standardised()
    bv = rbm.bv / scale
    # Spread out once: for operations on small arrays that takes longer than what they compute.
    shape_h, shape_v = (_shape(v, x.shape[rbm.axis], rbm.axis) for x in (rbm.bh, v))
    temperature_h, temperature_v, gain = (
        tf.broadcast_to(x, shape)
        for x, shape in ((temperature, shape_h), (temperature, shape_v), (rbm.gain, shape_h))
    )

    def step(index, v, _):
        field = linear(v, rbm.W, axis=rbm.axis)
        if exchange is not None:
            field = exchange(index, v, field)
        probability = tf.sigmoid((rbm.bh + field * gain) / temperature_h)
        uniforms = stream.uniforms(noise.HIDDEN, index, noise.shape_of(probability))
        h = tf.cast(uniforms < probability, probability.dtype)
        mean = units.mean(bv, linear(h * gain, to_visible, axis=rbm.axis), temperature_v)
        sample = units.sample(mean, stream, index, temperature_v)
        return index + 1, tf.ensure_shape(sample, v.shape), tf.ensure_shape(mean, v.shape)

    steps = (tf.constant(0), v / scale, v / scale)
    if stream.is_drawn_ahead:
        for index in range(num_steps):
            steps = step(index, *steps[1:])
    else:
        steps = tf.while_loop(lambda index, *_: index < num_steps, step, steps)
    _, sample, mean = steps
    return sample * scale, mean * scale


def _shape(v, num_units, axis):
    """The shape of v with another number of units."""
    shape = tf.unstack(tf.shape(v))
    shape[axis] = num_units
    return shape
