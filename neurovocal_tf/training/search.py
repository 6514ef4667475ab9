"""A search with keras-tuner for the smallest held-out one-step error:
its trials, and what is written of them.
"""

import dataclasses
import hashlib
import json
import math
import os
import tempfile
from collections.abc import Callable, Sequence

import keras
import tensorflow as tf

from neurovocal_tf import files
from neurovocal_tf.config import Config
from neurovocal_tf.runs.run_folder import RunFolder
from neurovocal_tf.training import trainer
from neurovocal_tf.training.hypermodel import OBJECTIVE, RNNRBMHyperModel
from neurovocal_tf.training.preparation import prepare_data
from neurovocal_tf.training.search_chief import ENDED, Chief
from neurovocal_tf.training.search_roles import Role
from neurovocal_tf.training.search_space import Dimension, value_text, with_values
from neurovocal_tf.training.search_tuners import hyperband_epochs, make_tuner
from neurovocal_tf.training.search_worker import ChiefsOracle, WhileWanted


@dataclasses.dataclass(frozen=True)
class Trial:
    """A finished trial: `number`, from 1, `error` (None where it failed), `epochs`, searched
    `values`, the `config` to train with.
    """

    number: int
    error: float | None
    epochs: int
    values: dict[str, str | float]
    config: Config


class Search:
    """A search that goes on where it was stopped, as long as neither the settings,
    the space nor the data have changed. Several processes may share it: the chief draws the
    settings of every trial and keeps what came of them, workers train.

    Args:
        config: `Config` whose other settings hold.
        space: dict of name -> `Dimension`, see `search_space`.
        data_dir: folder of recordings.    workdir: folder of the search; made if it is not there.
        tuner: one of `search_tuners.TUNERS`.
        num_trials: int, of random and bayesian; hyperband plans its own.
        trial_epochs: int, the most epochs of a trial; 0: as many as a training.
        report: called with lines for the user.
        callbacks: function (epochs in all, epochs done, unit of errors) -> Keras callbacks; of a
            process that searches alone.
        role: this process's `Role`; None: it searches alone. All that share a search have the
            recordings and the workdir, which holds the weights of trials, under the same paths.

    Raises:
        ValueError: nothing usable in the folder, or the workdir holds a training.
        When it runs: recordings have changed meanwhile.
    """

    def __init__(
        self,
        config: Config,
        space: dict[str, Dimension],
        data_dir: str | os.PathLike[str],
        workdir: str | os.PathLike[str],
        tuner: str = "hyperband",
        num_trials: int = 20,
        trial_epochs: int = 0,
        report: Callable[[str], object] = lambda line: None,
        callbacks: Callable[
            [int, int, str], Sequence[keras.callbacks.Callback]
        ] = lambda num_epochs, num_done, unit: [],
        role: Role | None = None,
    ) -> None:
        folder = RunFolder(workdir)
        if folder.has_run():
            raise ValueError(f"`workdir` must not hold a training. Received: workdir={workdir}")
        if config.texts.texts:
            raise ValueError(
                "`texts` must not be given to a search, which chooses models by other figures: "
                f"train the winner with it. Received: texts={config.texts.texts}"
            )
        if config.training.start_from:
            raise ValueError(
                "`start_from` must not be given to a search, whose models have their own shapes. "
                f"Received: start_from={config.training.start_from}"
            )
        os.makedirs(folder.path, exist_ok=True)
        self.config, self.report = config, report
        self.epochs = trial_epochs or trainer.training_phases(config)[2]
        epoch_variable = tf.Variable(0, dtype=tf.int64, trainable=False)
        self._role = role
        self.is_worker = role is not None and not role.is_chief
        # What a survey writes is the same in all processes, and the chief's to write.
        self._survey_folder = tempfile.TemporaryDirectory() if self.is_worker else None
        surveyed = RunFolder(self._survey_folder.name) if self._survey_folder else folder
        self.data = prepare_data(config, data_dir, surveyed, epoch_variable, report)
        self._is_hyperband = tuner == "hyperband"
        self._num_trials = num_trials
        self._hypermodel = RNNRBMHyperModel(
            config, space, self.data, epoch_variable, self._report_trial, [], folder.path
        )
        # Of pieces of music the summary names the file made of them.
        summary = dataclasses.replace(self.data.summary, data_dir=os.path.abspath(data_dir))
        self._project = f"{tuner}-{_fingerprint(config, space, summary, self.epochs)}"
        self._tuner = make_tuner(
            tuner,
            self._hypermodel,
            num_trials,
            self.epochs,
            folder.path,
            self._project,
            self.is_worker,
        )
        if self.is_worker:
            self._tuner.oracle = ChiefsOracle(self._tuner.oracle, self._project, role)
            self._hypermodel.callbacks = [WhileWanted(self._tuner.oracle)]
            return
        self._report_earlier_trials(folder, tuner)
        if role is None:
            self._hypermodel.callbacks = callbacks(
                self._planned_epochs(), self._epochs_done(), self.data.summary.unit
            )

    def _report_earlier_trials(self, folder, tuner):
        finished = self.trials()
        others = [
            name
            for name in sorted(os.listdir(folder.path))
            if name.startswith(f"{tuner}-") and name != self._project
        ]
        if others and not finished:
            self.report(
                f"{folder.file(others[0])} is of other recordings, settings or ranges: this search "
                "begins anew beside it"
            )
        if finished:
            self.report(f"going on after {len(finished)} trials of {folder.file(self._project)}")

    def run(
        self,
        listening: Callable[[int], object] = lambda port: None,
        look: Callable[[], object] = lambda: None,
    ) -> None:
        """Runs the trials that are left, or the chief's or a worker's part of that. A trial that
        was stopped begins anew.

        Args:
            listening, look: of the chief, see `Chief.run`.

        Raises ValueError if there are trials and all of them failed, or a process that it needs
        cannot be reached.
        """
        with self.data.watch.blamed():
            if self._role is not None and self._role.is_chief:
                chief = Chief(
                    self._tuner.oracle, self._project, self._role, self._report_ended, self.report
                )
                chief.run(listening, look)
            else:
                self._tuner.search(epochs=self.epochs, verbose=0)
        if self.is_worker:
            return
        trials = self.trials()
        if all(trial.error is None for trial in trials):
            raise ValueError(
                f"All {len(trials)} trials failed: their errors were not finite, or they did not "
                "fit into memory."
            )

    def trials(self) -> list[Trial]:
        """The finished trials, the best first and the failed last.  list of `Trial`

        Of a chief, or of a process that searches alone: workers have none.
        """
        found = [
            self._trial(trial)
            for trial in self._tuner.oracle.trials.values()
            if trial.status in ENDED
        ]
        return sorted(
            found,
            key=lambda trial: (math.inf if trial.error is None else trial.error, trial.number),
        )

    def _trial(self, trial):
        values = self._hypermodel.values_of(trial.hyperparameters)
        error = float(trial.score) if trial.status == "COMPLETED" else None
        epochs = trial.hyperparameters.values.get("tuner/epochs", self.epochs)
        return Trial(
            int(trial.trial_id) + 1, error, epochs, values, with_values(self.config, values)
        )

    def _report_trial(self, line):
        self._report_numbered(self._tuner.trial_number, line)

    def _report_ended(self, trial, worker):
        found, drawn = self._trial(trial), trial.hyperparameters
        line = (
            f"failed with {self._hypermodel.drawn_text(drawn)}"
            if found.error is None
            else self._hypermodel.outcome(drawn, found.error, found.epochs)
        )
        self._report_numbered(found.number, f"{line}, by {worker}")

    def _report_numbered(self, number, line):
        total = "" if self._is_hyperband else f" of {self._num_trials}"
        self.report(f"trial {number}{total}: {line}")

    def _planned_epochs(self):
        return (
            hyperband_epochs(self.epochs) if self._is_hyperband else self._num_trials * self.epochs
        )

    def _epochs_done(self):
        done = [
            trial.hyperparameters.values
            for trial in self._tuner.oracle.trials.values()
            if trial.status in ENDED
        ]
        return sum(
            values.get("tuner/epochs", self.epochs) - values.get("tuner/initial_epoch", 0)
            for values in done
        )


def _fingerprint(config, space, summary, epochs):
    """A short hash of all that makes trials comparable."""
    data = summary.to_json()
    # Rounding in the baselines depends on the machine's load.
    del data["baselines"]
    for source in (*data["training"], *data["validation"]):
        # What a recording is, and not when that was found.
        source["identity"] = source["identity"] and source["identity"]["content"]
    everything = [
        dataclasses.asdict(config),
        {name: dataclasses.asdict(dimension) for name, dimension in space.items()},
        data,
        epochs,
    ]
    return hashlib.sha256(json.dumps(everything, sort_keys=True).encode()).hexdigest()[:12]


def best_trials_table(trials: Sequence[Trial], unit: str, num_trials: int = 10) -> str:
    """The best trials as lines of text.

    Args:
        trials: list of `Trial`, the best first.    unit: of the errors.
        num_trials: int, lines at most.
    """
    names = list(trials[0].values)
    rows = [["trial", f"error ({unit})", "epochs", *names]]
    for trial in trials[:num_trials]:
        error = "failed" if trial.error is None else f"{trial.error:.4g}"
        rows.append(
            [
                str(trial.number),
                error,
                str(trial.epochs),
                *(value_text(trial.values[name]) for name in names),
            ]
        )
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join(
        "  ".join(cell.rjust(width) for cell, width in zip(row, widths, strict=True))
        for row in rows
    )


def write_trials(path: str | os.PathLike[str], trials: Sequence[Trial]) -> None:
    """Writes all trials as CSV: trial, error (empty where it failed), epochs,
    the searched values.
    """
    rows = [
        [
            trial.number,
            "" if trial.error is None else trial.error,
            trial.epochs,
            *trial.values.values(),
        ]
        for trial in trials
    ]
    files.write_csv(path, ["trial", OBJECTIVE, "epochs", *trials[0].values], rows)


def write_figures(path: str | os.PathLike[str], trials: Sequence[Trial], unit: str) -> None:
    """Writes the best trial's error and settings, and the number of trials, as flat JSON."""
    best = trials[0]
    figures = {
        "num_trials": len(trials),
        "num_failed": sum(trial.error is None for trial in trials),
    }
    figures |= {
        f"{OBJECTIVE}_{'db' if unit == 'dB' else 'power'}": best.error,
        "num_epochs": best.epochs,
    }
    files.write_json(path, figures | {f"best_{name}": value for name, value in best.values.items()})
