"""Weights of one model in another: the same where nothing is new, by their names where it is."""

import numpy as np
import pytest
import tensorflow as tf
from random_models import fresh_model, make_model
from sklearn.linear_model import Ridge
from sklearn.preprocessing import StandardScaler

from neurovocal_tf.conditions import Conditions
from neurovocal_tf.labels import CUE_SIZE, LABEL, Labels
from neurovocal_tf.model.transfer import meet_data, take_weights

SIZES = (5, 4, 3)
OPTIONS = dict(num_direct_frames=2, num_layers=2, num_latent=2)
THREE = Conditions.of({"individual": ["a", "b"], "context": ["alone"], "day": ["1"]})
# One value is new, one is gone; a condition is gone, and one is new, before the others.
OTHERS = Conditions.of({"place": ["x"], "individual": ["b", "c"], "context": ["alone"]})


def fresh(known, **options):
    return fresh_model(*SIZES, conditions=known, **{**OPTIONS, **options})


def machines(model, frames, numbers, cues=None):
    told = None if numbers is None else tf.constant(numbers)
    found = model(tf.constant(frames), condition=told, cues=cues)
    return [x.numpy() for x in found.of_frames()]


# Sums of some dozens of float32 numbers of size 1, in other orders.
CLOSE = dict(rtol=1e-5, atol=1e-5)


@pytest.fixture
def frames(rng):
    return rng.normal(size=(2, 6, 5)).astype(np.float32)


@pytest.mark.parametrize(
    "before, after, numbers_before, numbers_after",
    [
        (None, None, None, None),
        (THREE, THREE, (2, 1, 1), (2, 1, 1)),
        # Before there was no condition, and now it has no effect yet.
        (None, THREE, None, (1, 1, 0)),
        # What is left out is unknown for good.
        (THREE, None, (0, 0, 0), None),
        # By their names; a new condition has no effect, and one left out is unknown.
        (THREE, OTHERS, (2, 1, 0), (1, 1, 1)),
        # A new value begins as the unknown.
        (THREE, OTHERS, (0, 1, 0), (1, 2, 1)),
    ],
)
def test_it_is_the_same_machine_of_every_frame(
    before, after, numbers_before, numbers_after, frames, rng
):
    source = make_model(rng, SIZES, conditions=before, **OPTIONS)
    model = fresh(after, seed=9)
    take_weights(model, source)
    for mine, theirs in zip(
        machines(model, frames, numbers_after),
        machines(source, frames, numbers_before),
        strict=True,
    ):
        np.testing.assert_allclose(mine, theirs, **CLOSE)


def test_new_conditions_learn_from_the_first_step_on(frames, rng):
    model = fresh(THREE)
    take_weights(model, make_model(rng, SIZES, **OPTIONS))
    model.compile("sgd", run_eagerly=True)
    batch = tf.constant(frames), tf.ones([2, 6]), tf.fill([2], True), tf.constant(0), 1.0
    numbers = tf.constant([[1, 1, 1], [2, 0, 1]])
    gradients, _ = model._gradients(*batch, tf.constant(0), numbers)
    paths = [weight.path for weight in model.trainable_variables]
    (of_biases,) = (g for g, path in zip(gradients, paths, strict=True) if path.endswith("/Wuv"))
    # Behind the latent variable's two rows.
    assert (np.abs(of_biases[2:8]).max(axis=1) > 0).all()


@pytest.mark.parametrize(
    "sizes, options, told",
    [
        ((6, 4, 3), {}, "must be a model of 5 bins, as --n_fft or the frames have it.*one of 6"),
        ((5, 4, 4), {}, r"one whose encoder/kernel_0 is \[5, 12\], for \[5, 9\] here"),
        ((5, 4, 3), dict(num_layers=3), r"encoder/\w+ is .*, for .* here"),
        ((5, 4, 3), dict(noise_context=1.0), r"rbm/Wus is \[\d+, 5\], for none here"),
        ((5, 4, 3), dict(num_direct_frames=1), "start_from` must be a model of the same shape"),
    ],
)
def test_another_shape_is_refused_in_a_line(sizes, options, told, rng):
    source = make_model(rng, sizes, **{**OPTIONS, **options})
    with pytest.raises(ValueError, match=told) as error:
        take_weights(fresh(THREE), source)
    assert "\n" not in str(error.value)


def test_a_condition_that_moves_the_gain_cannot_be_left_out(rng):
    source = make_model(rng, SIZES, conditions=THREE, coupling_gain=True, **OPTIONS)
    with pytest.raises(ValueError, match="change its gain or noise. Received: one with individual"):
        take_weights(fresh(OTHERS, coupling_gain=True), source)


@pytest.mark.parametrize("visible_units", ["gaussian", "bernoulli"])
def test_predictions_of_new_data_are_right_on_average(visible_units, rng):
    model = make_model(rng, (5, 2, 3), visible_units, num_direct_frames=1)
    for weight in (model.conditional_rbm.W, model.conditional_rbm.Wuv):
        weight.assign(0.1 * weight)
    frames = (
        rng.normal(1.0, 1.0, (8, 6, 5))
        if visible_units == "gaussian"
        else rng.random((8, 6, 5)) < 0.3
    )
    mask = np.ones((8, 6), np.float32)
    mask[3:, 4:] = 0
    batches = [(frames[:4].astype(np.float32), mask[:4]), (frames[4:].astype(np.float32), mask[4:])]
    errors = []
    for _ in range(2):
        told = model.predict_step((frames.astype(np.float32), mask)).numpy()
        errors.append(np.abs((told - frames)[mask > 0].mean(axis=0)).max())
        meet_data(model, batches)
    assert errors[1] < 0.2 * errors[0]


@pytest.mark.parametrize("noise_context", [0.0, 1.0])
def test_biases_follow_new_data_as_a_ridge_regression_of_the_errors_has_it(noise_context, rng):
    model = make_model(rng, SIZES, **OPTIONS, noise_context=noise_context)
    frames = np.empty((40, 8, 5), np.float32)
    frames[:, 0] = rng.normal(size=(40, 5))
    for t in range(1, 8):
        # Another voice's law: each bin becomes its neighbour.
        frames[:, t] = 0.8 * np.roll(frames[:, t - 1], 1, axis=-1) + 0.1 * rng.normal(size=(40, 5))
    u = model.contexts(tf.constant(frames)).numpy().reshape(320, -1)
    before = model.predict_step((frames,)).numpy().reshape(320, 5)
    meet_data(model, [(frames[:20],), (frames[20:],)])
    after = model.predict_step((frames,)).numpy().reshape(320, 5)
    # The largest ridge would leave it as it was, and the smallest follows.
    expected = Ridge(0.01 * 320).fit(
        StandardScaler().fit_transform(u), frames.reshape(320, 5) - before
    )
    np.testing.assert_allclose(
        after - before, expected.predict(StandardScaler().fit_transform(u)), atol=1e-3
    )
    assert np.mean((after.reshape(frames.shape) - frames)[:, 1:] ** 2) < 0.02


def test_rows_without_frames_and_a_single_voice_leave_it_defined(rng):
    model = make_model(rng, SIZES, conditions=THREE, **OPTIONS)
    frames, mask = np.full((3, 4, 5), np.nan, np.float32), np.zeros((3, 4), np.float32)
    before = [np.array(weight) for weight in model.weights]
    meet_data(model, [(frames, mask)])
    for weight, value in zip(model.weights, before, strict=True):
        np.testing.assert_array_equal(weight, value)
    frames[0], mask[0] = 1.0, 1.0
    meet_data(model, [(frames, mask, np.ones(3, bool), np.ones((3, 3), np.int32))])
    assert all(np.isfinite(weight).all() for weight in model.weights)


def test_labels_along_time_are_told_when_new_data_are_met(frames, rng):
    source = make_model(rng, SIZES, labels=Labels.of("abc"))
    model = fresh_model(*SIZES, labels=Labels.of("abc"))
    take_weights(model, source)
    cues = np.ones((2, 6, CUE_SIZE), np.int32)
    batch = frames, np.ones((2, 6)), np.ones(2, bool), np.zeros((2, 0), np.int32), cues
    before = np.square(model.predict_step(batch) - frames).mean()
    meet_data(model, [batch])
    assert np.square(model.predict_step(batch) - frames).mean() < before


def cues_of(labels, text):
    numbers = np.array([labels.number(label) for label in text])
    after = np.append(numbers[1:], 1)
    cues = np.stack([numbers, after, np.arange(6) % 2, 2 - np.arange(6) % 2], axis=1)
    return tf.constant(np.stack([cues, cues[::-1]]), tf.int32)


ABC, BCX = Labels.of("abc"), Labels.of("bcx")


@pytest.mark.parametrize(
    "labels_before, labels_after, told_before, told_after",
    [
        (ABC, BCX, "bbcbcc", "bbcbcc"),
        # What is left out is unknown for good, and what is new has no effect yet.
        (ABC, None, None, None),
        (None, ABC, None, "abcabc"),
    ],
)
def test_labels_are_taken_over_by_their_names_beside_conditions(
    labels_before, labels_after, told_before, told_after, frames, rng
):
    source = make_model(rng, SIZES, conditions=THREE, labels=labels_before, **OPTIONS)
    model = fresh(OTHERS, seed=9, labels=labels_after)
    take_weights(model, source)
    cues = [
        None if text is None else cues_of(labels, text)
        for labels, text in ((labels_after, told_after), (labels_before, told_before))
    ]
    for mine, theirs in zip(
        machines(model, frames, (1, 1, 1), cues[0]),
        machines(source, frames, (2, 1, 0), cues[1]),
        strict=True,
    ):
        np.testing.assert_allclose(mine, theirs, **CLOSE)


def test_a_new_label_begins_as_the_mean_of_those_known_and_all_do_where_names_mean_others(rng):
    source = make_model(rng, SIZES, labels=ABC)
    for same_labels, expected in ((True, [1, 2, "mean"]), (False, ["mean"] * 3)):
        model = fresh_model(*SIZES, labels=BCX)
        take_weights(model, source, same_labels)
        for mine, theirs in zip(model.encoder.tables, source.encoder.tables, strict=True):
            shape = ABC.num_values, -1, mine.shape[1]
            mine, theirs = (np.array(table).reshape(shape) for table in (mine, theirs))
            np.testing.assert_array_equal(mine[:2], theirs[:2])
            mean = theirs[2:].mean(axis=0)
            for row, place in zip(mine[2:], expected, strict=True):
                np.testing.assert_allclose(
                    row, mean if place == "mean" else theirs[2 + place], rtol=1e-6
                )


def test_labels_along_time_are_read_with_the_frames_they_are_of(rng):
    model = make_model(rng, SIZES, conditions=THREE, labels=Labels.of("ab"), **OPTIONS)
    cues = np.zeros((20, 6, CUE_SIZE), np.int32)
    cues[..., LABEL] = rng.integers(2, 4, (20, 6))
    frames = rng.normal(size=(20, 6, 5)).astype(np.float32) + 3 * (cues[..., :1] == 2)
    batch = frames, np.ones((20, 6)), np.ones(20, bool), np.ones((20, 3), np.int32), cues

    def error():
        return np.mean((model.predict_step(batch).numpy() - frames) ** 2)

    before = error()
    meet_data(model, [batch])
    # Nothing but the label tells the frames apart, whose spread is 1 within one.
    assert error() < 1.2 < before
