"""What a model knows of who drives whom: exact where it can be enumerated, and found again where it
was put in.
"""

import itertools

import numpy as np
import pytest
import tensorflow as tf

from neurovocal_tf.config import Config
from neurovocal_tf.data import simulated_spikes
from neurovocal_tf.evaluation import couplings as couplings_of
from neurovocal_tf.evaluation.couplings import Couplings
from neurovocal_tf.rbm import units
from neurovocal_tf.rbm.energy import RBM, free_energy
from neurovocal_tf.runs.trained import build_model

NUM_UNITS = 5


def test_log_odds_ratios_are_those_of_enumerated_probabilities(rng):
    weights = rng.normal(size=(NUM_UNITS, 3))
    frames = (rng.random((4, NUM_UNITS)) < 0.5).astype(np.float64)
    rbm = RBM(
        tf.constant(weights),
        tf.constant(rng.normal(size=(4, NUM_UNITS))),
        tf.constant(rng.normal(size=(4, 3))),
        units.Bernoulli(),
        tf.constant(rng.uniform(0.5, 2.0, size=(4, 3))),
    )
    found = couplings_of.log_odds_ratios(rbm, tf.constant(frames))
    for one, two in itertools.combinations(range(NUM_UNITS), 2):
        log_p = {}
        for pair in itertools.product((0.0, 1.0), repeat=2):
            changed = frames.copy()
            changed[:, [one, two]] = pair
            log_p[pair] = -free_energy(rbm, tf.constant(changed)).numpy()
        expected = log_p[1.0, 1.0] + log_p[0.0, 0.0] - log_p[1.0, 0.0] - log_p[0.0, 1.0]
        assert found[one, two] == pytest.approx(expected.mean(), rel=1e-9)
        assert found[two, one] == pytest.approx(found[one, two], rel=1e-9)
    assert not np.diag(found).any()


@pytest.fixture(scope="module")
def direct_model():
    """A model that sees two frames back, one unit drives another from two frames ago, and knows
    nothing else.
    """
    config = Config().replace(
        visible_units="bernoulli", num_layers=1, num_direct_frames=2, num_hidden=3, num_recurrent=2
    )
    model = build_model(config, NUM_UNITS)
    rbm = model.conditional_rbm
    for name in ("W", "Wuv", "Wuh"):
        getattr(rbm, name).assign(tf.zeros_like(getattr(rbm, name)))
    rng = np.random.default_rng(2)
    frames = (rng.random((60, NUM_UNITS)) < 0.3).astype(np.float32)
    # Where the frame before the last stands in what the RBM reads.
    changed = frames.copy()
    changed[10, 1] = 1 - changed[10, 1]
    u = [
        model.encoder.output(model.states(tf.constant(x[np.newaxis])))[0] for x in (frames, changed)
    ]
    difference = np.asarray(u[1] - u[0])[11] / (changed[10, 1] - frames[10, 1])
    place = int(np.argmax(np.abs(difference) * (np.abs(np.asarray(u[1] - u[0])[10]) < 1e-6)))
    weights = np.zeros(rbm.Wuv.shape, np.float32)
    weights[place, 3] = 1.5 / difference[place]
    rbm.Wuv.assign(weights)
    return model, [frames, frames[:20]]


def test_a_drive_that_was_put_in_is_found_at_its_delay_in_its_size(direct_model):
    model, sequences = direct_model
    found = couplings_of.of_model(model, sequences, 3)
    expected = np.zeros((3, NUM_UNITS, NUM_UNITS))
    expected[1, 1, 3] = 1.5
    np.testing.assert_allclose(found.lagged, expected, atol=1e-3)
    assert not found.within.any()


def test_sequences_that_are_too_short_are_refused(direct_model):
    with pytest.raises(ValueError, match="coupling_delays=3, and sequences of at most 4"):
        couplings_of.of_model(direct_model[0], [np.zeros((4, NUM_UNITS))], 3)


def test_correlations_and_regressions_find_a_delayed_copy(rng):
    sequences = []
    for _ in range(10):
        frames = (rng.random((200, 3)) < 0.3).astype(np.float64)
        frames[2:, 1] = frames[:-2, 0]
        sequences.append(frames)
    correlation = couplings_of.of_correlations(sequences, 3)
    assert correlation.lagged[1, 0, 1] > 0.98
    np.testing.assert_allclose(np.diag(correlation.within), 1.0, rtol=1e-6)
    others = correlation.lagged.copy()
    others[1, 0, 1] = 0.0
    assert np.abs(others).max() < 0.15
    regression = couplings_of.of_regressions(sequences, 3).lagged
    assert regression[1, 0, 1] > 4 and np.abs(np.delete(regression.ravel(), 10)).max() < 1.5


def test_what_is_the_truth_scores_one_and_what_is_noise_scores_by_chance(rng):
    circuit = simulated_spikes.draw_circuit(16)
    couplings = circuit.couplings.copy()
    couplings[:, np.arange(16), np.arange(16)] = 0.0
    truth = simulated_spikes.Truth(couplings, circuit.assemblies)
    together = np.zeros((16, 16))
    for members in circuit.assemblies:
        together[np.ix_(members, members)] = 1.0
    found = {
        "truth": Couplings(together, couplings),
        "noise": Couplings(rng.normal(size=(16, 16)), rng.normal(size=couplings.shape)),
        "lagged": Couplings(None, couplings),
    }
    figures = couplings_of.recovery(found, truth)
    for name in ("coupling_auc", "coupling_correlation", "coupling_delay_share", "assembly_auc"):
        assert figures[f"{name}_truth"] == pytest.approx(1.0)
        assert figures[f"{name}_noise"] < 0.75
    assert 0.5 < figures["coupling_auc_truth_null_high"] < 0.75
    assert "assembly_auc_lagged" not in figures
