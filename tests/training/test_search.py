"""The search over model and optimiser settings."""

import dataclasses
import threading

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
from neurovocal_tf.training.search import Search, _fingerprint, best_trials_table, write_trials
from neurovocal_tf.training.search_roles import Role
from neurovocal_tf.training.search_space import (
    DEFAULT_SEARCH,
    DIMENSIONS,
    Dimension,
    search_space,
    with_values,
)
from neurovocal_tf.training.search_tuners import hyperband_epochs

pytestmark = [
    pytest.mark.usefixtures("quick_training"),
    # keras-tuner's own.
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
    num_song_checks=0,
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


class Spoiler(keras.callbacks.Callback):
    """Makes the model of the first training useless, and stops the second as a kill would: nothing
    is saved on its way out.
    """

    def __init__(self):
        super().__init__()
        self.is_first = True

    def on_epoch_begin(self, epoch, logs=None):
        if not self.is_first:
            raise KeyboardInterrupt
        spoilt = np.full(self.model.num_visible, np.nan)
        self.model.conditional_rbm.bv.assign(spoilt)
        with averaged_weights(self.model.optimizer, self.model.trainable_variables):
            self.model.conditional_rbm.bv.assign(spoilt)

    def on_train_end(self, logs=None):
        self.is_first = False


def new_search(recordings, workdir, config=CONFIG, tuner="random", num_trials=2, **options):
    space = search_space(SEARCH, config)
    return Search(config, space, recordings, workdir, tuner, num_trials=num_trials, **options)


def test_a_stopped_search_goes_on_and_its_flag_file_trains_to_the_same_error(recordings, tmp_path):
    """Its first trial has no finite error, which ends nothing; its second is stopped."""
    lines, workdir = [], tmp_path / "search"
    stopped = new_search(recordings, workdir, callbacks=lambda *_: [Spoiler()])
    with pytest.raises(KeyboardInterrupt):
        stopped.run()
    assert [(trial.number, trial.error) for trial in stopped.trials()] == [(1, None)]
    drawn = stopped._tuner.oracle.trials["1"].hyperparameters.values

    resumed = new_search(recordings, workdir, report=lines.append)
    assert resumed.trials() == stopped.trials() and any(
        line.startswith("going on after 1 trials of ") for line in lines
    )
    resumed.run()
    good, failed = resumed.trials()
    assert (good.number, good.values, failed.number, failed.error) == (2, drawn, 1, None)
    assert lines[-1].startswith("trial 2 of 2: ")

    assert best_trials_table(resumed.trials(), "dB").splitlines()[2].split()[:2] == ["1", "failed"]
    write_trials(workdir / "trials.csv", resumed.trials())
    assert (workdir / "trials.csv").read_text().splitlines()[2].startswith("1,,2,")

    flags.write_flags(workdir / "best.flags", good.config)
    config = config_of_flagfile(workdir / "best.flags")
    assert config == good.config == with_values(CONFIG, good.values)
    trained = trainer.train(config, recordings, tmp_path / "run", pictures=False)
    assert trained["val_one_step_error"] == pytest.approx(good.error, rel=SAME)


def test_a_worker_trains_what_the_chief_draws_and_keeps_nothing_but_weights(
    recordings, tmp_path, capsys
):
    chief, worker = (Role(name, "127.0.0.1", 0, 60.0, 60.0) for name in ("chief", "tuner1"))
    lines, ports, told = [], [], threading.Event()
    leading = new_search(recordings, tmp_path, num_trials=1, report=lines.append, role=chief)
    before = {path.name for path in tmp_path.iterdir()}

    def listening(port):
        ports.append(port)
        told.set()

    thread = threading.Thread(target=leading.run, args=(listening,))
    thread.start()
    assert told.wait(60)
    role = dataclasses.replace(worker, port=ports[0])
    new_search(recordings, tmp_path, num_trials=1, role=role).run()
    thread.join(60)
    (trial,) = leading.trials()
    assert trial.number == 1 and np.isfinite(trial.error)
    assert lines[-1].startswith("trial 1 of 1: ") and lines[-1].endswith(", by tuner1")
    assert capsys.readouterr().out == ""
    (project,) = tmp_path.glob("random-*")
    assert {path.name for path in tmp_path.iterdir()} == before | {project.name}
    written = {path.relative_to(project).as_posix() for path in project.rglob("*.*")}
    weights = {name for name in written if name.startswith("trial_0/") and "trial.json" not in name}
    assert written - weights == {"oracle.json", "trial_0/trial.json"} and weights


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
        def on_epoch_end(self, epoch, logs=None):
            errors.append((epoch, logs["val_one_step_error"]))
            if len(errors) == 2:
                raise KeyboardInterrupt

    search = new_search(
        recordings,
        tmp_path,
        config,
        tuner="hyperband",
        trial_epochs=3,
        callbacks=lambda *_: [FirstErrors()],
    )
    oracle = search._tuner.oracle
    # Of the three trials that begin, two end badly, as if they had run.
    for _ in range(2):
        ended = oracle.create_trial("tuner0")
        oracle.update_trial(ended.trial_id, {hypermodel.OBJECTIVE: 1e6})
        ended.status = "COMPLETED"
        oracle.end_trial(ended)
    with pytest.raises(KeyboardInterrupt):
        search.run()
    (fresh_epoch, fresh), (promoted_epoch, promoted) = errors
    assert (fresh_epoch, promoted_epoch) == (0, 1)
    # The average of a fresh model lags behind its weights: it would begin near the other's error.
    assert promoted < fresh


def test_a_training_is_not_searched_over(recordings, tmp_path):
    (tmp_path / "config.json").write_text(CONFIG.to_json())
    with pytest.raises(ValueError, match="`workdir` must not hold a training. Received: workdir="):
        new_search(recordings, tmp_path)


@pytest.mark.parametrize("setting", [{"texts": "folder"}, {"start_from": "run"}])
def test_what_a_search_would_leave_out_is_refused(setting, recordings, tmp_path):
    (name,) = setting
    with pytest.raises(ValueError, match=f"`{name}` must not be given to a search"):
        new_search(recordings, tmp_path, CONFIG.replace(**setting))
