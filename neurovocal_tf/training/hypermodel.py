"""The model of a trial in a search with keras-tuner:
built, compiled and fitted with the settings that the trial draws.
"""

import math
from collections.abc import Callable, Sequence
from typing import Any

import keras
import keras_tuner
import tensorflow as tf

from neurovocal_tf.config import Config
from neurovocal_tf.model.adaptation import start_from_data
from neurovocal_tf.model.rnn_rbm import RNNRBM
from neurovocal_tf.runs.trained import build_model
from neurovocal_tf.training import trainer
from neurovocal_tf.training.callbacks import RecordingsCheck, RoomForWeights
from neurovocal_tf.training.phases import Phases
from neurovocal_tf.training.preparation import TrainingData
from neurovocal_tf.training.search_space import Dimension, value_text, with_values

OBJECTIVE = "val_one_step_error"


class RNNRBMHyperModel(keras_tuner.HyperModel):
    """Builds, compiles and fits the model of a trial.

    Args:
        config: `Config` whose other settings hold.    space: dict of name -> `Dimension`.
        data: `preparation.TrainingData`, the same for all trials.
        epoch_variable: the one that `data` reads.
        report: called with a line after each trial.    callbacks: Keras callbacks of every trial.
        folder: where the tuner keeps the weights of trials.

    `has_failed` says whether the last trial had no finite error.
    """

    def __init__(
        self,
        config: Config,
        space: dict[str, Dimension],
        data: TrainingData,
        epoch_variable: tf.Variable,
        report: Callable[[str], object],
        callbacks: Sequence[keras.callbacks.Callback],
        folder: str,
    ) -> None:
        super().__init__()
        self.folder = folder
        self.config, self.space = config, space
        self.data, self.epoch_variable = data, epoch_variable
        self.report, self.callbacks = report, callbacks
        self.has_failed = False

    def values_of(self, hp: keras_tuner.HyperParameters) -> dict[str, str | float]:
        """Draws the searched settings from `keras_tuner.HyperParameters`, or reads them.

        -> dict of name -> value
        """
        return {name: self._draw(hp, name, dimension) for name, dimension in self.space.items()}

    def _draw(self, hp, name, dimension):
        if dimension.kind == "choice":
            return hp.Choice(name, list(dimension.values))
        draw = hp.Int if isinstance(dimension.values[0], int) else hp.Float
        return draw(name, *dimension.values, sampling=dimension.kind)

    def build(self, hp: keras_tuner.HyperParameters) -> RNNRBM:
        """A model of the drawn size, started from the data and compiled."""
        config = with_values(self.config, self.values_of(hp))
        summary = self.data.summary
        model = build_model(config, summary.num_visible, summary.conditions, summary.labels)
        start_from_data(model, self.data.moments)
        trainer.compile_model(model, config)
        return model

    def fit(
        self,
        hp: keras_tuner.HyperParameters,
        model: RNNRBM,
        callbacks: Sequence[keras.callbacks.Callback] = (),
        epochs: int = 1,
        initial_epoch: int = 0,
        **_: Any,
    ) -> dict[str, float]:
        """Trains with phases as long, in proportion, as those of a whole training.

        Returns:
            dict of the smallest error; NaN, which fails the trial and not the search,
            if no epoch had a finite one.

        Raises:
            keras_tuner.errors.FatalError: a defect, or recordings have changed. It ends the search.
        """
        self.has_failed = False
        config = with_values(self.config, self.values_of(hp))
        if initial_epoch:
            # A model that goes on has got its weights since it was compiled,
            # and averages begin at the weights.
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
                callbacks=[
                    *trainer.phase_callbacks(model, *phases, self.epoch_variable),
                    RecordingsCheck(self.data.watch, self.data.is_read_again),
                    # Before the tuner's own, which writes them.
                    RoomForWeights(self.folder),
                    *callbacks,
                    *self.callbacks,
                ],
            ).history
        except tf.errors.OpError as error:
            self._end_if_recordings_changed()
            return self._failed(hp, f"{type(error).__name__}: {str(error).splitlines()[0]}")
        except keras_tuner.errors.FatalError:
            raise
        except Exception as error:
            raise keras_tuner.errors.FatalError(f"{type(error).__name__}: {error}") from error
        finite = [error for error in history[OBJECTIVE] if math.isfinite(error)]
        if not finite:
            return self._failed(hp, "its error is not finite")
        self.report(self.outcome(hp, min(finite), epochs))
        return {OBJECTIVE: min(finite)}

    def outcome(self, hp: keras_tuner.HyperParameters, error: float, epochs: int) -> str:
        """A trial's error, its epochs and what it had drawn, in words."""
        return (
            f"{error:.4g} {self.data.summary.unit} after {epochs} epochs with {self.drawn_text(hp)}"
        )

    def _end_if_recordings_changed(self):
        try:
            self.data.watch.check()
        except ValueError as error:
            raise keras_tuner.errors.FatalError(str(error)) from None

    def _failed(self, hp, reason):
        self.has_failed = True
        self.report(f"failed, {reason}, with {self.drawn_text(hp)}")
        return {OBJECTIVE: math.nan}

    def drawn_text(self, hp: keras_tuner.HyperParameters) -> str:
        """What a trial has drawn, as a user reads it."""
        return ", ".join(
            f"{name}={value_text(value)}" for name, value in self.values_of(hp).items()
        )


def _in_proportion(phases, num_epochs, epochs):
    """Phases of a training of `num_epochs` epochs, for one of `epochs`."""
    return Phases([phases.at(epoch * num_epochs // epochs) for epoch in range(epochs)], 1)
