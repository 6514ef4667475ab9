"""The encoder as a layer among Keras' own: masks, both directions, models of layers."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from neurovocal_tf.layers.gated_recurrent_encoder import GatedRecurrentEncoder

NUM_ROWS, NUM_FRAMES, NUM_VISIBLE, NUM_UNITS = 3, 6, 4, 3
# Padding before, between and after frames; one row without any.
MASK = np.array([[0, 0, 1, 1, 0, 1], [1, 1, 1, 1, 1, 1], [1, 0, 1, 0, 0, 0]], bool)
# Sums of a few float32 products, six frames long.
FLOAT32 = dict(rtol=0, atol=2e-6)


@pytest.fixture
def frames(rng):
    """Frames whose padding is zero, as `keras.layers.Masking` wants it."""
    frames = rng.normal(size=(NUM_ROWS, NUM_FRAMES, NUM_VISIBLE)).astype(np.float32)
    return np.where(MASK[..., np.newaxis], frames, 0.0).astype(np.float32)


def encoder_of(rng, **arguments):
    encoder = GatedRecurrentEncoder(NUM_UNITS, **arguments)
    encoder.build((None, None, NUM_VISIBLE))
    for weight in encoder.weights:
        weight.assign(0.5 * rng.normal(size=weight.shape))
    return encoder


def bare(encoder, frames):
    """The states of each row's frames that count, without padding."""
    return [encoder(frames[[row]][:, counts]).numpy()[0] for row, counts in enumerate(MASK)]


@pytest.mark.parametrize("arguments", [{}, dict(num_layers=2, num_direct_frames=2)])
def test_a_masked_frame_leaves_every_state_as_if_it_were_not_there(arguments, frames, rng):
    encoder = encoder_of(rng, **arguments)
    masked = keras.Sequential([keras.Input((None, NUM_VISIBLE)), keras.layers.Masking(), encoder])
    states, last = masked(frames).numpy(), frames.copy()
    for row, expected in enumerate(bare(encoder, frames)):
        np.testing.assert_allclose(states[row, MASK[row]], expected, **FLOAT32)
        np.testing.assert_allclose(states[row, -1], expected[-1], **FLOAT32)
    np.testing.assert_array_equal(
        states[0, :2], [encoder.first_state, encoder.first_state], err_msg="before any frame"
    )
    last[~MASK] = 7.0
    np.testing.assert_array_equal(encoder(last, mask=tf.constant(MASK)), states)


def test_gradients_through_a_mask_are_those_of_the_bare_sequences(frames, rng):
    encoder = encoder_of(rng, num_direct_frames=1)
    with tf.GradientTape() as tape:
        last = encoder(frames, mask=tf.constant(MASK))[:, -1]
        cost = tf.reduce_sum(last**2)
    found = tape.gradient(cost, encoder.trainable_variables)
    with tf.GradientTape() as tape:
        cost = tf.add_n(
            [tf.reduce_sum(encoder(frames[[i]][:, MASK[i]])[:, -1] ** 2) for i in range(NUM_ROWS)]
        )
    for a, b in zip(found, tape.gradient(cost, encoder.trainable_variables), strict=True):
        np.testing.assert_allclose(a, b, rtol=0, atol=1e-5)


@pytest.mark.parametrize("return_sequences", [True, False])
def test_both_directions_are_the_encoder_and_the_encoder_on_reversed_frames(
    return_sequences, frames, rng
):
    both = keras.layers.Bidirectional(
        GatedRecurrentEncoder(NUM_UNITS, return_sequences=return_sequences, return_state=True)
    )
    mask = tf.constant(MASK)
    output, *last = both(frames, mask=mask)
    forward, backward = (
        GatedRecurrentEncoder.from_config({**layer.get_config(), "return_state": False})
        for layer in (both.forward_layer, both.backward_layer)
    )
    for copy, layer in ((forward, both.forward_layer), (backward, both.backward_layer)):
        copy.go_backwards, copy.return_sequences = False, True
        copy.build((None, None, NUM_VISIBLE))
        copy.set_weights(layer.get_weights())
    assert not np.allclose(forward.kernels[0], backward.kernels[0])
    ahead, behind = forward(frames, mask=mask), backward(frames[:, ::-1], mask=mask[:, ::-1])
    expected = [ahead, behind[:, ::-1]] if return_sequences else [ahead[:, -1], behind[:, -1]]
    np.testing.assert_allclose(output, np.concatenate(expected, axis=-1), **FLOAT32)
    for found, states in zip(last, (ahead, behind), strict=True):
        np.testing.assert_allclose(found, states[:, -1], **FLOAT32)
    half = both(frames, initial_state=[last[0], last[1]])[0]
    assert half.shape == output.shape


def test_it_trains_in_a_model_of_layers_and_comes_back_from_its_file(frames, tmp_path):
    inputs = keras.Input((None, NUM_VISIBLE))
    layer = keras.layers.Bidirectional(
        GatedRecurrentEncoder(NUM_UNITS, num_direct_frames=1, dropout=0.3, return_sequences=False)
    )
    outputs = keras.layers.Dense(1)(layer(keras.layers.Masking()(inputs)))
    model = keras.Model(inputs, outputs)
    before = [weight.numpy() for weight in model.trainable_variables]
    model.compile("sgd", "mse", run_eagerly=True)
    model.fit(frames, np.ones((NUM_ROWS, 1)), batch_size=2, verbose=0)
    assert not any(
        np.array_equal(a, b) for a, b in zip(before, model.trainable_variables, strict=True)
    )
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(loaded(frames), model(frames))
    assert outputs.shape == (None, 1)
    copy = loaded.layers[2].backward_layer
    assert copy.get_config() == layer.backward_layer.get_config() and copy.go_backwards


def test_under_mixed_float16_its_loss_is_scaled_and_its_states_are_float32(frames):
    keras.mixed_precision.set_dtype_policy("mixed_float16")
    try:
        encoder = GatedRecurrentEncoder(NUM_UNITS)
        model = keras.Sequential([keras.Input((NUM_FRAMES, NUM_VISIBLE)), encoder])
        model.compile("adam", "mse", run_eagerly=True)
        model.fit(frames, np.ones((NUM_ROWS, NUM_FRAMES, NUM_UNITS)), verbose=0)
    finally:
        keras.mixed_precision.set_dtype_policy("float32")
    assert isinstance(model.optimizer, keras.optimizers.LossScaleOptimizer)
    assert int(model.optimizer.step_counter) == 1
    assert model.outputs[0].dtype == encoder(frames).dtype == "float32"
