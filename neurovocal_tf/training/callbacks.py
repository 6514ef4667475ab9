"""What happens between a run's epochs: phases, averaged weights, checkpoints, records, pictures."""

import contextlib
import math
import time

import keras
import numpy as np
import tensorflow as tf

from neurovocal_tf import files
from neurovocal_tf.audio import spectrogram
from neurovocal_tf.plots import canvas
from neurovocal_tf.plots.songs import comparison_figure
from neurovocal_tf.plots.training import curves_figure, filters_figure, hidden_figure
from neurovocal_tf.rbm.energy import hidden_logits
from neurovocal_tf.runs import checkpoint
from neurovocal_tf.training.optimizers import averaged_weights, swap_averages

_PICTURE_FRAMES = 600
_NUM_PICTURED = 3


class EpochPhases(keras.callbacks.Callback):
    """Tells the data with which epoch to begin, and the model its k.

    Args:
        epoch_variable: int64 variable that the training dataset reads when it begins.    cd_steps: `Phases` of k.
    """

    def __init__(self, epoch_variable, cd_steps):
        super().__init__()
        self.epoch_variable = epoch_variable
        self.cd_steps = cd_steps

    def on_epoch_begin(self, epoch, logs=None):
        self.epoch_variable.assign(epoch)
        self.model.cd_steps.assign(self.cd_steps.at(epoch))


class AveragedValidation(keras.callbacks.Callback):
    """Validates with the weights' moving averages, and puts the weights back."""

    def on_test_begin(self, logs=None):
        swap_averages(self.model.optimizer, self.model.trainable_variables)

    def on_test_end(self, logs=None):
        swap_averages(self.model.optimizer, self.model.trainable_variables)


class RunRecord(keras.callbacks.Callback):
    """Keeps the run: after every epoch the checkpoint, the history and TensorBoard's curves.

    Args:
        folder: `RunFolder`.    best: `BestWeights`.    history: list of dicts, one an epoch, which it goes on with.
        baselines: dict of one-step errors, written beside each epoch's.
    """

    def __init__(self, folder, best, history, baselines):
        super().__init__()
        self.folder, self.best, self.history, self.baselines = folder, best, history, baselines
        self._writer = None

    def on_train_begin(self, logs=None):
        self._writer = tf.summary.create_file_writer(self.folder.file("tensorboard"))

    def on_epoch_begin(self, epoch, logs=None):
        self._began = time.monotonic()

    def on_epoch_end(self, epoch, logs=None):
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
            known = (monitored_error(row), epoch + 1, row["cd_steps"], row.get("song_distance", math.inf))
            self.best.offer(self.model.variables, *known)
        checkpoint.save(self.folder.checkpoint, self.model, epoch + 1, self.best, self.history)
        files.write_csv(self.folder.file("history.csv"), row, [past.values() for past in self.history])
        with self._writer.as_default(step=epoch + 1):
            for name, value in row.items():
                if math.isfinite(value):
                    tf.summary.scalar(name, value)

    def on_train_end(self, logs=None):
        self._writer.close()


class Pictures(keras.callbacks.Callback):
    """Draws what the model has learned, into the run folder and into TensorBoard.

    Args:
        folder: `RunFolder`.    data: `DataSummary`.    real: list of model frames [L, V], held out.
        endpoints: `endpoints.Endpoints` of the model that trains.
        history: list of dicts, one an epoch.    epochs: the epochs, counted from 1, after which to draw.
    """

    def __init__(self, folder, data, real, endpoints, history, epochs):
        super().__init__()
        self.folder, self.data, self.endpoints, self.history, self.epochs = folder, data, endpoints, history, set(epochs)
        self.real = [np.asarray(frames)[:_PICTURE_FRAMES] for frames in real[:_NUM_PICTURED]]
        # Beside words of half a second, ten seconds of song would be all that one sees.
        self.num_generated = min(2 * max(map(len, self.real)), _PICTURE_FRAMES)
        self._writer = None
        # Frame after frame of a recurrence takes seconds outside a graph.
        self._hidden = tf.function(self._hidden_probabilities, autograph=False)

    def on_train_begin(self, logs=None):
        self._writer = tf.summary.create_file_writer(self.folder.file("tensorboard"))

    def on_epoch_end(self, epoch, logs=None):
        if epoch + 1 not in self.epochs:
            return
        self.draw_curves()
        with weights_to_keep(self.model), self._writer.as_default(step=epoch + 1):
            songs = self._songs_figure()
            canvas.save_figure(songs, self.folder.file(f"samples_epoch_{epoch + 1}.png"))
            pictures = {"songs": songs, "filters": self._filters_figure(), "hidden": self._hidden_figure()}
            for name, figure in pictures.items():
                tf.summary.image(name, canvas.figure_to_rgb(figure)[np.newaxis])

    def on_train_end(self, logs=None):
        self._writer.close()

    def draw_curves(self):
        """Writes curves.png."""
        columns = {name: [row[name] for row in self.history] for name in self.history[0]}
        canvas.save_figure(curves_figure(columns, self.data.unit), self.folder.file("curves.png"))

    def _songs_figure(self):
        seeds = tf.range(_NUM_PICTURED, dtype=tf.int64) + self.endpoints.config.training.seed
        songs = self.endpoints.generate(seeds, tf.fill([_NUM_PICTURED], self.num_generated), tf.ones([_NUM_PICTURED]))
        real = [self._decibels(frames) for frames in self.real]
        return comparison_figure(real, list(np.asarray(songs["spectrogram"])), *self._scales())

    def _filters_figure(self):
        return filters_figure(np.asarray(self.model.conditional_rbm.W), self._scales()[1])

    def _hidden_figure(self):
        return hidden_figure(np.asarray(self._hidden(self.real[0][np.newaxis])[0]), self._scales()[0])

    def _hidden_probabilities(self, frames):
        return tf.sigmoid(hidden_logits(self.model(frames), self.model.standardisation(frames)))

    def _decibels(self, frames):
        return np.asarray(spectrogram.model_frames_to_decibels(frames, self.data.scale) if self.data.scale else frames)

    def _scales(self):
        if self.data.scale is None:
            return None, None
        return self.endpoints.config.spectrogram.hop_length / self.data.sample_rate, self.data.sample_rate / 2


def monitored_error(row):
    """What tells the best epoch, from its row of the history: of binary units the pseudo-likelihood, negated, else the one-step error."""
    return -row["val_pseudo_log_likelihood"] if "val_pseudo_log_likelihood" in row else row["val_one_step_error"]


def weights_to_keep(model):
    """A context in which the model holds the weights worth keeping: their averages, where it averages."""
    return averaged_weights(model.optimizer, model.trainable_variables) if model.optimizer.use_ema else contextlib.nullcontext()
