"""Graphs that are made once."""

from collections.abc import Callable
from typing import Any

import numpy.typing as npt
import tensorflow as tf


class Traced:
    """A function whose graph is made once, when it is first called,
    and is part of whatever graph calls it after that.

    A `tf.function` would make it anew for every caller.

    Args:
        function: takes one tensor for each of `specs`.    specs: `tf.TensorSpec`s.
    """

    def __init__(self, function: Callable[..., Any], *specs: tf.TensorSpec) -> None:
        self._function = tf.function(function, input_signature=specs, autograph=False)
        self._graph = None

    def __call__(self, *tensors: npt.ArrayLike | tf.Tensor) -> Any:
        if self._graph is None:
            with tf.init_scope():
                self._graph = self._function.get_concrete_function()
        return self._graph(
            *(
                tf.convert_to_tensor(tensor, spec.dtype)
                for tensor, spec in zip(tensors, self._function.input_signature, strict=True)
            )
        )
