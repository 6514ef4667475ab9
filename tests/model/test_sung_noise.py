"""How much noise songs have, by what held-out frames have beside what is foretold."""

import numpy as np
import pytest
import tensorflow as tf
from random_models import make_model, singer

from neurovocal_tf.layers.noise_shares import NUM_LEVELS, share_at
from neurovocal_tf.model.sung_noise import noise_finder
from neurovocal_tf.rbm import gibbs, noise

NUM_FRAMES = 4000
LOG_SIGMA = np.log([0.5, 0.8, 0.5]).astype(np.float32)
LEVELS = np.array([-1.0, 0.1, 1.0], np.float32)  # no two of them between the same levels


@pytest.fixture
def model(rng):
    """One whose machine is the same for all frames, bin by bin at a level of its own."""
    made = make_model(rng, (3, 4, 2), noise_by_level=True)
    rbm = made.conditional_rbm
    for name in ("W", "Wuv", "Wuh"):
        getattr(rbm, name).assign(tf.zeros_like(getattr(rbm, name)))
    rbm.bv.assign(LEVELS)
    rbm.log_sigma.assign(LOG_SIGMA)
    made.standardisation.set(np.full(3, -20.0, np.float32), np.full(3, 10.0, np.float32))
    return made


def batches_of(standardised):
    frames = (10.0 * standardised - 20.0).astype(np.float32).reshape(8, -1, 3)
    return [(frames[first : first + 2],) for first in range(0, 8, 2)]


def found_shares(model, standardised):
    noise_finder(model, batches_of(standardised), num_gibbs_steps=12)()
    return model.conditional_rbm.noise_shares.numpy()


def test_quiet_frames_get_the_noise_that_they_have_and_loud_ones_no_more_than_the_machine(
    model, rng
):
    sd = np.array([0.2, 0.4, 2.0])
    shares = found_shares(model, LEVELS + sd * rng.normal(size=(NUM_FRAMES, 3)))
    # A hundred frames with all of sigma stand beside 4,000.
    wanted = np.sqrt((NUM_FRAMES * (sd / np.exp(LOG_SIGMA)) ** 2 + 100) / (NUM_FRAMES + 100))
    # The relative standard error of a standard deviation is 1 / sqrt(2 NUM_FRAMES) = 1.1 %.
    np.testing.assert_allclose(share_at(shares, LEVELS)[:2], wanted[:2], rtol=0.05)
    assert share_at(shares, LEVELS)[2] == 1
    unheard = np.array([-2.0, -0.6, 0.6], np.float32)
    np.testing.assert_array_equal(share_at(shares, unheard), 1)


def test_what_hidden_units_vary_is_not_sung_twice(model, rng):
    """Of a machine's own samples all of its noise is sung, however much its means vary."""
    rbm = model.conditional_rbm
    rbm.W.assign(rng.normal(0, 0.8, rbm.W.shape))
    machine = model(tf.zeros([1, NUM_FRAMES, 3]))
    stream = noise.BatchStream(tf.constant(3), tf.constant(5, tf.int64), tf.constant(0, tf.int64))
    sample, mean = gibbs.gibbs_chain(machine, gibbs.start_of_chain(machine, "bias"), 50, stream)
    shares = found_shares(model, sample.numpy()[0])
    told = np.asarray(share_at(shares, mean))
    assert np.std(mean, axis=(0, 1)).max() > 0.3
    assert np.mean(told) == pytest.approx(1, abs=0.05)


def test_less_noise_is_heard_and_the_song_goes_on_by_all_of_it(rng):
    rngs = (np.random.default_rng(4) for _ in range(2))
    by_level, plain = (make_model(r, (3, 4, 2), noise_by_level=x) for r, x in zip(rngs, (1, 0)))
    shares = rng.uniform(0.2, 0.9, NUM_LEVELS).astype(np.float32)
    by_level.conditional_rbm.noise_shares.assign(shares)
    seeds = np.arange(3)
    heard, state, _ = singer(by_level, emission_noise=1.0)(seeds, [9] * 3, np.ones(3))
    read, state_of_all, _ = singer(plain, emission_noise=1.0)(seeds, [9] * 3, np.ones(3))
    np.testing.assert_array_equal(state, state_of_all)
    mean = singer(plain, emission_noise=0.0)(seeds, [1] * 3, np.ones(3))[0][:, 0]
    told = plain.standardisation(mean)
    np.testing.assert_allclose(
        heard[:, 0] - mean, share_at(shares, told) * (read[:, 0] - mean), rtol=1e-4, atol=1e-5
    )
    assert np.abs(heard - read).max() > 0.01


def test_a_model_that_sings_all_of_its_noise_is_left_as_it_is(rng):
    model = make_model(rng, (3, 4, 2))
    before = [np.array(weight) for weight in model.weights]
    noise_finder(model, batches_of(rng.normal(size=(NUM_FRAMES, 3))), 2)()
    for weight, array in zip(model.weights, before, strict=True):
        np.testing.assert_array_equal(weight, array)
