"""Pictures and sounds of what a model has learned, made in the course of its training."""

import os
from collections.abc import Iterable, Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from neurovocal_tf.data import label_tracks, recording_conditions
from neurovocal_tf.generation import songs
from neurovocal_tf.generation.singer import Singer
from neurovocal_tf.plots import canvas
from neurovocal_tf.plots.songs import comparison_figure
from neurovocal_tf.plots.training import curves_figure, filters_figure, hidden_figure
from neurovocal_tf.rbm.energy import hidden_logits
from neurovocal_tf.runs.run_folder import DataSummary, RunFolder
from neurovocal_tf.training.averages import weights_to_keep
from neurovocal_tf.training.callbacks import event_steps
from neurovocal_tf.training.story import kept_epochs

_PICTURE_FRAMES = 600
NUM_PICTURED = 3
# TensorBoard's tag of the picture of songs.
_SONGS = "pictures/songs"


class Pictures(keras.callbacks.Callback):
    """Draws what the model has learned, into the run folder and into TensorBoard, where it is
    heard, too.

    Args:
        folder: `RunFolder`.    data: `DataSummary`.    real: list of model frames [L, V], held out.
        singer: `Singer` of the model that trains.
        history: list of dicts, one an epoch.
        epochs: the epochs, counted from 1, after which to draw.
    """

    def __init__(
        self,
        folder: RunFolder,
        data: DataSummary,
        real: Sequence[np.ndarray],
        singer: Singer,
        history: list[dict[str, Any]],
        epochs: Iterable[int],
    ) -> None:
        super().__init__()
        self.folder, self.data, self.singer, self.history, self.epochs = (
            folder,
            data,
            singer,
            history,
            set(epochs),
        )
        self.real = [np.asarray(frames)[:_PICTURE_FRAMES] for frames in real[:NUM_PICTURED]]
        # Beside words of half a second, ten seconds of song would be all that one sees.
        self.num_generated = min(2 * max(map(len, self.real)), _PICTURE_FRAMES)
        self._writer = None
        # Frame after frame of a recurrence takes seconds outside a graph.
        self._hidden = tf.function(self._hidden_probabilities, autograph=False)

    def catch_up(self, model: keras.Model, epoch: int) -> None:
        """Draws what a kill has kept from the last epoch done, counted from 1: with the weights of
        that epoch, which `model` has.
        """
        is_there = os.path.exists(
            canvas.picture_path(self._songs_stem(epoch), self._settings)
        ) and (epoch in event_steps(self.folder).get(_SONGS, ()))
        if epoch in self.epochs and not is_there:
            self.set_model(model)
            self.on_train_begin()
            self.on_epoch_end(epoch - 1)
            self.on_train_end()

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        self._writer = tf.summary.create_file_writer(self.folder.file("tensorboard"))

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        if epoch + 1 not in self.epochs:
            return
        self.draw_curves()
        with weights_to_keep(self.model), self._writer.as_default(step=epoch + 1):
            songs = {"real": list(map(self._shown, self.real)), "generated": self._generated()}
            compared = comparison_figure(*songs.values(), *self._scales())
            canvas.save_picture(compared, self._songs_stem(epoch + 1), self._settings)
            pictures = {
                _SONGS: compared,
                "pictures/filters": self._filters_figure(),
                "pictures/hidden": self._hidden_figure(),
            }
            for tag, figure in pictures.items():
                tf.summary.image(tag, canvas.figure_to_rgb(figure)[np.newaxis])
            for name, spectrograms in songs.items() if self.data.is_sound else ():
                self._write_sound(f"sound/{name}", spectrograms)

    def on_train_end(self, logs: dict[str, Any] | None = None) -> None:
        self._writer.close()

    def draw_curves(self) -> None:
        """Writes curves.png."""
        columns = {name: [row[name] for row in self.history] for name in self.history[0]}
        columns["kept_epoch"] = kept_epochs(self.history)
        curves = curves_figure(columns, self.data.unit)
        canvas.save_picture(curves, self.folder.file("curves"), self._settings)

    @property
    def _settings(self):
        return self.singer.config.execution

    def _songs_stem(self, epoch):
        return self.folder.file(f"samples_epoch_{epoch}")

    def _generated(self):
        first = self.singer.config.training.seed
        sources, num_frames = self.data.training, self.num_generated
        condition = recording_conditions.in_turn(sources, self.data.conditions, NUM_PICTURED)
        texts = label_tracks.in_turn(sources, self.data.labels, NUM_PICTURED, num_frames)
        seeds = range(first, first + NUM_PICTURED)
        sung = songs.generate_frames(
            self.singer, seeds, num_frames, condition=condition, texts=texts
        )
        return [frames for _, frames in sung]

    def _write_sound(self, tag, spectrograms):
        """Each spectrogram as a sound of its own, from its decibels alone, real ones too: what
        phases have lost is lost to both.
        """
        for number, decibels in enumerate(spectrograms):
            sound = np.asarray(self.singer.sound(decibels))
            # Anything louder than full scale would crackle.
            sound = sound / max(float(np.abs(sound).max(initial=0.0)), 1.0)
            tf.summary.audio(
                f"{tag}_{number}", sound[np.newaxis, :, np.newaxis], self.data.sample_rate
            )

    def _filters_figure(self):
        return filters_figure(np.asarray(self.model.conditional_rbm.W), self._scales()[1])

    def _hidden_figure(self):
        return hidden_figure(
            np.asarray(self._hidden(self.real[0][np.newaxis])[0]), self._scales()[0]
        )

    def _hidden_probabilities(self, frames):
        return tf.sigmoid(hidden_logits(self.model(frames), self.model.standardisation(frames)))

    def _shown(self, frames):
        return np.asarray(self.data.scale.shown(frames))

    def _scales(self):
        if not self.data.is_sound:
            return None, None
        return (
            self.singer.config.spectrogram.hop_length / self.data.sample_rate,
            self.data.sample_rate / 2,
        )
