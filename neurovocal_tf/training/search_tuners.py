"""keras-tuner's ways to choose the next trial, as searches use them."""

import contextlib
import io
import json
import math
import os
from typing import Any

import keras_tuner
import numpy as np
from keras_tuner.src import utils

from neurovocal_tf import files
from neurovocal_tf.training.hypermodel import OBJECTIVE, RNNRBMHyperModel
from neurovocal_tf.training.search_chief import ENDED, MOST_RETRIES

TUNERS = ("hyperband", "bayesian", "random")
HYPERBAND_FACTOR = 3


def _save_json(path: str, value: Any) -> str:
    text = json.dumps(value)
    files.write_text(path, text)
    return text


# keras-tuner writes into the very file of its oracle and of each trial, of which a kill would leave
# half.
utils.save_json = _save_json


class _Told:
    """A tuner of keras-tuner that knows the number of its trial, and does not try one again that
    had no finite error.
    """

    trial_number = 0

    def on_trial_begin(self, trial: Any) -> None:
        self.trial_number = int(trial.trial_id) + 1
        super().on_trial_begin(trial)

    def on_trial_end(self, trial: Any) -> None:
        if trial.status == "COMPLETED" and self.hypermodel.has_failed:
            trial.status = "FAILED"
        super().on_trial_end(trial)

    def save(self) -> None:
        # The oracle keeps all that is to be kept: by now without the trial among those that run.
        self.oracle.save()


class _Hyperband(_Told, keras_tuner.Hyperband):
    pass


class _BayesianOptimization(_Told, keras_tuner.BayesianOptimization):
    pass


class _RandomSearch(_Told, keras_tuner.RandomSearch):
    pass


def make_tuner(
    name: str,
    hypermodel: RNNRBMHyperModel,
    num_trials: int,
    epochs: int,
    directory: str,
    project: str,
    is_worker: bool,
) -> keras_tuner.Tuner:
    """A tuner of keras-tuner, with the trials that are in its folder already.

    Args:
        name: one of `TUNERS`.    hypermodel: builds and fits the model of a trial.
        num_trials: int, of random and bayesian.    epochs: int, the most of a trial.
        directory: folder of the search.    project: name of the tuner's own folder in it.
        is_worker: whether another process, the chief, has the trials.

    Raises ValueError for a name that is none, and for a folder that cannot be read.
    """
    common = dict(
        hypermodel=hypermodel,
        objective=keras_tuner.Objective(OBJECTIVE, direction="min"),
        # The tuner takes 0 for "any seed".
        seed=hypermodel.config.training.seed + 1,
        # A bad corner of the space is no reason to stop.
        max_consecutive_failed_trials=2**31,
        max_retries_per_trial=MOST_RETRIES,
        directory=directory,
        project_name=project,
        overwrite=False,
    )
    if name == "hyperband":
        kind = _Hyperband
        common |= dict(max_epochs=epochs, factor=HYPERBAND_FACTOR)
    elif name == "bayesian":
        kind = _BayesianOptimization
        # Three points a dimension, the tuner's default, would leave nothing to a short search.
        common |= dict(max_trials=num_trials, num_initial_points=max(num_trials // 4, 3))
    elif name == "random":
        kind = _RandomSearch
        common |= dict(max_trials=num_trials)
    else:
        raise ValueError(f"`tuner` must be one of {', '.join(TUNERS)}. Received: tuner={name}")
    folder = os.path.join(directory, project)
    # It says on the screen that it goes on, and in its own words.
    with contextlib.redirect_stdout(io.StringIO()):
        try:
            tuner = kind(**common)
            # By itself it goes on only where a process of the same name was, whoever kept the
            # trials.
            if not is_worker and os.path.exists(os.path.join(folder, "oracle.json")):
                _reload(tuner.oracle)
            # Else a chief's shows tables of its own.
            tuner.oracle.verbose = 0
        except json.JSONDecodeError as error:
            raise ValueError(f"{folder} is damaged ({error}): remove it to begin anew.") from None
    return tuner


def _reload(oracle):
    """Gives an oracle the trials of its folder. Those that have not ended begin anew, no others do,
    whatever the oracle's file says: of it and a trial's a kill leaves one older than the other.
    """
    oracle.reload()
    oracle._retry_queue = [
        trial_id
        for trial_id, trial in sorted(oracle.trials.items(), reverse=True)
        if trial.status not in ENDED
    ]


def hyperband_epochs(max_epochs: int, factor: int = HYPERBAND_FACTOR) -> int:
    """Epochs of one whole Hyperband, as keras-tuner plans it (Li et al., 2018,
    https://arxiv.org/abs/1603.06560, algorithm 1).
    """
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
