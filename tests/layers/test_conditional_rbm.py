"""The layer that turns a recurrent state into the biases of an RBM."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from neurovocal_tf.layers.conditional_rbm import LOG_SIGMA_RANGE, ConditionalRBM, LogSigmaRange
from neurovocal_tf.rbm import energy, units

NUM_VISIBLE, NUM_HIDDEN, NUM_RECURRENT = 5, 4, 3

EVERY_KIND = pytest.mark.parametrize(
    "visible_units, kind",
    [("gaussian", units.Gaussian), ("mean_field", units.MeanField), ("bernoulli", units.Bernoulli)],
)


def make_layer(rng, **arguments):
    layer = ConditionalRBM(NUM_VISIBLE, NUM_HIDDEN, **arguments)
    layer.build((None, None, NUM_RECURRENT))
    for weight in layer.weights:
        weight.assign(0.5 * rng.normal(size=weight.shape))
    return layer


@EVERY_KIND
def test_biases_follow_the_state(visible_units, kind, rng):
    layer = make_layer(rng, visible_units=visible_units)
    u = rng.normal(size=(2, 6, NUM_RECURRENT)).astype(np.float32)
    rbm = layer(tf.constant(u))
    # Sums of four float32 products.
    np.testing.assert_allclose(rbm.bv, layer.bv.numpy() + u @ layer.Wuv.numpy(), atol=1e-6)
    np.testing.assert_allclose(rbm.bh, layer.bh.numpy() + u @ layer.Wuh.numpy(), atol=1e-6)
    np.testing.assert_array_equal(rbm.W, layer.W)
    assert type(rbm.units) is kind
    if visible_units == "gaussian":
        np.testing.assert_array_equal(rbm.units.log_sigma, layer.log_sigma)


def test_a_gain_follows_the_state_and_stays_between_its_bounds(rng):
    layer = make_layer(rng, coupling_gain=True)
    u = 3 * rng.normal(size=(2, 6, NUM_RECURRENT)).astype(np.float32)
    gain = layer(tf.constant(u)).gain
    np.testing.assert_allclose(gain, np.exp(2 * np.tanh(u @ layer.Wug.numpy() / 2)), rtol=1e-5)
    assert np.exp(-2) < np.min(gain) < 1 < np.max(gain) < np.exp(2)
    np.testing.assert_array_equal(make_layer(rng)(tf.constant(u)).gain, np.ones((2, 6, 1)))


def test_noise_follows_the_state_each_units_its_own_way_and_never_beyond_its_bounds(rng):
    layer = make_layer(rng, noise_context=0.7)
    u = 3 * rng.normal(size=(2, 6, NUM_RECURRENT)).astype(np.float32)
    change = layer(tf.constant(u)).units.log_sigma - layer.log_sigma
    np.testing.assert_allclose(change, 0.7 * np.tanh(u @ layer.Wus.numpy() / 0.7), atol=1e-6)
    # In float32, as the bound is there: far out tanh is 1.
    assert 0.5 < np.max(change) <= np.float32(0.7) and 0.5 < -np.min(change) <= np.float32(0.7)


@pytest.mark.parametrize("coupling_gain", [False, True])
def test_where_noise_follows_the_state_hidden_units_read_how_far_a_frame_is_from_its_bias(
    coupling_gain, rng
):
    layer = make_layer(rng, noise_context=0.7, coupling_gain=coupling_gain)
    u = rng.normal(size=(6, NUM_RECURRENT)).astype(np.float32)
    v = rng.normal(size=(6, NUM_VISIBLE)).astype(np.float32)
    machine = layer(tf.constant(u))
    beyond = (v - machine.bv) / np.exp(machine.units.log_sigma) @ layer.W.numpy()
    expected = layer.bh + u @ layer.Wuh.numpy() + machine.gain * beyond
    np.testing.assert_allclose(energy.hidden_logits(machine, tf.constant(v)), expected, atol=2e-6)


@EVERY_KIND
def test_a_machine_along_the_lanes_is_the_same_machine(visible_units, kind, rng):
    context = 0.7 if visible_units == "gaussian" else 0.0
    layer = make_layer(rng, visible_units=visible_units, coupling_gain=True, noise_context=context)
    u, v, h = (
        rng.normal(size=(8, size)).astype(np.float32)
        for size in (NUM_RECURRENT, NUM_VISIBLE, NUM_HIDDEN)
    )
    rows, lanes = layer.machine(tf.constant(u)), layer.machine(tf.constant(u.T), axis=0)
    assert type(lanes.units) is kind
    pairs = [(getattr(rows, name), getattr(lanes, name)) for name in ("bv", "bh", "gain")]
    for function, argument in ((energy.hidden_logits, v), (energy.visible_mean, h)):
        pairs.append(
            (function(rows, tf.constant(argument)), function(lanes, tf.constant(argument.T)))
        )
    pairs.append((energy.bias_mean(rows), energy.bias_mean(lanes)))
    for in_rows, in_lanes in pairs:
        np.testing.assert_allclose(tf.transpose(in_lanes), in_rows, atol=2e-6)


def test_compiled_by_xla_in_the_sizes_that_train_it_is_the_same_machine(rng):
    layer = ConditionalRBM(129, 32, coupling_gain=True, noise_context=0.7)
    layer.build((None, None, 425))
    for weight in layer.weights:
        weight.assign(0.1 * rng.normal(size=weight.shape))
    u = tf.constant(rng.normal(size=(8, 128, 425)), tf.float32)
    compiled = tf.function(lambda u: layer(u).of_frames(), jit_compile=True, autograph=False)
    # Sums of 425 float32 products of size 0.1, exponentiated.
    for found, expected in zip(compiled(u), layer(u).of_frames(), strict=True):
        np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-4)


def test_a_fresh_layer_scales_no_couplings():
    layer = ConditionalRBM(NUM_VISIBLE, NUM_HIDDEN, coupling_gain=True)
    np.testing.assert_array_equal(layer(tf.ones([1, NUM_RECURRENT])).gain, np.ones((1, NUM_HIDDEN)))


def test_in_a_fresh_layer_the_noise_is_the_same_for_every_frame():
    layer = ConditionalRBM(NUM_VISIBLE, NUM_HIDDEN, noise_context=1.0)
    log_sigma = layer(tf.ones([1, NUM_RECURRENT])).units.log_sigma
    np.testing.assert_array_equal(log_sigma, np.zeros((1, NUM_VISIBLE)))


def test_a_single_frame_needs_no_time_axis(rng):
    layer = make_layer(rng)
    u = tf.constant(rng.normal(size=(2, 1, NUM_RECURRENT)), tf.float32)
    np.testing.assert_allclose(layer(u[:, 0]).bv, layer(u).bv[:, 0], atol=1e-6)


@EVERY_KIND
@pytest.mark.parametrize("coupling_gain", [False, True])
def test_every_weight_is_trained(visible_units, kind, coupling_gain, rng):
    context = 0.5 * (visible_units == "gaussian" and coupling_gain)
    layer = make_layer(
        rng, visible_units=visible_units, coupling_gain=coupling_gain, noise_context=context
    )
    expected = (
        ["W", "bv", "bh", "Wuv", "Wuh"]
        + ["Wug"] * coupling_gain
        + ["Wus"] * (context > 0)
        + ["log_sigma"] * (visible_units == "gaussian")
    )
    assert [w.name for w in layer.trainable_variables] == expected


def test_sigma_stays_inside_its_range():
    np.testing.assert_allclose(
        LogSigmaRange()(tf.constant([-100.0, 0.3, 100.0])),
        [LOG_SIGMA_RANGE[0], 0.3, LOG_SIGMA_RANGE[1]],
        rtol=1e-6,
    )


def test_an_optimiser_keeps_sigma_inside_its_range(rng):
    layer = make_layer(rng)
    keras.optimizers.SGD(1.0).apply([tf.fill([NUM_VISIBLE], 50.0)], [layer.log_sigma])
    np.testing.assert_allclose(layer.log_sigma, np.full(NUM_VISIBLE, LOG_SIGMA_RANGE[0]), rtol=1e-6)


@pytest.mark.parametrize(
    "arguments, message",
    [
        (
            dict(visible_units="beta"),
            (
                "`visible_units` must be gaussian, mean_field or bernoulli. "
                "Received: visible_units=beta"
            ),
        ),
        (
            dict(weight_init="he"),
            "`weight_init` must be scaled or published. Received: weight_init=he",
        ),
        (
            dict(num_hidden=0),
            (
                "`num_visible` and `num_hidden` must be at least 1. "
                "Received: num_visible=5, num_hidden=0"
            ),
        ),
        (
            dict(noise_context=1.0, visible_units="bernoulli"),
            (
                "`noise_context` must be at least 0, and 0 for units other than gaussian. "
                "Received: noise_context=1, visible_units=bernoulli"
            ),
        ),
    ],
)
def test_arguments_out_of_range_are_refused_by_name(arguments, message):
    with pytest.raises(ValueError) as error:
        ConditionalRBM(**{"num_visible": NUM_VISIBLE, "num_hidden": NUM_HIDDEN, **arguments})
    assert str(error.value) == message


def test_published_weights_have_the_published_spread():
    layer = ConditionalRBM(129, 219, visible_units="mean_field", weight_init="published")
    layer.build((None, None, 167))
    for weight in layer.weights:
        # Four standard errors of a standard deviation.
        np.testing.assert_allclose(
            np.std(weight),
            1e-2 if weight is layer.W else 1e-4,
            rtol=4 / np.sqrt(2 * np.prod(weight.shape)),
        )


def test_scaled_biases_start_at_zero_and_sigma_at_one():
    layer = ConditionalRBM(NUM_VISIBLE, NUM_HIDDEN)
    layer.build((None, None, NUM_RECURRENT))
    for weight in (layer.bv, layer.bh, layer.log_sigma):
        assert not np.any(weight)
    for weight in (layer.W, layer.Wuv, layer.Wuh):
        assert np.std(weight) > 0


@EVERY_KIND
def test_a_saved_layer_is_the_same_layer(visible_units, kind, rng, tmp_path):
    layer = make_layer(rng, visible_units=visible_units, weight_init="published", seed=4)
    keras.Sequential([keras.Input((None, NUM_RECURRENT)), layer]).save(tmp_path / "layer.keras")
    loaded = keras.saving.load_model(tmp_path / "layer.keras").layers[0]
    assert loaded.get_config() == layer.get_config()
    u = tf.constant(rng.normal(size=(2, 6, NUM_RECURRENT)), tf.float32)
    for a, b in zip(tf.nest.flatten(loaded(u)), tf.nest.flatten(layer(u)), strict=True):
        np.testing.assert_array_equal(a, b)


def test_it_keeps_float32_under_a_global_policy_of_mixed_precision_and_follows_one_of_its_own(rng):
    u = tf.constant(rng.normal(size=(2, 6, NUM_RECURRENT)), tf.float32)
    keras.mixed_precision.set_dtype_policy("mixed_bfloat16")
    try:
        rbm = make_layer(rng)(tf.cast(u, tf.bfloat16))
    finally:
        keras.mixed_precision.set_dtype_policy("float32")
    assert {t.dtype for t in tf.nest.flatten(rbm)} == {tf.float32}
    rbm = make_layer(rng, dtype="mixed_bfloat16")(u)
    assert {t.dtype for t in tf.nest.flatten(rbm)} == {tf.bfloat16}
