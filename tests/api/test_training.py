"""Training in Python: what is handed to the trainer, and what comes back."""

import inspect
import os

import numpy as np
import pytest

import neurovocal_tf
from neurovocal_tf import Config, Model, train
from neurovocal_tf.api import training
from neurovocal_tf.data.frame_sequences import read_frames
from neurovocal_tf.training import trainer

TINY = dict(
    num_hidden=4,
    num_recurrent=4,
    num_layers=1,
    window_frames=8,
    batch_size=4,
    learning_rates=[1e-3],
    epochs_per_rate=[1],
    cd_steps=[1],
    num_song_checks=0,
    compiled=False,
)


@pytest.fixture
def handed(monkeypatch, trained_run):
    """What the trainer is given, in the place of a training that ends as `trained_run` does."""
    given = []

    def record(*arguments, **named):
        bound = inspect.signature(TRAIN).bind(*arguments, **named)
        given.append(bound.arguments)
        return {"epoch": 1}

    monkeypatch.setattr(trainer, "train", record)
    load = training.load_model
    monkeypatch.setattr(training, "load_model", lambda workdir: load(trained_run))
    return given


TRAIN = trainer.train


@pytest.fixture(scope="module")
def notes():
    rng = np.random.default_rng(3)
    return [(rng.random((20, 5)) < 0.3).astype(np.float32) for _ in range(5)]


def test_a_folder_is_trained_on_with_a_preset_and_settings(handed, simulated_recordings, tmp_path):
    model = train(simulated_recordings, "bat", tmp_path / "run", progress=False, epochs=3)
    assert isinstance(model, Model)
    (given,) = handed
    assert given["config"] == Config.preset("bat").replace(epochs=3)
    assert given["data_dir"] == str(simulated_recordings)
    assert given["workdir"] == str(tmp_path / "run") and "progress" not in given
    train(simulated_recordings, "auto", tmp_path / "run", report=print, fold=(0, 2))
    assert handed[1]["config"] == Config.preset("songbird") and callable(handed[1]["progress"])
    assert handed[1]["report"] is print and handed[1]["fold"] == (0, 2)


def test_without_a_folder_a_run_is_among_the_temporary_files(
    handed, simulated_recordings, tmp_path, monkeypatch
):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    train(simulated_recordings, progress=False)
    assert os.path.dirname(handed[0]["workdir"]) == str(tmp_path)


@pytest.mark.parametrize("by_name", [False, True])
def test_a_configuration_first_is_the_trainers_own_function(handed, by_name, tmp_path):
    config, lines = Config().replace(epochs=2), []
    if by_name:
        result = train(config=config, data_dir="d", workdir=tmp_path, report=lines.append)
    else:
        result = train(config, "d", tmp_path, lines.append)
    assert result == {"epoch": 1}
    (given,) = handed
    assert (given["config"], given["data_dir"], given["workdir"]) == (config, "d", tmp_path)
    assert given["report"] == lines.append and "progress" not in given


def test_frames_are_trained_on_silently_and_the_run_goes_on(notes, tmp_path, capfd, quick_training):
    settings = TINY | {"visible_units": "bernoulli"}
    run = tmp_path / "run"
    model = train(notes, workdir=run, progress=False, pictures=False, **settings)
    assert "epoch" not in capfd.readouterr().err
    assert (model.model.num_visible, model.sample_rate, model.epoch) == (5, 0, 1)
    splits = read_frames(run / "frames.npz")
    assert [len(splits[name]) for name in ("train", "valid", "test")] == [3, 1, 1]
    np.testing.assert_array_equal(splits["valid"].frames, notes[-1])
    (song,) = model.generate(1, 7, progress=False)
    assert song.decibels.shape == (7, 5) and len(song.waveform) == 0
    assert len(model.embed(notes, progress=False)) == 5
    told = model.log_likelihood(notes[0], num_temperatures=3, num_chains=2, progress=False)
    assert told["log_likelihood_ais_nats"] < 0
    with pytest.raises(ValueError, match=r"`recordings` must be finite frames \[L, 5\]"):
        model.embed(np.zeros((3, 4)))
    with pytest.raises(ValueError, match="`prime` must be left out for a model of frame seq"):
        model.generate(prime=notes[0])
    again = train(notes, workdir=run, progress=True, pictures=False, **settings | {"epochs": 2})
    assert "going on after epoch 1" in capfd.readouterr().err and again.epoch in (1, 2)
    with pytest.raises(
        ValueError, match="`data` must hold the sequences that the run in `workdir`"
    ):
        train(notes[::-1], workdir=run, progress=False, **settings)
    np.testing.assert_array_equal(read_frames(run / "frames.npz")["valid"].frames, notes[-1])


@pytest.mark.parametrize(
    "call, message",
    [
        (lambda p: train("gone", workdir=p), "`data_dir` must be a folder of recordings"),
        (lambda p: train(p, workdir=p / "run"), "`data_dir` must hold recordings"),
        (lambda p: train(None, workdir=p), "`data` must be a folder .* Received: NoneType"),
        (lambda p: train(np.zeros(999), workdir=p), r"an array of shape \(999,\)"),
        (lambda p: train(["a.wav"], workdir=p), "train_list names some of a folder.*: list"),
        (lambda p: train(np.zeros((2, 9, 5)), workdir=p), "three sequences at least.*: 2, with"),
        (lambda p: train([np.zeros((9, 5)), np.zeros((9, 4)), np.zeros((9, 5))] * 2, workdir=p),
         "all of them of one V"),
        (lambda p: train([["a"], ["b"], ["c"]], workdir=p), r"sequences \[L, V\] of numbers"),
        (lambda p: train(np.full((5, 9, 5), np.nan), workdir=p), "`data` must be finite numbers"),
        (lambda p: train(np.full((5, 9, 5), 0.5), workdir=p, visible_units="bernoulli"),
         "zeros and ones for visible_units=bernoulli"),
        (lambda p: train(np.zeros((5, 9, 5)), workdir=5), "`workdir` must be the path of a folder"),
        (lambda p: train({"train": []}, workdir=p), "a dict of train, valid, test"),
        (lambda p: train(p, "songbrd", p), "Did you mean songbird"),
        (lambda p: train(p, workdir=p, epoch=3), "`epoch` is neither .* Did you mean epochs"),
        (lambda p: train(Config(), p), "`data_dir` and `workdir` must be given as paths"),
        (lambda p: train(Config(), p, p, epochs=2), "no settings: .* Received: epochs"),
    ],
)  # fmt: skip
def test_a_wrong_argument_is_named_and_leaves_nothing_behind(call, message, tmp_path):
    with pytest.raises(ValueError, match=message):
        call(tmp_path)
    assert os.listdir(tmp_path) == []


def test_the_public_name_is_this_function():
    assert neurovocal_tf.train is train is training.train
