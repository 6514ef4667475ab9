"""A folder of recordings in, a trained model out;
stopped and gone on with as if nothing had happened.
"""

import hashlib
import json
import os
import pathlib
import shutil

import keras
import numpy as np
import pytest
import tensorflow as tf
from histories import history_of
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from neurovocal_tf.config import Config
from neurovocal_tf.ownership import owned
from neurovocal_tf.runs.run_folder import RunFolder
from neurovocal_tf.runs.trained import build_model, load_trained
from neurovocal_tf.training import pictures, trainer


def contents(folder):
    """Every file below a folder and its digest."""
    paths = [path for path in pathlib.Path(folder).rglob("*") if path.is_file()]
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in paths
    }


def checkpoint_of(workdir):
    """(arrays, meta) of a run's checkpoint, without the time each epoch took."""
    with np.load(RunFolder(workdir).checkpoint, allow_pickle=False) as arrays:
        values = dict(arrays)
    meta = json.loads(bytes(values.pop("meta")))
    # Times are in the history, in what is remembered of the recordings, and so in the checksum.
    del values["memory"], values["checksum"]
    for row in meta["history"]:
        del row["epoch_s"]
    return values, meta


def assert_same_training(workdir, other):
    (arrays, meta), (expected, expected_meta) = checkpoint_of(workdir), checkpoint_of(other)
    assert meta == expected_meta
    assert arrays.keys() == expected.keys()
    for name, array in expected.items():
        np.testing.assert_array_equal(arrays[name], array, err_msg=name)


# --- the optimiser of a model


def test_precision_is_of_the_encoders_products_while_it_trains(tiny_config, rng):
    frames = tf.constant(rng.normal(size=(4, 6, 65)), tf.float32)
    states = {}
    for precision in ("float32", "bfloat16"):
        config = tiny_config.replace(precision=precision)
        model = build_model(config)
        song = tf.constant([1], tf.int64), tf.constant([2]), tf.constant([1.0])
        before = model.generate(*song, num_gibbs_steps=1)[0].numpy()
        trainer.compile_model(model, config)
        states[precision] = model.encoder(frames)
        np.testing.assert_array_equal(model.generate(*song, num_gibbs_steps=1)[0], before)
        assert all(weight.dtype == "float32" for weight in model.encoder.weights)
    difference = np.abs(states["bfloat16"] - states["float32"]).max()
    # Eight bits of numbers up to 1, through two layers of six frames.
    assert 2.0**-12 < difference < 0.05


# --- a training


def test_a_run_leaves_what_later_tools_and_people_look_for(trained_run):
    names = set(os.listdir(trained_run))
    assert names == {
        *(
            "config.json",
            "data.json",
            "skipped.csv",
            "checkpoint.npz",
            "checkpoint_before.npz",
            "model.keras",
            "history.csv",
            "story.txt",
            "curves.png",
            "tensorboard",
        ),
        *(f"samples_epoch_{epoch}.png" for epoch in (2, 3)),
    }
    assert not [name for name in names if name.startswith(".")]


def test_the_history_follows_the_phases_and_the_model_learns(trained_run):
    history = history_of(trained_run)
    assert [row["epoch"] for row in history] == [1, 2, 3]
    assert [row["learning_rate"] for row in history] == pytest.approx([1e-3, 1e-3, 3e-4])
    assert [row["cd_steps"] for row in history] == [1, 1, 2]
    assert [row["num_bad_steps"] for row in history] == [0, 0, 0]
    for name in (
        "cd_cost",
        "reconstruction_error",
        "val_cd_cost",
        "val_reconstruction_error",
        "val_one_step_error",
        "epoch_s",
    ):
        assert all(np.isfinite(row[name]) for row in history)
    assert (
        history[-1]["val_one_step_error"]
        < history[0]["val_one_step_error"]
        < history[-1]["baseline_mean"]
    )
    assert {"baseline_previous_frame", "baseline_ridge_var2"} <= set(history[0])


def test_tensorboard_has_curves_and_pictures(trained_run):
    events = EventAccumulator(str(trained_run / "tensorboard"), size_guidance={"tensors": 0})
    events.Reload()
    tags = set(events.Tags()["tensors"])
    headings = {tag.split("/")[0] for tag in tags}
    assert headings == {"cost", "error", "schedule", "pictures", "sound"}
    assert {"cost/cd_cost", "error/baseline_mean", "schedule/learning_rate"} <= tags
    assert [event.step for event in events.Tensors("error/val_one_step_error")] == [1, 2, 3]
    assert [event.step for event in events.Tensors("pictures/songs")] == [2, 3]
    heard = events.Tensors("sound/generated_0")[0].tensor_proto.string_val[0]
    assert heard[:4] == b"RIFF"


@pytest.mark.parametrize(
    "l2_on, expected", [("recurrent", {"recurrent_kernel_0"}), ("rbm", {"W", "Wuv", "Wuh", "Wug"})]
)
def test_l2_is_on_the_weights_that_are_named(l2_on, expected):
    config = Config().replace(num_layers=1, coupling_gain=True, l2=0.1, l2_on=l2_on)
    model = build_model(config, num_visible=3)
    trainer.compile_model(model, config)
    optimizer = model.optimizer
    assert {
        weight.name for weight in model.trainable_variables if optimizer.l2_path in weight.path
    } == expected
    assert optimizer.l2 == 0.1


# --- going on


@pytest.fixture(scope="module")
def averaging_config(tiny_config):
    """RMSProp with averaged weights, conditions of which a share is dropped, and a last rate so
    large that the last epoch is not the best.
    """
    return tiny_config.replace(
        optimizer="rmsprop",
        weight_average=0.5,
        learning_rates=(1e-3, 0.3),
        cd_steps=(2,),
        dropout=0.1,
        condition_from="name_part:2",
        unknown_share=0.5,
    )


class Stop(keras.callbacks.Callback):
    """Presses Ctrl-C after three batches of the second epoch."""

    def on_epoch_begin(self, epoch, logs=None):
        self.epoch = epoch

    def on_train_batch_end(self, batch, logs=None):
        if (self.epoch, batch) == (1, 2):
            raise KeyboardInterrupt


@pytest.fixture(scope="module")
def undisturbed(averaging_config, simulated_recordings, tmp_path_factory):
    workdir = tmp_path_factory.mktemp("runs") / "undisturbed"
    result = trainer.train(averaging_config, simulated_recordings, workdir, pictures=False)
    return workdir, result


@pytest.fixture(scope="module")
def interrupted(averaging_config, simulated_recordings, tmp_path_factory):
    """Run folder of a training of two epochs that was stopped in the second."""
    workdir = tmp_path_factory.mktemp("runs") / "interrupted"
    with pytest.raises(KeyboardInterrupt):
        trainer.train(
            averaging_config.replace(epochs=2),
            simulated_recordings,
            workdir,
            callbacks=[Stop()],
            pictures=False,
        )
    return workdir


def test_an_interrupted_run_has_saved_its_last_whole_epoch(interrupted, undisturbed):
    history, expected = (
        checkpoint_of(workdir)[1]["history"] for workdir in (interrupted, undisturbed[0])
    )
    assert history == expected[:1]
    assert load_trained(interrupted).epoch == 1
    assert {"model.keras", "history.csv", "curves.png"} <= set(os.listdir(interrupted))


def test_a_run_that_goes_on_ends_as_if_undisturbed(
    interrupted, undisturbed, averaging_config, simulated_recordings, tmp_path
):
    # The recordings and the run have moved, and the epochs have grown from two to three:
    # all that may change.
    shutil.copytree(interrupted, tmp_path / "run")
    shutil.copytree(simulated_recordings, tmp_path / "recordings")
    keras.backend.clear_session()
    lines = []
    result = trainer.train(
        averaging_config, tmp_path / "recordings", tmp_path / "run", lines.append, pictures=False
    )
    assert "going on after epoch 1" in lines
    assert_same_training(tmp_path / "run", undisturbed[0])
    assert result == undisturbed[1]
    # The weights worth keeping are not those of the last epoch here, which only a best-so-far in
    # the checkpoint remembers.
    assert result["epoch"] < 3 and result["val_one_step_error"] == min(
        row["val_one_step_error"] for row in history_of(undisturbed[0])
    )
    models = [
        keras.saving.load_model(folder / "model.keras")
        for folder in (tmp_path / "run", undisturbed[0])
    ]
    trained = [s.conditions[0] for s in RunFolder(tmp_path / "run").data().training]
    assert [m.conditions.values for m in models] == [{"name_part": ("unknown", *trained)}] * 2
    for one, other in zip(*(model.variables for model in models), strict=True):
        np.testing.assert_array_equal(np.asarray(one), np.asarray(other))


def test_a_finished_run_has_nothing_left_to_do(
    undisturbed, averaging_config, simulated_recordings, tmp_path
):
    workdir, result = undisturbed
    shutil.copytree(workdir, tmp_path / "run")
    for epochs in (0, 1):  # all of them, and fewer than were trained
        config = averaging_config.replace(epochs=epochs)
        assert (
            trainer.train(config, simulated_recordings, tmp_path / "run", pictures=False) == result
        )
        assert_same_training(tmp_path / "run", workdir)


@pytest.mark.parametrize(
    "changes, data_dir, message",
    [
        (dict(n_fft=256, hop_length=128), "recordings", "`n_fft` cannot change when a run goes on"),
        (
            dict(weight_average=0.0),
            "recordings",
            "`weight_average` cannot change when a run goes on",
        ),
        (dict(seed=1), "recordings", "`seed` cannot change when a run goes on"),
        (
            dict(condition_from="folder"),
            "recordings",
            "`condition_from` cannot change when a run goes on",
        ),
        (
            dict(epochs=9),
            "gone",
            "`data_dir` must hold the recordings this run began with, and there is no such folder",
        ),
        (
            dict(epochs=9),
            "fewer",
            (
                "`data_dir` must hold the recordings this run began with, and there is no "
                ".*simulated_003.wav"
            ),
        ),
    ],
)
def test_what_cannot_go_on_is_refused_and_nothing_is_lost(
    changes, data_dir, message, interrupted, averaging_config, simulated_recordings, tmp_path
):
    shutil.copytree(simulated_recordings, tmp_path / "recordings")
    shutil.copytree(simulated_recordings, tmp_path / "fewer")
    os.unlink(tmp_path / "fewer" / "simulated_003.wav")
    before = contents(interrupted)
    with pytest.raises(ValueError, match=message):
        trainer.train(
            averaging_config.replace(**changes), tmp_path / data_dir, interrupted, pictures=False
        )
    assert contents(interrupted) == before


def test_nothing_usable_leaves_no_run_behind(tiny_config, tmp_path):
    (tmp_path / "recordings").mkdir()
    with pytest.raises(ValueError, match="it is empty"):
        trainer.train(tiny_config, tmp_path / "recordings", tmp_path / "run")
    assert not RunFolder(tmp_path / "run").has_run()


def test_one_good_recording_and_three_bad_ones_are_told_and_written_down(
    tiny_config, simulated_recordings, tmp_path
):
    folder, run = tmp_path / "recordings", tmp_path / "run"
    folder.mkdir()
    good = sorted(pathlib.Path(simulated_recordings).glob("*.wav"))[0]
    shutil.copy(good, folder / "good.wav")
    for name in ("a.wav", "b.flac", "c.m4a"):
        (folder / name).touch()
    with pytest.raises(ValueError) as error:
        trainer.train(tiny_config, folder, run)
    assert "and there is one: use --validation=temporal. Files that" in str(error.value)
    assert f"3 of 3 is an empty file. See {run / 'skipped.csv'}." in str(error.value)
    with open(run / "skipped.csv", encoding="utf-8") as file:
        rows = [line.rstrip("\n") for line in file]
    assert rows == [
        "file,reason",
        *(f"../recordings/{name},is an empty file" for name in ("a.wav", "b.flac", "c.m4a")),
    ]
    assert not RunFolder(run).has_run()


# --- what a kill leaves


def test_what_a_kill_has_kept_from_the_records_is_there_when_the_run_goes_on(
    trained_run, tiny_config, simulated_recordings, tmp_path
):
    """Killed after its last checkpoint, before all that follows one."""
    workdir = tmp_path / "run"
    shutil.copytree(trained_run, workdir)
    events = sorted((workdir / "tensorboard").iterdir())
    for path in events:
        path.unlink()
    before = (workdir / "history.csv").read_text()
    (workdir / "history.csv").write_text("\n".join(before.splitlines()[:-1]) + "\n")
    picture = (workdir / "samples_epoch_3.png").read_bytes()
    (workdir / "samples_epoch_3.png").unlink()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(trainer, "_NUM_PICTURES", 2)
        patch.setattr(pictures, "_PICTURE_FRAMES", 40)
        trainer.train(tiny_config, simulated_recordings, workdir)
    assert (workdir / "history.csv").read_text() == before
    assert (workdir / "samples_epoch_3.png").read_bytes() == picture
    found = EventAccumulator(str(workdir / "tensorboard"), size_guidance={"tensors": 0})
    found.Reload()
    for tag, steps in (("error/val_one_step_error", [1, 2, 3]), ("pictures/songs", [3])):
        assert [event.step for event in found.Tensors(tag)] == steps


def test_a_checkpoint_without_settings_is_never_begun_over(
    interrupted, averaging_config, simulated_recordings, tmp_path, quick_training
):
    shutil.copytree(interrupted, tmp_path / "run")
    os.unlink(tmp_path / "run" / "config.json")
    lines = []
    trainer.train(
        averaging_config.replace(epochs=2),
        simulated_recordings,
        tmp_path / "run",
        lines.append,
        pictures=False,
    )
    assert any("config.json was not there: written anew" in line for line in lines)
    assert "going on after epoch 1" in lines
    assert checkpoint_of(tmp_path / "run")[1]["epoch"] == 2


def test_two_trainings_in_one_folder_are_refused(
    interrupted, averaging_config, simulated_recordings
):
    before = contents(interrupted)
    with (
        owned(interrupted, trainer.RUN),
        pytest.raises(ValueError, match="is being written by another run, process"),
    ):
        trainer.train(averaging_config, simulated_recordings, interrupted, pictures=False)
    assert contents(interrupted) == before


# --- recordings that change


def test_the_memory_for_frames_does_not_change_the_weights(
    trained_run, tiny_config, simulated_recordings, tmp_path
):
    trainer.train(
        tiny_config.replace(cache_mb=0), simulated_recordings, tmp_path / "run", pictures=False
    )
    assert_same_training(tmp_path / "run", trained_run)


@pytest.fixture
def changing(simulated_recordings, tmp_path):
    """Folder of recordings that a test may change."""
    return shutil.copytree(simulated_recordings, tmp_path / "recordings")


class Change(keras.callbacks.Callback):
    """Does something to the recordings after the first epoch has been kept."""

    def __init__(self, change):
        super().__init__()
        self.change = change

    def on_epoch_begin(self, epoch, logs=None):
        if epoch == 1:
            self.change()


@pytest.mark.parametrize(
    "kind, message",
    [
        ("gone", "there is no .*simulated_001.wav"),
        ("other", "simulated_001.wav has changed since this run began to read it"),
    ],
)
def test_what_becomes_of_recordings_while_they_are_read_ends_the_run_in_a_line_that_names_them(
    kind, message, changing, tiny_config, tmp_path, quick_training
):
    path = changing / "simulated_001.wav"

    def change():
        path.unlink() if kind == "gone" else path.write_bytes(path.read_bytes()[:-2000])

    config = tiny_config.replace(cache_mb=0)
    with pytest.raises(ValueError, match=f"`data_dir` must hold the recordings.*{message}"):
        trainer.train(
            config, changing, tmp_path / "run", callbacks=[Change(change)], pictures=False
        )
    assert checkpoint_of(tmp_path / "run")[1]["epoch"] == 1
    # In memory they are not read again.
    if kind == "gone":
        shutil.copy(changing / "simulated_000.wav", path)
        config = tiny_config.replace(batch_size=64, epochs=2)
        trainer.train(
            config, changing, tmp_path / "other", callbacks=[Change(change)], pictures=False
        )


def test_new_recordings_are_told_and_take_no_part(
    changing, averaging_config, tmp_path, quick_training
):
    (changing / "noise.wav").write_bytes(b"no recording")
    config = averaging_config.replace(batch_size=64, epochs=1)
    trainer.train(config, changing, tmp_path / "run", pictures=False)
    lines = []
    trainer.train(config, changing, tmp_path / "run", lines.append, pictures=False)
    assert not [line for line in lines if "new" in line]
    shutil.copy(changing / "simulated_000.wav", changing / "later.wav")
    trainer.train(config, changing, tmp_path / "run", lines.append, pictures=False)
    assert [line for line in lines if "new" in line] == [
        f"1 recordings in {changing} are new since this run began and take no part, such as "
        f"{changing / 'later.wav'}: to learn from them too, train into another --workdir"
    ]
