"""What evaluation tells of models of piano keys and of spikes, before their first epoch."""

import os

import numpy as np
import pytest
import tensorflow as tf

from neurovocal_tf.config import Config
from neurovocal_tf.data import simulated_spikes
from neurovocal_tf.evaluation import couplings, report
from neurovocal_tf.runs.run_folder import RunFolder
from neurovocal_tf.runs.trained import Trained, build_model
from neurovocal_tf.training.preparation import prepare_data

CONFIG = Config().replace(
    visible_units="bernoulli",
    num_layers=1,
    num_direct_frames=1,
    num_hidden=4,
    num_recurrent=4,
    window_frames=8,
    batch_size=2,
    compiled=False,
)
NUM_NEURONS = 8


def begun(base, frames):
    """A run on a file of frames, and its model as it begins.  -> (`Trained`, run folder)"""
    folder = RunFolder(base / "run")
    os.makedirs(folder.path)
    data = prepare_data(CONFIG, frames, folder, tf.Variable(0, dtype=tf.int64), lambda line: None)
    folder.write_config(CONFIG)
    model = build_model(CONFIG, data.summary.num_visible)
    return Trained(model, CONFIG, data.summary.scale, 0, epoch=0), folder.path


@pytest.fixture(scope="module")
def neurons(tmp_path_factory):
    base = tmp_path_factory.mktemp("neurons")
    simulated_spikes.write_raster(base, num_trials=8, duration_s=1, num_neurons=NUM_NEURONS)
    return (*begun(base, base / "spikes.npz"), base)


def write_rolls(path, **further):
    rng = np.random.default_rng(4)
    rolls = {name: (rng.random((24, 88)) < 0.05).astype(np.uint8) for name in ("train", "valid")}
    rolls["test"] = (rng.random((15, 88)) < 0.05).astype(np.uint8)
    lengths = {f"{name}_lengths": np.array([len(roll) - 8, 8]) for name, roll in rolls.items()}
    np.savez(path, **rolls, **lengths, **further)
    return path


def test_pieces_of_piano_keys_are_compared_with_as_many_held_out_ones_as_long(
    tmp_path, monkeypatch, rng
):
    trained, workdir = begun(tmp_path, write_rolls(tmp_path / "rolls.npz"))
    asked = []

    def generate_frames(singer, seeds, num_frames, temperature):
        asked.append((list(seeds), num_frames, temperature))
        return [(seed, (rng.random((num_frames, 88)) < 0.05) * 1.0) for seed in seeds]

    # Singing takes longer than all that is looked at here.
    monkeypatch.setattr(report.songs, "generate_frames", generate_frames)
    options = report.SongOptions(seed=5, temperature=0.5)
    figures, _ = report.evaluate(trained, workdir, song_options=options)
    assert asked == [([5, 6], 8, 0.5)]
    for name in ("real", "generated", "frame_chain", "independent"):
        assert figures[f"keys_a_frame_{name}"] == pytest.approx(4.4, abs=1.5)
    assert 0 < figures["chord_change_divergence_bits_null"] <= 1


def test_spikes_are_no_pieces(neurons):
    figures, _ = report.evaluate(neurons[0], neurons[1])
    assert not [name for name in figures if "chord" in name or "key" in name]


def test_couplings_are_measured_beside_simpler_ways_where_the_truth_is_known(neurons):
    trained, workdir, base = neurons
    truth = simulated_spikes.read_truth(base / "truth.json")
    found, figures, picture = couplings.measured(trained, workdir, truth=truth)
    assert found.lagged.shape == (3, NUM_NEURONS, NUM_NEURONS)
    assert {name.rpartition("_")[2] for name in figures if "null" not in name} == {
        "model",
        "correlation",
        "regression",
    }
    assert "assembly_auc_regression" not in figures and len(picture.axes) == 6
    _, none, _ = couplings.measured(trained, workdir, num_delays=1)
    assert none == {}


def test_couplings_of_other_units_are_refused(neurons):
    trained, workdir, _ = neurons
    truth = simulated_spikes.Truth(np.zeros((3, 5, 5)), ())
    with pytest.raises(ValueError, match="`truth` must be of 8 units, .* Received: one of 5"):
        couplings.measured(trained, workdir, truth=truth)
    real = Trained(trained.model, Config(), trained.scale, 0, epoch=0)
    with pytest.raises(ValueError, match="`coupling_delays` must be 0 but for binary frames"):
        couplings.measured(real, workdir)
