"""Layers that advance every n-th frame: against a plain loop, from anywhere between two steps, at
the cost of their own steps, and what is refused.
"""

import encoder_gradients
import numpy as np
import pytest
import reference
import tensorflow as tf

from neurovocal_tf.config import Config
from neurovocal_tf.layers import gated_recurrent_encoder
from neurovocal_tf.layers.gated_recurrent_encoder import GatedRecurrentEncoder
from neurovocal_tf.layers.periods import moved

NUM_VISIBLE, NUM_UNITS, NUM_FRAMES, BATCH_SIZE = 4, 3, 9, 3
# Sums of a few float32 products, nine frames long.
FLOAT32 = dict(rtol=0, atol=1e-5)


def make_encoder(rng, periods, **arguments):
    encoder = GatedRecurrentEncoder(
        NUM_UNITS, len(periods), layer_periods=periods, num_direct_frames=1, **arguments
    )
    encoder.build((None, None, NUM_VISIBLE))
    for weight in encoder.weights:
        weight.assign(0.5 * rng.normal(size=weight.shape))
    return encoder


def frames_of(rng):
    shape = (BATCH_SIZE, NUM_FRAMES, NUM_VISIBLE)
    return tf.constant(rng.normal(size=shape), tf.float32)


def expected_layers(encoder, frames):
    """Of each row the states of all layers after each frame, without the clock."""
    layers = NUM_UNITS * encoder.num_layers
    first = np.split(encoder.first_state.numpy()[:layers], encoder.num_layers)
    weights = list(zip(encoder.kernels, encoder.recurrent_kernels, encoder.biases, strict=True))
    weights = [[w.numpy().astype(np.float64) for w in layer] for layer in weights]
    return np.stack(
        [
            reference.layers_of_periods(row, first, weights, encoder.gates, encoder.layer_periods)
            for row in frames.numpy().astype(np.float64)
        ]
    )


@pytest.mark.parametrize("periods", [(1, 2, 6), (3, 3), (2, 20)])
def test_layers_of_periods_equal_the_plain_loop(periods, rng):
    encoder, frames = make_encoder(rng, periods), frames_of(rng)
    u = encoder.output(encoder(frames))
    expected = np.concatenate([expected_layers(encoder, frames), frames], axis=2)
    np.testing.assert_allclose(u, expected, **FLOAT32)
    np.testing.assert_array_equal(encoder.embedding(encoder(frames)), u[..., :-NUM_VISIBLE])


def test_rows_go_on_together_from_anywhere_between_their_steps(rng):
    encoder, frames = make_encoder(rng, (1, 2, 6)), frames_of(rng)
    states, cuts = encoder(frames).numpy(), [0, 3, 4]
    rest = NUM_FRAMES - 1 - max(cuts)
    after = tf.stack([frames[row, cut + 1 :][:rest] for row, cut in enumerate(cuts)])
    before = np.stack([states[row, cut] for row, cut in enumerate(cuts)])
    together = encoder(after, tf.constant(before))
    for row, cut in enumerate(cuts):
        np.testing.assert_allclose(together[row], states[row, cut + 1 :][:rest], **FLOAT32)


@pytest.mark.parametrize("go_backwards", [False, True])
def test_frames_that_do_not_count_are_no_frames_of_a_period(go_backwards, rng):
    encoder, frames = make_encoder(rng, (1, 3), go_backwards=go_backwards), frames_of(rng)
    counts = np.array([0, 1, 1, 0, 1, 1, 1, 0, 1], bool)
    masked = encoder(frames, mask=tf.constant([counts] * BATCH_SIZE))
    counts = counts[::-1] if go_backwards else counts
    ordered = frames[:, ::-1] if go_backwards else frames
    encoder.go_backwards = False
    np.testing.assert_allclose(
        masked.numpy()[:, counts], encoder(ordered.numpy()[:, counts]), **FLOAT32
    )


def test_a_compiled_gradient_is_that_of_the_steps(rng):
    encoder_gradients.assert_gradient_is_that_of_the_steps(
        make_encoder(rng, (1, 2, 6)), frames_of(rng), rng
    )


def test_a_layer_computes_its_own_steps_alone(rng, monkeypatch):
    steps, recurrence = [], gated_recurrent_encoder.recurrence

    def counted(projected, *rest):
        steps.append(projected.shape[0])
        return recurrence(projected, *rest)

    monkeypatch.setattr(gated_recurrent_encoder, "recurrence", counted)
    make_encoder(rng, (1, 2, 8))(tf.zeros([1, 32, NUM_VISIBLE]))
    assert steps == [32, 16, 4]


def test_a_clock_is_nothing_to_learn_and_starts_at_zero(rng):
    encoder = make_encoder(rng, (2, 4))
    assert encoder.first_state.shape == (2 * NUM_UNITS + NUM_VISIBLE,)
    clock = 1 + NUM_VISIBLE + NUM_UNITS
    assert encoder.state_size == clock + 2 * NUM_UNITS + NUM_VISIBLE
    states = encoder.initial_state(tf.constant([True, False]))
    np.testing.assert_array_equal(states[:, :clock], np.zeros([2, clock]))


def test_gates_that_start_slow_count_in_steps_of_their_layer(rng):
    encoder = GatedRecurrentEncoder(
        500, 3, memory_frames=(40, 40, 40), layer_periods=(1, 4, 40), seed=1
    )
    encoder.build((None, None, NUM_VISIBLE))
    longest = [1 + np.exp(-bias.numpy()[:500].min()) for bias in encoder.biases]
    # The largest of 500 draws is near the bound; below two steps there is no slower start.
    np.testing.assert_allclose(longest, [40, 10, 2], rtol=0.05)


def test_what_is_moved_comes_back_and_leaves_zeros():
    x = tf.reshape(tf.range(6.0), [3, 2, 1])
    later = moved(x, tf.constant([0, 2]), 4)
    np.testing.assert_array_equal(later[..., 0], [[0, 0], [2, 0], [4, 1], [0, 3]])
    np.testing.assert_array_equal(
        moved(later, -tf.constant([0, 2]), 3)[..., 0], [[0, 1], [2, 3], [4, 0]]
    )


@pytest.mark.parametrize(
    "periods, message",
    [
        (
            (1, 4),
            "`layer_periods` must have one number or 3, as many as `num_layers`. "
            "Received: layer_periods=(1, 4)",
        ),
        (
            (1, 4, 6),
            "`layer_periods` must be multiples, each of the one before. "
            "Received: layer_periods=(1, 4, 6)",
        ),
    ],
)
def test_periods_that_do_not_fit_are_refused_as_a_setting_and_by_the_layer(periods, message):
    for refuse in (
        lambda: Config().replace(layer_periods=periods),
        lambda: GatedRecurrentEncoder(4, 3, layer_periods=periods),
    ):
        with pytest.raises(ValueError) as error:
            refuse()
        assert str(error.value) == message


def test_a_layer_must_advance_within_a_window_and_at_most_every_frame():
    with pytest.raises(ValueError, match="^`layer_periods` must be at most `window_frames`: "):
        Config().replace(layer_periods=(64,), window_frames=63)
    with pytest.raises(ValueError, match="^`layer_periods` must be at least 1. Received: .*=0$"):
        GatedRecurrentEncoder(4, layer_periods=0)
