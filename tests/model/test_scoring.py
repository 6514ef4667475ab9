"""Scores and embeddings against plain NumPy, and that they notice what they are for."""

import numpy as np
import pytest
import reference
import tensorflow as tf
from random_models import fresh_model

from neurovocal_tf.model import scoring
from neurovocal_tf.rbm.energy import free_energy, mean_field
from neurovocal_tf.rbm.gibbs import gibbs_chain
from neurovocal_tf.rbm.noise import RowStream

LENGTHS = [9, 1, 6]


def make_model(**arguments):
    rng = np.random.default_rng(20)
    model = fresh_model(5, 4, 3, num_layers=2, num_direct_frames=1, **arguments)
    for weight in model.trainable_variables:
        weight.assign(
            0.2 * rng.normal(size=weight.shape)
            if weight.name == "log_sigma"
            else rng.normal(size=weight.shape) / 2
        )
    model.standardisation.set(-40.0, 10.0)
    return model


@pytest.fixture(scope="module")
def model():
    return make_model()


@pytest.fixture(scope="module")
def score(model):
    """`scoring.score` as a graph, of 20 Gibbs steps."""
    spec = [tf.TensorSpec([None, None, 5], tf.float32), tf.TensorSpec([None], tf.int32)]
    return tf.function(
        lambda frames, lengths: scoring.score(model, frames, lengths),
        input_signature=spec,
        autograph=False,
    )


@pytest.fixture(scope="module")
def songs(model):
    """40 songs of the model's own, [40, 20, 5]."""
    rows = tf.range(40, dtype=tf.int64), tf.fill([40], 20), tf.ones([40])
    return tf.function(lambda *rows: model.generate(*rows, emission_noise=1.0)[0], autograph=False)(
        *rows
    )


def sequences(rng, lengths=LENGTHS):
    return tf.constant(
        rng.normal(-40, 10, (len(lengths), max(lengths), 5)), tf.float32
    ), tf.constant(lengths, tf.int32)


def test_the_scores_are_their_definitions(model, rng):
    frames, lengths = sequences(rng)
    found = scoring.score(model, frames, lengths, num_gibbs_steps=2)
    actual = (frames.numpy().astype(np.float64) + 40) / 10
    parts = [actual[i, :length] for i, length in enumerate(LENGTHS)]
    predicted = [
        mean_field(model(frames[i : i + 1])).numpy()[0, :length] for i, length in enumerate(LENGTHS)
    ]
    expected = reference.one_step_scores(parts, predicted)
    # A dozen float32 operations on sums of no more than 70 numbers.
    for name, value in expected.items():
        np.testing.assert_allclose(getattr(found, name), value, rtol=1e-4, atol=1e-5, err_msg=name)


@pytest.mark.parametrize("follows", [False, True])
def test_surprise_is_free_energy_over_that_of_the_models_own_samples(follows, rng):
    model = make_model(coupling_gain=follows, noise_context=0.7 * follows)
    frames, lengths = sequences(rng, [7])
    found = scoring.score(model, frames, lengths, num_gibbs_steps=3)
    rbm = model(frames)
    of_samples = []
    for t in range(7):
        machine = rbm.map_frames(lambda x, t=t: x[:, t])
        start = machine.bv
        samples = [
            gibbs_chain(
                machine, start, 3, RowStream(*(tf.constant([x], tf.int64) for x in (seed, t)))
            )[0]
            for seed in range(4)
        ]
        of_samples.append(np.mean([free_energy(machine, sample)[0] for sample in samples]))
    expected = free_energy(rbm, model.standardisation(frames))[0] - np.array(of_samples)
    # One flipped unit would change it by whole nats; the roundings of 3 Gibbs steps by far less.
    np.testing.assert_allclose(found.frame_surprise, expected, atol=1e-3)
    np.testing.assert_allclose(found.surprise, np.mean(expected), atol=1e-3)


def test_a_models_own_frames_are_no_surprise_and_noise_and_their_mean_are(score, songs):
    noise = tf.random.stateless_normal(songs.shape, [1, 2], mean=-40.0, stddev=30.0)
    smooth = tf.reduce_mean(songs, axis=0, keepdims=True) + tf.zeros_like(songs)
    own, far, near = (
        score(frames, tf.fill([40], 20)).frame_surprise.numpy() for frames in (songs, noise, smooth)
    )
    # The standard error of its mean over 800 frames, and that of 4 samples beside each.
    error = own.std() / np.sqrt(len(own)) * np.sqrt(1.25)
    assert abs(own.mean()) < 4 * error
    assert far.mean() > 10 * error and near.mean() < -4 * error


def test_what_the_model_foresees_scores_lower_than_what_it_does_not(score, songs, rng):
    lengths = tf.fill([40], 20)
    usual, shuffled = (
        score(songs, lengths),
        score(tf.gather(songs, rng.permutation(20), axis=1), lengths),
    )
    assert usual.score < shuffled.score and usual.order_score < shuffled.order_score


def test_embeddings_are_the_top_layers_states_of_each_sequence_alone(model, rng):
    frames, lengths = sequences(rng)
    found = scoring.embed(model, frames, lengths)
    states = [
        model.states(frames[i : i + 1, :length])[0].numpy() for i, length in enumerate(LENGTHS)
    ]
    # Two layers of 3 units, then the last frame; float32 through 9 steps.
    np.testing.assert_allclose(found.frame_embedding, np.concatenate(states)[:, 3:6], atol=1e-5)
    np.testing.assert_allclose(
        found.embedding, np.concatenate(states)[:, 3:6].mean(axis=0), atol=1e-5
    )
    np.testing.assert_allclose(found.state, states[-1][-1], atol=1e-5)


@pytest.mark.parametrize("shape", [(0, 0), (0, 3), (1, 0), (2, 4)])
def test_of_no_frames_all_is_zero_and_the_state_is_the_first_one(shape, model):
    frames, lengths = tf.zeros([*shape, 5]), tf.zeros([shape[0]], tf.int32)
    embedding, scores = (
        scoring.embed(model, frames, lengths),
        scoring.score(model, frames, lengths, num_gibbs_steps=1),
    )
    assert not np.any(embedding.embedding) and embedding.frame_embedding.shape == (0, 3)
    np.testing.assert_array_equal(embedding.state, model.encoder.first_state)
    assert scores.frame_score.shape == scores.frame_surprise.shape == (0,)
    assert [float(scores.score), float(scores.order_score), float(scores.surprise)] == [0, 0, 0]


def test_frames_that_never_change_are_no_division_by_zero(model):
    scores = scoring.score(model, tf.fill([1, 8, 5], -40.0), tf.constant([8]), num_gibbs_steps=1)
    assert all(np.isfinite(value).all() for value in scores) and float(scores.order_score) == 1


def test_a_call_s_scores_are_those_of_its_own_frames_in_their_context(model, rng):
    frames, lengths = sequences(rng)
    whole = scoring.score(model, frames, lengths, num_gibbs_steps=2)
    # Of sequences of 9, 1 and 6 frames: two calls that overlap, one of a first frame alone, one
    # that begins with a first frame.
    spans = np.array([[2, 6], [4, 9], [9, 10], [10, 13]])
    found = scoring.score_calls(model, frames, lengths, *spans.T, num_gibbs_steps=2)
    actual = (frames.numpy().astype(np.float64) + 40) / 10
    predicted = [
        mean_field(model(frames[i : i + 1])).numpy()[0, :length] for i, length in enumerate(LENGTHS)
    ]
    parts = [actual[i, :length] for i, length in enumerate(LENGTHS)]
    before = np.concatenate([np.vstack([np.full((1, 5), np.nan), part[:-1]]) for part in parts])
    change = np.concatenate(parts) - before
    foreseen = np.concatenate(predicted) - before
    for call, (first, last) in enumerate(spans):
        own = np.arange(first, last)
        follows = own[np.isfinite(before[own, 0])]
        score = np.mean(whole.frame_score.numpy()[follows]) if len(follows) else 0.0
        order = (
            1 - np.corrcoef(change[follows].ravel(), foreseen[follows].ravel())[0, 1]
            if len(follows)
            else 0.0
        )
        # As for the scores of sequences.
        np.testing.assert_allclose(found["score"][call], score, rtol=1e-4, atol=1e-5)
        np.testing.assert_allclose(found["order_score"][call], order, rtol=1e-4, atol=1e-5)
        np.testing.assert_allclose(
            found["surprise"][call], np.mean(whole.frame_surprise.numpy()[own]), rtol=1e-4
        )


def test_of_no_calls_there_are_no_scores(model):
    none = tf.zeros([0], tf.int32)
    for shape in ((1, 0), (2, 4)):
        lengths = tf.fill([shape[0]], shape[1])
        found = scoring.score_calls(model, tf.zeros([*shape, 5]), lengths, none, none)
        assert {name: value.shape for name, value in found.items()} == dict.fromkeys(
            scoring.SCORES, (0,)
        )
