"""The recurrence and its hand-written gradient against a plain loop and against
automatic differentiation.
"""

import numpy as np
import pytest
import reference
import tensorflow as tf

from neurovocal_tf.layers.recurrence import cell, recurrence, split_kernel

NUM_FRAMES, BATCH_SIZE, NUM_UNITS = 9, 3, 5

BOTH_GATES = pytest.mark.parametrize("gates", ["sigmoid", "tanh"])
# A state of size 1 after nine frames of sums of five float32 products.
FORWARD = dict(rtol=0, atol=1e-5)


def arrays(rng, num_frames=NUM_FRAMES):
    shapes = (
        (num_frames, BATCH_SIZE, 3 * NUM_UNITS),
        (BATCH_SIZE, NUM_UNITS),
        (NUM_UNITS, 3 * NUM_UNITS),
    )
    # Small enough for tanh gates to keep the state near 1: they may let it grow.
    return [tf.constant(0.25 * rng.normal(size=s), tf.float32) for s in shapes]


def expected_states(projected, initial_state, recurrent_kernel, gates):
    """Row by row, with the projected input as the input of an identity kernel."""
    projected, initial_state, recurrent_kernel = (
        x.numpy().astype(np.float64) for x in (projected, initial_state, recurrent_kernel)
    )
    width = projected.shape[2]
    rows = [
        reference.gated_recurrence(
            projected[:, b],
            initial_state[b],
            np.eye(width),
            recurrent_kernel,
            np.zeros(width),
            gates,
        )
        for b in range(BATCH_SIZE)
    ]
    return np.stack(rows, axis=1)


def looped(projected, initial_state, recurrent_kernel, gates):
    """The recurrence as a Python loop over the cell, for automatic differentiation."""
    states = []
    for x in tf.unstack(projected):
        initial_state, _, _ = cell(x, initial_state, split_kernel(recurrent_kernel), gates)
        states.append(initial_state)
    return tf.stack(states)


def value_and_gradients(function, inputs, weights, gates):
    with tf.GradientTape() as tape:
        tape.watch(inputs)
        states = function(*inputs, gates)
        loss = tf.reduce_sum(states * weights)
    return states, tape.gradient(loss, inputs)


@BOTH_GATES
def test_states_equal_the_reference(gates, rng):
    inputs = arrays(rng)
    np.testing.assert_allclose(
        recurrence(*inputs, gates), expected_states(*inputs, gates), **FORWARD
    )


@BOTH_GATES
@pytest.mark.parametrize("mode", ["eager", "graph", "compiled"])
def test_the_hand_written_gradient_equals_automatic_differentiation(gates, mode, rng):
    inputs = arrays(rng)
    weights = tf.constant(rng.normal(size=(NUM_FRAMES, BATCH_SIZE, NUM_UNITS)), tf.float32)
    run = value_and_gradients
    if mode != "eager":
        run = tf.function(value_and_gradients, jit_compile=mode == "compiled", autograph=False)
    states, gradients = run(recurrence, inputs, weights, gates)
    expected_values, expected_gradients = value_and_gradients(looped, inputs, weights, gates)
    np.testing.assert_allclose(states, expected_values, **FORWARD)
    for found, expected in zip(gradients, expected_gradients, strict=True):
        assert np.linalg.norm(found - expected) < 1e-5 * np.linalg.norm(expected)


@BOTH_GATES
def test_the_gradient_of_one_state_alone_equals_automatic_differentiation(gates, rng):
    inputs = arrays(rng)
    for frame in (0, NUM_FRAMES - 1):
        weights = tf.constant(
            np.eye(NUM_FRAMES)[frame][:, None, None] * np.ones((BATCH_SIZE, NUM_UNITS)), tf.float32
        )
        _, gradients = value_and_gradients(recurrence, inputs, weights, gates)
        _, expected = value_and_gradients(looped, inputs, weights, gates)
        for a, b in zip(gradients, expected, strict=True):
            assert np.linalg.norm(a - b) < 1e-5 * np.linalg.norm(b)
        # Frames after the one that counts have exactly no share in it.
        np.testing.assert_array_equal(
            gradients[0][frame + 1 :], np.zeros((NUM_FRAMES - 1 - frame, BATCH_SIZE, 3 * NUM_UNITS))
        )


def test_one_frame_is_one_step_of_the_cell(rng):
    projected, state, kernel = arrays(rng, num_frames=1)
    np.testing.assert_allclose(
        recurrence(projected, state, kernel, "sigmoid")[0],
        cell(projected[0], state, split_kernel(kernel), "sigmoid")[0],
        **FORWARD,
    )


def test_a_graph_serves_any_number_of_frames_and_rows(rng):
    specs = [
        tf.TensorSpec([None, None, 3 * NUM_UNITS]),
        tf.TensorSpec([None, NUM_UNITS]),
        tf.TensorSpec([NUM_UNITS, 3 * NUM_UNITS]),
    ]
    run = tf.function(
        lambda *inputs: value_and_gradients(lambda *x: recurrence(*x), list(inputs), 1.0, "tanh"),
        specs,
        autograph=False,
    )
    for num_frames in (1, 4):
        inputs = arrays(rng, num_frames)
        states, gradients = run(*inputs)
        np.testing.assert_allclose(states, expected_states(*inputs, "tanh"), **FORWARD)
        assert [g.shape for g in gradients] == [x.shape for x in inputs]


def test_sigmoid_gates_keep_the_state_inside_its_bounds(rng):
    projected, _, kernel = arrays(rng, num_frames=40)
    states = recurrence(40 * projected, tf.zeros([BATCH_SIZE, NUM_UNITS]), 40 * kernel, "sigmoid")
    assert tf.reduce_max(tf.abs(states)) <= 1.0
