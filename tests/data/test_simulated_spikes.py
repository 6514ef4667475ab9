"""The simulated neurons: seeded, and coupled as they say."""

import dataclasses
import json

import numpy as np
import pytest

from neurovocal_tf.data import frame_sequences
from neurovocal_tf.data import simulated_spikes as spikes_of

NUM_BINS = 400


@pytest.fixture(scope="module")
def circuit():
    return spikes_of.draw_circuit(8)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("spikes")
    spikes_of.write_raster(folder, num_trials=5, duration_s=0.5, seed=3, num_neurons=8)
    return folder


def alone(circuit, **changes):
    """The circuit without its couplings, rhythm and assemblies, but for some."""
    nothing = {
        "rhythm": np.zeros_like(circuit.rhythm),
        "couplings": np.zeros_like(circuit.couplings),
        "assemblies": (),
    }
    return dataclasses.replace(circuit, **{**nothing, **changes})


def raster(circuit, num_trials=40):
    return spikes_of.simulate_spikes(circuit, num_trials, NUM_BINS).astype(np.float64)


def share_error(share, count):
    """Four standard deviations of a share."""
    return 4 * np.sqrt(share * (1 - share) / count)


def test_neurons_alone_spike_as_often_as_their_base_says(circuit):
    expected = 1 / (1 + np.exp(-circuit.base))
    found = raster(alone(circuit)).mean(axis=(0, 1))
    assert np.all(np.abs(found - expected) < share_error(expected, 40 * NUM_BINS))


@pytest.mark.parametrize("delay", [1, 2, 3])
@pytest.mark.parametrize("logit", [2.0, -2.0])
def test_a_coupling_adds_its_logit_at_its_delay_and_at_no_other(circuit, delay, logit):
    couplings = np.zeros_like(circuit.couplings)
    couplings[delay - 1, 0, 1] = logit
    base = np.zeros(8)
    found = raster(dataclasses.replace(alone(circuit, couplings=couplings), base=base))
    for lag in (1, 2, 3):
        before, after = found[:, :-lag, 0] > 0, found[:, lag:, 1]
        # The other delays see the mean of a bin with and one without.
        added = 1 / (1 + np.exp(-logit))
        expected = added if lag == delay else (added + 0.5) / 2
        assert abs(after[before].mean() - expected) < share_error(expected, before.sum())


def test_a_refractory_neuron_hardly_spikes_twice_in_a_row(circuit):
    itself = np.arange(8)
    couplings = np.zeros_like(circuit.couplings)
    couplings[:, itself, itself] = circuit.couplings[:, itself, itself]
    found = raster(dataclasses.replace(alone(circuit, couplings=couplings), base=np.full(8, -1.0)))
    after = [found[:, lag:][found[:, :-lag] > 0].mean() for lag in (1, 2, 6)]
    assert after[0] < 0.001 and after[0] < after[1] < 0.02 < 0.1 < after[2]


def test_assemblies_spike_together_and_nobody_else_does(circuit):
    found = raster(alone(circuit, assemblies=((0, 2, 4),)))
    correlation = np.corrcoef(found.reshape(-1, 8).T)
    members = np.ix_([0, 2, 4], [0, 2, 4])
    inside = np.zeros((8, 8), bool)
    inside[members] = True
    apart = ~np.eye(8, dtype=bool)
    assert correlation[inside & apart].min() > 0.1
    assert np.abs(correlation[~inside & apart]).max() < 4 / np.sqrt(40 * NUM_BINS)


def test_the_rhythm_is_of_eight_hertz(circuit):
    found = raster(alone(circuit, rhythm=np.full(8, 1.5), phase=np.zeros(8))).sum(axis=2)
    power = np.mean(np.abs(np.fft.rfft(found - found.mean(), axis=1)) ** 2, axis=0)
    frequencies_hz = np.fft.rfftfreq(NUM_BINS, spikes_of.BIN_S)
    assert frequencies_hz[np.argmax(power)] == pytest.approx(8.0, abs=0.6)


def test_a_trial_depends_on_seed_and_number_alone(circuit):
    three, five = (spikes_of.simulate_spikes(circuit, n, 50, seed=7) for n in (3, 5))
    np.testing.assert_array_equal(three, five[:3])
    assert not np.array_equal(three[0], three[1])
    assert not np.array_equal(three, spikes_of.simulate_spikes(circuit, 3, 50, seed=8))


def test_shuffling_keeps_every_neurons_trials_and_parts_them_from_the_others():
    trials = np.arange(6)[:, np.newaxis, np.newaxis] + 10 * np.zeros((1, 2, 4), int)
    shuffled = spikes_of.shuffled_trials(trials, seed=1)[:, 0]
    for neuron in range(4):
        assert sorted(shuffled[:, neuron].tolist()) == list(range(6))
    assert all(len(set(row)) == 4 for row in shuffled.tolist())


def test_the_file_is_one_of_frame_sequences_and_its_neurons_are_no_piano(folder, tmp_path):
    splits = frame_sequences.read_frames(folder / "spikes.npz")
    assert [splits[name].lengths.tolist() for name in ("train", "valid", "test")] == [
        [100] * 3,
        [100],
        [100],
    ]
    shuffled = frame_sequences.read_frames(folder / "shuffled.npz")["train"]
    np.testing.assert_array_equal(shuffled.frames.sum(axis=0), splits["train"].frames.sum(axis=0))
    assert not np.array_equal(shuffled.frames, splits["train"].frames)
    spikes_of.write_raster(tmp_path, num_trials=3, duration_s=0.05, num_neurons=88)
    from neurovocal_tf.audio.spectrogram import OwnUnit

    assert type(frame_sequences.read_frames(tmp_path / "spikes.npz")["test"].scale) is OwnUnit


def test_the_truth_reads_back_without_refractoriness(folder):
    circuit, truth = spikes_of.draw_circuit(8), spikes_of.read_truth(folder / "truth.json")
    expected = circuit.couplings.copy()
    expected[:, np.arange(8), np.arange(8)] = 0.0
    np.testing.assert_allclose(truth.couplings, expected[: len(truth.couplings)], atol=1e-4)
    assert truth.assemblies == circuit.assemblies and (truth.couplings != 0).sum() == 16


@pytest.mark.parametrize(
    "spoil",
    [
        lambda values: [],
        lambda values: {**values, "num_neurons": 2},
        lambda values: {**values, "assemblies": [["a"]]},
        lambda values: {**values, "couplings": [{"from": 0, "to": 1, "delay_bins": 0}]},
    ],
)
def test_a_truth_that_is_none_is_refused_in_one_line(spoil, folder, tmp_path):
    values = spoil(json.loads((folder / "truth.json").read_text()))
    (tmp_path / "truth.json").write_text(json.dumps(values))
    with pytest.raises(ValueError, match="`truth` must be a truth.json that `neurovocal simulate"):
        spikes_of.read_truth(tmp_path / "truth.json")


def test_what_cannot_be_simulated_is_refused(tmp_path):
    with pytest.raises(ValueError, match="`num_neurons` must be at least 8. Received: num_neu"):
        spikes_of.draw_circuit(7)
    with pytest.raises(ValueError, match="`num_recordings` must be at least 3 trials"):
        spikes_of.write_raster(tmp_path, num_trials=2)
