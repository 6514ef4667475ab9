"""Padding, wherever it lies, changes nothing of what a model computes, learns and tells."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from random_models import make_model

NUM_VISIBLE, NUM_FRAMES = 4, 7
# Padding before, between and after frames, and nothing but padding.
MASK = np.array(
    [[0, 0, 1, 1, 0, 1, 1], [1, 1, 1, 1, 1, 1, 1], [1, 0, 1, 0, 0, 0, 0], [0] * NUM_FRAMES], bool
)
PADDING = -9.0
# Sums of a few float32 products, seven frames long.
FLOAT32 = dict(rtol=0, atol=1e-5)


@pytest.fixture(scope="module")
def frames():
    values = np.random.default_rng(4).integers(0, 2, (*MASK.shape, NUM_VISIBLE))
    return np.where(MASK[..., np.newaxis], values, PADDING).astype(np.float32)


def model_of(visible_units="bernoulli", **arguments):
    model = make_model(
        np.random.default_rng(3),
        (NUM_VISIBLE, 3, 5, 2),
        visible_units,
        num_direct_frames=1,
        **arguments,
    )
    model.compile(keras.optimizers.SGD(1.0), run_eagerly=True)
    return model


@pytest.fixture(scope="module")
def model():
    return model_of(masking=keras.layers.Masking(PADDING))


def bare(frames):
    """Each row's frames that count, as a batch of one row."""
    return [frames[[row]][:, counts] for row, counts in enumerate(MASK) if counts.any()]


def test_a_frames_machine_is_that_of_the_bare_sequence(model, frames):
    machines = model(keras.layers.Masking(PADDING)(frames))
    for row, sequence in enumerate(bare(frames)):
        for found, expected in zip(machines[1:3], model(sequence)[1:3], strict=True):
            np.testing.assert_allclose(found[row][MASK[row]], expected[0], **FLOAT32)


@pytest.mark.parametrize("given", ["a mask", "padding", "NaN and a mask", "a list"])
def test_figures_are_those_of_the_bare_sequences(given, model, frames):
    arguments = {
        "a mask": (frames, MASK),
        "padding": (frames,),
        "NaN and a mask": (np.where(MASK[..., np.newaxis], frames, np.nan), MASK),
        "a list": ([sequence[0] for sequence in bare(frames)],),
    }[given]
    found = model.evaluate(*arguments, return_dict=True, verbose=0)
    squares = [
        np.square(model.predict_step(sequence) - sequence).mean(axis=-1).ravel()
        for sequence in bare(frames)
    ]
    expected = np.sqrt(np.concatenate(squares).mean())
    np.testing.assert_allclose(found["one_step_error"], expected, rtol=1e-5)


def gradients(data, **arguments):
    model = model_of(**arguments)
    before = [weight.numpy() for weight in model.trainable_variables]
    figures = model.train_step(data)
    return [
        *(float(figure) for figure in figures.values()),
        *(a - b.numpy() for a, b in zip(before, model.trainable_variables, strict=True)),
    ]


def test_a_step_with_padding_anywhere_is_that_of_the_bare_sequence(frames):
    """A row's uniforms are those of its frames, however many follow: noise differs in no bit."""
    found = gradients((frames[:1], MASK[:1]), dropout=0.3, state_dropout=0.3)
    expected = gradients(bare(frames)[0], dropout=0.3, state_dropout=0.3)
    for a, b in zip(found, expected, strict=True):
        np.testing.assert_allclose(a, b, **FLOAT32)
    assert max(np.abs(b).max() for b in expected[2:]) > 0.1


def test_where_padding_lies_changes_no_bit_of_a_step(frames):
    last = np.stack(
        [np.concatenate([row[counts], row[~counts]]) for row, counts in zip(frames, MASK)]
    )
    after = np.sort(MASK, axis=1)[:, ::-1]
    arguments = dict(visible_units="gaussian", input_noise=0.1, dropout=0.3)
    found, expected = gradients((frames, MASK), **arguments), gradients((last, after), **arguments)
    for a, b in zip(found, expected, strict=True):
        np.testing.assert_array_equal(a, b)


def test_padding_is_found_by_the_masking_that_the_model_was_given(frames):
    masking = keras.layers.Masking(PADDING)
    found, expected = gradients(tf.constant(frames), masking=masking), gradients((frames, MASK))
    for a, b in zip(found, expected, strict=True):
        np.testing.assert_array_equal(a, b)
