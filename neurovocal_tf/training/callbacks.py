"""What is kept of a run after every epoch: its checkpoint, its history and its curves."""

import math
import time
from collections.abc import Mapping
from typing import Any

import keras
import tensorflow as tf

from neurovocal_tf import files
from neurovocal_tf.runs import checkpoint
from neurovocal_tf.runs.run_folder import RunFolder
from neurovocal_tf.training.averages import weights_to_keep


class RunRecord(keras.callbacks.Callback):
    """Keeps the run: after every epoch the checkpoint, the history and TensorBoard's curves.

    Args:
        folder: `RunFolder`.    best: `BestWeights`.
        history: list of dicts, one an epoch, which it goes on with.
        baselines: dict of one-step errors, written beside each epoch's.
    """

    def __init__(
        self,
        folder: RunFolder,
        best: checkpoint.BestWeights,
        history: list[dict[str, Any]],
        baselines: Mapping[str, float],
    ) -> None:
        super().__init__()
        self.folder, self.best, self.history, self.baselines = folder, best, history, baselines
        self._writer = None

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        self._writer = tf.summary.create_file_writer(self.folder.file("tensorboard"))

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        self._began = time.monotonic()

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        optimizer = self.model.optimizer
        row = {"epoch": epoch + 1, **{name: float(value) for name, value in logs.items()}}
        row |= {f"baseline_{name}": value for name, value in self.baselines.items()}
        row |= {
            "learning_rate": float(optimizer.learning_rate),
            "cd_steps": int(self.model.cd_steps),
            "num_bad_steps": int(optimizer.num_bad_steps),
            "epoch_s": round(time.monotonic() - self._began, 3),
        }
        self.history.append(row)
        with weights_to_keep(self.model):
            known = (
                monitored_error(row),
                epoch + 1,
                row["cd_steps"],
                row.get("song_distance", math.inf),
            )
            self.best.offer(self.model.variables, *known)
        checkpoint.save(self.folder.checkpoint, self.model, epoch + 1, self.best, self.history)
        files.write_csv(
            self.folder.file("history.csv"), row, [past.values() for past in self.history]
        )
        with self._writer.as_default(step=epoch + 1):
            for name, value in row.items():
                if math.isfinite(value):
                    tf.summary.scalar(name, value)

    def on_train_end(self, logs: dict[str, Any] | None = None) -> None:
        self._writer.close()


def monitored_error(row: Mapping[str, float]) -> float:
    """What tells the best epoch, from its row of the history: of binary units the
    pseudo-likelihood, negated, else the one-step error.
    """
    return (
        -row["val_pseudo_log_likelihood"]
        if "val_pseudo_log_likelihood" in row
        else row["val_one_step_error"]
    )
