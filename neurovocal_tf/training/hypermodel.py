"""A search with keras-tuner over the model and the optimiser of a `Config`, for the smallest held-out one-step error."""

import contextlib
import dataclasses
import hashlib
import io
import json
import math
import os

import keras_tuner
import numpy as np
import tensorflow as tf

from neurovocal_tf import files
from neurovocal_tf.config import Config, number_type, settings
from neurovocal_tf.runs.run_folder import RunFolder
from neurovocal_tf.runs.trained import build_model
from neurovocal_tf.training import trainer
from neurovocal_tf.training.initialisation import start_from_data
from neurovocal_tf.training.optimizers import Phases
from neurovocal_tf.training.preparation import prepare_data

OBJECTIVE = "val_one_step_error"
TUNERS = ("hyperband", "bayesian", "random")
_HYPERBAND_FACTOR = 3


@dataclasses.dataclass(frozen=True)
class Dimension:
    """What one setting may be in a search.

    Attributes:
        kind: "choice": any of `values`; "linear" or "log": between the two `values`, on that scale.
        values: tuple of str, int or float.
    """

    kind: str
    values: tuple


# Every setting that a search may change: those that leave the data as they are. `learning_rates` is a factor on all of them.
DIMENSIONS = {
    "hidden_scalar": Dimension("log", (0.5, 3.0)),
    "recurrent_scalar": Dimension("log", (0.5, 3.0)),
    "num_layers": Dimension("linear", (1, 3)),
    "dropout": Dimension("linear", (0.0, 0.5)),
    "state_dropout": Dimension("linear", (0.0, 0.5)),
    "input_noise": Dimension("linear", (0.0, 0.5)),
    "learning_rates": Dimension("log", (0.2, 5.0)),
    "clip_norm": Dimension("choice", (0.0, 0.3, 1.0, 3.0)),
    "l2": Dimension("log", (1e-5, 1e-1)),
    "l1": Dimension("log", (1e-6, 1e-2)),
    "weight_average": Dimension("choice", (0.0, 0.9, 0.99, 0.999)),
    "optimizer": Dimension("choice", ("adam", "rmsprop")),
    "gates": Dimension("choice", ("sigmoid", "tanh")),
}
DEFAULT_SEARCH = ("hidden_scalar", "recurrent_scalar", "num_layers", "dropout", "input_noise", "learning_rates", "clip_norm", "l2")


def search_space(entries, config):
    """The dimensions of a search.

    Args:
        entries: texts "name" (with the range of `DIMENSIONS`), "name=low:high" or, for a choice, "name=value:value:...".
        config: `Config` whose other settings hold.

    Returns:
        dict of name -> `Dimension`.

    Raises:
        ValueError: a name that cannot be searched, or values out of the setting's range.
    """
    space = {}
    for entry in entries:
        name, _, text = entry.strip().partition("=")
        if name not in DIMENSIONS:
            raise ValueError(f"`search` must name settings among {', '.join(DIMENSIONS)}. Received: search={entry}")
        space[name] = _dimension(name, text) if text else DIMENSIONS[name]
        for value in space[name].values:
            with_values(config, {name: value})
    if not space:
        raise ValueError("`search` must name one setting at least.")
    return space


def _dimension(name, text):
    kind, known = DIMENSIONS[name].kind, DIMENSIONS[name].values
    try:
        values = tuple(map(type(known[0]), text.split(":")))
    except ValueError:
        raise ValueError(f"`search` must give numbers for {name}. Received: search={name}={text}") from None
    if kind != "choice" and not (len(values) == 2 and values[0] < values[1]):
        raise ValueError(f"`search` must give {name} as low:high. Received: search={name}={text}")
    if kind == "log" and not values[0] > 0:
        raise ValueError(f"`search` must give {name} a range above 0. Received: search={name}={text}")
    return Dimension(kind, values)


def with_values(config, values):
    """`config` with the values of a trial, rounded to four digits.  dict of name -> value -> `Config`"""
    kinds = {field.name: number_type(field) for _, field in settings()}
    rounded = {name: float(f"{value:.4g}") if kinds[name] is float else value for name, value in values.items()}
    if "learning_rates" in rounded:
        factor = rounded["learning_rates"]
        rounded["learning_rates"] = tuple(float(f"{rate * factor:.4g}") for rate in config.training.learning_rates)
    return config.replace(**rounded)


class RNNRBMHyperModel(keras_tuner.HyperModel):
    """Builds, compiles and fits the model of a trial.

    Args:
        config: `Config` whose other settings hold.    space: dict of name -> `Dimension`.
        data: `preparation.TrainingData`, the same for all trials.    epoch_variable: the one that `data` reads.
        report: called with a line after each trial.    callbacks: Keras callbacks of every trial.
    """

    def __init__(self, config, space, data, epoch_variable, report, callbacks):
        super().__init__()
        self.config, self.space = config, space
        self.data, self.epoch_variable = data, epoch_variable
        self.report, self.callbacks = report, callbacks

    def values_of(self, hp):
        """Draws the searched settings from `keras_tuner.HyperParameters`, or reads them.  -> dict of name -> value"""
        return {name: self._draw(hp, name, dimension) for name, dimension in self.space.items()}

    def _draw(self, hp, name, dimension):
        if dimension.kind == "choice":
            return hp.Choice(name, list(dimension.values))
        draw = hp.Int if isinstance(dimension.values[0], int) else hp.Float
        return draw(name, *dimension.values, sampling=dimension.kind)

    def build(self, hp):
        """A model of the drawn size, started from the data and compiled."""
        config = with_values(self.config, self.values_of(hp))
        model = build_model(config, self.data.summary.num_visible)
        start_from_data(model, self.data.moments, config)
        trainer.compile_model(model, config)
        return model

    def fit(self, hp, model, callbacks=(), epochs=1, initial_epoch=0, **_):
        """Trains with phases as long, in proportion, as those of a whole training.

        Returns:
            dict of the smallest error; NaN, which fails the trial and not the search, if no epoch had a finite one.

        Raises:
            keras_tuner.errors.FatalError: a defect. It ends the search.
        """
        config = with_values(self.config, self.values_of(hp))
        if initial_epoch:
            # A model that goes on has got its weights since it was compiled, and averages begin at the weights.
            trainer.compile_model(model, config)
        rates, cd_steps, num_epochs = trainer.training_phases(config)
        phases = [_in_proportion(whole, num_epochs, epochs) for whole in (rates, cd_steps)]
        try:
            history = model.fit(
                self.data.training,
                steps_per_epoch=self.data.num_batches,
                validation_data=self.data.validation,
                epochs=epochs,
                initial_epoch=initial_epoch,
                verbose=0,
                shuffle=False,
                callbacks=[*trainer.phase_callbacks(model, *phases, self.epoch_variable), *callbacks, *self.callbacks],
            ).history
        except tf.errors.OpError as error:
            return self._failed(hp, f"{type(error).__name__}: {str(error).splitlines()[0]}")
        except Exception as error:
            raise keras_tuner.errors.FatalError(f"{type(error).__name__}: {error}") from error
        finite = [error for error in history[OBJECTIVE] if math.isfinite(error)]
        if not finite:
            return self._failed(hp, "its error is not finite")
        self.report(f"{min(finite):.4g} {self.data.summary.unit} after {epochs} epochs with {self._text(hp)}")
        return {OBJECTIVE: min(finite)}

    def _failed(self, hp, reason):
        self.report(f"failed, {reason}, with {self._text(hp)}")
        return {OBJECTIVE: math.nan}

    def _text(self, hp):
        return ", ".join(f"{name}={_short(value)}" for name, value in self.values_of(hp).items())


def _in_proportion(phases, num_epochs, epochs):
    """Phases of a training of `num_epochs` epochs, for one of `epochs`."""
    return Phases([phases.at(epoch * num_epochs // epochs) for epoch in range(epochs)], 1)


@dataclasses.dataclass(frozen=True)
class Trial:
    """A finished trial: `number`, from 1, `error` (None where it failed), `epochs`, searched `values`, the `config` to train with."""

    number: int
    error: float | None
    epochs: int
    values: dict
    config: Config


class Search:
    """A search that goes on where it was stopped, as long as neither the settings, the space nor the data have changed.

    Args:
        config: `Config` whose other settings hold.    space: dict of name -> `Dimension`, see `search_space`.
        data_dir: folder of recordings.    workdir: folder of the search; made if it is not there.
        tuner: one of `TUNERS`.    num_trials: int, of random and bayesian; hyperband plans its own.
        trial_epochs: int, the most epochs of a trial; 0: as many as a training.
        report: called with lines for the user.    callbacks: function (epochs in all, epochs done, unit of errors) -> Keras callbacks.

    Raises:
        ValueError: nothing usable in the folder, or the workdir holds a training.
    """

    def __init__(
        self,
        config,
        space,
        data_dir,
        workdir,
        tuner="hyperband",
        num_trials=20,
        trial_epochs=0,
        report=lambda line: None,
        callbacks=lambda num_epochs, num_done, unit: [],
    ):
        folder = RunFolder(workdir)
        if folder.has_run():
            raise ValueError(f"`workdir` must not hold a training. Received: workdir={workdir}")
        os.makedirs(folder.path, exist_ok=True)
        self.config, self.report = config, report
        self.epochs = trial_epochs or trainer.training_phases(config)[2]
        epoch_variable = tf.Variable(0, dtype=tf.int64, trainable=False)
        self.data = prepare_data(config, data_dir, folder, epoch_variable, report)
        self._is_hyperband = tuner == "hyperband"
        self._num_trials = num_trials
        self._hypermodel = RNNRBMHyperModel(config, space, self.data, epoch_variable, self._report_trial, [])
        self._project = f"{tuner}-{_fingerprint(config, space, self.data.summary, self.epochs)}"
        self._tuner = _make_tuner(tuner, self._hypermodel, num_trials, self.epochs, folder.path, self._project)
        finished = self.trials()
        if finished:
            report(f"going on after {len(finished)} trials of {folder.file(self._project)}")
        self._hypermodel.callbacks = callbacks(self._planned_epochs(), self._epochs_done(), self.data.summary.unit)

    def run(self):
        """Runs the trials that are left. A trial that was stopped begins anew.

        Raises ValueError if there are trials and all of them failed.
        """
        self._tuner.search(epochs=self.epochs, verbose=0)
        trials = self.trials()
        if all(trial.error is None for trial in trials):
            raise ValueError(f"All {len(trials)} trials failed: their errors were not finite, or they did not fit into memory.")

    def trials(self):
        """The finished trials, the best first and the failed last.  list of `Trial`"""
        found = [self._trial(trial) for trial in self._tuner.oracle.trials.values() if trial.status in ("COMPLETED", "FAILED")]
        return sorted(found, key=lambda trial: (math.inf if trial.error is None else trial.error, trial.number))

    def _trial(self, trial):
        values = self._hypermodel.values_of(trial.hyperparameters)
        error = float(trial.score) if trial.status == "COMPLETED" else None
        epochs = trial.hyperparameters.values.get("tuner/epochs", self.epochs)
        return Trial(int(trial.trial_id) + 1, error, epochs, values, with_values(self.config, values))

    def _report_trial(self, line):
        number, total = len(self._tuner.oracle.trials), "" if self._is_hyperband else f" of {self._num_trials}"
        self.report(f"trial {number}{total}: {line}")

    def _planned_epochs(self):
        return hyperband_epochs(self.epochs) if self._is_hyperband else self._num_trials * self.epochs

    def _epochs_done(self):
        done = [trial.hyperparameters.values for trial in self._tuner.oracle.trials.values() if trial.status in ("COMPLETED", "FAILED")]
        return sum(values.get("tuner/epochs", self.epochs) - values.get("tuner/initial_epoch", 0) for values in done)


def _make_tuner(name, hypermodel, num_trials, epochs, directory, project):
    common = dict(
        hypermodel=hypermodel,
        objective=keras_tuner.Objective(OBJECTIVE, direction="min"),
        # The tuner takes 0 for "any seed".
        seed=hypermodel.config.training.seed + 1,
        # A bad corner of the space is no reason to stop.
        max_consecutive_failed_trials=2**31,
        directory=directory,
        project_name=project,
        overwrite=False,
    )
    # It says on the screen that it goes on, and in its own words.
    with contextlib.redirect_stdout(io.StringIO()):
        try:
            if name == "hyperband":
                return keras_tuner.Hyperband(max_epochs=epochs, factor=_HYPERBAND_FACTOR, **common)
            if name == "bayesian":
                # Three points a dimension, the tuner's default, would leave nothing to a short search.
                return keras_tuner.BayesianOptimization(max_trials=num_trials, num_initial_points=max(num_trials // 4, 3), **common)
            if name == "random":
                return keras_tuner.RandomSearch(max_trials=num_trials, **common)
        except json.JSONDecodeError as error:
            raise ValueError(f"{os.path.join(directory, project)} is damaged ({error}): remove it to begin anew.") from None
    raise ValueError(f"`tuner` must be one of {', '.join(TUNERS)}. Received: tuner={name}")


def _fingerprint(config, space, summary, epochs):
    """A short hash of all that makes trials comparable."""
    data = dataclasses.asdict(summary)
    # Rounding in the baselines depends on the machine's load.
    del data["baselines"]
    everything = [dataclasses.asdict(config), {name: dataclasses.asdict(dimension) for name, dimension in space.items()}, data, epochs]
    return hashlib.sha256(json.dumps(everything, sort_keys=True).encode()).hexdigest()[:12]


def hyperband_epochs(max_epochs, factor=_HYPERBAND_FACTOR):
    """Epochs of one whole Hyperband, as keras-tuner plans it (Li et al., 2018, https://arxiv.org/abs/1603.06560, algorithm 1)."""
    num_brackets = int(np.floor(np.log(max_epochs) / np.log(factor) + 1e-9)) + 1
    last = math.ceil(1 + math.log(max_epochs, factor))
    total = 0
    for bracket in range(num_brackets):
        before = 0
        for left in range(bracket, -1, -1):
            epochs = math.ceil(max_epochs / factor**left)
            total += math.ceil(last / (bracket + 1) * factor**left) * (epochs - before)
            before = epochs
    return total


def best_trials_table(trials, unit, num_trials=10):
    """The best trials as lines of text.

    Args:
        trials: list of `Trial`, the best first.    unit: of the errors.    num_trials: int, lines at most.
    """
    names = list(trials[0].values)
    rows = [["trial", f"error ({unit})", "epochs", *names]]
    for trial in trials[:num_trials]:
        error = "failed" if trial.error is None else f"{trial.error:.4g}"
        rows.append([str(trial.number), error, str(trial.epochs), *(_short(trial.values[name]) for name in names)])
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join("  ".join(cell.rjust(width) for cell, width in zip(row, widths, strict=True)) for row in rows)


def write_trials(path, trials):
    """Writes all trials as CSV: trial, error (empty where it failed), epochs, the searched values."""
    rows = [[trial.number, "" if trial.error is None else trial.error, trial.epochs, *trial.values.values()] for trial in trials]
    files.write_csv(path, ["trial", OBJECTIVE, "epochs", *trials[0].values], rows)


def write_figures(path, trials, unit):
    """Writes the best trial's error and settings, and the number of trials, as flat JSON."""
    best = trials[0]
    figures = {"num_trials": len(trials), "num_failed": sum(trial.error is None for trial in trials)}
    figures |= {f"{OBJECTIVE}_{'db' if unit == 'dB' else 'power'}": best.error, "num_epochs": best.epochs}
    files.write_json(path, figures | {f"best_{name}": value for name, value in best.values.items()})


def _short(value):
    return f"{value:.4g}" if isinstance(value, float) else str(value)
