"""Partition functions from both sides against enumeration: 50 small random machines of either kind,
and the limits of the theory.
"""

import numpy as np
import pytest
import reference
import tensorflow as tf

from neurovocal_tf.rbm import ais, energy, noise, units

NUM_MACHINES, NUM_FRAMES, NUM_CHAINS = 50, 8, 32
NUM_VISIBLE, NUM_HIDDEN = 6, 4
SIGMA = np.array([0.5, 1.0, 1.6, 0.8, 0.7, 1.2])
SIGMAS = {
    "gaussian": SIGMA,
    # A noise that follows the context: another for each frame.
    "noisy": SIGMA * np.geomspace(0.7, 1.6, NUM_FRAMES)[:, np.newaxis],
}
# Real units feel each other over the square of W:
# at 1 they have modes far apart, which is a test of its own below.
COUPLING = {"bernoulli": 1.0, "gaussian": 0.5, "noisy": 0.5}
KINDS = pytest.mark.parametrize("kind", ["bernoulli", "gaussian"])
KINDS_AND_NOISE = pytest.mark.parametrize("kind", ["bernoulli", "gaussian", "noisy"])

forwards = tf.function(
    lambda rbm, k, stream, base: ais.annealed_importance_sampling(
        ais.path_to(rbm, base), k, NUM_CHAINS, stream
    ),
    autograph=False,
)
backwards = tf.function(
    lambda rbm, v, k, stream, base: ais.reverse_annealed_importance_sampling(
        ais.path_to(rbm, base), v, k, NUM_CHAINS, stream
    ),
    autograph=False,
)
exact = tf.function(ais.exact_log_partition, autograph=False)


def random_machine(rng, kind, coupling=None):
    """A machine with biases of its own for each frame, as float64 arrays W [V, H], bv [N, V], bh
    [N, H], and as an `RBM`.
    """
    shapes = (NUM_VISIBLE, NUM_HIDDEN), (NUM_FRAMES, NUM_VISIBLE), (NUM_FRAMES, NUM_HIDDEN)
    W, bv, bh = (rng.normal(size=shape).astype(np.float32).astype(np.float64) for shape in shapes)
    W *= COUPLING[kind] if coupling is None else coupling
    kind = (
        units.Gaussian(tf.constant(np.log(SIGMAS[kind]), tf.float32))
        if kind in SIGMAS
        else units.Bernoulli()
    )
    return (W, bv, bh), energy.RBM(*(tf.constant(p, tf.float32) for p in (W, bv, bh)), kind)


def of_each_frame(values, kind):
    """(W, bv [V], bh [H], sigma [V] or None) of every frame."""
    W, bv, bh = values
    sigmas = np.broadcast_to(SIGMAS[kind], bv.shape) if kind in SIGMAS else [None] * len(bv)
    return [(W, *one) for one in zip(bv, bh, sigmas)]


def enumerated(values, kind):
    """log Z of every frame's machine in float64."""
    W, bv, bh = values
    if kind in SIGMAS:
        return np.array([reference.mixture(*one)[3] for one in of_each_frame(values, kind)])
    return reference.log_partition(W, bv, bh)


def drawn(rng, values, kind):
    """One exact sample of every frame's machine, [N, V]."""
    W, bv, bh = values
    if kind == "bernoulli":
        states = reference.binary_states(NUM_VISIBLE)
        logits = bv @ states.T + np.logaddexp(0.0, bh[:, np.newaxis] + states @ W).sum(axis=2)
        probabilities = np.exp(logits - np.logaddexp.reduce(logits, axis=1, keepdims=True))
        return np.array([states[rng.choice(len(states), p=p)] for p in probabilities])
    frames = []
    for one in of_each_frame(values, kind):
        weights, means, spread, _ = reference.mixture(*one)
        frames.append(
            means[rng.choice(len(weights), p=weights)] + spread * rng.normal(size=NUM_VISIBLE)
        )
    return np.array(frames)


def stream(seed):
    return noise.BatchStream(tf.constant(seed), tf.constant(0))


def both_sides(rng, kind, num_temperatures, base="mean_field", coupling=None, seed=0):
    """(AIS, RAISE), each (mean log-likelihood of exact samples less the enumerated one, its
    standard error), and the effective sizes.
    """
    values, rbm = random_machine(rng, kind, coupling)
    truth, v = enumerated(values, kind), tf.constant(drawn(rng, values, kind), tf.float32)
    steps = tf.constant(num_temperatures)
    above, _ = forwards(rbm, steps, stream(seed), base)
    below = backwards(rbm, v, steps, stream(seed + 1), base)
    sides = []
    for side in (above, below):
        standard_error = np.sqrt(np.sum(np.square(side.standard_error))) / NUM_FRAMES
        sides.append((float(np.mean(truth - side.value)), standard_error))
    return *sides, np.stack([above.effective_sample_size, below.effective_sample_size])


# --- enumeration


@KINDS_AND_NOISE
def test_enumeration_of_hidden_states_equals_that_of_the_oracle(kind, rng):
    values, rbm = random_machine(rng, kind)
    np.testing.assert_allclose(exact(rbm), enumerated(values, kind), rtol=2e-6, atol=5e-6)


def test_enumeration_goes_beyond_one_block_of_states(rng):
    W, bv, bh = (rng.normal(size=shape) for shape in ((3, 10), (2, 3), (2, 10)))
    rbm = energy.RBM(*(tf.constant(p, tf.float32) for p in (W, bv, bh)), units.Bernoulli())
    assert ais._STATES_AT_ONCE < 2**10
    # Summed the other way round: over the eight visible states,
    # each with its hidden units summed out.
    expected = [
        np.logaddexp.reduce(
            [v @ a + np.sum(np.logaddexp(0, c + v @ W)) for v in reference.binary_states(3)]
        )
        for a, c in zip(bv, bh)
    ]
    np.testing.assert_allclose(exact(rbm), expected, rtol=2e-6)


def test_enumeration_heeds_every_frames_gain(rng):
    (W, bv, bh), rbm = random_machine(rng, "bernoulli")
    gain = rng.uniform(0.2, 2.0, bh.shape)
    expected = [
        enumerated((W * g, a[np.newaxis], c[np.newaxis]), "bernoulli")[0]
        for g, a, c in zip(gain, bv, bh)
    ]
    np.testing.assert_allclose(
        exact(rbm._replace(gain=tf.constant(gain, tf.float32))), expected, rtol=2e-6, atol=5e-6
    )


def test_too_many_hidden_units_to_enumerate_are_refused():
    rbm = energy.RBM(tf.zeros([2, 21]), tf.zeros([1, 2]), tf.zeros([1, 21]), units.Bernoulli())
    with pytest.raises(ValueError, match="at most 20 hidden units to be enumerated. Received: 21"):
        ais.exact_log_partition(rbm)


@KINDS_AND_NOISE
def test_the_likelihood_of_a_frame_is_its_probability(kind, rng):
    values, rbm = random_machine(rng, kind)
    v = drawn(rng, values, kind)
    expected = [
        -reference.free_energy(x, *one)
        for x, one in zip(v, of_each_frame(values, kind), strict=True)
    ] - enumerated(values, kind)
    np.testing.assert_allclose(
        ais.log_likelihood(rbm, tf.constant(v, tf.float32), exact(rbm)),
        expected,
        rtol=1e-5,
        atol=1e-5,
    )


# --- both sides


@KINDS
@pytest.mark.parametrize("base", ais.BASES)
def test_three_standard_errors_on_either_side_enclose_the_truth_of_fifty_machines(kind, base, rng):
    sides = [both_sides(rng, kind, 40, base, seed=2 * i)[:2] for i in range(NUM_MACHINES)]
    (above, above_se), (below, below_se) = np.array(sides).transpose(1, 2, 0)
    # Each side fails in 1 case of 700 if its errors are normal,
    # so that two of 50 together are less than 1 % likely.
    assert np.sum(above + 3 * above_se < 0) + np.sum(below - 3 * below_se > 0) <= 1
    # Honest errors are no larger than they have to be,
    # either: deviations in units of them have a variance of about 1.
    for deviation in (above / above_se, below / below_se):
        assert 0.5 < np.mean(np.square(deviation)) < 2.0


@KINDS
def test_the_sides_are_in_order_and_close_as_temperatures_grow(kind, rng):
    gaps = []
    for num_temperatures in (1, 4, 16, 64):
        fresh = np.random.default_rng(3)
        sides = [
            both_sides(fresh, kind, num_temperatures, "biases", seed=2 * i)[:2] for i in range(12)
        ]
        (above, above_se), (below, below_se) = np.mean(sides, axis=0)
        # The mean of twelve errors of that size is a third of it.
        assert above > -above_se and below < below_se
        gaps.append(above - below)
    assert gaps[0] > 0.1 and abs(gaps[3]) < 0.01
    assert all(later < earlier for earlier, later in zip(gaps, gaps[1:]))


@KINDS_AND_NOISE
@pytest.mark.parametrize("base", ais.BASES)
@pytest.mark.parametrize("num_temperatures", [1, 7])
def test_without_couplings_every_estimate_is_exact(kind, base, num_temperatures, rng):
    values, rbm = random_machine(rng, kind, coupling=0.0)
    expected = enumerated(values, kind)
    v = tf.constant(drawn(rng, values, kind), tf.float32)
    steps = tf.constant(num_temperatures)
    for side in (
        forwards(rbm, steps, stream(0), base)[0],
        backwards(rbm, v, steps, stream(1), base),
    ):
        np.testing.assert_allclose(side.value, expected, rtol=1e-6, atol=2e-6)
        np.testing.assert_array_equal(side.standard_error, np.zeros(NUM_FRAMES))
        np.testing.assert_array_equal(side.effective_sample_size, np.full(NUM_FRAMES, NUM_CHAINS))


@KINDS_AND_NOISE
def test_the_last_states_are_samples_of_the_machine(kind, rng):
    values, rbm = random_machine(rng, kind)
    samples = forwards(rbm, tf.constant(300), stream(5), "mean_field")[1].numpy().astype(np.float64)
    assert samples.shape == (NUM_CHAINS, NUM_FRAMES, NUM_VISIBLE)
    for n, one in enumerate(of_each_frame(values, kind)):
        if kind == "bernoulli":
            p = reference.joint(*one[:3]).sum(axis=1)
            states = reference.binary_states(NUM_VISIBLE)
            mean, spread = p @ states, np.sqrt(p @ states * (1 - p @ states))
        else:
            weights, means, noise_sd, _ = reference.mixture(*one)
            mean = weights @ means
            spread = np.sqrt(weights @ np.square(means - mean) + noise_sd**2)
        # Of 48 units none is farther out than 1 in 30,000 would be, and a rare one is on in two
        # chains at least as easily as not at all.
        np.testing.assert_array_less(
            np.abs(samples[:, n].mean(axis=0) - mean),
            4.2 * spread / np.sqrt(NUM_CHAINS) + 2 / NUM_CHAINS,
        )


@KINDS
def test_strong_couplings_cost_effective_sample_size_and_more_temperatures_win_it_back(kind, rng):
    coupling = 2 * COUPLING[kind]
    sizes = [
        both_sides(np.random.default_rng(4), kind, k, "biases", coupling)[2].mean()
        for k in (1, 400)
    ]
    assert sizes[0] < 0.5 * NUM_CHAINS < 0.9 * NUM_CHAINS < sizes[1] <= NUM_CHAINS


def test_mean_field_units_are_annealed_as_the_binary_units_whose_mean_they_hold(rng):
    values, rbm = random_machine(rng, "bernoulli")
    soft = rbm._replace(units=units.MeanField())
    for a, b in zip(
        forwards(soft, tf.constant(5), stream(0), "biases")[0],
        forwards(rbm, tf.constant(5), stream(0), "biases")[0],
    ):
        np.testing.assert_array_equal(a, b)


def test_binary_units_begin_at_their_biases_by_default_and_real_ones_at_the_mean_field(rng):
    for kind, base in (("bernoulli", "biases"), ("gaussian", "mean_field")):
        rbm = random_machine(rng, kind)[1]
        for default, named in zip(ais.path_to(rbm)[1:], ais.path_to(rbm, base)[1:]):
            np.testing.assert_array_equal(default, named)


def test_an_unknown_base_is_refused(rng):
    with pytest.raises(
        ValueError, match="`base` must be one of mean_field, biases. Received: base=data"
    ):
        ais.path_to(random_machine(rng, "bernoulli")[1], "data")


# --- pseudo-likelihood


def test_pseudo_likelihood_equals_the_sum_of_enumerated_conditionals(rng):
    values, rbm = random_machine(rng, "bernoulli")
    v = drawn(rng, values, "bernoulli")
    found = energy.pseudo_log_likelihood(rbm, tf.constant(v, tf.float32))
    np.testing.assert_allclose(
        found,
        [reference.pseudo_log_likelihood(x, values[0], a, c) for x, a, c in zip(v, *values[1:])],
        rtol=1e-5,
    )


def test_pseudo_likelihood_is_the_likelihood_of_independent_units_and_not_of_others(rng):
    for coupling, is_equal in ((0.0, True), (1.5, False)):
        values, rbm = random_machine(rng, "bernoulli", coupling)
        v = tf.constant(drawn(rng, values, "bernoulli"), tf.float32)
        likelihood, pseudo = (
            ais.log_likelihood(rbm, v, exact(rbm)),
            energy.pseudo_log_likelihood(rbm, v),
        )
        assert np.allclose(likelihood, pseudo, rtol=1e-5) == is_equal


def test_pseudo_likelihood_of_real_units_is_refused(rng):
    with pytest.raises(
        ValueError, match="`rbm` must have binary visible units. Received: rbm.units=Gaussian"
    ):
        energy.pseudo_log_likelihood(
            random_machine(rng, "gaussian")[1], tf.zeros([NUM_FRAMES, NUM_VISIBLE])
        )


def test_pseudo_likelihood_of_fractions_is_refused_and_that_of_their_binary_units_is_not(rng):
    rbm = random_machine(rng, "bernoulli")[1]
    soft, v = rbm._replace(units=units.MeanField()), tf.zeros([NUM_FRAMES, NUM_VISIBLE])
    with pytest.raises(
        ValueError, match="`rbm` must have binary visible units. Received: rbm.units=MeanField"
    ):
        energy.pseudo_log_likelihood(soft, v + 0.3)
    found = energy.pseudo_log_likelihood(soft._replace(units=ais.sampled_units(soft.units)), v)
    np.testing.assert_array_equal(found, energy.pseudo_log_likelihood(rbm, v))


# --- what the bounds do not say


def test_one_chain_alone_is_on_the_wrong_side_as_often_as_markovs_inequality_allows(rng):
    """Z is overrated by a factor r in at most one case of r."""
    values, rbm = random_machine(rng, "bernoulli", coupling=1.5)
    truth = enumerated(values, "bernoulli")
    single = tf.function(
        lambda s: ais.annealed_importance_sampling(ais.path_to(rbm, "biases"), 3, 2, s)[0].value,
        autograph=False,
    )
    excess = np.concatenate([single(stream(i)).numpy() - truth for i in range(60)])
    for factor in (1.5, 3.0, 10.0):
        assert np.mean(excess > np.log(factor)) < 1 / factor
    assert np.mean(excess) < 0 < np.max(excess)


def test_chains_that_miss_a_mode_err_on_the_optimistic_side_and_the_gap_shows_it():
    """Real units with modes far apart: a base at one of them finds too little weight,
    and calls its error small.
    """
    sides = [
        both_sides(
            np.random.default_rng(i), "gaussian", 10, "mean_field", coupling=1.5, seed=2 * i
        )[:2]
        for i in range(12)
    ]
    (above, above_se), (below, _) = np.mean(sides, axis=0)
    assert above > 3 * above_se / np.sqrt(12) and above - below > 0.05
