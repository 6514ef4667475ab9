"""A folder of recordings in, a trained model out; stopped and gone on with as if nothing had happened."""

import csv
import hashlib
import json
import os
import pathlib
import shutil

import keras
import numpy as np
import pytest
import tensorflow as tf
from random_models import fresh_model
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from neurovocal_tf.config import Config
from neurovocal_tf.evaluation.baselines import RidgeVAR
from neurovocal_tf.runs import checkpoint
from neurovocal_tf.runs.checkpoint import BestWeights
from neurovocal_tf.runs.run_folder import RunFolder
from neurovocal_tf.runs.trained import build_model, load_trained
from neurovocal_tf.training import cores, trainer
from neurovocal_tf.training.callbacks import AveragedValidation, RunRecord
from neurovocal_tf.training.initialisation import Moments, start_from_data
from neurovocal_tf.training.optimizers import GuardedAdam

NINE_BINS = Config().replace(n_fft=16, hop_length=8, dynamic_range_db=70.0)


def contents(folder):
    """Every file below a folder and its digest."""
    paths = [path for path in pathlib.Path(folder).rglob("*") if path.is_file()]
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in paths}


def checkpoint_of(workdir):
    """(arrays, meta) of a run's checkpoint, without the time each epoch took."""
    with np.load(RunFolder(workdir).checkpoint, allow_pickle=False) as arrays:
        values = dict(arrays)
    meta = json.loads(bytes(values.pop("meta")))
    for row in meta["history"]:
        del row["epoch_s"]
    return values, meta


def assert_same_training(workdir, other):
    (arrays, meta), (expected, expected_meta) = checkpoint_of(workdir), checkpoint_of(other)
    assert meta == expected_meta
    assert arrays.keys() == expected.keys()
    for name, array in expected.items():
        np.testing.assert_array_equal(arrays[name], array, err_msg=name)


def history_of(workdir):
    with open(RunFolder(workdir).file("history.csv"), encoding="utf-8", newline="") as file:
        return [{name: float(value) for name, value in row.items()} for row in csv.DictReader(file)]


# --- the model


def test_the_published_configuration_has_the_published_sizes():
    seed = Config().replace(num_direct_frames=0)
    model = build_model(seed)
    shapes = {variable.path.split("/")[-1]: tuple(variable.shape) for variable in model.variables}
    assert shapes["W"] == (129, 219) and shapes["Wuv"] == (167, 129) and shapes["Wuh"] == (167, 219)
    assert [shapes[f"recurrent_kernel_{i}"] for i in range(3)] == [(167, 3 * 167)] * 3


def moments_of(rng, order=2):
    mean = rng.normal(-40.0, 5.0, 9)
    coefficients = rng.normal(0.0, 0.1, (order, 9, 9))
    autoregression = RidgeVAR(mean, mean - mean @ coefficients.sum(axis=0), coefficients, ridge=0.1)
    return Moments(mean, np.array([0.3, *rng.uniform(2.0, 9.0, 8)]), autoregression, 1000, in_decibels=True)


@pytest.mark.parametrize(
    "batch_size, num_cores, wanted, num_parts",
    [(8, 2, 0, 2), (8, 16, 0, 2), (20, 2, 0, 2), (20, 16, 0, 5), (9, 2, 0, 1), (1, 2, 0, 1), (7, 4, 0, 1), (8, 1, 0, 1), (8, 1, 4, 4)],
)
def test_a_batch_has_a_part_for_every_core_that_four_rows_can_be_spared_for(batch_size, num_cores, wanted, num_parts, monkeypatch):
    monkeypatch.setattr(os, "cpu_count", lambda: num_cores)
    monkeypatch.setattr(tf.config, "list_physical_devices", lambda: ["CPU"])
    assert cores.num_parts(Config().replace(batch_size=batch_size, parallel_parts=wanted)) == num_parts


@pytest.mark.parametrize("num_cores, threads", [(1, 1), (2, 1), (16, 8)])
def test_each_part_of_a_batch_has_its_share_of_the_cores(num_cores, threads, monkeypatch):
    found = []
    monkeypatch.setattr(os, "cpu_count", lambda: num_cores)
    monkeypatch.setattr(tf.config, "list_physical_devices", lambda: ["CPU"])
    monkeypatch.setattr(tf.config.threading, "set_intra_op_parallelism_threads", found.append)
    cores.share_out_cores(Config().replace(batch_size=8))
    assert found == [threads]


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


def test_beside_a_gpu_a_batch_stays_whole(monkeypatch):
    monkeypatch.setattr(tf.config, "list_physical_devices", lambda: ["CPU", "GPU"])
    assert cores.num_parts(Config()) == 1


def test_a_fresh_gaussian_model_predicts_as_the_autoregression_does_but_for_what_its_encoder_and_hidden_units_add(rng):
    moments = moments_of(rng)
    model = build_model(NINE_BINS)
    rbm, num_units = model.conditional_rbm, model.encoder.num_units
    rbm.W.assign(tf.zeros_like(rbm.W))
    start_from_data(model, moments, NINE_BINS)
    np.testing.assert_allclose(model.standardisation.offset, moments.mean, rtol=1e-6)
    # A bin that hardly varies counts as if it varied by a decibel.
    np.testing.assert_allclose(model.standardisation.scale, [1.0, *moments.sd[1:]], rtol=1e-6)
    assert not np.asarray(rbm.Wuh)[num_units:].any()
    rbm.Wuv.assign(tf.concat([tf.zeros_like(rbm.Wuv[:num_units]), rbm.Wuv[num_units:]], axis=0))
    frames = (moments.mean + moments.sd * rng.normal(size=(12, 9))).astype(np.float32)
    expected = moments.autoregression.one_step_predictions(frames)
    # float32 of values up to 60 dB, summed over 18 inputs.
    np.testing.assert_allclose(model.predict_step(frames[np.newaxis])[0], expected, atol=60 * 18 * 2.0**-23)


@pytest.mark.parametrize("visible_units, weight_init", [("mean_field", "scaled"), ("mean_field", "published"), ("gaussian", "scaled")])
def test_a_fresh_machines_own_mean_is_that_of_the_data(visible_units, weight_init):
    moments = Moments(np.linspace(-69.9, -0.1, 9), np.full(9, 5.0), None, num_frames=10**12, in_decibels=True)
    config = NINE_BINS.replace(visible_units=visible_units, num_direct_frames=0, weight_init=weight_init)
    model = build_model(config)
    start_from_data(model, moments, config)
    rbm, mean = model.conditional_rbm, moments.mean[np.newaxis].astype(np.float32)
    if visible_units == "mean_field":
        # 70 dB below the reference is 0 and the reference is 1.
        ends = model.standardisation(np.array([[-70.0] * 9, [-35.0] * 9, [0.0] * 9]))
        np.testing.assert_allclose(ends, [[0.0] * 9, [0.5] * 9, [1.0] * 9])
    standardised = np.asarray(model.standardisation(mean))
    hidden = 1 / (1 + np.exp(-(np.asarray(rbm.bh) + standardised @ np.asarray(rbm.W))))
    field = np.asarray(rbm.bv) + hidden @ np.asarray(rbm.W).T
    found = field if visible_units == "gaussian" else 1 / (1 + np.exp(-field))
    np.testing.assert_allclose(model.standardisation.inverse(found), mean, atol=70 * 9 * 2.0**-23)


# --- a training


def test_a_run_leaves_what_later_tools_and_people_look_for(trained_run):
    names = set(os.listdir(trained_run))
    assert names == {
        *("config.json", "data.json", "skipped.csv", "checkpoint.npz", "model.keras", "history.csv", "curves.png", "tensorboard"),
        *(f"samples_epoch_{epoch}.png" for epoch in (2, 3)),
    }
    assert not [name for name in names if name.startswith(".")]


def test_the_history_follows_the_phases_and_the_model_learns(trained_run):
    history = history_of(trained_run)
    assert [row["epoch"] for row in history] == [1, 2, 3]
    assert [row["learning_rate"] for row in history] == pytest.approx([1e-3, 1e-3, 3e-4])
    assert [row["cd_steps"] for row in history] == [1, 1, 2]
    assert [row["num_bad_steps"] for row in history] == [0, 0, 0]
    for name in ("cd_cost", "reconstruction_error", "val_cd_cost", "val_reconstruction_error", "val_one_step_error", "epoch_s"):
        assert all(np.isfinite(row[name]) for row in history)
    assert history[-1]["val_one_step_error"] < history[0]["val_one_step_error"] < history[-1]["baseline_mean"]
    assert {"baseline_previous_frame", "baseline_ridge_var2"} <= set(history[0])


def test_tensorboard_has_curves_and_pictures(trained_run):
    events = EventAccumulator(str(trained_run / "tensorboard"), size_guidance={"tensors": 0})
    events.Reload()
    tags = set(events.Tags()["tensors"])
    assert {"cd_cost", "val_one_step_error", "learning_rate", "songs", "filters", "hidden"} <= tags
    assert [event.step for event in events.Tensors("val_one_step_error")] == [1, 2, 3]
    assert [event.step for event in events.Tensors("songs")] == [2, 3]


def test_what_is_loaded_is_the_best_model_and_model_keras_is_the_same(trained_run, tiny_config):
    history = history_of(trained_run)
    trained = load_trained(trained_run)
    assert trained.epoch == min(history, key=lambda row: (-row["cd_steps"], row["val_one_step_error"]))["epoch"]
    assert (trained.config, trained.sample_rate) == (tiny_config, 16_000)
    assert trained.scale == RunFolder(trained_run).data().scale
    saved = keras.saving.load_model(trained_run / "model.keras")
    assert saved.get_config() == trained.model.get_config() | {"name": saved.name}
    for one, other in zip(saved.variables, trained.model.variables, strict=True):
        np.testing.assert_array_equal(np.asarray(one), np.asarray(other))
    assert load_trained(trained_run, lambda config: config.replace(num_gibbs_steps=7)).config.generation.num_gibbs_steps == 7


@pytest.mark.parametrize("l2_on, expected", [("recurrent", {"recurrent_kernel_0"}), ("rbm", {"W", "Wuv", "Wuh", "Wug"})])
def test_l2_is_on_the_weights_that_are_named(l2_on, expected):
    config = Config().replace(num_layers=1, coupling_gain=True, l2=0.1, l2_on=l2_on)
    model = build_model(config, num_visible=3)
    trainer.compile_model(model, config)
    optimizer = model.optimizer
    assert {weight.name for weight in model.trainable_variables if optimizer.l2_path in weight.path} == expected
    assert optimizer.l2 == 0.1


# --- going on


@pytest.fixture(scope="module")
def averaging_config(tiny_config):
    """RMSProp with averaged weights, and a last rate so large that the last epoch is not the best."""
    return tiny_config.replace(optimizer="rmsprop", weight_average=0.5, learning_rates=(1e-3, 0.3), cd_steps=(2,), dropout=0.1)


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
        trainer.train(averaging_config.replace(epochs=2), simulated_recordings, workdir, callbacks=[Stop()], pictures=False)
    return workdir


def test_an_interrupted_run_has_saved_its_last_whole_epoch(interrupted, undisturbed):
    history, expected = (checkpoint_of(workdir)[1]["history"] for workdir in (interrupted, undisturbed[0]))
    assert history == expected[:1]
    assert load_trained(interrupted).epoch == 1
    assert {"model.keras", "history.csv", "curves.png"} <= set(os.listdir(interrupted))


def test_a_run_that_goes_on_ends_as_if_undisturbed(interrupted, undisturbed, averaging_config, simulated_recordings, tmp_path):
    # The recordings and the run have moved, and the epochs have grown from two to three: all that may change.
    shutil.copytree(interrupted, tmp_path / "run")
    shutil.copytree(simulated_recordings, tmp_path / "recordings")
    keras.backend.clear_session()
    lines = []
    result = trainer.train(averaging_config, tmp_path / "recordings", tmp_path / "run", lines.append, pictures=False)
    assert lines[-1] == "going on after epoch 1"
    assert_same_training(tmp_path / "run", undisturbed[0])
    assert result == undisturbed[1]
    # The weights worth keeping are not those of the last epoch here, which only a best-so-far in the checkpoint remembers.
    assert result["epoch"] < 3 and result["val_one_step_error"] == min(row["val_one_step_error"] for row in history_of(undisturbed[0]))
    models = [keras.saving.load_model(folder / "model.keras") for folder in (tmp_path / "run", undisturbed[0])]
    for one, other in zip(*(model.variables for model in models), strict=True):
        np.testing.assert_array_equal(np.asarray(one), np.asarray(other))


def test_a_finished_run_has_nothing_left_to_do(undisturbed, averaging_config, simulated_recordings, tmp_path):
    workdir, result = undisturbed
    shutil.copytree(workdir, tmp_path / "run")
    for epochs in (0, 1):  # all of them, and fewer than were trained
        config = averaging_config.replace(epochs=epochs)
        assert trainer.train(config, simulated_recordings, tmp_path / "run", pictures=False) == result
        assert_same_training(tmp_path / "run", workdir)


@pytest.mark.parametrize(
    "changes, data_dir, message",
    [
        (dict(n_fft=256, hop_length=128), "recordings", "`n_fft` cannot change when a run goes on"),
        (dict(weight_average=0.0), "recordings", "`weight_average` cannot change when a run goes on"),
        (dict(seed=1), "recordings", "`seed` cannot change when a run goes on"),
        (dict(epochs=9), "gone", "`data_dir` must hold the recordings this run began with, and there is no such folder"),
        (dict(epochs=9), "fewer", "`data_dir` must hold the recordings this run began with, and there is no .*simulated_003.wav"),
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
        trainer.train(averaging_config.replace(**changes), tmp_path / data_dir, interrupted, pictures=False)
    assert contents(interrupted) == before


def test_nothing_usable_leaves_no_run_behind(tiny_config, tmp_path):
    (tmp_path / "recordings").mkdir()
    with pytest.raises(ValueError, match="it is empty"):
        trainer.train(tiny_config, tmp_path / "recordings", tmp_path / "run")
    assert not RunFolder(tmp_path / "run").has_run()


# --- what happens between epochs


@pytest.fixture
def averaging_model():
    """A model whose weights differ from their averages."""
    model = fresh_model(num_visible=3, num_hidden=2, num_recurrent=2)
    optimizer = GuardedAdam(use_ema=True, ema_momentum=0.75)
    optimizer.build(model.trainable_variables)
    model.compile(optimizer=optimizer)
    optimizer.apply([tf.ones_like(variable) for variable in model.trainable_variables], model.trainable_variables)
    return model


def weights_of(model):
    return [np.array(variable) for variable in model.trainable_variables]


def averages_of(model):
    return [np.array(average) for average in model.optimizer._model_variables_moving_average]


def test_validation_sees_the_averages_and_training_goes_on_with_the_weights(averaging_model):
    weights, averages = weights_of(averaging_model), averages_of(averaging_model)
    assert not np.array_equal(weights[0], averages[0])
    validation = AveragedValidation()
    validation.set_model(averaging_model)
    validation.on_test_begin()
    np.testing.assert_array_equal(weights_of(averaging_model)[0], averages[0])
    validation.on_test_end()
    for found, expected in ((weights_of(averaging_model), weights), (averages_of(averaging_model), averages)):
        for one, other in zip(found, expected, strict=True):
            np.testing.assert_array_equal(one, other)


def test_the_best_weights_are_the_averages_of_the_epoch_with_the_smallest_validation_error(averaging_model, tmp_path):
    folder, best, history = RunFolder(tmp_path), BestWeights(), []
    record = RunRecord(folder, best, history, {"mean": 9.0})
    record.set_model(averaging_model)
    record.on_train_begin()
    averages, weights = {}, None
    for epoch, error in enumerate([2.0, 1.0, np.nan, 3.0]):
        variables = averaging_model.trainable_variables
        averaging_model.optimizer.apply([tf.ones_like(variable) for variable in variables], variables)
        averages[epoch + 1], weights = averages_of(averaging_model), weights_of(averaging_model)
        record.on_epoch_begin(epoch)
        record.on_epoch_end(epoch, {"val_one_step_error": error})
    record.on_train_end()
    assert (best.epoch, best.error) == (2, 1.0)
    assert [row["baseline_mean"] for row in history_of(tmp_path)] == [9.0] * 4

    singer = fresh_model(num_visible=3, num_hidden=2, num_recurrent=2)
    assert checkpoint.load_best(folder.checkpoint, singer) == 2
    for one, other in zip(weights_of(singer), averages[2], strict=True):
        np.testing.assert_array_equal(one, other)
    # Training itself goes on with the weights, not with their averages.
    checkpoint.restore(folder.checkpoint, averaging_model, BestWeights())
    for one, other in zip(weights_of(averaging_model), weights, strict=True):
        np.testing.assert_array_equal(one, other)
