"""A fresh model predicts as well as its data's mean or autoregression."""

import numpy as np
import pytest
import tensorflow as tf

from neurovocal_tf.config import Config
from neurovocal_tf.evaluation.baselines import RidgeVAR
from neurovocal_tf.runs.trained import build_model
from neurovocal_tf.training.initialisation import Moments, start_from_data

NINE_BINS = Config().replace(n_fft=16, hop_length=8, dynamic_range_db=70.0)


def moments_of(rng, order=2):
    mean = rng.normal(-40.0, 5.0, 9)
    coefficients = rng.normal(0.0, 0.1, (order, 9, 9))
    autoregression = RidgeVAR(mean, mean - mean @ coefficients.sum(axis=0), coefficients, ridge=0.1)
    return Moments(
        mean, np.array([0.3, *rng.uniform(2.0, 9.0, 8)]), autoregression, 1000, in_decibels=True
    )


def test_a_fresh_gaussian_model_predicts_as_the_autoregression_but_for_what_encoder_and_hidden_add(
    rng,
):
    moments = moments_of(rng)
    model = build_model(NINE_BINS)
    rbm, num_units = model.conditional_rbm, model.encoder.num_units
    rbm.W.assign(tf.zeros_like(rbm.W))
    start_from_data(model, moments, NINE_BINS)
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
        np.linspace(-69.9, -0.1, 9), np.full(9, 5.0), None, num_frames=10**12, in_decibels=True
    )
    config = NINE_BINS.replace(
        visible_units=visible_units, num_direct_frames=0, weight_init=weight_init
    )
    model = build_model(config)
    start_from_data(model, moments, config)
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
