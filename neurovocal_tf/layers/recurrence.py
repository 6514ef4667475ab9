"""The gated recurrence over time, forward and backward, as pure functions of arrays.

    z, r = g(x_t W_zr + b_zr + h U_zr)
    c = tanh(x_t W_c + b_c + (r * h) U_c)
    h' = h + z * (c - h)

The input's share x_t W + b comes in ready for all frames.  The backward pass is written by hand:
the forward pass keeps the gates, the loop backward only finds the gates' derivatives, and every
weight's gradient is one large product after it. Inside the loops a frame is taken by `tf.gather`:
for x[t] XLA copies x into an array of four times its size, and takes zr[t, :, k:] for zr[t, :, :k].
Reference: Cho et al., 2014, https://arxiv.org/abs/1406.1078;
    gates may be tanh, as in the published birdsong model.
"""

import tensorflow as tf

from neurovocal_tf.rbm.products import linear

# Each gate with its slope as a function of its own value.
_GATES = {
    "sigmoid": (tf.sigmoid, lambda y: y * (1.0 - y)),
    "tanh": (tf.tanh, lambda y: 1.0 - tf.square(y)),
}


def split_kernel(recurrent_kernel: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """The gates' part and the candidate's part of a recurrent kernel.

    [U, 3 U] -> ([U, 2 U], [U, U])
    """
    num_units = recurrent_kernel.shape[0]
    return recurrent_kernel[:, : 2 * num_units], recurrent_kernel[:, 2 * num_units :]


def product(x: tf.Tensor, kernel: tf.Tensor, axis: int = -1) -> tf.Tensor:
    """x @ kernel, computed in the kernel's precision and returned in that of x; shapes and `axis`
    as in `products.linear`.
    """
    return tf.cast(linear(tf.cast(x, kernel.dtype), kernel, axis=axis), x.dtype)


def cell(
    projected: tf.Tensor,
    state: tf.Tensor,
    kernels: tuple[tf.Tensor, tf.Tensor],
    gates: str,
    axis: int = -1,
) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
    """One step of the recurrence.

    Args:
        projected: x_t W + b, [B, 3 U], in the order z, r, c.    state: h, [B, U].
        kernels: see `split_kernel`; split before a loop, or every step copies them.
        gates: sigmoid or tanh.
        axis: -1, or 0 for arrays with their units along the first axis,
            [3 U, B] and so on, see `rbm.products`.

    Returns:
        (new state [B, U], gates z and r [B, 2 U], candidate c [B, U]).
    """
    num_units = state.shape[axis]
    gate = _GATES[gates][0]
    kernel_zr, kernel_c = kernels
    projected_zr, projected_c = tf.split(projected, [2 * num_units, num_units], axis=axis)
    zr = gate(projected_zr + product(state, kernel_zr, axis))
    z, r = tf.split(zr, 2, axis=axis)
    c = tf.tanh(projected_c + product(r * state, kernel_c, axis))
    return state + z * (c - state), zr, c


def recurrence(
    projected: tf.Tensor, initial_state: tf.Tensor, recurrent_kernel: tf.Tensor, gates: str
) -> tf.Tensor:
    """All states of the recurrence.

    Args:
        projected: x W + b, time first, [T, B, 3 U].    initial_state: [B, U].
        recurrent_kernel: [U, 3 U], in the precision of the products.    gates: sigmoid or tanh.

    Returns:
        States after each frame, [T, B, U].
    """

    @tf.custom_gradient
    def run(projected, initial_state, recurrent_kernel):
        states, zr, c = _forward(projected, initial_state, recurrent_kernel, gates)

        def gradient(d_states):
            previous = tf.concat([initial_state[tf.newaxis], states[:-1]], axis=0)
            d_projected, d_initial = _backward(d_states, previous, zr, c, recurrent_kernel, gates)
            return (
                d_projected,
                d_initial,
                _kernel_gradient(d_projected, previous, zr, recurrent_kernel.dtype),
            )

        return states, gradient

    # A loop's output has forgotten its number of frames, and what draws noise by shape needs it.
    return tf.ensure_shape(
        run(projected, initial_state, recurrent_kernel),
        [*projected.shape[:2], initial_state.shape[-1]],
    )


def _forward(projected, initial_state, recurrent_kernel, gates):
    num_frames, batch_size = tf.shape(projected)[0], projected.shape[1]
    num_units = initial_state.shape[-1]
    kernels = split_kernel(recurrent_kernel)

    def step(t, state, states, zrs, cs):
        state, zr, c = cell(tf.gather(projected, t), state, kernels, gates)
        return t + 1, state, states.write(t, state), zrs.write(t, zr), cs.write(t, c)

    def array(width):
        return tf.TensorArray(projected.dtype, size=num_frames, element_shape=[batch_size, width])

    loop = (0, initial_state, array(num_units), array(2 * num_units), array(num_units))
    _, _, states, zrs, cs = tf.while_loop(lambda t, *_: t < num_frames, step, loop)
    return states.stack(), zrs.stack(), cs.stack()


def _backward(d_states, previous, zr, c, recurrent_kernel, gates):
    """Derivatives by the projected input [T, B, 3 U] and by the initial state [B, U]."""
    num_frames, batch_size, num_units = tf.shape(c)[0], c.shape[1], c.shape[2]
    slope = _GATES[gates][1]
    # Transposed once: a product with a transposed kernel takes twice as long in every step.
    transposed_zr, transposed_c = map(tf.transpose, split_kernel(recurrent_kernel))

    def step(t, d_state, d_projected):
        gates_t, c_t, h = (tf.gather(x, t) for x in (zr, c, previous))
        z, r = gates_t[:, :num_units], gates_t[:, num_units:]
        d_state = d_state + tf.gather(d_states, t)
        d_c = d_state * z * (1.0 - tf.square(c_t))
        d_rh = product(d_c, transposed_c)
        d_zr = tf.concat([d_state * (c_t - h), d_rh * h], axis=1) * slope(gates_t)
        d_h = d_state * (1.0 - z) + d_rh * r + product(d_zr, transposed_zr)
        return t - 1, d_h, d_projected.write(t, tf.concat([d_zr, d_c], axis=1))

    d_projected = tf.TensorArray(
        c.dtype, size=num_frames, element_shape=[batch_size, 3 * num_units]
    )
    loop = (num_frames - 1, tf.zeros_like(previous[0]), d_projected)
    _, d_initial, d_projected = tf.while_loop(lambda t, *_: t >= 0, step, loop)
    return d_projected.stack(), d_initial


def _kernel_gradient(d_projected, previous, zr, dtype):
    num_units = previous.shape[-1]
    flat_previous = tf.reshape(previous, [-1, num_units])
    flat_reset = flat_previous * tf.reshape(zr, [-1, 2 * num_units])[:, num_units:]
    flat_d = tf.reshape(d_projected, [-1, 3 * num_units])
    flat_previous, flat_reset, flat_d = (
        tf.cast(x, dtype) for x in (flat_previous, flat_reset, flat_d)
    )
    d_zr = tf.matmul(flat_previous, flat_d[:, : 2 * num_units], transpose_a=True)
    d_c = tf.matmul(flat_reset, flat_d[:, 2 * num_units :], transpose_a=True)
    return tf.concat([d_zr, d_c], axis=1)
