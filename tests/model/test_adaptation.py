"""A fresh model predicts as well as its data's mean or autoregression."""

import re

import keras
import numpy as np
import pytest
import tensorflow as tf
from random_models import fresh_model

from neurovocal_tf.config import Config
from neurovocal_tf.model.adaptation import FrameMoments, Moments, start_from_data
from neurovocal_tf.model.autoregression import RidgeVAR
from neurovocal_tf.runs.trained import build_model

NINE_BINS = Config().replace(n_fft=16, hop_length=8, dynamic_range_db=70.0)


def moments_of(rng, order=2):
    mean = rng.normal(-40.0, 5.0, 9)
    coefficients = rng.normal(0.0, 0.1, (order, 9, 9))
    autoregression = RidgeVAR(mean, mean - mean @ coefficients.sum(axis=0), coefficients, ridge=0.1)
    return Moments(
        mean,
        np.array([0.3, *rng.uniform(2.0, 9.0, 8)]),
        autoregression,
        1000,
        dynamic_range_db=70.0,
    )


def test_a_fresh_gaussian_model_predicts_as_the_autoregression_but_for_what_encoder_and_hidden_add(
    rng,
):
    moments = moments_of(rng)
    model = build_model(NINE_BINS)
    rbm, num_units = model.conditional_rbm, model.encoder.num_units
    rbm.W.assign(tf.zeros_like(rbm.W))
    start_from_data(model, moments)
    np.testing.assert_allclose(model.standardisation.offset, moments.mean, rtol=1e-6)
    # A bin that hardly varies counts as if it varied by a decibel.
    np.testing.assert_allclose(model.standardisation.scale, [1.0, *moments.sd[1:]], rtol=1e-6)
    assert not np.asarray(rbm.Wuh)[num_units:].any()
    rbm.Wuv.assign(tf.concat([tf.zeros_like(rbm.Wuv[:num_units]), rbm.Wuv[num_units:]], axis=0))
    frames = (moments.mean + moments.sd * rng.normal(size=(12, 9))).astype(np.float32)
    expected = moments.autoregression.one_step_predictions(frames)
    # float32 of values up to 60 dB, summed over 18 inputs.
    np.testing.assert_allclose(
        model.predict_step(frames[np.newaxis])[0], expected, atol=60 * 18 * 2.0**-23
    )


@pytest.mark.parametrize(
    "visible_units, weight_init",
    [("mean_field", "scaled"), ("mean_field", "published"), ("gaussian", "scaled")],
)
def test_a_fresh_machines_own_mean_is_that_of_the_data(visible_units, weight_init):
    moments = Moments(
        np.linspace(-69.9, -0.1, 9), np.full(9, 5.0), None, num_frames=10**12, dynamic_range_db=70.0
    )
    config = NINE_BINS.replace(
        visible_units=visible_units, num_direct_frames=0, weight_init=weight_init
    )
    model = build_model(config)
    start_from_data(model, moments)
    rbm, mean = model.conditional_rbm, moments.mean[np.newaxis].astype(np.float32)
    if visible_units == "mean_field":
        # 70 dB below the reference is 0 and the reference is 1.
        ends = model.standardisation(np.array([[-70.0] * 9, [-35.0] * 9, [0.0] * 9]))
        np.testing.assert_allclose(ends, [[0.0] * 9, [0.5] * 9, [1.0] * 9])
    standardised = np.asarray(model.standardisation(mean))
    hidden = 1 / (1 + np.exp(-(np.asarray(rbm.bh) + standardised @ np.asarray(rbm.W))))
    field = np.asarray(rbm.bv) + hidden @ np.asarray(rbm.W).T
    found = field if visible_units == "gaussian" else 1 / (1 + np.exp(-field))
    np.testing.assert_allclose(model.standardisation.inverse(found), mean, atol=70 * 9 * 2.0**-23)


# --- adapt, in the manner of Keras' preprocessing layers

NUM_ROWS, NUM_FRAMES, NUM_VISIBLE = 6, 9, 4
MASK = np.random.default_rng(1).uniform(size=(NUM_ROWS, NUM_FRAMES)) < 0.7


def frames_in(visible_units, seed=0):
    rng = np.random.default_rng(seed)
    frames = rng.normal(-30.0, 8.0, (NUM_ROWS, NUM_FRAMES, NUM_VISIBLE))
    if visible_units == "bernoulli":
        frames = rng.integers(0, 2, frames.shape)
    return frames.astype(np.float32)


def adaptable(visible_units, **arguments):
    arguments = {"num_direct_frames": 2, "masking": keras.layers.Masking(7.0), **arguments}
    return fresh_model(NUM_VISIBLE, 3, 4, visible_units=visible_units, **arguments)


def batches(*parts):
    return tf.data.Dataset.from_tensor_slices(parts).batch(4)


WITH_MASK = {
    "array": lambda x: (x, MASK),
    "dataset": lambda x: (batches(x, MASK),),
    "padding": lambda x: (np.where(MASK[..., np.newaxis], x, 7.0),),
    "list": lambda x: ([row[counts] for row, counts in zip(x, MASK, strict=True)],),
}


@pytest.mark.parametrize("form", WITH_MASK)
@pytest.mark.parametrize(
    "visible_units, range_db",
    [("gaussian", None), ("gaussian", 60.0), ("mean_field", 60.0), ("bernoulli", None)],
)
def test_adapt_sets_what_training_sets_for_the_same_frames(form, visible_units, range_db):
    x, model, trained = frames_in(visible_units), adaptable(visible_units), adaptable(visible_units)
    model.adapt(*WITH_MASK[form](x), dynamic_range_db=range_db)
    moments = FrameMoments(2)
    for row, counts in zip(x, MASK, strict=True):
        moments.update(row[counts])
    start_from_data(trained, moments.moments(range_db))
    for a, b in zip(model.weights, trained.weights, strict=True):
        np.testing.assert_array_equal(a, b)


def test_adapt_standardises_as_kerass_normalization_does():
    x, model, layer = frames_in("gaussian"), adaptable("gaussian"), keras.layers.Normalization()
    model.adapt(x)
    layer.adapt(x)
    # Both in single precision, of means and variances of some fifty numbers.
    np.testing.assert_allclose(model.standardisation(x), layer(x), rtol=0, atol=1e-4)


def test_who_adapts_again_starts_again():
    once, twice = adaptable("gaussian"), adaptable("gaussian")
    twice.adapt(frames_in("gaussian", seed=5))
    for model in (once, twice):
        model.adapt(batches(frames_in("gaussian")), steps=1)
    for a, b in zip(once.weights, twice.weights, strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize(
    "visible_units, data, message",
    [
        ("gaussian", np.full((2, 3, NUM_VISIBLE), np.nan), "`data` must be finite"),
        ("gaussian", np.zeros((0, 3, NUM_VISIBLE)), "at least one frame that counts"),
        ("gaussian", np.full((2, 3, NUM_VISIBLE), 7.0), "at least one frame that counts"),
        ("gaussian", np.zeros((2, 3)), "A batch must be frames [B, T, V]"),
        (
            "mean_field",
            np.full((2, 3, NUM_VISIBLE), -30.0),
            "`data` must be from 0 to 1 for mean_field units, or in dB and `dynamic_range_db` "
            "given. Received: frames from -30 to -30",
        ),
    ],
)
def test_frames_that_say_nothing_are_refused(visible_units, data, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        adaptable(visible_units).adapt(data)


def test_a_trained_model_keeps_what_it_has_learned():
    model = adaptable("gaussian")
    model.num_train_steps.assign(3)
    with pytest.raises(ValueError, match="`adapt` must come before `fit`.*after 3 steps"):
        model.adapt(frames_in("gaussian"))
