"""Update gates that start slow: their time constants, their seeds, and what is refused."""

import numpy as np
import pytest
import tensorflow as tf

from neurovocal_tf.config import Config
from neurovocal_tf.layers.gated_recurrent_encoder import GatedRecurrentEncoder

NUM_UNITS = 1000


def biases(num_units=NUM_UNITS, **arguments):
    """Of each layer its biases z, r, c.  -> [layers, 3, U]"""
    encoder = GatedRecurrentEncoder(num_units, **arguments)
    encoder.build((None, None, 1))
    return [np.reshape(bias, [3, num_units]) for bias in encoder.biases]


def test_time_constants_start_between_two_frames_and_the_longest_as_many_in_every_octave():
    longest_of_layers = (9, 129)
    of_layers = biases(num_layers=2, memory_frames=longest_of_layers)
    for (z, r, c), longest in zip(of_layers, longest_of_layers, strict=True):
        constants = 1.0 + np.exp(-z)
        assert constants.min() >= 2.0 and constants.max() <= longest * (1 + 1e-6)
        octaves = int(np.log2(longest - 1))
        share = np.histogram(np.log2(constants - 1.0), octaves, (0, octaves))[0] / NUM_UNITS
        # Four standard errors of a share of 1,000 draws.
        np.testing.assert_allclose(share, 1 / octaves, atol=4 * np.sqrt(0.25 / NUM_UNITS))
        np.testing.assert_array_equal([r, c], np.zeros([2, NUM_UNITS]))


def test_an_update_gate_left_to_its_bias_forgets_with_that_constant():
    encoder = GatedRecurrentEncoder(50, memory_frames=40, weight_init="published")
    encoder.build((None, None, 3))
    constants = 1.0 + np.exp(-encoder.biases[0].numpy()[:50])
    state = tf.ones([1, 50])
    for _ in range(20):
        state = encoder.step(tf.zeros([1, 3]), state)
    # Its kernels and the other biases are of size 1e-4.
    np.testing.assert_allclose(state[0], (1 - 1 / constants) ** 20, atol=1e-2)


def test_gates_that_start_slow_are_a_function_of_the_seed():
    def update(seed):
        return biases(20, memory_frames=50, seed=seed)[0][0]

    np.testing.assert_array_equal(update(3), update(3))
    assert not np.array_equal(update(3), update(4))


def test_without_them_and_at_two_frames_all_gates_start_at_one_half():
    for memory_frames in (0, 2):
        (bias,) = biases(5, memory_frames=memory_frames)
        np.testing.assert_array_equal(bias, np.zeros([3, 5]))


@pytest.mark.parametrize(
    "arguments, message",
    [
        (
            dict(num_layers=3, memory_frames=(8, 9)),
            "`memory_frames` must have one number or 3, as many as `num_layers`. "
            "Received: memory_frames=(8, 9)",
        ),
        (
            dict(num_layers=2, memory_frames=(0, 1)),
            "`memory_frames` must be 0, or at least 2. Received: memory_frames=(0, 1)",
        ),
        (
            dict(gates="tanh", num_layers=1, memory_frames=(8,)),
            "`memory_frames` must be 0 unless `gates` are sigmoid: others have no rate that could "
            "start slow. Received: memory_frames=(8,), gates=tanh",
        ),
    ],
)
def test_constants_that_no_gate_can_have_are_refused_as_a_setting_and_by_the_layer(
    arguments, message
):
    for refuse in (
        lambda: Config().replace(**arguments),
        lambda: GatedRecurrentEncoder(4, **arguments),
    ):
        with pytest.raises(ValueError) as error:
            refuse()
        assert str(error.value) == message
