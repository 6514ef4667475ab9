"""Parallel tempering against enumeration: the exchange, what it leaves in place, and what it is
for.
"""

import numpy as np
import pytest
import reference
import tensorflow as tf
from tiny_machines import (
    BOTH_SIGMAS,
    FLOAT32,
    NUM_HIDDEN,
    NUM_VISIBLE,
    assert_distributed_as_the_model,
    machine,
    parameters,
    samples_of_the_model,
)

from neurovocal_tf.rbm import ais, gibbs, noise, tempering
from neurovocal_tf.rbm.energy import RBMInLanes, bias_mean
from neurovocal_tf.rbm.units import Gaussian, MeanField

NUM_ROWS, NUM_REPLICAS = 10_000, 3
GAIN = np.array([0.6, 1.4, 1.0])
EVERY_TEMPERATURE = pytest.mark.parametrize("temperature", [0.7, 1.8])


def rows_of(values, sigma, num_rows=NUM_ROWS):
    """So many rows of one machine, with a gain."""
    rbm = machine(*values, sigma, batch=(num_rows,))
    return rbm._replace(gain=tf.fill([num_rows, NUM_HIDDEN], 1.0) * tf.constant(GAIN, tf.float32))


def of_replica(replicas, number, num_rows):
    """W, bv and bh of a replica, the gain in its W."""
    rbm, row = replicas.rbm, number * num_rows
    gain = rbm.gain[row].numpy().astype(np.float64)
    return rbm.W.numpy().astype(np.float64) * gain, *(
        x[row].numpy().astype(np.float64) for x in (rbm.bv, rbm.bh)
    )


@BOTH_SIGMAS
def test_exchanges_and_steps_leave_every_replicas_distribution_in_place(sigma, rng):
    temperature = 1.4
    rbm = rows_of(parameters(rng), sigma)
    replicas = tempering.Replicas.of(ais.path_to(rbm), temperature, NUM_REPLICAS)
    each = [of_replica(replicas, number, NUM_ROWS) for number in range(NUM_REPLICAS)]
    start = [samples_of_the_model(rng, values, sigma, temperature, NUM_ROWS) for values in each]
    # One exchange of the even replicas, one of the odd ones, and a step after either.
    sample, _ = tf.function(replicas.chain, autograph=False)(
        tf.constant(np.concatenate(start), tf.float32),
        tf.constant(2),
        noise.BatchStream(tf.constant(1), tf.constant(2)),
    )
    for values, rows in zip(each, np.split(sample.numpy().astype(float), NUM_REPLICAS)):
        assert_distributed_as_the_model(rows, values, sigma, temperature)


@BOTH_SIGMAS
@EVERY_TEMPERATURE
def test_the_odds_of_a_trade_are_those_of_the_replicas_free_energies(sigma, temperature, rng):
    rbm = rows_of(parameters(rng), sigma, 1)
    replicas = tempering.Replicas.of(ais.path_to(rbm), temperature, NUM_REPLICAS)
    v = rng.normal(size=(NUM_REPLICAS, NUM_VISIBLE)) if sigma is not None else np.eye(4)[:3]

    def log_p(replica, frame):
        W, bv, bh = of_replica(replicas, replica, 1)
        states = reference.binary_states(NUM_HIDDEN)
        energies = [reference.energy(frame, h, W, bv, bh, sigma) for h in states]
        return np.logaddexp.reduce(-np.array(energies) / temperature)

    in_sd = v if sigma is None else v / sigma
    field = tf.constant(in_sd, tf.float32) @ rbm.W
    for index, (a, b) in ((0, (0, 1)), (1, (1, 2))):
        odds = replicas.log_odds(index, tf.constant(in_sd, tf.float32), field).numpy()[:, 0]
        expected = log_p(a, v[b]) + log_p(b, v[a]) - log_p(a, v[a]) - log_p(b, v[b])
        np.testing.assert_allclose(odds[[a, b]], expected, **FLOAT32)
        assert odds[3 - a - b] == 0


def test_the_first_replica_is_the_machine_and_the_last_has_independent_units(rng):
    rbm = rows_of(parameters(rng), None, 2)
    replicas = tempering.Replicas.of(ais.path_to(rbm), 1.0, NUM_REPLICAS)
    for whole, own in zip(
        (rbm.bv, rbm.bh, rbm.gain), (replicas.rbm.bv, replicas.rbm.bh, replicas.rbm.gain)
    ):
        np.testing.assert_array_equal(own[:2], whole)
    np.testing.assert_array_equal(replicas.rbm.gain[-2:], np.zeros((2, NUM_HIDDEN)))


def test_replicas_cross_between_modes_where_one_chain_stays():
    """Two modes alike, the first two units on or the last two, with a wall of 10 nats between."""
    sides = np.array([1.0, 1.0, -1.0, -1.0])
    W = 5.0 * np.outer(sides, [1.0, -1.0, 0.0])
    values = W, np.zeros(NUM_VISIBLE), np.zeros(NUM_HIDDEN)
    rbm = machine(*values, batch=(400,))._replace(gain=tf.ones([400, 1]))
    share = {}
    for num_replicas in (1, 4):
        sample, _ = tf.function(tempering.tempered_chain, autograph=False)(
            rbm,
            tf.constant(np.tile(sides > 0, (400, 1)), tf.float32),
            tf.constant(60 * num_replicas),
            noise.BatchStream(tf.constant(1), tf.constant(2)),
            num_replicas=num_replicas,
        )
        share[num_replicas] = float(np.mean(sample.numpy() @ sides > 0))
    states = reference.binary_states(NUM_VISIBLE)
    p_first = reference.joint(*values).sum(axis=1)[states @ sides > 0].sum()
    assert share[1] > 0.9 > p_first
    assert abs(share[4] - p_first) < 4 * np.sqrt(p_first * (1 - p_first) / 400)


@pytest.mark.parametrize("axis", [-1, 0])
def test_noise_drawn_ahead_and_lanes_give_the_same_samples(axis, rng):
    values = parameters(rng)
    rbm = machine(*values, np.ones(4), batch=(8,))._replace(gain=tf.ones([8, 1]))
    seeds, frames = tf.range(8, dtype=tf.int64), tf.fill([8], tf.constant(5, tf.int64))
    rows = noise.RowStream(seeds, frames)
    v = tf.zeros([8, NUM_VISIBLE])
    expected, mean = tempering.tempered_chain(rbm, v, 22, rows, 1.3, num_replicas=4)
    assert not np.allclose(expected, mean)
    stream = noise.RowStream(seeds, frames, axis)
    turned = tf.transpose if axis == 0 else tf.identity
    if axis == 0:
        rbm = RBMInLanes(
            rbm.W, *map(tf.transpose, (rbm.bv, rbm.bh)), Gaussian(tf.zeros([4, 1])), tf.ones([1, 8])
        )
    ahead = noise.draw_ahead(stream, 22, rbm.bh.shape, rbm.bv.shape, "normals", 4)
    for source in (stream, ahead):
        found, _ = tempering.tempered_chain(rbm, turned(v), 22, source, 1.3, num_replicas=4)
        np.testing.assert_allclose(turned(found), expected, rtol=0, atol=1e-4)


def test_one_replica_is_a_gibbs_chain_bit_for_bit_and_starts_as_it_does(rng):
    rbm, zeros = rows_of(parameters(rng), None, 5), tf.zeros([5, NUM_VISIBLE])
    stream = noise.BatchStream(tf.constant(1), tf.constant(2))
    for v, start, options in (
        (zeros, zeros, {}),
        (None, zeros, {"chain_start": "zeros"}),
        (None, bias_mean(rbm), {}),
    ):
        found = tempering.tempered_chain(rbm, v, 3, stream, **options)
        for a, b in zip(found, gibbs.gibbs_chain(rbm, start, 3, stream), strict=True):
            np.testing.assert_array_equal(a, b)


def test_units_that_are_never_sampled_are_refused(rng):
    rbm = rows_of(parameters(rng), None, 2)._replace(units=MeanField())
    with pytest.raises(ValueError, match="must have units that are sampled"):
        tempering.tempered_chain(rbm, None, 2, None, num_replicas=2)


def test_replicas_share_the_steps_and_start_at_the_mean_of_independent_units(rng):
    rbm = rows_of(parameters(rng), np.ones(4), 3)
    mean_field = ais.path_to(rbm).base_bv
    stream = noise.BatchStream(tf.constant(1), tf.constant(2))
    for given, steps in ((5, 2), (6, 2), (7, 3)):
        assert noise.steps_of_each(given, 3) == steps
    found = tempering.tempered_chain(rbm, None, 5, stream, num_replicas=3)
    expected = tempering.tempered_chain(rbm, mean_field, 6, stream, num_replicas=3)
    np.testing.assert_array_equal(found, expected)
