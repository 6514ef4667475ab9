"""The whole model in training: what a step sees, learns, and survives; prediction; saving."""

import json

import keras
import numpy as np
import pytest
import tensorflow as tf
from random_models import fresh_model

from neurovocal_tf.model import negative_phase
from neurovocal_tf.model.smoothness import excess_roughness
from neurovocal_tf.rbm import noise
from neurovocal_tf.rbm.energy import mean_field
from neurovocal_tf.training.optimizers import GuardedAdam, GuardedRMSprop

pytestmark = pytest.mark.filterwarnings("ignore:`shuffle=True` was passed")

NUM_VISIBLE, BATCH_SIZE, NUM_FRAMES = 6, 4, 10
VISIBLE_UNITS = ("gaussian", "mean_field", "bernoulli")
# All that training draws or asks beside the chains.
WITH_ALL_OPTIONS = {
    "num_layers": 2,
    "num_direct_frames": 1,
    "dropout": 0.2,
    "state_dropout": 0.2,
    "input_noise": 0.1,
    "noise_context": 0.5,
    "smoothness": 1.0,
}
EVERY_KIND = pytest.mark.parametrize("visible_units", VISIBLE_UNITS)

# Sums of some ten float32 products, ten frames long, through two layers.
FLOAT32 = dict(rtol=0, atol=1e-5)


def make_model(visible_units="gaussian", optimizer=None, jit_compile=False, **arguments):
    model = fresh_model(NUM_VISIBLE, 8, 12, visible_units=visible_units, seed=3, **arguments)
    optimizer = optimizer or GuardedAdam(1e-2)
    # An optimiser that makes its variables inside the first step has that step traced twice.
    optimizer.build(model.trainable_variables)
    model.compile(optimizer=optimizer, jit_compile=jit_compile)
    return model


def scaled(model, rng):
    """The same model with weights large enough to matter, and frames in units of their own."""
    for weight in model.trainable_variables:
        weight.assign(weight + 0.3 * rng.normal(size=weight.shape))
    model.standardisation.set(0.25, 0.5)
    return model


def cyclic_batch(visible_units="gaussian"):
    """A bump that walks through the bins, every row from another phase:
    frame t follows from frame t - 1 with certainty.
    """
    phase = np.arange(BATCH_SIZE)[:, None] + np.arange(NUM_FRAMES)
    frames = np.eye(NUM_VISIBLE, dtype=np.float32)[phase % NUM_VISIBLE]
    if visible_units == "gaussian":
        frames = (frames - frames.mean()) / frames.std()
    return frames, np.ones((BATCH_SIZE, NUM_FRAMES), np.float32), np.ones(BATCH_SIZE, bool)


def dataset(*batches):
    return tf.data.Dataset.from_tensor_slices(tuple(np.stack(parts) for parts in zip(*batches)))


def weights_of(model):
    return [w.numpy() for w in model.trainable_variables]


def step(model, batch):
    """One training step, op by op: what tracing a graph costs is more than a few steps of
    so small a model do.
    """
    return model.train_step(tuple(tf.constant(x) for x in batch))


def gradients_of(model, batch):
    """Gradients of the training cost, as `train_step` takes them: by SGD at rate 1."""
    before = weights_of(model)
    model.compile(optimizer=keras.optimizers.SGD(1.0), jit_compile=False)
    cost = step(model, batch)["cd_cost"].numpy()
    gradients = [a - b for a, b in zip(before, weights_of(model))]
    for weight, value in zip(model.trainable_variables, before):
        weight.assign(value)
    model.num_train_steps.assign(0)
    model.reset_metrics()
    return cost, gradients


# --- what a frame's biases see


@EVERY_KIND
@pytest.mark.parametrize("num_direct_frames", [0, 2])
def test_the_biases_of_a_frame_do_not_see_it_nor_what_follows(
    visible_units, num_direct_frames, rng
):
    model = scaled(
        make_model(visible_units, num_layers=2, num_direct_frames=num_direct_frames), rng
    )
    frames = rng.uniform(size=(2, NUM_FRAMES, NUM_VISIBLE)).astype(np.float32)
    for t in (0, 4, NUM_FRAMES - 1):
        changed = frames.copy()
        changed[:, t:] = 1.0 - changed[:, t:]
        for a, b in zip(model(changed)[1:3], model(frames)[1:3]):
            np.testing.assert_array_equal(a[:, : t + 1], b[:, : t + 1])
            assert t + 1 == NUM_FRAMES or not np.allclose(a[:, t + 1], b[:, t + 1])


def test_the_first_biases_follow_the_learned_state_at_true_starts_alone(rng):
    model = scaled(make_model(), rng)
    frames = rng.normal(size=(2, NUM_FRAMES, NUM_VISIBLE)).astype(np.float32)
    rbm = model(frames, tf.constant([True, False]))
    layer = model.conditional_rbm
    first = model.encoder.output(model.encoder.first_state.value).numpy()
    np.testing.assert_allclose(
        rbm.bv[0, 0], layer.bv.numpy() + first @ layer.Wuv.numpy(), **FLOAT32
    )
    np.testing.assert_allclose(rbm.bv[1, 0], layer.bv, **FLOAT32)


@pytest.mark.parametrize(
    "arguments", [dict(input_noise=0.5), dict(dropout=0.3, num_layers=2), dict(state_dropout=0.3)]
)
def test_input_noise_and_dropout_act_in_training_alone(arguments, rng):
    model = scaled(make_model(**arguments), rng)
    frames = tf.constant(rng.normal(size=(2, NUM_FRAMES, NUM_VISIBLE)), tf.float32)
    stream = noise.BatchStream(tf.constant(0), tf.constant(0))
    np.testing.assert_array_equal(model(frames).bv, model(frames).bv)
    assert not np.allclose(model(frames, training=True, stream=stream).bv, model(frames).bv)


# --- the training step


@pytest.mark.parametrize(
    "visible_units, negative_start",
    [("gaussian", "bias"), ("mean_field", "data"), ("bernoulli", "data")],
)
def test_training_learns_a_sequence(visible_units, negative_start):
    model = make_model(visible_units, negative_start=negative_start)
    model.cd_steps.assign(3)
    batches = dataset(*[cyclic_batch(visible_units)] * 60)
    before = model.evaluate(batches.take(1), return_dict=True, verbose=0)["one_step_error"]
    history = model.fit(batches, epochs=2, verbose=0).history
    if negative_start == "data":
        assert history["reconstruction_error"][1] < 0.9 * history["reconstruction_error"][0]
    after = model.evaluate(batches.take(1), return_dict=True, verbose=0)["one_step_error"]
    assert after < 0.6 * before


@pytest.mark.parametrize("visible_units", ["gaussian", "bernoulli"])
def test_smoothness_adds_the_gradient_of_what_its_predictions_have_too_much(visible_units, rng):
    model = scaled(make_model(visible_units, num_direct_frames=1), rng)
    batch = cyclic_batch(visible_units)
    frames, mask, is_start = (tf.constant(x) for x in batch)
    cost, plain = gradients_of(model, batch)
    model.smoothness = 3.0
    same_cost, smooth = gradients_of(model, batch)
    with tf.GradientTape() as tape:
        actual = model.standardisation(frames)
        penalty = 3.0 * excess_roughness(mean_field(model(frames, is_start)), actual, mask)
    expected = tape.gradient(penalty, model.trainable_variables, unconnected_gradients="zero")
    assert penalty > 0.01 and same_cost == cost
    for weight, a, b, c in zip(model.trainable_variables, smooth, plain, expected, strict=True):
        # A gradient is the difference of two weights near 1, if none was held inside its range.
        if weight.name != "log_sigma":
            np.testing.assert_allclose(a, b + c, rtol=1e-5, atol=2e-6)


def test_what_a_padded_frame_holds_changes_nothing(rng):
    model = scaled(
        make_model(num_layers=2, num_direct_frames=2, dropout=0.2, input_noise=0.1, smoothness=1.0),
        rng,
    )
    frames, mask, is_start = cyclic_batch()
    for row, length in enumerate((10, 7, 1, 0)):
        mask[row, length:] = 0
    padded = np.where(mask[:, :, None] > 0, frames, 0.0).astype(np.float32)
    other = np.where(mask[:, :, None] > 0, frames, 5.0).astype(np.float32)
    cost, gradients = gradients_of(model, (padded, mask, is_start))
    other_cost, other_gradients = gradients_of(model, (other, mask, is_start))
    np.testing.assert_allclose(other_cost, cost, rtol=1e-6)
    assert any(np.abs(g).max() > 0.01 for g in gradients)
    for a, b in zip(other_gradients, gradients):
        # A gradient here is the difference of two weights near 1.
        np.testing.assert_allclose(a, b, rtol=0, atol=1e-6)


def test_rows_of_padding_alone_change_nothing(rng):
    model = scaled(make_model("bernoulli"), rng)
    frames, mask, is_start = cyclic_batch("bernoulli")
    mask[2:] = 0
    cost, gradients = gradients_of(model, (frames, mask, is_start))
    few_cost, few_gradients = gradients_of(model, (frames[:2], mask[:2], is_start[:2]))
    np.testing.assert_allclose(few_cost, cost, rtol=1e-5)
    for a, b in zip(few_gradients, gradients):
        np.testing.assert_allclose(a, b, rtol=0, atol=2e-6)


def test_an_empty_batch_has_no_cost_and_no_gradient():
    frames, mask, is_start = cyclic_batch()
    cost, gradients = gradients_of(make_model(), (frames, 0 * mask, is_start))
    assert cost == 0.0
    assert not any(np.any(g) for g in gradients)


@pytest.mark.parametrize("optimizer, bad", [(GuardedAdam, np.nan), (GuardedRMSprop, np.inf)])
def test_a_bad_batch_leaves_every_weight_finite_and_training_goes_on(optimizer, bad):
    model = make_model(optimizer=optimizer(1e-2))
    good, ruined = cyclic_batch(), cyclic_batch()
    ruined[0][1, 4, 2] = bad
    for batch in (good, ruined):
        step(model, batch)
    assert all(np.isfinite(w).all() for w in weights_of(model))
    assert int(model.optimizer.num_bad_steps) == 1
    before = weights_of(model)
    step(model, good)
    assert not np.array_equal(before[0], weights_of(model)[0])


def test_one_trace_serves_every_epoch_and_every_number_of_gibbs_steps(monkeypatch):
    traces = []

    def counted(*arguments):
        traces.append(1)
        return original(*arguments)

    original = negative_phase.gibbs_chain
    monkeypatch.setattr(negative_phase, "gibbs_chain", counted)
    model = make_model()
    for cd_steps in (1, 3, 2):
        model.cd_steps.assign(cd_steps)
        model.fit(dataset(*[cyclic_batch()] * 3), epochs=2, verbose=0)
    assert len(traces) == 1
    assert int(model.num_train_steps) == 18


def test_the_number_of_gibbs_steps_is_that_of_the_weight(rng):
    model = scaled(make_model(), rng)
    costs = []
    for cd_steps in (0, 1, 2):
        model.cd_steps.assign(cd_steps)
        costs.append(gradients_of(model, cyclic_batch())[0])
    # No step leaves the data, but for its measure in standard deviations and back.
    assert abs(costs[0]) < 1e-6 and len(set(costs)) == 3


def test_compiled_and_uncompiled_training_agree(rng):
    start, results = None, []
    for jit_compile in (False, True):
        model = make_model(**WITH_ALL_OPTIONS)
        model.cd_steps.assign(3)
        start = start or [w + 0.1 * rng.normal(size=w.shape) for w in weights_of(model)]
        for weight, value in zip(model.trainable_variables, start):
            weight.assign(value)
        # A plain step: Adam's first is the sign of the gradient, whatever its size.
        model.compile(optimizer=keras.optimizers.SGD(0.01), jit_compile=jit_compile)
        if jit_compile:
            model.fit(dataset(*[cyclic_batch()] * 3), verbose=0)
        else:
            for _ in range(3):
                step(model, cyclic_batch())
        results.append(weights_of(model))
    moved = max(np.abs(a - b).max() for a, b in zip(results[0], start))
    assert 0.01 < moved < 1
    for a, b in zip(*results):
        # The same noise, so no sample differs unless a probability lies within 1e-7
        # of its uniform number.
        np.testing.assert_allclose(a, b, rtol=0, atol=2e-5)


@pytest.mark.parametrize("jit_compile, num_parts", [(False, 4), (True, 2)])
def test_a_batch_in_parts_teaches_what_the_whole_does(jit_compile, num_parts, rng):
    """Rows of unequal length, one of them empty: each part counts by its frames,
    and draws the whole batch's noise.
    """
    frames, mask, is_start = cyclic_batch()
    mask[0, 4:], mask[3] = 0, 0
    model, results = (
        scaled(
            make_model(**WITH_ALL_OPTIONS),
            rng,
        ),
        [],
    )
    model.cd_steps.assign(2)
    start = weights_of(model)
    for parts in (1, num_parts):
        for weight, value in zip(model.trainable_variables, start):
            weight.assign(value)
        model.num_train_steps.assign(5)
        model.reset_metrics()
        model.compile(keras.optimizers.SGD(1.0), jit_compile=jit_compile, num_parts=parts)
        figures = [float(value) for value in step(model, (frames, mask, is_start)).values()]
        figures += [float(value) for value in model.test_step((frames, mask, is_start)).values()]
        results.append((figures, [a - b for a, b in zip(start, weights_of(model))]))
    (figures, gradients), (figures_in_parts, gradients_in_parts) = results
    # The cost is a difference of free energies of size 10, each good to some 1e-7 of it.
    np.testing.assert_allclose(figures_in_parts, figures, rtol=1e-5, atol=1e-5)
    for a, b in zip(gradients_in_parts, gradients):
        assert np.linalg.norm(a - b) <= 1e-5 * np.linalg.norm(b) + 1e-6


def test_validation_figures_repeat_themselves_and_leave_the_weights(rng):
    model = scaled(make_model(), rng)
    before = weights_of(model)
    figures = [
        model.evaluate(dataset(cyclic_batch()), return_dict=True, verbose=0) for _ in range(2)
    ]
    assert figures[0] == figures[1]
    assert set(figures[0]) >= {"cd_cost", "reconstruction_error", "one_step_error"}
    for a, b in zip(before, weights_of(model)):
        np.testing.assert_array_equal(a, b)


# --- prediction and its error


@EVERY_KIND
def test_a_prediction_is_the_mean_of_each_frame_in_the_datas_units(visible_units, rng):
    model = scaled(make_model(visible_units), rng)
    frames, _, _ = cyclic_batch(visible_units)
    predicted = model.predict_step(tf.constant(frames))
    assert predicted.shape == frames.shape
    np.testing.assert_allclose(predicted, 0.25 + 0.5 * mean_field(model(frames)).numpy(), **FLOAT32)


def test_the_one_step_error_is_predicts_over_the_masked_frames(rng):
    model = scaled(make_model(), rng)
    frames, mask, is_start = cyclic_batch()
    other_mask = mask.copy()
    mask[1, 6:] = other_mask[3, 2:] = 0
    is_start[0] = False
    squares = []
    for m in (mask, other_mask):
        predicted = model.predict(dataset((frames, m, is_start)), verbose=0)
        squares.append(np.square(predicted - frames)[m > 0])
    found = model.evaluate(
        dataset((frames, mask, is_start), (frames, other_mask, is_start)),
        return_dict=True,
        verbose=0,
    )
    np.testing.assert_allclose(
        found["one_step_error"], np.sqrt(np.concatenate(squares).mean()), rtol=1e-5
    )


def test_encode_gives_the_state_after_each_rows_last_frame(rng):
    model = scaled(make_model(num_layers=2, num_direct_frames=1), rng)
    frames = tf.constant(cyclic_batch()[0])
    lengths = tf.constant([10, 1, 4, 7])
    states = model.encoder(model.standardisation(frames))
    found = model.encode(frames, lengths)
    for row, length in enumerate(lengths.numpy()):
        np.testing.assert_allclose(found[row], states[row, length - 1], **FLOAT32)


# --- saving, precision


@EVERY_KIND
def test_a_saved_model_has_the_same_configuration_and_weights(visible_units, rng, tmp_path):
    arguments = dict(
        gates="tanh", learned_initial_state=False, num_direct_frames=2, weight_init="published"
    )
    model = fresh_model(NUM_VISIBLE, 3, 4, 2, visible_units, **arguments)
    scaled(model, rng).save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    # As JSON has them: a shape is a list there.
    assert json.dumps(loaded.get_config()) == json.dumps(model.get_config())
    for a, b in zip(model.weights, loaded.weights, strict=True):
        np.testing.assert_array_equal(a, b)
    frames = tf.constant(rng.uniform(size=(2, 3, NUM_VISIBLE)), tf.float32)
    np.testing.assert_array_equal(loaded(frames).bv, model(frames).bv)


def test_a_saved_model_predicts_sings_and_goes_on_training_the_same_bit_for_bit(rng, tmp_path):
    model = make_model(num_layers=2, num_direct_frames=1, dropout=0.1, input_noise=0.1)
    # Step by step: each of its graphs would be traced twice.
    model.compile(model.optimizer, num_parts=2, run_eagerly=True)
    model.standardisation.set(rng.normal(size=NUM_VISIBLE), 0.7)
    model.cd_steps.assign(4)
    batches = dataset(*[cyclic_batch()] * 2)
    model.fit(batches, verbose=0)
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    assert (
        int(loaded.cd_steps) == 4
        and int(loaded.num_train_steps) == 2
        and loaded.get_compile_config()["num_parts"] == 2
    )
    np.testing.assert_array_equal(
        loaded.predict(batches, verbose=0), model.predict(batches, verbose=0)
    )
    song = tf.constant([5, -6], tf.int64), tf.constant([3, 2]), tf.constant([1.0, 1.3])
    for a, b in zip(
        loaded.generate(*song, num_gibbs_steps=1), model.generate(*song, num_gibbs_steps=1)
    ):
        np.testing.assert_array_equal(a, b)
    for m in (model, loaded):
        m.fit(batches, verbose=0)
    for a, b in zip(weights_of(model), weights_of(loaded)):
        np.testing.assert_array_equal(a, b)


def test_training_and_singing_run_under_a_global_policy_of_mixed_precision():
    keras.mixed_precision.set_dtype_policy("mixed_bfloat16")
    try:
        model = make_model(num_layers=2, num_direct_frames=1, dropout=0.1, input_noise=0.1)
        cost = step(model, cyclic_batch())["cd_cost"]
        song = tf.constant([1], tf.int64), tf.constant([2]), tf.constant([1.0])
        frames, state, _ = model.generate(*song, num_gibbs_steps=2)
    finally:
        keras.mixed_precision.set_dtype_policy("float32")
    assert np.isfinite(cost)
    assert frames.dtype == state.dtype == tf.float32
