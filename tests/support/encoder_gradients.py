"""The gradient of an encoder's `call`, compiled, beside that through its steps, one by one."""

import numpy as np
import tensorflow as tf


def assert_gradient_is_that_of_the_steps(encoder, frames, rng):
    """Of a random weighting of u after each of `frames` [B, T, V], by all of the weights."""
    num_rows, num_frames, _ = frames.shape
    share = tf.constant(rng.normal(size=(num_frames, encoder.output_size)), tf.float32)

    def gradients_of_call():
        with tf.GradientTape() as tape:
            cost = tf.reduce_sum(encoder.output(encoder(frames)) * share)
        return tape.gradient(cost, encoder.trainable_variables)

    with tf.GradientTape() as tape:
        state, cost = encoder.initial_state(tf.ones([num_rows], tf.bool)), 0.0
        for t in range(num_frames):
            state = encoder.step(frames[:, t], state)
            cost += tf.reduce_sum(encoder.output(state) * share[t])
    expected = tape.gradient(cost, encoder.trainable_variables)
    found = tf.function(gradients_of_call, jit_compile=True, autograph=False)()
    for a, b in zip(found, expected, strict=True):
        np.testing.assert_allclose(a, b, rtol=0, atol=1e-5 * max(np.abs(b).max(), 1.0))
