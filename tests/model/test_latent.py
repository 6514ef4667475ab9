"""A model with a latent variable: what it learns from, what it sings, and what it is told to be."""

import keras
import numpy as np
import pytest
import reference
import scipy.stats
import tensorflow as tf
from random_models import fresh_model, make_model, singer

from neurovocal_tf.config import Config
from neurovocal_tf.layers.latent_variable import Normals
from neurovocal_tf.model.drawn_machines import drawn_machines, machines_to_learn
from neurovocal_tf.model.rnn_rbm import RNNRBM
from neurovocal_tf.model.tiling import all_places_alike
from neurovocal_tf.rbm.noise import BatchStream
from neurovocal_tf.rbm.tempering import Replicas
from neurovocal_tf.runs.trained import build_model

SIZES = (4, 3, 3)


@pytest.fixture(scope="module")
def model():
    model = make_model(
        np.random.default_rng(3), SIZES, "bernoulli", num_direct_frames=1, num_latent=2
    )
    model.compile("sgd", run_eagerly=True)
    return model


def batch(rng, num_rows=3, num_frames=5):
    frames = (rng.random((num_rows, num_frames, 4)) < 0.5).astype(np.float32)
    mask = np.ones((num_rows, num_frames), np.float32)
    mask[-1, 3:] = 0
    return tf.constant(frames), tf.constant(mask), tf.fill([num_rows], True)


def stream():
    return BatchStream(tf.constant(5), tf.constant(0))


def test_the_cost_is_the_free_energies_difference_and_the_divergence(model, rng):
    frames, mask, is_start = batch(rng)
    learned, foretold, divergence = machines_to_learn(
        model, frames, mask, is_start, False, stream()
    )
    np.testing.assert_array_equal(foretold.bv, model(frames).bv)
    assert not np.allclose(learned.bv, foretold.bv)
    u = model.contexts(frames)
    each = model.latent.posterior(u, frames).divergence(model.latent.prior(u)).numpy()
    np.testing.assert_allclose(divergence, each[mask.numpy() > 0].mean(), rtol=1e-5)
    costs = []
    for cd_steps in (1, 0):
        model.cd_steps.assign(cd_steps)
        costs.append(float(model._figures(frames, mask, is_start, tf.constant(0), 1.0)[0]))
    model.cd_steps.assign(1)
    # No step leaves the data, so that the free energies do not differ.
    assert costs[1] == pytest.approx(float(divergence), abs=1e-5)
    assert abs(costs[0] - costs[1]) > 1e-3


def test_the_encoder_reads_a_batch_once(rng, monkeypatch):
    model = make_model(rng, SIZES, "bernoulli", num_latent=2, smoothness=1.0)
    model.compile("sgd", run_eagerly=True)
    read, contexts = [], RNNRBM.contexts

    def counted(self, frames, *rest):
        read.append(frames)
        return contexts(self, frames, *rest)

    monkeypatch.setattr(RNNRBM, "contexts", counted)
    model._gradients(*batch(rng), tf.constant(0), 1.0, tf.constant(0))
    model._figures(*batch(rng), tf.constant(0), 1.0)
    assert len(read) == 2


def test_every_weight_of_the_latent_variable_has_a_gradient(model, rng):
    gradients, _ = model._gradients(*batch(rng), tf.constant(0), 1.0, tf.constant(0))
    by_name = dict(zip([w.path for w in model.trainable_variables], gradients, strict=True))
    of_latent = {name: g for name, g in by_name.items() if "latent" in name}
    assert len(of_latent) == 5
    for name, gradient in of_latent.items():
        assert np.abs(gradient).max() > 1e-4, name


def test_prediction_and_machines_have_the_latent_variable_at_its_priors_mean(model, rng):
    frames, _, _ = batch(rng)
    u = model.contexts(frames)
    expected = model.conditional_rbm(model.latent.read(u, model.latent.prior(u).mean))
    np.testing.assert_array_equal(model(frames).bv, expected.bv)
    np.testing.assert_array_equal(model(frames).bh, expected.bh)


def test_what_a_draw_weighs_is_the_priors_share(model, rng):
    frames, _, _ = batch(rng)
    _, of_prior = drawn_machines(model, frames, stream(), 0, from_posterior=False)
    np.testing.assert_array_equal(of_prior, tf.zeros([3, 5]))
    many = tf.repeat(frames[:1, :1], 400, axis=0)
    ratios = drawn_machines(model, many, stream(), 0)[1].numpy()
    # The mean of log p(z) / q(z) under q is minus the divergence.
    u = model.contexts(many[:1])
    divergence = model.latent.posterior(u, many[:1]).divergence(model.latent.prior(u))
    assert abs(ratios.mean() + float(divergence[0, 0])) < 4 * ratios.std() / np.sqrt(400)


def test_songs_draw_it_from_its_prior_at_their_temperature(rng):
    model = make_model(rng, SIZES, "bernoulli", num_latent=1)
    sing = singer(model, num_gibbs_steps=8, emission_noise=1.0)
    u = model.encoder.output(model.encoder.initial_state(tf.ones([1], tf.bool)))
    prior = model.latent.prior(u)
    nodes, weights = np.polynomial.hermite_e.hermegauss(24)
    for temperature in (0.7, 1.5):
        # E over z of p(v | z), by Gauss and Hermite.
        p = np.zeros(16)
        for node, weight in zip(nodes, weights / weights.sum(), strict=True):
            z = prior.mean + tf.exp(prior.log_sd) * np.sqrt(temperature) * node
            rbm = model.conditional_rbm(model.latent.read(u, tf.cast(z, tf.float32)))
            values = (x.numpy().astype(np.float64) for x in (rbm.W, rbm.bv[0], rbm.bh[0]))
            p += weight * reference.joint(*values, temperature).sum(axis=1)
        frames = sing(np.arange(1200), np.ones(1200), np.full(1200, temperature))[0][:, 0]
        counts = np.bincount((frames @ [8, 4, 2, 1]).astype(int), minlength=16)
        assert scipy.stats.chisquare(counts, p * 1200).pvalue > 1e-3


def test_songs_of_it_and_of_several_replicas_are_exact_and_go_on(rng):
    model = make_model(rng, (13, 9, 7), num_direct_frames=1, num_latent=3)
    sing = singer(model, num_gibbs_steps=4, emission_noise=0.5, num_replicas=2)
    seeds, temperature = rng.integers(0, 2**40, 9), rng.uniform(0.7, 1.6, 9)
    together, states, _ = sing(seeds, [8] * 9, temperature)
    for rows in ([8], [3, 8, 0]):
        found, found_states, _ = sing(seeds[rows], [8] * len(rows), temperature[rows])
        np.testing.assert_array_equal(found, together[rows])
        np.testing.assert_array_equal(found_states, states[rows])
    first, state, next_frame = sing(seeds, [5] * 9, temperature)
    rest, _, _ = sing(seeds, [3] * 9, temperature, state, next_frame)
    np.testing.assert_array_equal(np.concatenate([first, rest], axis=1), together)


def test_a_flaw_in_what_a_latent_variable_or_replicas_add_is_found(rng, monkeypatch):
    model = make_model(rng, (13, 9, 7), num_latent=3)
    layers = model.encoder, model.conditional_rbm, 0

    def flawed(original):
        def function(self, *arguments):
            result = original(self, *arguments)
            last = np.zeros(result.shape, np.float32)
            last[:, -1] = np.finfo(np.float32).eps
            return result * (1 + last)

        return function

    assert all_places_alike(*layers, num_replicas=2, latent=model.latent)
    for owner, name in ((Replicas, "log_odds"), (Normals, "sample")):
        with monkeypatch.context() as patch:
            patch.setattr(owner, name, flawed(getattr(owner, name)))
            assert not all_places_alike(*layers, num_replicas=2, latent=model.latent)


def test_it_learns_and_is_saved_with_the_model(rng, tmp_path):
    model = fresh_model(4, 3, 3, visible_units="gaussian", num_direct_frames=1, num_latent=2)
    frames = rng.normal(size=(8, 6, 4)).astype(np.float32)
    model.adapt(frames)
    model.compile("adam", run_eagerly=True)
    before = [np.array(w) for w in model.latent.weights]
    model.fit(frames, batch_size=4, epochs=1, verbose=0)
    for weight, value in zip(model.latent.weights, before, strict=True):
        assert np.abs(weight - value).max() > 0, weight.name
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(
        loaded.predict(frames, verbose=0), model.predict(frames, verbose=0)
    )


def test_the_setting_makes_it_and_nothing_changes_without():
    config = Config().replace(num_hidden=3, num_recurrent=3, num_layers=1)
    plain, latent = build_model(config, 4), build_model(config.replace(latent_size=2), 4)
    assert plain.latent is None and latent.latent.num_latent == 2
    assert not any("latent" in w.path for w in plain.weights)
    assert latent.conditional_rbm.Wuv.shape[0] == plain.conditional_rbm.Wuv.shape[0] + 2
    # As earlier versions have saved it.
    earlier = {k: v for k, v in plain.get_config().items() if k != "latent"}
    assert type(plain).from_config(earlier).latent is None
