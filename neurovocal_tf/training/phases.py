"""What changes from epoch to epoch: learning rates, Gibbs steps, and the data's epoch."""

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf


@keras.saving.register_keras_serializable(package="neurovocal_tf")
class Phases:
    """A value that changes by epoch: `values[i]` holds for `epochs[i]` epochs,
    the last one for ever.

    Args:
        values: one number or a sequence of numbers, one a phase.
        epochs: one number or a sequence of them, the epochs of each phase.
            One number, of either, serves all phases.
    """

    def __init__(self, values: float | Sequence[float], epochs: int | Sequence[int]) -> None:
        values, epochs = (tuple(np.atleast_1d(given).tolist()) for given in (values, epochs))
        num_phases = max(len(values), len(epochs))
        for key, given in (("values", values), ("epochs", epochs)):
            if len(given) not in (1, num_phases):
                raise ValueError(
                    f"`{key}` must have one number or {num_phases}. Received: {key}={given}"
                )
        if not all(isinstance(n, int) and n >= 1 for n in epochs):
            raise ValueError(
                f"`epochs` must be whole numbers of at least 1. Received: epochs={epochs}"
            )
        self.values = values * (num_phases // len(values))
        self.epochs = epochs * (num_phases // len(epochs))

    @property
    def num_epochs(self) -> int:
        """Epochs of all phases together."""
        return sum(self.epochs)

    def at(self, epoch: int) -> float:
        """The value in `epoch`, counted from 0."""
        if epoch < 0:
            raise ValueError(f"`epoch` must be at least 0. Received: epoch={epoch}")
        ends = np.cumsum(self.epochs)
        return self.values[
            min(int(np.searchsorted(ends, epoch, side="right")), len(self.values) - 1)
        ]

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        return {"values": list(self.values), "epochs": list(self.epochs)}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> "Phases":
        """Inverse of `get_config`."""
        return cls(**config)


@keras.saving.register_keras_serializable(package="neurovocal_tf")
class PhasedLearningRate(keras.callbacks.Callback):
    """Sets the optimiser's learning rate at the beginning of each epoch.

    Args:
        phases: `Phases` of learning rates.
    """

    def __init__(self, phases: Phases) -> None:
        super().__init__()
        self.phases = phases

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Sets the rate of `epoch`, counted from 0 over the whole training, resumed or not."""
        self.model.optimizer.learning_rate = self.phases.at(epoch)

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        return {"phases": keras.saving.serialize_keras_object(self.phases)}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> "PhasedLearningRate":
        """Inverse of `get_config`."""
        return cls(keras.saving.deserialize_keras_object(config["phases"]))


class EpochPhases(keras.callbacks.Callback):
    """Tells the data with which epoch to begin, and the model its k.

    Args:
        epoch_variable: int64 variable that the training dataset reads when it begins.
        cd_steps: `Phases` of k.
    """

    def __init__(self, epoch_variable: tf.Variable, cd_steps: Phases) -> None:
        super().__init__()
        self.epoch_variable = epoch_variable
        self.cd_steps = cd_steps

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        self.epoch_variable.assign(epoch)
        self.model.cd_steps.assign(self.cd_steps.at(epoch))
