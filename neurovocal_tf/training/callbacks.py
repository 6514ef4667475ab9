"""What is kept of a run after every epoch: its checkpoint, its history and its curves."""

import collections
import contextlib
import errno
import glob
import math
import os
import re
import shutil
import time
from collections.abc import Callable, Mapping
from typing import Any

import keras
import tensorflow as tf
from tensorflow.core.util import event_pb2

from neurovocal_tf import files
from neurovocal_tf.data.watch import Watch
from neurovocal_tf.runs import checkpoint
from neurovocal_tf.runs.run_folder import RunFolder
from neurovocal_tf.training.averages import weights_to_keep
from neurovocal_tf.training.story import kept_epochs, line_of, monitored_error

# TensorBoard shows what stands before the slash of a tag as the heading of its cards.
_HEADINGS = {
    "songs": r".*song_distance",
    "error": r"val_one_step_error|baseline_.*",
    "schedule": "learning_rate|cd_steps|num_bad_steps|epoch_s",
    "cost": ".*",
}
# A tag that TensorBoard has of every epoch.
_EVERY_EPOCH = "schedule/learning_rate"
_HDF5_OVERHEAD = 2**20


class RoomForWeights(keras.callbacks.Callback):
    """Ends a training in words before its weights are written to a disk without room for them.

    HDF5, by which keras-tuner keeps the weights of a trial, ends the process where a disk is full.

    Args:
        folder: where the weights go.

    Raises: OSError after an epoch, if there is no room.
    """

    def __init__(self, folder: str) -> None:
        super().__init__()
        self.folder = folder

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Looks at the disk."""
        num_bytes = sum(weight.numpy().nbytes for weight in self.model.weights)
        # Two of them are there for a moment, and each has names and addresses beside its numbers.
        if shutil.disk_usage(self.folder).free < 2 * num_bytes + _HDF5_OVERHEAD:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), self.folder)


class RunRecord(keras.callbacks.Callback):
    """Keeps the run: after every epoch the checkpoint, the history and TensorBoard's curves.

    Args:
        folder: `RunFolder`.    best: `BestWeights`.
        history: list of dicts, one an epoch, which it goes on with.
        baselines: dict of one-step errors, written beside each epoch's.    unit: of the errors.
        memory: what every checkpoint remembers of the folder.
        report: called with a line where an epoch is kept, or sang and is not.
        find_noise: called before its weights are kept, for what goes with them and
            is not trained, see `sung_noise`.
    """

    def __init__(
        self,
        folder: RunFolder,
        best: checkpoint.BestWeights,
        history: list[dict[str, Any]],
        baselines: Mapping[str, float],
        unit: str,
        memory: checkpoint.Memory | None = None,
        report: Callable[[str], object] = lambda line: None,
        find_noise: Callable[[], object] = lambda: None,
    ) -> None:
        super().__init__()
        self.find_noise = find_noise
        self.folder, self.best, self.history, self.baselines = folder, best, history, baselines
        self.unit, self.memory, self.report = unit, memory, report
        self._writer = None

    def catch_up(self) -> None:
        """Writes what the checkpoint knows of the epochs done and a kill has kept from the
        history and from TensorBoard.
        """
        self._write_history()
        written = event_steps(self.folder).get(_EVERY_EPOCH, set())
        with tf.summary.create_file_writer(self.folder.file("tensorboard")).as_default():
            for row in self.history:
                if row["epoch"] not in written:
                    _write_scalars(row)

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        self._writer = tf.summary.create_file_writer(self.folder.file("tensorboard"))

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        self._began = time.monotonic()

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        optimizer = self.model.optimizer
        row = {"epoch": epoch + 1, **{name: float(value) for name, value in logs.items()}}
        row |= {f"baseline_{name}": value for name, value in self.baselines.items()}
        row |= {
            # As tensors: a variable of several replicas is no number.
            "learning_rate": float(tf.convert_to_tensor(optimizer.learning_rate)),
            "cd_steps": int(tf.convert_to_tensor(self.model.cd_steps)),
            "num_bad_steps": int(tf.convert_to_tensor(optimizer.num_bad_steps)),
            "epoch_s": round(time.monotonic() - self._began, 3),
        }
        self.history.append(row)
        with weights_to_keep(self.model):
            error = monitored_error(row)
            known = row["cd_steps"], row.get("song_distance", math.inf)
            if self.best.would_take(error, *known):
                self.find_noise()
            self.best.offer(self.model.variables, error, epoch + 1, *known)
        done = epoch + 1, self.best, self.history, self.memory
        checkpoint.save(self.folder.checkpoint, self.model, *done)
        self._write_history()
        with self._writer.as_default():
            _write_scalars(row)
        line = line_of(self.history, self.unit)
        if line:
            self.report(line)

    def on_train_end(self, logs: dict[str, Any] | None = None) -> None:
        self._writer.close()

    def _write_history(self):
        names = list(self.history[0])
        rows = [
            [*(past[name] for name in names), kept]
            for past, kept in zip(self.history, kept_epochs(self.history), strict=True)
        ]
        files.write_csv(self.folder.file("history.csv"), [*names, "kept_epoch"], rows)


class RecordingsCheck(keras.callbacks.Callback):
    """Ends a training whose recordings have changed, or have gone, while it reads them.

    Args:
        watch: over the recordings.
        is_read_again: whether every epoch reads them; else the first alone does.
        wait_for_all: returns when those of every other worker have been looked at.
    """

    def __init__(
        self,
        watch: Watch,
        is_read_again: bool,
        wait_for_all: Callable[[], object] = lambda: None,
    ) -> None:
        super().__init__()
        self.watch, self.is_read_again, self.wait_for_all = watch, is_read_again, wait_for_all
        self._is_read = False

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        if self.is_read_again or not self._is_read:
            self.watch.check()
            self.wait_for_all()
        self._is_read = True


def event_steps(folder: RunFolder) -> dict[str, set[int]]:
    """Dict of tag -> steps that TensorBoard's files in a run folder have, as far as they can be
    read.
    """
    steps = collections.defaultdict(set)
    for path in sorted(glob.glob(glob.escape(folder.file("tensorboard")) + "/events.out.*")):
        # A killed run leaves half a record at the end.
        with contextlib.suppress(tf.errors.OpError):
            for record in tf.data.TFRecordDataset(path):
                event = event_pb2.Event.FromString(record.numpy())
                for value in event.summary.value:
                    steps[value.tag].add(event.step)
    return steps


def _write_scalars(row):
    for name, value in row.items():
        if math.isfinite(value):
            tf.summary.scalar(tag_of(name), value, step=row["epoch"])


def tag_of(name: str) -> str:
    """TensorBoard's tag of a figure of the history: a heading, a slash, its name."""
    heading = next(heading for heading, names in _HEADINGS.items() if re.fullmatch(names, name))
    return f"{heading}/{name}"
