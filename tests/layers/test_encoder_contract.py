"""Every encoder that a model can be given fulfils the contract in layers/encoder.py.

Another encoder is another entry of the table.
"""

import keras
import numpy as np
import pytest
import tensorflow as tf

from neurovocal_tf.conditions import NO_CONDITIONS, Conditions
from neurovocal_tf.config import Config
from neurovocal_tf.labels import CUE_SIZE, NO_LABELS, Labels
from neurovocal_tf.layers.encoder import check_encoder
from neurovocal_tf.rbm import noise
from neurovocal_tf.runs.trained import ENCODERS

NUM_ROWS, NUM_FRAMES, NUM_VISIBLE = 8, 6, 7
# Sums of some dozens of float32 products of order 1, through layers and steps.
FLOAT32 = dict(rtol=2e-5, atol=2e-5)

OPTIONS = {
    "plain": dict(num_layers=1, num_direct_frames=0),
    "deep, with direct frames": dict(num_layers=3, num_direct_frames=2),
    "as published": dict(
        num_layers=2, num_direct_frames=0, gates="tanh", learned_initial_state=False
    ),
    "of periods": dict(num_layers=3, num_direct_frames=1, layer_periods=(2, 2, 4)),
    # More entries than the memory has, and one every other frame.
    "of short memory": dict(num_layers=1, num_direct_frames=1, attention_frames=2),
    "of periods and heads": dict(
        num_layers=2, layer_periods=(1, 2), attention_frames=4, attention_heads=2
    ),
}
# What conditions and labels are tried around: direct frames; a clock and attention.
AROUND = ("deep, with direct frames", "of periods and heads")
# Conditions are told around labels.
TELLING = ("conditioned", "labelled")
SYLLABLES = Labels.of("abc")
BIRDS = Conditions.of({"individual": ["a", "b"], "context": ["alone"]})
EVERY_ENCODER = pytest.mark.parametrize(
    "name, options",
    [
        (name, option)
        for name in ENCODERS
        for option, values in OPTIONS.items()
        if (
            option in AROUND[TELLING.index(name) :]
            if name in TELLING
            else (name == "attention") == ("attention_frames" in values)
        )
    ],
)


def make(name, options, rng, **further):
    config = Config().replace(recurrent_scalar=1.3, **OPTIONS[options], **further)
    known = BIRDS if name == "conditioned" else NO_CONDITIONS
    labels = SYLLABLES if name in TELLING else NO_LABELS
    encoder = ENCODERS[name](NUM_VISIBLE, config, known, labels)
    encoder.build((None, None, NUM_VISIBLE))
    for weight in encoder.trainable_variables:
        weight.assign(rng.normal(size=weight.shape) / np.sqrt(weight.shape[0]))
    return encoder


def frames_of(rng):
    return tf.constant(rng.normal(size=(NUM_ROWS, NUM_FRAMES, NUM_VISIBLE)), tf.float32)


def first_state(encoder):
    return encoder.initial_state(tf.ones([NUM_ROWS], tf.bool))


@EVERY_ENCODER
def test_it_has_all_that_is_asked_of_it(name, options, rng):
    encoder = make(name, options, rng)
    check_encoder(encoder)
    states = encoder(frames_of(rng))
    assert states.shape == (NUM_ROWS, NUM_FRAMES, encoder.state_size)
    assert encoder.output(states).shape == (NUM_ROWS, NUM_FRAMES, encoder.output_size)
    assert encoder.embedding(states).shape == (NUM_ROWS, NUM_FRAMES, encoder.embedding_size)
    assert encoder.num_direct_frames >= 0 and encoder.num_dropouts >= 0


@EVERY_ENCODER
def test_no_state_sees_a_later_frame(name, options, rng):
    encoder, frames = make(name, options, rng), frames_of(rng).numpy()
    states = encoder(tf.constant(frames))
    for t in range(1, NUM_FRAMES):
        changed = frames.copy()
        changed[:, t:] += 10.0
        np.testing.assert_array_equal(encoder(tf.constant(changed))[:, :t], states[:, :t])


@EVERY_ENCODER
@pytest.mark.parametrize("axis", [-1, 0])
def test_step_after_step_is_one_call(name, options, axis, rng):
    encoder, frames = make(name, options, rng), frames_of(rng)
    turned = tf.transpose if axis == 0 else tf.identity
    weights, state, states = encoder.step_weights(), turned(first_state(encoder)), []
    for t in range(NUM_FRAMES):
        state = encoder.step(turned(frames[:, t]), state, weights, axis)
        states.append(turned(state))
        np.testing.assert_array_equal(
            turned(encoder.output(state, axis)), encoder.output(states[-1])
        )
    np.testing.assert_allclose(tf.stack(states, axis=1), encoder(frames), **FLOAT32)


@pytest.mark.parametrize("axis", [-1, 0])
@pytest.mark.parametrize("name", TELLING)
def test_steps_with_cues_are_one_call_and_a_state_knows_of_the_frame_after_it(name, axis, rng):
    encoder, frames = make(name, AROUND[0], rng), frames_of(rng)
    turned = tf.transpose if axis == 0 else tf.identity
    cues = tf.constant(rng.integers(0, 5, (NUM_ROWS, NUM_FRAMES + 1, CUE_SIZE)), tf.int32)
    first = encoder.told(first_state(encoder), cues[:, 0])
    weights, state, states = encoder.step_weights(), turned(first), []
    for t in range(NUM_FRAMES):
        state = encoder.step(turned(frames[:, t]), state, weights, axis, cue=cues[:, t + 1])
        states.append(turned(state))
        np.testing.assert_array_equal(encoder.told(states[-1], cues[:, t + 1]), states[-1])
    found = encoder(frames, first, cues=cues[:, 1:])
    np.testing.assert_allclose(tf.stack(states, axis=1), found, **FLOAT32)
    is_later = tf.cast(tf.range(NUM_FRAMES) >= 2, tf.int32)[:, tf.newaxis]
    changed = encoder(frames, first, cues=cues[:, 1:] + is_later)
    np.testing.assert_array_equal(changed[:, :2], found[:, :2])


@EVERY_ENCODER
def test_a_state_taken_out_and_put_back_in_changes_nothing(name, options, rng):
    encoder, frames = make(name, options, rng), frames_of(rng)
    first = encoder(frames[:, :2])
    rest = encoder(frames[:, 2:], tf.constant(first[:, -1].numpy()))
    np.testing.assert_allclose(tf.concat([first, rest], axis=1), encoder(frames), **FLOAT32)


@EVERY_ENCODER
def test_a_row_that_does_not_truly_start_begins_at_zero_but_for_its_conditions(name, options, rng):
    encoder = make(name, options, rng)
    states = encoder.initial_state(tf.constant([True, False])).numpy()
    assert states.shape == (2, encoder.state_size)
    told = encoder.vector_size if name in TELLING else 0
    told += encoder.encoder.vector_size if name == "conditioned" else 0
    np.testing.assert_array_equal(states[1, told:], 0)
    np.testing.assert_array_equal(*states[:, :told])


@EVERY_ENCODER
def test_the_last_frames_stand_at_the_end_of_u_newest_first(name, options, rng):
    encoder, frames = make(name, options, rng), frames_of(rng)
    width = encoder.num_direct_frames * NUM_VISIBLE
    u = encoder.output(encoder(frames))[:, -1]
    np.testing.assert_array_equal(
        u[:, encoder.output_size - width :],
        tf.reshape(frames[:, ::-1][:, : encoder.num_direct_frames], [NUM_ROWS, width]),
    )


@EVERY_ENCODER
def test_gradients_reach_every_weight_and_are_those_of_the_steps(name, options, rng):
    encoder, frames = make(name, options, rng), frames_of(rng)
    weights = encoder.trainable_variables
    # Every element of every state counts, each with a weight of its own.
    share = tf.constant(rng.normal(size=(NUM_FRAMES, encoder.state_size)), tf.float32)
    with tf.GradientTape() as tape:
        cost = tf.reduce_sum(encoder(frames) * share)
    of_call = tape.gradient(cost, weights)
    with tf.GradientTape() as tape:
        state, cost = first_state(encoder), 0.0
        for t in range(NUM_FRAMES):
            state = encoder.step(frames[:, t], state)
            cost += tf.reduce_sum(state * share[t])
    of_steps = tape.gradient(cost, weights)
    for weight, a, b in zip(weights, of_call, of_steps, strict=True):
        scale = np.abs(b).max()
        assert scale > 0, weight.path
        np.testing.assert_allclose(a, b, rtol=0, atol=1e-4 * scale, err_msg=weight.path)


@EVERY_ENCODER
def test_a_step_on_a_state_of_noise_computes_all_that_a_step_ever_does(name, options, rng):
    """Whether a row's place in its tile matters is found by one such step, see `model.tiling`."""
    encoder = make(name, options, rng)
    weights = [
        w for w in encoder.trainable_variables if not w.name.startswith(("first_state", "values"))
    ]
    state = tf.constant(rng.normal(size=(NUM_ROWS, encoder.state_size)), tf.float32)
    with tf.GradientTape() as tape:
        cost = tf.reduce_sum(encoder.step(frames_of(rng)[:, 0], state) ** 2)
    for weight, gradient in zip(weights, tape.gradient(cost, weights), strict=True):
        assert np.abs(gradient).max() > 0, weight.path


@EVERY_ENCODER
def test_what_is_dropped_follows_from_the_stream_alone(name, options, rng):
    encoder, frames = make(name, options, rng, dropout=0.4), frames_of(rng)
    streams = [noise.BatchStream(tf.constant(0), tf.constant(step)) for step in (0, 0, 1)]
    first, again, other = (encoder(frames, training=True, stream=stream) for stream in streams)
    np.testing.assert_array_equal(first, again)
    assert not np.allclose(first, other)


@EVERY_ENCODER
def test_it_is_the_same_after_it_was_saved(name, options, rng):
    encoder, frames = make(name, options, rng), frames_of(rng)
    copy = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(encoder))
    if not copy.built:
        copy.build((None, None, NUM_VISIBLE))
    copy.set_weights(encoder.get_weights())
    np.testing.assert_array_equal(copy(frames), encoder(frames))


def test_what_is_no_encoder_is_refused_with_what_it_lacks():
    with pytest.raises(
        ValueError, match="a Dense without initial_state, step_weights, step, output, embedding"
    ):
        check_encoder(keras.layers.Dense(3))
