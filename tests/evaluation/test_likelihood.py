"""Likelihoods of sequences under a model, against enumeration frame by frame, and of the baselines,
against loops and SciPy.
"""

import dataclasses

import numpy as np
import pytest
import reference
import scipy.stats
import tensorflow as tf
from random_models import fresh_model

from neurovocal_tf.config import Config
from neurovocal_tf.data import frame_sequences
from neurovocal_tf.evaluation import likelihood, likelihood_baselines
from neurovocal_tf.evaluation.likelihood import LikelihoodOptions
from neurovocal_tf.evaluation.verdict import as_table
from neurovocal_tf.model.adaptation import Moments, start_from_data
from neurovocal_tf.plots import canvas
from neurovocal_tf.plots import likelihood as likelihood_plots
from neurovocal_tf.runs.trained import build_model

NUM_VISIBLE, NUM_HIDDEN = 5, 4
LENGTHS = (6, 1, 9)
OPTIONS = LikelihoodOptions(num_temperatures=60, num_chains=24, compiled=False)


def model_of(visible_units, rng, coupling_gain=False, noise_context=0.0, num_latent=0):
    """A small model with couplings and biases that matter,
    and a standardisation that does something where it may.
    """
    model = fresh_model(
        NUM_VISIBLE,
        NUM_HIDDEN,
        num_recurrent=3,
        visible_units=visible_units,
        num_direct_frames=1,
        coupling_gain=coupling_gain,
        noise_context=noise_context,
        num_latent=num_latent,
    )
    for weights in model.trainable_variables:
        if weights.name != "Wus":
            weights.assign(0.6 * rng.normal(size=weights.shape))
    if coupling_gain:
        # Couplings many times as strong would need as many temperatures.
        model.conditional_rbm.Wug.assign(0.2 * model.conditional_rbm.Wug)
    if noise_context:
        # Less noise is as much as stronger couplings.
        Wus = model.conditional_rbm.Wus
        Wus.assign(0.2 * np.random.default_rng(1).normal(size=Wus.shape))
    if visible_units == "gaussian":
        # Real units feel each other over the square of W.
        model.conditional_rbm.W.assign(0.4 * model.conditional_rbm.W)
        model.standardisation.set(rng.normal(size=NUM_VISIBLE), rng.uniform(0.5, 4.0, NUM_VISIBLE))
        model.conditional_rbm.log_sigma.assign(rng.uniform(-0.5, 0.3, NUM_VISIBLE))
    return model


def sequences_of(rng, binary=True):
    return [
        (rng.random((n, NUM_VISIBLE)) < 0.4).astype(np.float32)
        if binary
        else 3 * rng.normal(size=(n, NUM_VISIBLE))
        for n in LENGTHS
    ]


def enumerated(model, sequences, machines=None):
    """log p of every frame in the data's unit, from the model's biases alone, or from those of
    other `machines` of frames.
    """
    found = []
    for sequence in sequences:
        rbm = (machines or model)(tf.constant(sequence[np.newaxis], tf.float32))
        W, bv, bh = (np.asarray(array, np.float64) for array in (rbm.W, rbm.bv[0], rbm.bh[0]))
        sigmas = (
            np.exp(np.broadcast_to(np.asarray(rbm.units.log_sigma, np.float64), rbm.bv.shape))[0]
            if hasattr(rbm.units, "log_sigma")
            else [None] * len(sequence)
        )
        scale = np.asarray(model.standardisation.scale, np.float64)
        frames = (sequence - np.asarray(model.standardisation.offset)) / scale
        gains = np.asarray(rbm.gain[0], np.float64)
        for v, a, c, couplings, sigma in zip(frames, bv, bh, W * gains[:, np.newaxis], sigmas):
            if sigma is None:
                log_z = reference.log_partition(couplings, a[None], c[None])[0]
            else:
                log_z = reference.mixture(couplings, a, c, sigma)[3]
            found.append(
                -reference.free_energy(v, couplings, a, c, sigma) - log_z - np.sum(np.log(scale))
            )
    return np.array(found)


@pytest.mark.parametrize(
    "visible_units, coupling_gain, noise_context",
    [
        ("bernoulli", False, 0.0),
        ("mean_field", False, 0.0),
        ("gaussian", False, 0.0),
        ("bernoulli", True, 0.0),
        ("gaussian", True, 0.0),
        ("gaussian", False, 0.5),
    ],
)
def test_the_bracket_encloses_the_enumerated_likelihood_of_all_frames(
    visible_units, coupling_gain, noise_context, rng
):
    model, sequences = (
        model_of(visible_units, rng, coupling_gain, noise_context),
        sequences_of(rng, visible_units != "gaussian"),
    )
    truth = enumerated(model, sequences).mean()
    shares = []
    bracket = likelihood.log_likelihood_bracket(model, sequences, OPTIONS, shares.append)
    for side in (bracket.optimistic, bracket.pessimistic):
        assert abs(side.value - truth) < 4 * side.standard_error + 1e-4
        assert (
            0 < side.standard_error < 0.1
            and 20 < side.smallest_effective_sample_size <= side.effective_sample_size <= 24
        )
        assert abs(side.change_when_doubled) < 0.1
    assert (bracket.num_frames, bracket.num_all_frames) == (16, 16)
    assert bracket.samples.shape == (24, 16, NUM_VISIBLE)
    assert shares == sorted(shares) and shares[-1] == 1


def test_with_a_latent_variable_the_bracket_encloses_a_bound_near_the_likelihood(rng):
    model = model_of("gaussian", rng, num_latent=1)
    # A posterior that is not the true one, and yet not so far off that 24 draws miss it.
    model.latent.Wuq.assign(model.latent.Wup)
    model.latent.bq.assign(model.latent.bp)
    model.latent.Wvq.assign(0.1 * model.latent.Wvq)
    Wuv = np.array(model.conditional_rbm.Wuv)
    Wuv[0] *= 0.5
    model.conditional_rbm.Wuv.assign(Wuv)
    inverse = model.standardisation.inverse
    frames = [0.7 * rng.normal(size=(length, NUM_VISIBLE)) for length in LENGTHS]
    sequences = [np.asarray(inverse(tf.cast(each, tf.float32))) for each in frames]
    nodes, weights = np.polynomial.hermite_e.hermegauss(20)

    def at(node):
        """log p of every frame with z so many standard deviations from its prior's mean."""
        read = lambda u, z: tf.concat([z, u], axis=-1)  # noqa: E731
        prior = model.latent.prior
        moved = lambda u: read(u, prior(u).mean + tf.exp(prior(u).log_sd) * node)  # noqa: E731
        machines = lambda frames: model.conditional_rbm(moved(model.contexts(frames)))  # noqa: E731
        return enumerated(model, sequences, machines)

    logs = np.stack([at(np.float32(node)) for node in nodes])
    each = np.logaddexp.reduce(logs + np.log(weights / weights.sum())[:, None], axis=0)
    assert np.abs(each - logs[len(nodes) // 2]).mean() > 0.02
    truth = each.mean()
    options = dataclasses.replace(OPTIONS, num_temperatures=30, num_chains=24)
    shares = []
    bracket = likelihood.log_likelihood_bracket(model, sequences, options, shares.append)
    for side in (bracket.optimistic, bracket.pessimistic):
        assert abs(side.value - truth) < 4 * side.standard_error + 0.05
        assert side.standard_error < 0.1
    assert bracket.samples.shape[1:] == (16, NUM_VISIBLE)
    assert shares == sorted(shares) and shares[-1] == 1


def test_samples_of_several_replicas_leave_the_bracket_as_it_is(rng, monkeypatch):
    model, sequences = model_of("bernoulli", rng), sequences_of(rng)
    options = LikelihoodOptions(2, 4, compiled=False, num_replicas=2, num_gibbs_steps=4)
    one = likelihood.log_likelihood_bracket(
        model, sequences, dataclasses.replace(options, num_replicas=1)
    )
    blocks, tempering_graph = [], likelihood._tempering_graph

    def counted(options):
        graph = tempering_graph(options)
        return lambda *block: blocks.append(block) or graph(*block)

    monkeypatch.setattr(likelihood, "_tempering_graph", counted)
    several = likelihood.log_likelihood_bracket(model, sequences, options)
    # Those of twice the temperatures are not kept.
    assert len(blocks) == 1
    assert one.optimistic == several.optimistic and one.pessimistic == several.pessimistic
    assert one.samples.shape == several.samples.shape
    assert not np.array_equal(one.samples, several.samples)


def test_a_density_changes_with_the_unit_by_the_jacobian_alone(rng):
    model, sequences = model_of("gaussian", rng), sequences_of(rng, binary=False)
    before = likelihood.log_likelihood_bracket(model, sequences, OPTIONS)
    offset, scale = (
        np.asarray(model.standardisation.offset),
        np.asarray(model.standardisation.scale),
    )
    model.standardisation.set(10 * offset, 10 * scale)
    after = likelihood.log_likelihood_bracket(
        model, [10 * sequence for sequence in sequences], OPTIONS
    )
    assert after.optimistic.value == pytest.approx(
        before.optimistic.value - NUM_VISIBLE * np.log(10), abs=1e-3
    )


def test_a_sample_of_the_frames_stands_for_all_within_its_standard_error(rng):
    model = model_of("bernoulli", rng)
    sequences = [(rng.random((400, NUM_VISIBLE)) < 0.4).astype(np.float32)]
    truth = enumerated(model, sequences)
    deviations = []
    for seed in range(2):
        options = LikelihoodOptions(
            num_temperatures=10, num_chains=8, num_frames=100, seed=seed, compiled=False
        )
        bracket = likelihood.log_likelihood_bracket(model, sequences, options)
        assert (bracket.num_frames, bracket.num_all_frames) == (100, 400) and len(
            set(bracket.chosen)
        ) == 100
        side = bracket.optimistic
        # Of 100 out of 400 frames: the spread of a draw without replacement.
        assert side.standard_error == pytest.approx(truth.std() / 10 * np.sqrt(0.75), rel=0.3)
        deviations.append((side.value - truth.mean()) / side.standard_error)
    assert 0 < np.max(np.abs(deviations)) < 4


def test_independent_keys_are_the_marginals_exact_value(rng):
    """No couplings, no recurrence, bv the logit of the smoothed marginals:
    the same code gives the independent units' row.
    """
    sequences = sequences_of(rng)
    config = Config().replace(visible_units="bernoulli", num_direct_frames=0, num_layers=1)
    model = independent_model(config, np.concatenate(sequences))
    bracket = likelihood.log_likelihood_bracket(
        model, sequences, LikelihoodOptions(num_temperatures=3, num_chains=2, compiled=False)
    )
    baseline = likelihood_baselines.fit_baselines(sequences, binary=True)["independent"]
    expected = np.concatenate([baseline.log_likelihoods(sequence) for sequence in sequences]).mean()
    for side in (bracket.optimistic, bracket.pessimistic):
        assert (
            side.value == pytest.approx(expected, abs=1e-5)
            and side.standard_error == side.change_when_doubled == 0.0
        )
    assert likelihood.mean_pseudo_log_likelihood(model, sequences) == pytest.approx(
        expected, abs=1e-5
    )


def independent_model(config, frames):
    """A model started from the data without couplings and without recurrence."""
    model = build_model(config, frames.shape[1])
    for weights in (model.conditional_rbm.W, model.conditional_rbm.Wuv):
        weights.assign(np.zeros(weights.shape))
    moments = Moments(
        frames.mean(axis=0, dtype=np.float64),
        frames.std(axis=0),
        None,
        len(frames),
        dynamic_range_db=None,
    )
    start_from_data(model, moments)
    return model


@pytest.mark.parametrize(
    "name, keys, chain", [("jsb_chorales", -11.060, -10.469), ("nottingham", -10.252, -5.164)]
)
def test_the_published_rows_of_independent_keys_and_of_markov_chains_come_out_to_three_decimals(
    name, keys, chain, repository
):
    path = repository.parent / "shared" / "pianorolls" / f"{name}.npz"
    if not path.is_file():
        pytest.skip("the piano rolls, shared/pianorolls beside the repository, are not there")
    splits = frame_sequences.read_frames(path)
    training, test = (
        [frames.astype(float) for frames, _ in splits[name].sequences().as_numpy_iterator()]
        for name in ("train", "test")
    )
    baselines = {
        "independent": likelihood_baselines.IndependentBits.fit(training),
        "markov_chain": likelihood_baselines.BitChain.fit(training),
    }
    values = {
        n: np.concatenate([b.log_likelihoods(sequence) for sequence in test]).mean()
        for n, b in baselines.items()
    }
    assert (round(values["independent"], 3), round(values["markov_chain"], 3)) == (keys, chain)
    config = Config().replace(
        visible_units="bernoulli",
        num_direct_frames=0,
        num_layers=1,
        recurrent_scalar=0.05,
        hidden_scalar=0.05,
    )
    model = independent_model(config, splits["train"].frames.astype(np.float64))
    some = test[:4]
    expected = np.concatenate(
        [baselines["independent"].log_likelihoods(sequence) for sequence in some]
    ).mean()
    options = LikelihoodOptions(num_temperatures=1, num_chains=2, compiled=False)
    assert likelihood.log_likelihood_bracket(
        model, some, options
    ).optimistic.value == pytest.approx(expected, abs=5e-4)


def test_fractions_have_no_likelihood_under_binary_units(rng):
    with pytest.raises(
        ValueError, match="must hold zeros and ones for a likelihood under binary units"
    ):
        likelihood.log_likelihood_bracket(
            model_of("mean_field", rng), [np.full((3, NUM_VISIBLE), 0.5)], OPTIONS
        )


def test_no_frames_and_a_single_chain_are_refused(rng):
    model = model_of("bernoulli", rng)
    with pytest.raises(ValueError, match="at least one frame"):
        likelihood.log_likelihood_bracket(model, [np.zeros((0, NUM_VISIBLE))], OPTIONS)
    with pytest.raises(ValueError, match="`num_chains` must be at least 2. Received: num_chains=1"):
        likelihood.log_likelihood_bracket(model, sequences_of(rng), LikelihoodOptions(num_chains=1))


# --- baselines


def test_a_markov_chain_of_every_unit_equals_counting(rng):
    sequences = sequences_of(rng)
    baseline = likelihood_baselines.fit_baselines(sequences[:2], binary=True)["markov_chain"]
    np.testing.assert_allclose(
        baseline.log_likelihoods(sequences[2]),
        reference.markov_log_likelihoods(sequences[:2], sequences[2]),
        rtol=1e-12,
    )


def test_logistic_regressions_find_the_frames_that_decide(rng):
    """Unit 0 follows unit 1 of two frames ago with known odds."""
    sequences = []
    for _ in range(20):
        frames = (rng.random((200, 3)) < 0.4).astype(np.float64)
        logits = np.where(frames[:-2, 1] > 0, 1.5, -1.0)
        frames[2:, 0] = rng.random(198) < 1 / (1 + np.exp(-logits))
        sequences.append(frames)
    baseline = likelihood_baselines.fit_baselines(sequences, binary=True)["logistic"]
    assert baseline.intercept[0] == pytest.approx(-1.0, abs=0.3)
    assert baseline.coefficients[1, 1, 0] == pytest.approx(2.5, abs=0.3)
    others = baseline.coefficients.copy()
    others[1, 1, 0] = 0.0
    assert np.abs(others).max() < 0.4
    probabilities = baseline.probabilities(sequences[0])
    np.testing.assert_allclose(
        baseline.log_likelihoods(sequences[0]),
        np.log(np.where(sequences[0] > 0, probabilities, 1 - probabilities)).sum(axis=1),
        rtol=1e-12,
    )


def test_a_logistic_regression_minimises_its_penalised_likelihood(rng):
    sequences = [(rng.random((40, 4)) < 0.3).astype(np.float64) for _ in range(3)]
    share = likelihood_baselines.IndependentBits.fit(sequences).share
    penalty = 6.0
    fitted = likelihood_baselines._regressed(sequences, 2, share, penalty)

    def objective(weights):
        value = 0.5 * penalty * np.sum(np.square(weights[1:]))
        # Half a frame with each unit, half a one without.
        value += np.sum(np.logaddexp(0, weights[0]) - 0.5 * weights[0])
        for frames in sequences:
            for t in range(1, len(frames)):
                before = np.concatenate([frames[t - 1], frames[t - 2] if t > 1 else np.zeros(4)])
                logits = weights[0] + before @ weights[1:]
                value += np.sum(np.logaddexp(0, logits) - frames[t] * logits)
        return value

    least = objective(fitted)
    for _ in range(20):
        assert objective(fitted + 0.03 * rng.normal(size=fitted.shape)) > least - 1e-3


def test_a_repeated_frame_flips_with_the_share_that_was_seen():
    sequence = np.array([[0.0], [1.0], [1.0], [0.0], [0.0]])
    baseline = likelihood_baselines.fit_baselines([sequence], binary=True)["previous_frame"]
    flip = (2 + 0.5) / 5
    np.testing.assert_allclose(
        baseline.log_likelihoods(sequence)[1:], np.log([flip, 1 - flip, flip, 1 - flip])
    )


def test_autoregressions_of_units_equal_scipys_densities(rng):
    sequences = [np.cumsum(rng.normal(size=(30, 3)), axis=0) for _ in range(3)]
    baselines = likelihood_baselines.fit_baselines(sequences[:2], binary=False)
    expected = reference.ar1_log_likelihoods(sequences[:2], sequences[2])
    np.testing.assert_allclose(baselines["ar1"].log_likelihoods(sequences[2]), expected, rtol=1e-9)
    frames = np.concatenate(sequences[:2])
    expected = scipy.stats.norm.logpdf(sequences[2], frames.mean(axis=0), frames.std(axis=0)).sum(
        axis=1
    )
    np.testing.assert_allclose(
        baselines["independent"].log_likelihoods(sequences[2]), expected, rtol=1e-9
    )
    steps = np.concatenate([np.diff(s, axis=0) for s in sequences[:2]])
    expected = scipy.stats.norm.logpdf(
        np.diff(sequences[2], axis=0), 0.0, np.sqrt(np.mean(steps**2, axis=0))
    ).sum(axis=1)
    np.testing.assert_allclose(
        baselines["previous_frame"].log_likelihoods(sequences[2])[1:], expected, rtol=1e-9
    )


def test_a_vector_autoregression_has_the_full_covariance_of_its_residuals(rng):
    mixing = rng.normal(size=(4, 4))
    sequences = [rng.normal(size=(80, 4)) @ mixing for _ in range(3)]
    baseline = likelihood_baselines.fit_baselines(sequences[:2], binary=False)["ridge_var2"]
    residuals = np.concatenate(
        [(s - baseline.autoregression.one_step_predictions(s))[2:] for s in sequences[:2]]
    )
    errors = (sequences[2] - baseline.autoregression.one_step_predictions(sequences[2]))[2:]
    expected = scipy.stats.multivariate_normal.logpdf(
        errors, np.zeros(4), residuals.T @ residuals / len(residuals)
    )
    np.testing.assert_allclose(
        baseline.log_likelihoods(sequences[2])[2:], expected, rtol=1e-3, atol=1e-3
    )
    assert len(baseline.log_likelihoods(sequences[2][:1])) == 1


def test_a_unit_that_never_varied_leaves_every_baseline_finite(rng):
    sequences = [np.column_stack([rng.normal(size=20), np.zeros(20)]) for _ in range(2)]
    for baseline in likelihood_baselines.fit_baselines(sequences, binary=False).values():
        assert np.isfinite(baseline.log_likelihoods(sequences[0] + [0.0, 1.0])).all()
    never = [np.zeros((5, 2))]
    for baseline in likelihood_baselines.fit_baselines(never, binary=True).values():
        assert np.isfinite(baseline.log_likelihoods(np.ones((5, 2)))).all()


def test_accuracies_are_counts_of_hits():
    actual = np.array([[1, 1, 0, 0], [0, 0, 0, 0], [1, 0, 0, 0]])
    samples = np.array([[[1, 0, 1, 1], [0, 0, 0, 0], [1, 0, 0, 0]]])
    # Hits 1, 0, 1; unions 4, 0, 1; the larger number of active units 3, 0, 1.
    assert likelihood_baselines.sampled_accuracy(actual, samples) == {
        "accuracy": 2 / 5,
        "accuracy_2012": pytest.approx((1 / 3 + 0 + 1) / 3),
    }


# --- picture


def test_the_picture_shows_the_bracket_and_every_baseline(tmp_path):
    figures = {
        "log_likelihood_ais_nats": -6.1,
        "log_likelihood_ais_se_nats": 0.01,
        "log_likelihood_raise_nats": -6.2,
        "log_likelihood_raise_se_nats": 0.02,
        "baseline_markov_chain_log_likelihood_nats": -10.5,
        "baseline_independent_log_likelihood_nats": -11.1,
    }
    figure = likelihood_plots.likelihood_figure(figures)
    assert [label.get_text() for label in figure.axes[0].get_yticklabels()] == [
        "independent",
        "markov chain",
        "model",
    ]
    assert {text.get_text() for text in figure.axes[0].texts} == {
        "-11.100",
        "-10.500",
        "RAISE -6.200, AIS -6.100",
    }
    canvas.save_figure(figure, tmp_path / "likelihood.png")
    assert (tmp_path / "likelihood.png").stat().st_size > 5000


# --- a gap that is too large


def bracket(gap, doubled_gap):
    """A `Bracket` whose sides come together from both ends when the temperatures double."""
    half = (gap - doubled_gap) / 2
    sides = (
        likelihood.Side(value, 0.01, 4.0, 2.0, change)
        for value, change in ((-10 + gap / 2, -half), (-10 - gap / 2, half))
    )
    return likelihood.Bracket(*sides, 5, 9, np.arange(5), np.zeros((2, 5, 3)))


@pytest.mark.parametrize(
    "gap, doubled_gap, wanted",
    [
        (0.04, 0.02, 200),  # is close
        (0.8, 0.4, 3200),  # falls as 1 / K
        (0.8, 0.8 / 2**0.5, 52_000),  # as 1 / sqrt(K): (0.8 / 0.05)^2 times as many, rounded up
        (0.8, 0.1, 3200),  # no faster than it can for long
        (5.6, 5.5, None),  # more than a million
        (5.6, 5.7, None),
        (-0.2, -0.1, None),
    ],
)
def test_how_many_temperatures_would_do_follows_from_what_doubling_them_has_brought(
    gap, doubled_gap, wanted
):
    found = bracket(gap, doubled_gap)
    figures = likelihood.bracket_figures(found, 200)
    assert figures["num_temperatures_that_would_do"] == wanted
    text = likelihood.warning(figures)
    assert bool(text) != found.is_close == (wanted == 200)
    if wanted != 200:
        assert ("cannot be told" if wanted is None else f"--num_temperatures={wanted} ") in text
        line = next(x for x in as_table(figures).splitlines() if "gap_nats" in x)
        assert line.endswith(text)
    assert as_table(figures).count(text or "not to be") == (not found.is_close)
