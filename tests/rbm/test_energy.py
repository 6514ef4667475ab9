"""One frame's energy, and what follows from it,
against enumeration over every state of tiny machines.
"""

import numpy as np
import pytest
import reference
import scipy.stats
import tensorflow as tf
from tiny_machines import BOTH_SIGMAS, FLOAT32, NUM_HIDDEN, NUM_VISIBLE, SIGMA, machine, parameters

from neurovocal_tf.layers.conditional_rbm import ConditionalRBM
from neurovocal_tf.rbm import energy, units

# --- energy


@BOTH_SIGMAS
def test_free_energy_equals_enumeration_over_hidden_states(sigma, rng):
    W, bv, bh = parameters(rng)
    v = (
        reference.binary_states(NUM_VISIBLE)
        if sigma is None
        else rng.normal(size=(16, NUM_VISIBLE)) * 2
    )
    expected = [reference.free_energy(x, W, bv, bh, sigma) for x in v]
    np.testing.assert_allclose(
        energy.free_energy(machine(W, bv, bh, sigma), tf.constant(v, tf.float32)),
        expected,
        **FLOAT32,
    )


def test_free_energy_gives_the_probability_of_every_binary_frame(rng):
    W, bv, bh = parameters(rng)
    states = tf.constant(reference.binary_states(NUM_VISIBLE), tf.float32)
    found = np.exp(-energy.free_energy(machine(W, bv, bh), states).numpy().astype(np.float64))
    np.testing.assert_allclose(
        found / found.sum(), reference.joint(W, bv, bh).sum(axis=1), rtol=2e-5
    )


def test_free_energy_gives_the_density_of_a_gaussian_frame(rng):
    W, bv, bh = parameters(rng)
    weights, means, spread, log_z = reference.mixture(W, bv, bh, SIGMA)
    v = rng.normal(size=(20, NUM_VISIBLE)) * 2
    density = sum(
        p * np.prod(scipy.stats.norm.pdf(v, m, spread), axis=1) for p, m in zip(weights, means)
    )
    found = (
        -energy.free_energy(machine(W, bv, bh, SIGMA), tf.constant(v, tf.float32)).numpy() - log_z
    )
    np.testing.assert_allclose(found, np.log(density), rtol=1e-5, atol=1e-5)


def test_free_energy_does_not_overflow_at_large_logits():
    rbm = machine(np.full((2, 1), 100.0), np.zeros(2), np.array([-50.0]))
    np.testing.assert_allclose(
        energy.free_energy(rbm, tf.constant([[1.0, 1.0], [0.0, 0.0]])),
        [-150.0, -np.log1p(np.exp(-50.0))],
        atol=1e-12,
    )


def test_biases_of_their_own_for_every_frame_are_used(rng):
    W = parameters(rng)[0]
    bv, bh, v = (rng.normal(size=(2, 5, n)) for n in (NUM_VISIBLE, NUM_HIDDEN, NUM_VISIBLE))
    rbm = energy.RBM(*(tf.constant(p, tf.float32) for p in (W, bv, bh)), units.Bernoulli())
    expected = [
        [reference.free_energy(v[b, t], W, bv[b, t], bh[b, t]) for t in range(5)] for b in range(2)
    ]
    np.testing.assert_allclose(
        energy.free_energy(rbm, tf.constant(v, tf.float32)), expected, **FLOAT32
    )


@BOTH_SIGMAS
@pytest.mark.parametrize("temperature", [0.6, 1.0, 1.9])
def test_conditional_probabilities_equal_enumeration(sigma, temperature, rng):
    W, bv, bh = parameters(rng)
    rbm = machine(W, bv, bh, sigma)
    hidden_states = reference.binary_states(NUM_HIDDEN)
    v = rng.normal(size=NUM_VISIBLE) if sigma is not None else np.array([1.0, 0.0, 1.0, 1.0])
    boltzmann = np.array(
        [np.exp(-reference.energy(v, h, W, bv, bh, sigma) / temperature) for h in hidden_states]
    )
    expected = boltzmann @ hidden_states / boltzmann.sum()
    found = tf.sigmoid(
        energy.hidden_logits(rbm, tf.constant(v, tf.float32)[tf.newaxis]) / temperature
    )[0]
    np.testing.assert_allclose(found, expected, **FLOAT32)

    h = np.array([1.0, 0.0, 1.0])
    if sigma is None:
        visible_states = reference.binary_states(NUM_VISIBLE)
        boltzmann = np.array(
            [np.exp(-reference.energy(v, h, W, bv, bh) / temperature) for v in visible_states]
        )
        expected = boltzmann @ visible_states / boltzmann.sum()
    else:
        # Every bin is a parabola of E in v: its minimum is the mean at any temperature.
        expected = bv + sigma * (W @ h)
        for step in np.eye(NUM_VISIBLE) * 0.1:
            assert reference.energy(expected, h, W, bv, bh, sigma) < reference.energy(
                expected + step, h, W, bv, bh, sigma
            )
    np.testing.assert_allclose(
        energy.visible_mean(rbm, tf.constant(h, tf.float32)[tf.newaxis], temperature)[0],
        expected,
        **FLOAT32,
    )


# --- gain


@BOTH_SIGMAS
def test_a_gain_is_the_same_as_couplings_scaled_for_every_frame(sigma, rng):
    W, bv, bh = parameters(rng)
    gain = rng.uniform(0.2, 2.0, (6, NUM_HIDDEN)).astype(np.float32)
    rbm = machine(W, bv, bh, sigma, batch=(6,))._replace(gain=tf.constant(gain))
    v = tf.constant(rng.integers(0, 2, (6, NUM_VISIBLE)), tf.float32)
    h = tf.constant(rng.integers(0, 2, (6, NUM_HIDDEN)), tf.float32)
    each = [machine(W * g, bv, bh, sigma, batch=(1,)) for g in gain]
    for function, units_ in (
        (energy.free_energy, v),
        (energy.hidden_logits, v),
        (energy.visible_mean, h),
    ):
        expected = np.concatenate([function(one, units_[i : i + 1]) for i, one in enumerate(each)])
        np.testing.assert_allclose(function(rbm, units_), expected, **FLOAT32)
    np.testing.assert_allclose(
        energy.mean_field(rbm), np.concatenate([energy.mean_field(one) for one in each]), **FLOAT32
    )
    if sigma is None:
        expected = np.concatenate(
            [energy.pseudo_log_likelihood(one, v[i : i + 1]) for i, one in enumerate(each)]
        )
        np.testing.assert_allclose(energy.pseudo_log_likelihood(rbm, v), expected, **FLOAT32)


# --- noise that differs from frame to frame


def test_a_noise_of_its_own_for_every_frame_is_the_same_as_a_machine_of_its_own(rng):
    W, bv, bh = parameters(rng)
    sigmas = rng.uniform(0.4, 2.0, (6, NUM_VISIBLE))
    rbm = machine(W, bv, bh, sigmas, batch=(6,))
    each = [machine(W, bv, bh, sigma, batch=(1,)) for sigma in sigmas]
    v, h = rng.normal(size=(6, NUM_VISIBLE)), rng.integers(0, 2, (6, NUM_HIDDEN))
    for function, x in (
        (energy.free_energy, v),
        (energy.hidden_logits, v),
        (energy.visible_mean, h),
        (lambda rbm, _: energy.mean_field(rbm), v),
    ):
        x = tf.constant(x, tf.float32)
        expected = np.concatenate([function(one, x[i : i + 1]) for i, one in enumerate(each)])
        np.testing.assert_allclose(function(rbm, x), expected, **FLOAT32)


def test_what_differs_from_frame_to_frame_is_mapped_and_nothing_else(rng):
    for sigma, size in ((SIGMA, 3), (SIGMA * np.ones((6, 1)), 4)):
        rbm = machine(*parameters(rng), sigma, batch=(6,))
        seen = []
        some = rbm.map_frames(lambda x, seen=seen: seen.append(x) or x[:2])
        assert len(seen) == size and all(a is b for a, b in zip(seen, rbm.of_frames(), strict=True))
        assert some.W is rbm.W and some.bv.shape[0] == 2
        np.testing.assert_array_equal(
            some.units.log_sigma, np.log(sigma[:2] if size == 4 else sigma).astype(np.float32)
        )


# --- contrastive divergence


def test_contrastive_divergence_is_the_masked_mean_of_the_difference_of_free_energies(rng):
    W, bv, bh = parameters(rng)
    positive, negative = (
        rng.integers(0, 2, (2, 3, NUM_VISIBLE)).astype(np.float64) for _ in range(2)
    )
    mask = np.array([[1, 1, 0], [1, 0, 0]], np.float32)
    difference = [
        reference.free_energy(positive[i], W, bv, bh)
        - reference.free_energy(negative[i], W, bv, bh)
        for i in zip(*mask.nonzero())
    ]
    found = energy.contrastive_divergence(
        machine(W, bv, bh, batch=(2, 3)),
        tf.constant(positive, tf.float32),
        tf.constant(negative, tf.float32),
        tf.constant(mask),
    )
    np.testing.assert_allclose(found, np.mean(difference), **FLOAT32)


def test_contrastive_divergence_of_an_empty_mask_is_zero_with_zero_gradients(rng):
    rbm = machine(*parameters(rng), batch=(1, 2))
    with tf.GradientTape() as tape:
        tape.watch(rbm.W)
        cost = energy.contrastive_divergence(
            rbm, tf.ones([1, 2, NUM_VISIBLE]), tf.zeros([1, 2, NUM_VISIBLE]), tf.zeros([1, 2])
        )
    assert cost == 0.0
    np.testing.assert_array_equal(tape.gradient(cost, rbm.W), np.zeros((NUM_VISIBLE, NUM_HIDDEN)))


def test_contrastive_divergence_has_no_gradient_through_the_negative_sample(rng):
    rbm = machine(*parameters(rng), batch=(1, 1))
    negative = tf.ones([1, 1, NUM_VISIBLE])
    with tf.GradientTape() as tape:
        tape.watch(negative)
        cost = energy.contrastive_divergence(
            rbm, tf.zeros([1, 1, NUM_VISIBLE]), negative, tf.ones([1, 1])
        )
    assert tape.gradient(cost, negative) is None


def gradient_with_exact_negatives(values, positive, negatives, probabilities):
    """Gradients of contrastive divergence, averaged over negatives of known probability, by (W,
    bv, bh[, log_sigma]).
    """
    variables = [tf.Variable(v, dtype=tf.float32) for v in values]
    with tf.GradientTape() as tape:
        kind = (
            units.Gaussian(tf.convert_to_tensor(variables[3]))
            if len(values) == 4
            else units.Bernoulli()
        )
        rbm = energy.RBM(*(tf.convert_to_tensor(v) for v in variables[:3]), kind)
        costs = [
            energy.contrastive_divergence(
                rbm,
                tf.constant(positive[None, None], tf.float32),
                tf.constant(v[None, None], tf.float32),
                tf.ones([1, 1]),
            )
            for v in negatives
        ]
        cost = tf.reduce_sum(tf.stack(costs) * tf.constant(probabilities, tf.float32))
    return [g.numpy() for g in tape.gradient(cost, variables)]


def numerical_gradient(function, values, width=1e-5):
    """Central differences of a float64 function of several arrays."""
    gradients = []
    for i, value in enumerate(values):
        gradient = np.zeros_like(value)
        for entry in np.ndindex(value.shape):
            ends = []
            for sign in (1, -1):
                moved = [v.copy() for v in values]
                moved[i][entry] += sign * width
                ends.append(function(*moved))
            gradient[entry] = (ends[0] - ends[1]) / (2 * width)
        gradients.append(gradient)
    return gradients


def test_with_exact_negatives_the_gradient_is_the_likelihoods_for_binary_units(rng):
    values = parameters(rng, 3, 2)
    positive = np.array([1.0, 0.0, 1.0])
    states = reference.binary_states(3)

    def negative_log_likelihood(W, bv, bh):
        return -np.log(reference.joint(W, bv, bh).sum(axis=1)[0b101])

    found = gradient_with_exact_negatives(
        values, positive, states, reference.joint(*values).sum(axis=1)
    )
    for a, b in zip(found, numerical_gradient(negative_log_likelihood, values), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-5)


def test_with_exact_negatives_the_gradient_is_the_likelihoods_for_gaussian_units_and_their_sigma(
    rng,
):
    values = [*parameters(rng, 1, 2), np.array([-0.3])]
    positive = np.array([0.7])

    def negative_log_likelihood(W, bv, bh, log_sigma):
        sigma = np.exp(log_sigma)
        return (
            reference.free_energy(positive, W, bv, bh, sigma)
            + reference.mixture(W, bv, bh, sigma)[3]
        )

    # Gauss-Hermite nodes stand for each component of the mixture:
    # exact to the rule's 1e-6 for a softplus.
    nodes, node_weights = np.polynomial.hermite_e.hermegauss(16)
    weights, means, spread, _ = reference.mixture(*values[:3], np.exp(values[3]))
    negatives = (means[:, None, :] + spread * nodes[:, None]).reshape(-1, 1)
    probabilities = np.outer(weights, node_weights / node_weights.sum()).ravel()
    found = gradient_with_exact_negatives(values, positive, negatives, probabilities)
    for a, b in zip(found, numerical_gradient(negative_log_likelihood, values), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=2e-5)


def test_with_exact_negatives_the_gradient_by_the_weights_of_the_noise_is_the_likelihoods(rng):
    """Of two frames, whose noise follows what comes before them: the partition function of each
    moves with its noise, and the difference of free energies holds all of that.
    """
    layer = ConditionalRBM(1, 2, noise_context=0.8)
    layer.build((None, None, 3))
    for weight in layer.weights:
        weight.assign(0.7 * rng.normal(size=weight.shape))
    u = rng.normal(size=(1, 2, 3)).astype(np.float32)
    positive = rng.normal(size=(1, 2, 1))
    names = ("W", "bv", "bh", "Wuv", "Wuh", "Wus", "log_sigma")
    values = [np.asarray(getattr(layer, name), np.float64) for name in names]

    def machines(W, bv, bh, Wuv, Wuh, Wus, log_sigma):
        sigmas = np.exp(log_sigma + 0.8 * np.tanh(u[0] @ Wus / 0.8))
        biases = bv + u[0] @ Wuv
        hidden = bh + u[0] @ Wuh - biases / sigmas @ W
        return [(W, *of_frame) for of_frame in zip(biases, hidden, sigmas, strict=True)]

    def negative_log_likelihood(*values):
        return np.mean(
            [
                reference.free_energy(v, *one) + reference.mixture(*one)[3]
                for v, one in zip(positive[0], machines(*values))
            ]
        )

    # Gauss-Hermite nodes, as above, of each frame's own mixture.
    nodes, node_weights = np.polynomial.hermite_e.hermegauss(16)
    mixtures = [reference.mixture(*one) for one in machines(*values)]
    negatives = np.stack(
        [(m[:, None] + sd * nodes[:, None]).reshape(-1, 1) for _, m, sd, _ in mixtures], 1
    )
    probabilities = np.stack(
        [np.outer(w, node_weights / node_weights.sum()).ravel() for w, *_ in mixtures], 1
    )
    with tf.GradientTape() as tape:
        rbm = layer(tf.constant(u))
        differences = energy.free_energy(rbm, tf.constant(positive, tf.float32)) - (
            energy.free_energy(rbm, tf.constant(negatives, tf.float32))
        )
        cost = tf.reduce_sum(differences * tf.constant(probabilities, tf.float32)) / 2
    found = tape.gradient(cost, [getattr(layer, name) for name in names])
    for a, b in zip(found, numerical_gradient(negative_log_likelihood, values), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=2e-5)


# --- mean field


@BOTH_SIGMAS
def test_mean_field_equals_its_updates_written_out(sigma, rng):
    W, bv, bh = parameters(rng)
    W = 0.3 * W
    v = expected = bv if sigma is not None else 1 / (1 + np.exp(-bv))
    for num_steps in range(4):
        found = energy.mean_field(machine(W, bv, bh, sigma, batch=(2, 3)), num_steps)
        assert found.shape == (2, 3, NUM_VISIBLE)
        np.testing.assert_allclose(found[1, 2], expected, **FLOAT32)
        v = expected if sigma is None else expected / sigma
        field = (1 / (1 + np.exp(-(bh + v @ W)))) @ W.T
        expected = 1 / (1 + np.exp(-(bv + field))) if sigma is None else bv + sigma * field


@BOTH_SIGMAS
def test_mean_field_ends_at_a_fixed_point(sigma, rng):
    W, bv, bh = parameters(rng)
    rbm = machine(0.3 * W, bv, bh, sigma, batch=(1,))
    v = energy.mean_field(rbm, 200)
    np.testing.assert_allclose(
        energy.visible_mean(rbm, tf.sigmoid(energy.hidden_logits(rbm, v))), v, **FLOAT32
    )


@BOTH_SIGMAS
def test_mean_field_of_a_machine_without_couplings_is_its_mean(sigma, rng):
    W, bv, bh = parameters(rng)
    expected = (
        bv
        if sigma is not None
        else reference.joint(0 * W, bv, bh).sum(axis=1) @ reference.binary_states(NUM_VISIBLE)
    )
    np.testing.assert_allclose(
        energy.mean_field(machine(0 * W, bv, bh, sigma, batch=(1,)))[0], expected, **FLOAT32
    )


@BOTH_SIGMAS
def test_scaling_all_energies_equals_scaling_the_temperature(sigma, rng):
    W, bv, bh = parameters(rng)
    if sigma is not None:
        bv = 0 * bv
    h = tf.constant([[1.0, 0.0, 1.0]])
    warm, cold = machine(W, bv, bh, sigma), machine(W / 2, bv / 2, bh / 2, sigma)
    v = tf.constant(rng.normal(size=(1, NUM_VISIBLE)), tf.float32)
    np.testing.assert_allclose(
        energy.hidden_logits(warm, v) / 2.0, energy.hidden_logits(cold, v), **FLOAT32
    )
    if sigma is None:
        np.testing.assert_allclose(
            energy.visible_mean(warm, h, 2.0), energy.visible_mean(cold, h), **FLOAT32
        )
