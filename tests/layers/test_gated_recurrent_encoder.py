"""The encoder: causality, one step against many, initial states, dropout, saving, precision."""

import keras
import numpy as np
import pytest
import reference
import tensorflow as tf

from neurovocal_tf.layers.gated_recurrent_encoder import GatedRecurrentEncoder
from neurovocal_tf.rbm import noise

NUM_VISIBLE, NUM_UNITS, NUM_FRAMES, BATCH_SIZE = 4, 3, 7, 5

# Three layers of sums of a few float32 products, seven frames long.
FLOAT32 = dict(rtol=0, atol=1e-5)


def make_encoder(rng, **arguments):
    """A built encoder whose weights, initial state included, are of size 1/4: tanh gates let the
    states of larger ones grow.
    """
    encoder = GatedRecurrentEncoder(NUM_UNITS, **arguments)
    encoder.build((None, None, NUM_VISIBLE))
    for weight in encoder.weights:
        weight.assign(0.25 * rng.normal(size=weight.shape))
    return encoder


def frames_of(rng, batch_size=BATCH_SIZE):
    return tf.constant(rng.normal(size=(batch_size, NUM_FRAMES, NUM_VISIBLE)), tf.float32)


def batch_stream(step=0):
    return noise.BatchStream(tf.constant(1), tf.constant(step))


def expected_states(encoder, frames):
    """Layer by layer and row by row."""
    first = np.split(
        encoder.first_state.numpy()[: encoder.num_layers * NUM_UNITS].astype(np.float64),
        encoder.num_layers,
    )
    rows = []
    for row in frames.numpy().astype(np.float64):
        states = []
        for i in range(encoder.num_layers):
            weights = [
                w[i].numpy().astype(np.float64)
                for w in (encoder.kernels, encoder.recurrent_kernels, encoder.biases)
            ]
            row = reference.gated_recurrence(row, first[i], *weights, encoder.gates)
            states.append(row)
        rows.append(np.concatenate(states, axis=1))
    return np.stack(rows)


@pytest.mark.parametrize("gates", ["sigmoid", "tanh"])
@pytest.mark.parametrize("num_layers", [1, 3])
def test_states_equal_the_reference(gates, num_layers, rng):
    encoder, frames = make_encoder(rng, num_layers=num_layers, gates=gates), frames_of(rng)
    np.testing.assert_allclose(encoder(frames), expected_states(encoder, frames), **FLOAT32)


@pytest.mark.parametrize("num_direct_frames", [0, 2, 9])
def test_steps_equal_one_call(num_direct_frames, rng):
    encoder, frames = (
        make_encoder(rng, num_layers=2, num_direct_frames=num_direct_frames),
        frames_of(rng),
    )
    state = encoder.initial_state(tf.ones([BATCH_SIZE], tf.bool))
    states = []
    for t in range(NUM_FRAMES):
        state = encoder.step(frames[:, t], state)
        states.append(state)
    np.testing.assert_allclose(encoder(frames), tf.stack(states, axis=1), **FLOAT32)


@pytest.mark.parametrize("gates", ["sigmoid", "tanh"])
def test_a_step_along_the_lanes_is_the_same_step(gates, rng):
    encoder, frames = (
        make_encoder(rng, num_layers=2, num_direct_frames=2, gates=gates),
        frames_of(rng),
    )
    state = tf.constant(rng.normal(size=(BATCH_SIZE, encoder.state_size)), tf.float32)
    expected = encoder.step(frames[:, 0], state)
    after = encoder.step(tf.transpose(frames[:, 0]), tf.transpose(state), axis=0)
    np.testing.assert_allclose(tf.transpose(after), expected, **FLOAT32)
    np.testing.assert_array_equal(
        tf.transpose(encoder.output(after, axis=0)), encoder.output(tf.transpose(after))
    )


def test_direct_frames_are_the_last_ones_newest_first(rng):
    encoder, frames = make_encoder(rng, num_layers=2, num_direct_frames=3), frames_of(rng)
    states = encoder(frames)
    assert states.shape[-1] == encoder.state_size == 2 * NUM_UNITS + 3 * NUM_VISIBLE
    newest_first = tf.concat([frames[:, 5], frames[:, 4], frames[:, 3]], axis=1)
    np.testing.assert_array_equal(states[:, 5, 2 * NUM_UNITS :], newest_first)
    # Before there are three, the first state fills in.
    filled = tf.concat([frames[0, 0], encoder.first_state[2 * NUM_UNITS : -NUM_VISIBLE]], axis=0)
    np.testing.assert_array_equal(states[0, 0, 2 * NUM_UNITS :], filled)


def test_the_output_is_the_state_from_the_top_layer_on(rng):
    encoder = make_encoder(rng, num_layers=3, num_direct_frames=1)
    state = tf.range(encoder.state_size)[tf.newaxis]
    np.testing.assert_array_equal(
        encoder.output(state)[0], range(2 * NUM_UNITS, encoder.state_size)
    )
    assert encoder.output_size == NUM_UNITS + NUM_VISIBLE


@pytest.mark.parametrize("num_direct_frames", [0, 2])
def test_states_before_a_frame_do_not_see_it(num_direct_frames, rng):
    encoder, frames = (
        make_encoder(rng, num_layers=2, num_direct_frames=num_direct_frames),
        frames_of(rng),
    )
    run = tf.function(encoder, autograph=False)
    states = run(frames)
    for t in range(NUM_FRAMES):
        changed = run(tf.concat([frames[:, :t], frames[:, t:] + 3.0], axis=1))
        np.testing.assert_array_equal(changed[:, :t], states[:, :t])
        assert not np.allclose(changed[:, t], states[:, t])


def test_a_call_goes_on_from_the_state_of_another(rng):
    encoder, frames = make_encoder(rng, num_layers=2, num_direct_frames=2), frames_of(rng)
    whole = encoder(frames)
    np.testing.assert_allclose(encoder(frames[:, 3:], whole[:, 2]), whole[:, 3:], **FLOAT32)


def test_the_learned_initial_state_serves_true_starts_only(rng):
    encoder = make_encoder(rng, num_layers=2)
    state = encoder.initial_state(tf.constant([True, False]))
    np.testing.assert_array_equal(state[0], encoder.first_state)
    np.testing.assert_array_equal(state[1], np.zeros(2 * NUM_UNITS))


def test_an_initial_state_is_trained_where_it_is_learned_and_zero_where_not():
    for learned in (True, False):
        encoder = GatedRecurrentEncoder(NUM_UNITS, learned_initial_state=learned)
        encoder.build((None, None, NUM_VISIBLE))
        assert any(w is encoder.first_state for w in encoder.trainable_variables) == learned
        np.testing.assert_array_equal(encoder.first_state, np.zeros(NUM_UNITS))


def test_the_initial_state_gets_its_gradient_from_true_starts_alone(rng):
    encoder, frames = make_encoder(rng), frames_of(rng, 2)
    for is_start, moves in ((True, True), (False, False)):
        with tf.GradientTape() as tape:
            loss = tf.reduce_sum(
                encoder(frames, encoder.initial_state(tf.constant([is_start, is_start])))
            )
        assert np.any(tape.gradient(loss, encoder.first_state).numpy()) == moves


def test_every_trained_weight_gets_a_gradient(rng):
    encoder, frames = make_encoder(rng, num_layers=3, num_direct_frames=1), frames_of(rng)
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(tf.square(encoder.output(encoder(frames))))
    for weight, gradient in zip(
        encoder.trainable_variables, tape.gradient(loss, encoder.trainable_variables), strict=True
    ):
        assert np.any(gradient.numpy()), weight.path


# --- dropout


def test_dropout_acts_in_training_alone_and_by_its_key(rng):
    dropping, frames = make_encoder(rng, num_layers=2, dropout=0.5), frames_of(rng)
    plain = dropping(frames)
    np.testing.assert_allclose(plain, expected_states(dropping, frames), **FLOAT32)
    trained = dropping(frames, training=True, stream=batch_stream(0))
    assert not np.allclose(trained, plain)
    np.testing.assert_array_equal(trained, dropping(frames, training=True, stream=batch_stream(0)))
    assert not np.allclose(trained, dropping(frames, training=True, stream=batch_stream(1)))


def test_dropout_works_in_every_layer_of_a_graph(rng):
    encoder, frames = make_encoder(rng, num_layers=3, dropout=0.5), frames_of(rng)
    run = tf.function(lambda x: encoder(x, training=True, stream=batch_stream()), autograph=False)
    np.testing.assert_allclose(
        run(frames), encoder(frames, training=True, stream=batch_stream()), **FLOAT32
    )


def test_dropout_without_a_stream_has_its_own_which_is_no_weight(rng):
    encoders = [make_encoder(rng, dropout=0.5) for _ in range(2)]
    encoders[1].set_weights(encoders[0].get_weights())
    frames = frames_of(rng)
    first, other = ([e(frames, training=True) for _ in range(2)] for e in encoders)
    assert not np.allclose(*first)
    np.testing.assert_array_equal(first, other)
    assert len(encoders[0].variables) == len(encoders[0].weights) == 4


# --- configuration, weights, saving


@pytest.mark.parametrize(
    "arguments, message",
    [
        (
            dict(num_units=0),
            "`num_units` and `num_layers` must be at least 1. Received: num_units=0, num_layers=1",
        ),
        (
            dict(num_units=3, num_layers=0),
            "`num_units` and `num_layers` must be at least 1. Received: num_units=3, num_layers=0",
        ),
        (dict(num_units=3, gates="relu"), "`gates` must be sigmoid or tanh. Received: gates=relu"),
        (
            dict(num_units=3, dropout=1.0),
            "`dropout` must be at least 0 and below 1. Received: dropout=1.0",
        ),
        (
            dict(num_units=3, num_direct_frames=-1),
            "`num_direct_frames` must be at least 0. Received: num_direct_frames=-1",
        ),
        (
            dict(num_units=3, weight_init="he"),
            "`weight_init` must be scaled or published. Received: weight_init=he",
        ),
    ],
)
def test_arguments_out_of_range_are_refused_by_name(arguments, message):
    with pytest.raises(ValueError) as error:
        GatedRecurrentEncoder(**arguments)
    assert str(error.value) == message


def test_published_weights_have_the_published_spread():
    encoder = GatedRecurrentEncoder(100, num_layers=2, weight_init="published", seed=5)
    encoder.build((None, None, 80))
    drawn = [w for w in encoder.weights if w is not encoder.first_state]
    for weight in drawn:
        # Four standard errors of a standard deviation.
        np.testing.assert_allclose(
            np.std(weight), 1e-4, rtol=4 / np.sqrt(2 * np.prod(weight.shape))
        )
        assert abs(np.mean(weight)) < 4e-4 / np.sqrt(np.prod(weight.shape))
    assert len({w.numpy().ravel()[0] for w in drawn}) == len(drawn)


def test_scaled_recurrent_weights_are_orthogonal():
    encoder = GatedRecurrentEncoder(20, num_layers=2)
    encoder.build((None, None, 30))
    for kernel in encoder.recurrent_kernels:
        np.testing.assert_allclose(kernel @ tf.transpose(kernel), np.eye(20), atol=1e-5)


def test_initial_weights_are_a_function_of_the_seed():
    def weights(seed):
        encoder = GatedRecurrentEncoder(NUM_UNITS, num_layers=2, seed=seed)
        encoder.build((None, None, NUM_VISIBLE))
        return np.concatenate([w.numpy().ravel() for w in encoder.weights])

    np.testing.assert_array_equal(weights(3), weights(3))
    assert not np.array_equal(weights(3), weights(4))


def test_a_saved_encoder_is_the_same_encoder(rng, tmp_path):
    encoder, frames = (
        make_encoder(
            rng,
            num_layers=2,
            gates="tanh",
            dropout=0.2,
            num_direct_frames=1,
            learned_initial_state=False,
        ),
        frames_of(rng),
    )
    keras.Sequential([keras.Input((None, NUM_VISIBLE)), encoder]).save(tmp_path / "encoder.keras")
    loaded = keras.saving.load_model(tmp_path / "encoder.keras").layers[0]
    assert loaded.get_config() == encoder.get_config()
    assert loaded.state_size == encoder.state_size
    np.testing.assert_array_equal(loaded(frames), encoder(frames))


def test_the_symbolic_shape_is_the_true_one(rng):
    encoder = make_encoder(rng, num_layers=2, num_direct_frames=1)
    assert encoder.compute_output_shape((8, None, NUM_VISIBLE)) == (8, None, encoder.state_size)
    assert encoder(keras.Input((NUM_FRAMES, NUM_VISIBLE))).shape == (
        None,
        NUM_FRAMES,
        encoder.state_size,
    )


def test_mixed_precision_runs_forward_and_backward(rng):
    encoder, frames = make_encoder(rng, num_layers=2, dtype="mixed_bfloat16"), frames_of(rng)
    with tf.GradientTape() as tape:
        states = encoder(frames)
        loss = tf.reduce_sum(states)
    assert states.dtype == tf.float32
    # bfloat16 has 8 bits; the errors of seven frames of two layers stay below a
    # few of its last places.
    np.testing.assert_allclose(states, expected_states(encoder, frames), atol=0.05)
    assert not np.allclose(states, expected_states(encoder, frames), rtol=0, atol=1e-4)
    assert all(g.dtype == tf.float32 for g in tape.gradient(loss, encoder.trainable_variables))
    assert (
        encoder.step(frames[:, 0], encoder.initial_state(tf.ones([BATCH_SIZE], tf.bool))).dtype
        == tf.float32
    )
