"""The search over model and optimiser settings."""

import csv
import dataclasses
import io
import json
import os
import re
import subprocess
import sys

import keras
import keras_tuner
import numpy as np
import pytest
from absl import flags as absl_flags
from hypothesis import given
from hypothesis import strategies as st

from neurovocal_tf import flags
from neurovocal_tf.audio.spectrogram import FrameScale
from neurovocal_tf.config import Config
from neurovocal_tf.data.simulated_song import write_recordings
from neurovocal_tf.runs.run_folder import DataSummary
from neurovocal_tf.training import hypermodel, trainer
from neurovocal_tf.training.averages import averaged_weights
from neurovocal_tf.training.phases import Phases
from neurovocal_tf.training.search import (
    Search,
    _fingerprint,
    best_trials_table,
    hyperband_epochs,
    write_trials,
)
from neurovocal_tf.training.search_space import (
    DEFAULT_SEARCH,
    DIMENSIONS,
    Dimension,
    search_space,
    with_values,
)

# keras-tuner's own.
pytestmark = [
    pytest.mark.filterwarnings("ignore:.*is deprecated:DeprecationWarning"),
    pytest.mark.filterwarnings("ignore:All-NaN axis:RuntimeWarning"),
]

SMALL = dict(
    hidden_scalar=0.1,
    recurrent_scalar=0.1,
    num_layers=1,
    num_direct_frames=0,
    window_frames=16,
    compiled=False,
    learning_rates=(3e-3, 1e-3),
    epochs_per_rate=(1, 1),
    cd_steps=(1, 2),
)
CONFIG = Config().replace(**SMALL)
# Sums of some thousand float32 terms may be ordered otherwise in another process:
# two epochs of steps carry that on.
SAME = 1e-4
SEARCH = ("hidden_scalar=0.05:0.2", "learning_rates")


@pytest.fixture(scope="module")
def recordings(tmp_path_factory):
    folder = tmp_path_factory.mktemp("recordings")
    write_recordings(folder, num_recordings=3, duration_s=2.0)
    return folder


@pytest.fixture(scope="module")
def searched(recordings, tmp_path_factory, repository):
    """Work folder of a whole search by the tool: random, three trials."""
    workdir = tmp_path_factory.mktemp("searched")
    arguments = [
        f"--data_dir={recordings}",
        f"--workdir={workdir}",
        "--tuner=random",
        "--num_trials=3",
        f"--json={workdir / 'best.json'}",
    ]
    result = run_tool(
        "tune.py", repository, *arguments, f"--search={','.join(SEARCH)}", *setting_lines(CONFIG)
    )
    assert result.returncode == 0, result.stderr
    assert "trial 3 of 3: " in result.stderr and "search: 100%" in result.stderr
    assert len(result.stdout.splitlines()) == 5 and result.stdout.splitlines()[-1].endswith(
        str(workdir / "best.flags")
    )
    return workdir


def run_tool(name, repository, *arguments):
    command = [sys.executable, os.path.join(repository, "tools", name), *arguments]
    environment = {
        **os.environ,
        "PYTHONPATH": str(repository),
        "TF_CPP_MIN_LOG_LEVEL": "3",
        "CUDA_VISIBLE_DEVICES": "",
    }
    return subprocess.run(command, capture_output=True, text=True, env=environment, timeout=300)


def setting_lines(config):
    return [line for line in flags.flag_lines(config) if line.startswith("--")]


def config_of_flagfile(path):
    values = absl_flags.FlagValues()
    flags.define(flag_values=values)
    values(["train.py", *flags.expand_flagfiles([f"--flagfile={path}"], values)])
    return flags.config_from_flags(flag_values=values)


def test_a_search_is_over_the_named_settings_in_the_given_ranges():
    space = search_space(["num_layers=2:5", " dropout", "gates=tanh", "clip_norm=0:1:2.5"], CONFIG)
    assert space == {
        "num_layers": Dimension("linear", (2, 5)),
        "dropout": DIMENSIONS["dropout"],
        "gates": Dimension("choice", ("tanh",)),
        "clip_norm": Dimension("choice", (0.0, 1.0, 2.5)),
    }


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ("n_fft", "`search` must name settings among hidden_scalar, .* Received: search=n_fft"),
        (
            "num_layers=1.5:2",
            "`search` must give numbers for num_layers. Received: search=num_layers=1.5:2",
        ),
        ("num_layers=3", "`search` must give num_layers as low:high"),
        ("num_layers=3:2", "`search` must give num_layers as low:high"),
        ("l2=0:1", "`search` must give l2 a range above 0"),
        ("dropout=0:1", "`dropout` must be between 0 and 0.95. Received: dropout=1.0"),
        ("gates=relu", "`gates` must be one of sigmoid, tanh. Received: gates=relu"),
    ],
)
def test_what_cannot_be_searched_is_refused_by_name(entry, message):
    with pytest.raises(ValueError, match=message):
        search_space([entry], CONFIG)


def test_every_range_holds_for_the_default_settings():
    assert list(search_space(DIMENSIONS, Config())) == list(DIMENSIONS)
    assert set(DEFAULT_SEARCH) <= set(DIMENSIONS)


def test_a_trial_changes_nothing_but_its_values_and_scales_all_learning_rates():
    changed = with_values(
        CONFIG, {"learning_rates": 0.123456, "num_layers": 2, "hidden_scalar": 1.23456789}
    )
    assert changed == CONFIG.replace(
        learning_rates=(3.705e-4, 1.235e-4), num_layers=2, hidden_scalar=1.235
    )


def test_a_searched_scalar_takes_the_place_of_a_number_of_units():
    config = CONFIG.replace(num_hidden=200, num_recurrent=100)
    changed = with_values(config, {"hidden_scalar": 0.5})
    assert changed == config.replace(hidden_scalar=0.5, num_hidden=0)
    assert with_values(config, {"num_layers": 2}) == config.replace(num_layers=2)


@given(st.lists(st.integers(1, 40), min_size=1, max_size=4), st.integers(1, 200))
def test_a_trial_goes_through_the_phases_of_a_training_in_proportion(epochs_per_rate, epochs):
    phases = Phases(list(range(len(epochs_per_rate))), epochs_per_rate)
    drawn = hypermodel._in_proportion(phases, phases.num_epochs, epochs)
    assert drawn.num_epochs == epochs and drawn.at(0) == 0
    for epoch in range(epochs):
        assert drawn.at(epoch) == phases.at(
            int(np.floor(epoch / epochs * phases.num_epochs + 1e-9))
        )


class Rehearsal(keras_tuner.Hyperband):
    """A Hyperband whose trials only count their epochs."""

    def run_trial(self, trial, **_):
        values = trial.hyperparameters.values
        self.num_epochs += values["tuner/epochs"] - values["tuner/initial_epoch"]
        return values["x"]


class OneNumber(keras_tuner.HyperModel):
    def build(self, hp):
        hp.Float("x", 0.0, 1.0)


@pytest.mark.parametrize("max_epochs", [1, 2, 3, 8, 9, 30])
def test_the_epochs_that_the_bar_promises_are_those_that_hyperband_runs(tmp_path, max_epochs):
    tuner = Rehearsal(
        OneNumber(),
        keras_tuner.Objective("error", "min"),
        max_epochs=max_epochs,
        directory=tmp_path,
        seed=1,
    )
    tuner.num_epochs = 0
    tuner.search(verbose=0)
    assert hyperband_epochs(max_epochs) == tuner.num_epochs


def stopping_after(num_trials):
    """A `report` that stops as a kill would: nothing is saved on its way out."""

    def report(line):
        if re.match(f"trial {num_trials}[ :]", line):
            raise KeyboardInterrupt

    return report


class Spoiler(keras.callbacks.Callback):
    """Makes the model of the first training useless."""

    def __init__(self):
        super().__init__()
        self.is_first = True

    def on_epoch_begin(self, epoch, logs=None):
        if self.is_first:
            spoilt = np.full(self.model.num_visible, np.nan)
            self.model.conditional_rbm.bv.assign(spoilt)
            with averaged_weights(self.model.optimizer, self.model.trainable_variables):
                self.model.conditional_rbm.bv.assign(spoilt)

    def on_train_end(self, logs=None):
        self.is_first = False


def new_search(recordings, workdir, config=CONFIG, tuner="random", **options):
    return Search(
        config, search_space(SEARCH, config), recordings, workdir, tuner, num_trials=2, **options
    )


def test_a_stopped_search_goes_on_with_the_trial_that_was_stopped(recordings, tmp_path, searched):
    """Its first trial has no finite error, which ends nothing; its second is stopped."""
    lines = []
    stopped = new_search(
        recordings, tmp_path, report=stopping_after(2), callbacks=lambda *_: [Spoiler()]
    )
    with pytest.raises(KeyboardInterrupt):
        stopped.run()
    assert [(trial.number, trial.error) for trial in stopped.trials()] == [(1, None)]

    resumed = new_search(recordings, tmp_path, report=lines.append)
    assert resumed.trials() == stopped.trials() and any(
        line.startswith("going on after 1 trials of ") for line in lines
    )
    resumed.run()
    good, failed = resumed.trials()
    assert (good.number, failed.number, failed.error) == (2, 1, None)
    undisturbed = {
        row["trial"]: row
        for row in csv.DictReader(io.StringIO((searched / "trials.csv").read_text()))
    }["2"]
    assert {name: str(value) for name, value in good.values.items()}.items() <= undisturbed.items()
    assert good.error == pytest.approx(float(undisturbed["val_one_step_error"]), rel=SAME)

    assert best_trials_table(resumed.trials(), "dB").splitlines()[2].split()[:2] == ["1", "failed"]
    write_trials(tmp_path / "trials.csv", resumed.trials())
    assert (tmp_path / "trials.csv").read_text().splitlines()[2].startswith("1,,2,")


def test_a_search_whose_trials_all_fail_says_so(recordings, tmp_path):
    search = new_search(recordings, tmp_path)
    for _ in range(2):
        ended = search._tuner.oracle.create_trial("tuner0")
        ended.status = "FAILED"
        search._tuner.oracle.end_trial(ended)
    with pytest.raises(ValueError, match="All 2 trials failed"):
        search.run()


def test_trials_of_another_search_are_not_mixed_in():
    space = search_space(SEARCH, CONFIG)
    summary = DataSummary(
        "recordings",
        16_000,
        FrameScale("decibel", 1.0, 70.0, 1.0),
        (),
        (),
        (9, 8),
        (7,),
        {"mean": 1.0},
    )
    same = _fingerprint(CONFIG, space, summary, 5)
    assert same == _fingerprint(CONFIG, space, dataclasses.replace(summary, baselines={}), 5)
    others = [
        (CONFIG.replace(input_noise=0.2), space, summary, 5),
        (CONFIG, search_space(["hidden_scalar=0.05:0.3", "learning_rates"], CONFIG), summary, 5),
        (CONFIG, space, dataclasses.replace(summary, training_frames=(9, 9)), 5),
        (CONFIG, space, summary, 6),
    ]
    assert len({same, *(_fingerprint(*other) for other in others)}) == 5


def test_hyperband_promotes_a_trial_with_its_weights(recordings, tmp_path):
    config = CONFIG.replace(weight_average=0.5)
    errors = []

    class FirstErrors(keras.callbacks.Callback):
        def on_train_begin(self, logs=None):
            self.is_first = True

        def on_epoch_end(self, epoch, logs=None):
            if self.is_first:
                errors.append((epoch, logs["val_one_step_error"]))
            self.is_first = False

    stops = {"report": stopping_after(4), "callbacks": lambda *_: [FirstErrors()]}
    search = new_search(recordings, tmp_path, config, tuner="hyperband", trial_epochs=3, **stops)
    with pytest.raises(KeyboardInterrupt):
        search.run()
    *fresh, (first_epoch, promoted) = errors
    assert [epoch for epoch, _ in fresh] == [0, 0, 0] and first_epoch == 1
    # The average of a fresh model lags behind its weights: it would begin near the others' errors.
    assert promoted < min(error for _, error in fresh)


def test_the_tool_writes_a_flag_file_that_trains_to_the_same_error(recordings, searched, tmp_path):
    rows = list(csv.DictReader(io.StringIO((searched / "trials.csv").read_text())))
    errors = [float(row["val_one_step_error"]) for row in rows]
    figures = json.loads((searched / "best.json").read_text())
    assert figures["num_trials"] == 3 and figures["num_failed"] == 0
    assert figures["val_one_step_error_db"] == errors[0] == min(errors)

    config = config_of_flagfile(searched / "best.flags")
    assert config == with_values(
        CONFIG, {name: float(rows[0][name]) for name in ("hidden_scalar", "learning_rates")}
    )
    trained = trainer.train(config, recordings, tmp_path, pictures=False)
    assert trained["val_one_step_error"] == pytest.approx(errors[0], rel=SAME)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--search=n_fft"], "error: `search` must name settings among"),
        (["--num_trials=0"], "error: flag --num_trials=0"),
    ],
)
def test_a_mistake_is_one_line_and_exit_code_1(
    recordings, tmp_path, repository, arguments, message
):
    result = run_tool(
        "tune.py", repository, f"--data_dir={recordings}", f"--workdir={tmp_path}", *arguments
    )
    assert result.returncode == 1 and result.stdout == ""
    assert result.stderr.splitlines()[-1].startswith(message) and "Traceback" not in result.stderr


def test_a_training_is_not_searched_over(recordings, tmp_path):
    (tmp_path / "config.json").write_text(CONFIG.to_json())
    with pytest.raises(ValueError, match="`workdir` must not hold a training. Received: workdir="):
        new_search(recordings, tmp_path)
