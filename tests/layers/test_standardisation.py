"""The per-bin affine map and its inverse."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from neurovocal_tf.layers.standardisation import Standardisation


@pytest.fixture
def layer():
    layer = Standardisation()
    layer.build((None, None, 3))
    layer.set([1.0, -40.0, 0.0], [2.0, 15.0, 1.0])
    return layer


def test_it_is_the_identity_until_set(rng):
    frames = tf.constant(rng.normal(size=(2, 4, 3)), tf.float32)
    np.testing.assert_array_equal(Standardisation()(frames), frames)


def test_it_subtracts_the_offset_and_divides_by_the_scale(layer):
    np.testing.assert_array_equal(layer(tf.constant([[[5.0, -70.0, 3.0]]])), [[[2.0, -2.0, 3.0]]])


def test_the_inverse_undoes_it(layer, rng):
    frames = tf.constant(rng.normal(size=(2, 4, 3)) * 30, tf.float32)
    # One rounding of a subtraction, a division, a product and a sum of numbers up to 100.
    np.testing.assert_allclose(
        layer.inverse(layer(frames)), frames, rtol=0, atol=4 * 100 * 2.0**-24
    )


def test_bounded_clips_to_probabilities():
    layer = Standardisation(bounded=True)
    layer.build((None, 2))
    layer.set(-70.0, 70.0)
    np.testing.assert_array_equal(
        layer(tf.constant([[-80.0, -35.0], [10.0, -70.0]])), [[0.0, 0.5], [1.0, 0.0]]
    )


def test_numbers_serve_every_bin():
    layer = Standardisation()
    layer.build((None, 4))
    layer.set(3.0, 2.0)
    np.testing.assert_array_equal(layer.offset, np.full(4, 3.0))
    np.testing.assert_array_equal(layer.scale, np.full(4, 2.0))


def test_its_weights_are_never_trained(layer):
    assert layer.trainable_variables == [] and len(layer.weights) == 2


def test_a_saved_model_carries_it(layer, tmp_path, rng):
    frames = rng.normal(size=(2, 4, 3)).astype(np.float32)
    keras.Sequential([keras.Input((None, 3)), layer]).save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    assert loaded.layers[0].get_config() == layer.get_config()
    np.testing.assert_array_equal(loaded(frames), layer(frames))
