"""Generation: the same seed is the same song bit for bit, whatever is sung beside it,
and a chain samples the model.

Sizes are odd on purpose: multiples of a vector register's width hide a row whose bits
depend on its place.
"""

import keras
import numpy as np
import pytest
import reference
import scipy.stats
import tensorflow as tf
from random_models import fresh_model, make_model, singer

from neurovocal_tf.model.tiling import TILE_ROWS
from neurovocal_tf.rbm import noise
from neurovocal_tf.rbm.gibbs import gibbs_chain

NUM_SONGS, MAX_FRAMES = 20, 7
BATCH_SIZES = (1, 3, 8, 9, 20)

# Each with the emission that draws most from its noise.
KINDS = ("gaussian", 0.7), ("mean_field", 0.0), ("bernoulli", 1.0)
EVERY_KIND = pytest.mark.parametrize("visible_units, emission_noise", KINDS)
# What else may follow the context there.
FOLLOWING = {
    "gaussian": {"noise_context": 0.7, "noise_by_level": True},
    "mean_field": {},
    "bernoulli": {"coupling_gain": True},
}


@pytest.fixture(scope="module")
def small():
    """A small Gaussian model and its singer, shared by what needs no sizes of its own."""
    model = make_model(np.random.default_rng(20), (5, 4, 3, 2), num_direct_frames=1)
    model.standardisation.set(-40.0, 10.0)
    return model, singer(model, num_gibbs_steps=3, emission_noise=0.5)


# --- bits


@pytest.fixture
def precision(request):
    """A policy under which models are made, as `--precision` does."""
    keras.mixed_precision.set_dtype_policy(request.param)
    yield
    keras.mixed_precision.set_dtype_policy("float32")


# A step knows no policy, whatever the units.
@pytest.mark.parametrize(
    "precision, visible_units, emission_noise",
    [*(("float32", *kind) for kind in KINDS), ("mixed_bfloat16", *KINDS[0])],
    indirect=["precision"],
)
@pytest.mark.usefixtures("precision")
def test_a_song_is_the_same_bit_for_bit_whatever_is_sung_beside_it(
    visible_units, emission_noise, rng
):
    model = make_model(
        rng, (129, 90, 61, 2), visible_units, num_direct_frames=1, **FOLLOWING[visible_units]
    )
    sing = singer(model, num_gibbs_steps=5, emission_noise=emission_noise)
    seeds = rng.integers(-(2**62), 2**62, NUM_SONGS)
    num_frames = rng.integers(3, MAX_FRAMES + 1, NUM_SONGS)
    temperature = rng.uniform(0.5, 2.0, NUM_SONGS)
    alone = [
        sing(seeds[i : i + 1], num_frames[i : i + 1], temperature[i : i + 1])
        for i in range(NUM_SONGS)
    ]
    compared = np.zeros((NUM_SONGS, TILE_ROWS), int)

    def compare(rows):
        frames, state, next_frame = sing(seeds[rows], num_frames[rows], temperature[rows])
        for place, i in enumerate(rows):
            np.testing.assert_array_equal(
                frames[place, : num_frames[i]],
                alone[i][0][0],
                err_msg=f"song {i} at {place} of {len(rows)}",
            )
            np.testing.assert_array_equal(state[place], alone[i][1][0])
            assert next_frame[place] == num_frames[i]
            compared[i, place % TILE_ROWS] += 1

    for batch_size in BATCH_SIZES:
        compare(rng.permutation(NUM_SONGS)[:batch_size])
    # Every song in every place of a tile.
    for shift in range(TILE_ROWS):
        compare(np.roll(np.arange(NUM_SONGS), shift)[: NUM_SONGS - NUM_SONGS % TILE_ROWS])
        compare(np.roll(np.arange(NUM_SONGS)[::-1], shift)[:TILE_ROWS])
    for place in range(TILE_ROWS):
        compare([(i + 5) % NUM_SONGS for i in range(place)] + [0] + [1] * (TILE_ROWS - place - 1))
    assert np.all(compared[:2] > 0) and np.all(compared.sum(axis=0) > NUM_SONGS)


@EVERY_KIND
def test_a_song_continued_is_the_song_uninterrupted_bit_for_bit(visible_units, emission_noise, rng):
    model = make_model(
        rng,
        (13, 9, 7, 2),
        visible_units,
        num_direct_frames=2,
        **FOLLOWING[visible_units],
    )
    sing = singer(model, num_gibbs_steps=4, emission_noise=emission_noise)
    seeds, temperature = rng.integers(0, 2**40, 3), np.array([0.7, 1.0, 1.6])
    whole, last_state, last_frame = sing(seeds, [50, 50, 31], temperature)
    first, state, next_frame = sing(seeds, [20, 20, 1], temperature)
    np.testing.assert_array_equal(next_frame, [20, 20, 1])
    rest, end_state, end_frame = sing(seeds, [30, 30, 30], temperature, state, next_frame)
    for row, cut in enumerate((20, 20, 1)):
        np.testing.assert_array_equal(
            np.concatenate([first[row, :cut], rest[row]]), whole[row, : cut + 30]
        )
    np.testing.assert_array_equal(end_state, last_state)
    np.testing.assert_array_equal(end_frame, last_frame)


def test_tiles_do_not_wait_for_each_other():
    model = fresh_model(5, 4, 3, 2, num_direct_frames=1, coupling_gain=True)

    @tf.function(autograph=False)
    def sing(seeds):
        return model.generate(seeds, tf.fill([20], 3), tf.ones([20]), num_gibbs_steps=2)[0]

    graph = sing.get_concrete_function(tf.TensorSpec([20], tf.int64)).graph.as_graph_def()
    kinds = [
        node.op
        for nodes in (graph.node, *(f.node_def for f in graph.library.function))
        for node in nodes
    ]
    # Two layouts to choose from, in each one loop over tiles and one over frames, and two checks of
    # a loop over rows and one over a chain's steps; the turns of a loop with a state, such as a
    # variable that is read, follow one another.
    assert kinds.count("StatelessWhile") == 8 and "While" not in kinds


def test_eager_and_graph_songs_agree(small):
    model, sing = small
    arguments = tf.constant([3, -4], tf.int64), tf.constant([3, 2]), tf.constant([1.0, 1.4])
    eager = model.generate(*arguments, num_gibbs_steps=3, emission_noise=0.5)
    # A graph may fuse a product and a sum: the last place moves, and the frames carry it on,
    # until a sample flips.
    for a, b in zip(eager, sing(*arguments)):
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-4)


def test_other_seeds_and_temperatures_are_other_songs(small):
    _, sing = small
    frames, _, _ = sing([1, 2, 1, 1, 1 + 2**32], [5] * 5, [1.0, 1.0, 1.2, 1.0, 1.0])
    np.testing.assert_array_equal(frames[0], frames[3])
    for other in (1, 2, 4):
        assert not np.allclose(frames[0], frames[other])


def test_the_noise_of_a_frame_is_keyed_by_its_absolute_number(small):
    _, sing = small
    frames, _, next_frame = sing(
        [1, 1], [5, 5], [1.0, 1.0], first_frame=np.array([0, 2**31], np.int64)
    )
    assert not np.allclose(frames[0], frames[1])
    np.testing.assert_array_equal(next_frame, [5, 2**31 + 5])


# --- shapes and ends


def test_frames_after_a_rows_end_are_standardised_zeros_and_its_state_stays(small):
    model, sing = small
    frames, state, next_frame = sing([1, 1, 1], [2, 6, 0], [1.0, 1.0, 1.0])
    assert frames.shape == (3, 6, 5)
    np.testing.assert_array_equal(frames[0, :2], frames[1, :2])
    np.testing.assert_array_equal(frames[0, 2:], np.full((4, 5), -40.0))
    np.testing.assert_array_equal(frames[2], np.full((6, 5), -40.0))
    np.testing.assert_array_equal(state[0], sing([1], [2], [1.0])[1][0])
    np.testing.assert_array_equal(state[2], model.encoder.first_state)
    np.testing.assert_array_equal(next_frame, [2, 6, 0])


def test_no_frames_and_no_rows_are_no_error(small):
    model, sing = small
    frames, state, next_frame = sing([1, 2], [0, 0], [1.0, 1.0])
    assert frames.shape == (2, 0, 5) and state.shape == (2, model.encoder.state_size)
    np.testing.assert_array_equal(next_frame, [0, 0])
    frames, state, next_frame = sing(np.zeros(0), np.zeros(0), np.zeros(0))
    assert (
        frames.shape == (0, 0, 5)
        and state.shape == (0, model.encoder.state_size)
        and next_frame.shape == (0,)
    )


# --- what is sung


def first_rbm(model):
    """The RBM of a song's first frame, biases [1, V] and [1, H]."""
    return model.conditional_rbm(
        model.encoder.output(model.encoder.initial_state(tf.ones([1], tf.bool)))
    )


def first_frames(sing, num_rows, temperature):
    """The first frame of `num_rows` songs, [B, V]."""
    return sing(np.arange(num_rows), np.ones(num_rows), np.full(num_rows, temperature))[0][:, 0]


def test_the_first_frame_samples_the_model_at_its_temperature(rng):
    model = make_model(rng, (4, 3, 3), "bernoulli")
    sing, rbm = singer(model, num_gibbs_steps=12, emission_noise=1.0), first_rbm(model)
    W, bv, bh = (x.numpy().astype(np.float64) for x in (rbm.W, rbm.bv[0], rbm.bh[0]))
    for temperature in (0.7, 1.5):
        p = reference.joint(W, bv, bh, temperature).sum(axis=1)
        counts = np.bincount(
            (first_frames(sing, 2400, temperature) @ [8, 4, 2, 1]).astype(int), minlength=16
        )
        assert scipy.stats.chisquare(counts, p * 2400).pvalue > 1e-3


def test_emission_noise_is_a_share_of_sigma_about_the_same_mean(rng):
    model = make_model(rng, (4, 3, 3))
    mean = first_frames(singer(model, num_gibbs_steps=2), 1600, 1.44)
    noisy = first_frames(singer(model, num_gibbs_steps=2, emission_noise=0.5), 1600, 1.44)
    spread = 0.5 * np.exp(first_rbm(model).units.log_sigma.numpy()) * 1.2
    np.testing.assert_allclose((noisy - mean).std(axis=0), spread, rtol=4 / np.sqrt(2 * 1600))
    np.testing.assert_allclose(
        (noisy - mean).mean(axis=0), 0.0, atol=4 * spread.max() / np.sqrt(1600)
    )


def test_the_noise_that_is_sung_is_fed_back(rng):
    model = make_model(rng, (4, 3, 3), num_direct_frames=1)
    song = tf.constant([1, 2], tf.int64), tf.constant([2, 2]), tf.constant([1.0, 1.0])
    frames, state, _ = model.generate(*song, num_gibbs_steps=1, emission_noise=0.5)
    np.testing.assert_array_equal(state[:, 3:], frames[:, -1])


@pytest.mark.parametrize("visible_units", ["gaussian", "mean_field", "bernoulli"])
@pytest.mark.parametrize("chain_start", ["bias", "zeros"])
def test_the_chain_of_a_frame_starts_where_it_is_told(visible_units, chain_start, rng):
    model = make_model(rng, (4, 3, 3), visible_units)
    song = tf.range(8, dtype=tf.int64), tf.ones([8], tf.int32), tf.ones([8])
    frames, _, _ = model.generate(*song, num_gibbs_steps=1, chain_start=chain_start)
    rbm = first_rbm(model)
    stream = noise.RowStream(tf.range(8, dtype=tf.int64), tf.zeros([8], tf.int64))
    start = {
        "bias": {"gaussian": rbm.bv}.get(visible_units, tf.sigmoid(rbm.bv)),
        "zeros": tf.zeros_like(rbm.bv),
    }[chain_start]
    _, expected = gibbs_chain(rbm, tf.repeat(start, 8, axis=0), 1, stream)
    np.testing.assert_allclose(frames[:, 0], expected, rtol=0, atol=1e-5)
