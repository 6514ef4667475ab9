"""Moving averages of the weights: exchanged with them to validate and to keep."""

import contextlib
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from typing import Any

import keras
import numpy as np


def swap_averages(
    optimizer: keras.optimizers.Optimizer, variables: Sequence[keras.Variable]
) -> None:
    """Exchanges `variables` with their moving averages in place; its own inverse.

    Does nothing where the optimiser keeps no averages.
    Raises ValueError for variables it was not built for.
    """
    if not optimizer.use_ema:
        return
    optimizer._check_variables_are_known(variables)
    for variable in variables:
        average = optimizer._model_variables_moving_average[optimizer._get_variable_index(variable)]
        weight, mean = (np.asarray(values).copy() for values in (variable, average))
        variable.assign(mean)
        average.assign(weight)


@contextlib.contextmanager
def averaged_weights(
    optimizer: keras.optimizers.Optimizer, variables: Sequence[keras.Variable]
) -> Iterator[None]:
    """Within this context `variables` hold their moving averages;
    afterwards they are as they were, bit for bit.
    """
    swap_averages(optimizer, variables)
    try:
        yield
    finally:
        swap_averages(optimizer, variables)


class AveragedValidation(keras.callbacks.Callback):
    """Validates with the weights' moving averages, and puts the weights back."""

    def on_test_begin(self, logs: dict[str, Any] | None = None) -> None:
        swap_averages(self.model.optimizer, self.model.trainable_variables)

    def on_test_end(self, logs: dict[str, Any] | None = None) -> None:
        swap_averages(self.model.optimizer, self.model.trainable_variables)


def weights_to_keep(model: keras.Model) -> AbstractContextManager[None]:
    """A context in which the model holds the weights worth keeping:
    their averages, where it averages.
    """
    return (
        averaged_weights(model.optimizer, model.trainable_variables)
        if model.optimizer.use_ema
        else contextlib.nullcontext()
    )
