"""Attention over past frames: against a plain loop, from anywhere between two entries, without any
effect in a fresh model, and what is refused.
"""

import encoder_gradients
import keras
import numpy as np
import pytest
import reference
import tensorflow as tf

from neurovocal_tf.config import Config
from neurovocal_tf.layers.attention_encoder import AttentionEncoder
from neurovocal_tf.layers.gated_recurrent_encoder import GatedRecurrentEncoder

NUM_VISIBLE, NUM_UNITS, NUM_FRAMES, BATCH_SIZE, HEAD_SIZE = 4, 3, 9, 3, 2
# Sums of a few float32 products, nine frames long.
FLOAT32 = dict(rtol=0, atol=1e-5)


def make_encoder(rng, num_entries, every=1, num_heads=2, **arguments):
    wrapped = GatedRecurrentEncoder(NUM_UNITS, num_direct_frames=1)
    encoder = AttentionEncoder(wrapped, num_entries, every, num_heads, HEAD_SIZE, **arguments)
    encoder.build((None, None, NUM_VISIBLE))
    for weight in encoder.weights:
        weight.assign(rng.normal(size=weight.shape))
    return encoder


def frames_of(rng, num_frames=NUM_FRAMES):
    shape = (BATCH_SIZE, num_frames, NUM_VISIBLE)
    return tf.constant(rng.normal(size=shape), tf.float32)


def expected_u(encoder, frames):
    u = encoder.encoder.output(encoder.encoder(frames)).numpy().astype(np.float64)
    rows = []
    for told in u[..., :NUM_UNITS]:
        kernels = (encoder.query_kernel, encoder.key_kernel, encoder.value_kernel)
        query, *entries = (
            np.reshape(told @ kernel.numpy(), [len(told), encoder.num_heads, HEAD_SIZE])
            for kernel in kernels
        )
        slopes = encoder.slopes.numpy()
        rows.append(reference.attended(query, entries, slopes, encoder.num_entries, encoder.every))
    contexts = np.reshape(rows, [*u.shape[:2], encoder.num_heads * HEAD_SIZE])
    return np.concatenate([contexts, u], axis=2)


# Never full; full and overwritten; one entry; in several blocks.
@pytest.mark.parametrize("num_entries, every", [(12, 1), (2, 2), (1, 4), (2, 1)])
def test_contexts_equal_the_plain_loop(num_entries, every, rng):
    encoder, frames = make_encoder(rng, num_entries, every), frames_of(rng)
    u = encoder.output(encoder(frames))
    np.testing.assert_allclose(u, expected_u(encoder, frames), **FLOAT32)


def test_rows_go_on_together_from_anywhere_between_their_entries(rng):
    encoder, frames = make_encoder(rng, 2, 3), frames_of(rng, 20)
    states, cuts = encoder(frames).numpy(), [0, 4, 14]
    after = tf.stack([frames[row, cut + 1 :][:5] for row, cut in enumerate(cuts)])
    before = np.stack([states[row, cut] for row, cut in enumerate(cuts)])
    together = encoder(after, tf.constant(before))
    for row, cut in enumerate(cuts):
        np.testing.assert_allclose(together[row], states[row, cut + 1 :][:5], **FLOAT32)


def test_what_is_remembered_stays_within_its_bounds(rng):
    encoder = make_encoder(rng, 2, 3)
    counts = encoder(frames_of(rng, 20))[0, :, 0]
    np.testing.assert_array_equal(counts, [1, 2, 3, 4, 5] + [6, 7, 8] * 5)
    state = encoder.initial_state(tf.constant([True]))
    for count in counts:
        state = encoder.step(tf.zeros([1, NUM_VISIBLE]), state)
        assert state[0, 0] == count


def test_a_fresh_encoder_tells_what_the_wrapped_one_does(rng):
    encoder = AttentionEncoder(GatedRecurrentEncoder(NUM_UNITS, num_direct_frames=1), 4)
    frames = frames_of(rng)
    u = encoder.output(encoder(frames))
    np.testing.assert_array_equal(u[..., :16], np.zeros([BATCH_SIZE, NUM_FRAMES, 16]))
    np.testing.assert_array_equal(u[..., 16:], encoder.encoder.output(encoder.encoder(frames)))
    assert encoder.num_direct_frames == 1 and encoder.embedding_size == NUM_UNITS


def test_frames_that_do_not_count_are_not_remembered(rng):
    encoder, frames = make_encoder(rng, 2, 2), frames_of(rng)
    counts = np.array([0, 1, 1, 0, 1, 1, 1, 0, 1], bool)
    masked = encoder(frames, mask=tf.constant([counts] * BATCH_SIZE)).numpy()
    np.testing.assert_allclose(masked[:, counts], encoder(frames.numpy()[:, counts]), **FLOAT32)


def test_a_compiled_gradient_is_that_of_the_steps(rng):
    encoder_gradients.assert_gradient_is_that_of_the_steps(
        make_encoder(rng, 2, 2), frames_of(rng), rng
    )


def test_scores_of_any_size_give_finite_contexts(rng):
    encoder = make_encoder(rng, 3)
    encoder.query_kernel.assign(1e4 * encoder.query_kernel)
    state = encoder.initial_state(tf.constant([True] * BATCH_SIZE))
    assert np.isfinite(encoder(frames_of(rng))).all()
    assert np.isfinite(encoder.step(frames_of(rng)[:, 0], state)).all()


def test_the_wrapped_encoder_takes_over_the_precision():
    encoder = AttentionEncoder(GatedRecurrentEncoder(NUM_UNITS), 4)
    encoder.build((None, None, NUM_VISIBLE))
    encoder.dtype_policy = keras.DTypePolicy("mixed_bfloat16")
    assert encoder.encoder.compute_dtype == encoder.compute_dtype == "bfloat16"
    assert encoder(tf.ones([1, 2, NUM_VISIBLE])).dtype == "float32"


@pytest.mark.parametrize(
    "arguments, message",
    [
        (dict(num_entries=0), "`num_entries` must be at least 1. Received: num_entries=0"),
        (dict(num_entries=1, every=-2), "`every` must be at least 1. Received: every=-2"),
        (
            dict(num_entries=1, weight_init="he"),
            "`weight_init` must be scaled or published. Received: weight_init=he",
        ),
    ],
)
def test_arguments_out_of_range_are_refused_by_name(arguments, message):
    with pytest.raises(ValueError) as error:
        AttentionEncoder(GatedRecurrentEncoder(NUM_UNITS), **arguments)
    assert str(error.value) == message


def test_frames_that_are_no_multiple_of_the_longest_period_are_refused_as_a_setting():
    with pytest.raises(ValueError) as error:
        Config().replace(layer_periods=(1, 4, 16), attention_frames=40)
    assert str(error.value) == (
        "`attention_frames` must be a multiple of the longest of `layer_periods`. "
        "Received: attention_frames=40, layer_periods=(1, 4, 16)"
    )
    with pytest.raises(ValueError, match="^`attention_frames` must be between 0 and 100000."):
        Config().replace(attention_frames=-16)
