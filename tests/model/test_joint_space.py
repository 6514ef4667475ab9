"""One space of texts and sounds: its loss against plain NumPy, and what a point may depend on."""

import keras
import numpy as np
import pytest
import random_models
import tensorflow as tf

from neurovocal_tf.model.joint_space import (
    JointSpace,
    contrastive_loss,
    features_of,
    letters_not_in,
    num_features,
    point_of,
)
from neurovocal_tf.model.spoken_otherwise import spoken_otherwise
from neurovocal_tf.rbm import noise

TEXTS = ("a b", "abc", "zwölf", "é")
NUM_VISIBLE = 7
# Sums of some hundred float32 products of order 1, through three layers.
FLOAT32 = dict(rtol=2e-5, atol=2e-5)


@pytest.fixture(scope="module")
def model():
    return random_models.make_model(np.random.default_rng(1), (NUM_VISIBLE, 3, 4))


@pytest.fixture(scope="module")
def space(model):
    return JointSpace(num_features(model), TEXTS, size=5, num_units=8, of_weights="1f")


def unit(rng, *shape):
    points = rng.normal(size=shape)
    return (points / np.linalg.norm(points, axis=-1, keepdims=True)).astype(np.float32)


def plain_loss(sounds, texts, names, scale):
    """By the letter: for each row the divergence from equal shares of its right answers."""
    logits = scale * sounds.astype(float) @ texts.T.astype(float)
    found = []
    for one in (logits, logits.T):
        for i, name in enumerate(names):
            right = np.array([other == name for other in names])
            log_shares = one[i] - np.log(np.exp(one[i]).sum())
            wanted = 1 / right.sum()
            found.append(sum(wanted * (np.log(wanted) - x) for x in log_shares[right]))
    return np.mean(found)


def test_the_loss_is_the_divergence_from_equal_shares_of_all_takes_of_a_text(rng):
    names = np.array(list("aabcca"))
    points = unit(rng, 6, 5), unit(rng, 6, 5)
    found = contrastive_loss(*points, names[:, None] == names, 9.0)
    np.testing.assert_allclose(found, plain_loss(*points, names, 9.0), rtol=1e-5)
    alike = contrastive_loss(*points, np.ones((6, 6), bool), 0.0)
    assert float(alike) == pytest.approx(0.0, abs=1e-6)


def test_the_loss_is_nothing_where_every_take_lies_at_its_text_and_far_from_others():
    points = tf.gather(tf.eye(5), [0, 0, 1, 2])
    names = np.array([0, 0, 1, 2])
    found = contrastive_loss(points, points, names[:, None] == names, 100.0)
    assert float(found) == pytest.approx(0.0, abs=1e-6)


def test_padding_moves_no_point(space, model, rng):
    frames = rng.normal(size=(3, 9, NUM_VISIBLE)).astype(np.float32)
    lengths = [9, 1, 4]
    features = features_of(model, tf.constant(frames))
    together = space.sounds(features, tf.sequence_mask(lengths, 9))
    np.testing.assert_allclose(tf.norm(together, axis=1), 1.0, rtol=1e-6)
    spoiled = tf.where(tf.sequence_mask(lengths, 9)[..., None], features, 1e3)
    again = space.sounds(spoiled, tf.sequence_mask(lengths, 9))
    np.testing.assert_allclose(again, together, **FLOAT32)
    for row, length in enumerate(lengths):
        alone = space.sounds(features[row : row + 1, :length], tf.ones([1, length], tf.bool))
        np.testing.assert_allclose(alone[0], together[row], **FLOAT32)
    alone = [space.read(tf.constant([text])).numpy()[0] for text in TEXTS]
    np.testing.assert_allclose(space.read(tf.constant(TEXTS)), alone, **FLOAT32)


def test_a_sound_of_several_sequences_is_one_point_and_of_none_zero(space, model, rng):
    frames = tf.constant(rng.normal(size=(2, 4, NUM_VISIBLE)), tf.float32)
    point = point_of(space, model, frames, tf.constant([4, 2]))
    standardised = model.standardisation(frames)
    own = tf.concat(
        [features_of(model, standardised[i : i + 1])[0, :n] for i, n in ((0, 4), (1, 2))], 0
    )
    expected = space.sounds(own[tf.newaxis], tf.ones([1, 6], tf.bool))[0]
    np.testing.assert_allclose(point, expected, **FLOAT32)
    nothing = point_of(space, model, frames[:0], tf.zeros([0], tf.int32))
    np.testing.assert_array_equal(nothing, np.zeros(5))


def test_letters_tell_texts_apart_and_order_counts(space):
    points = space.read(tf.constant(["abc", "cba", "  abc ", "a  b", "a b"])).numpy()
    assert np.abs(points[0] - points[1]).max() > 1e-3
    np.testing.assert_allclose(points[0], points[2], **FLOAT32)
    np.testing.assert_allclose(points[3], points[4], **FLOAT32)


def test_a_text_is_known_by_its_letters():
    space = JointSpace(3, TEXTS, size=2, num_units=2)
    texts = ["cab", "zéb", "", "  ", "abd", "ab7", "\xe9"]
    known = [True, True, False, False, False, False, True]
    assert space.are_known(tf.constant(texts)).numpy().tolist() == known
    assert letters_not_in("a7b d7", space) == "7d" and not letters_not_in("zé", space)
    assert not space.are_known(tf.constant([b"a\xff"])).numpy()[0]


def test_a_space_goes_through_a_file(space, tmp_path):
    space.save(tmp_path / "texts.keras")
    again = keras.saving.load_model(tmp_path / "texts.keras", compile=False)
    assert again.texts == TEXTS and again.of_weights == "1f" and again.letters == space.letters
    texts = tf.constant(["abc", "z"])
    np.testing.assert_array_equal(again.read(texts), space.read(texts))


@pytest.mark.parametrize("texts", [(), ("a",), ("b", "a"), ("", "a"), ("a", "a")])
def test_texts_that_cannot_be_told_apart_are_refused(texts):
    with pytest.raises(ValueError, match="`texts` must be two at least, sorted"):
        JointSpace(3, texts)


def test_what_is_said_otherwise_is_as_long_as_told_and_the_same_again(rng):
    frames = tf.constant(rng.normal(size=(40, 12, NUM_VISIBLE)), tf.float32)
    lengths = tf.constant([12, 5, 1, 9] * 10)
    stream = noise.BatchStream(tf.constant(3), tf.constant(8))
    changed, after = spoken_otherwise(frames, lengths, stream)
    assert changed.shape == (40, 15, NUM_VISIBLE)
    assert (np.abs(after / lengths - 1) <= 0.25 + 0.5 / lengths.numpy()).all()
    assert len(np.unique(after / lengths)) > 5
    np.testing.assert_array_equal(spoken_otherwise(frames, lengths, stream)[0], changed)
    # What follows a row's end has no part in it.
    spoiled = tf.where(tf.sequence_mask(lengths, 12)[..., None], frames, 9e9)
    np.testing.assert_array_equal(spoken_otherwise(spoiled, lengths, stream)[0], changed)
