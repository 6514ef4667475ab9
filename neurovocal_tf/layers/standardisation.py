"""An affine map of each bin, held as weights so that a saved or exported model carries it."""

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf


@keras.saving.register_keras_serializable(package="neurovocal_tf")
class Standardisation(keras.layers.Layer):
    """(frames - offset) / scale per bin, and back.

    Args:
        bounded: bool; clip the standardised frames to [0, 1],
            for visible units that hold probabilities.

    Input and output shape: `[..., V]`. Until `set` is called the map is the identity.
    """

    def __init__(self, bounded: bool = False, **kwargs: Any) -> None:
        # Whatever the global policy: -70.1 and -70.2 dB are one number in bfloat16.
        super().__init__(**{"dtype": "float32", **kwargs})
        self.bounded = bounded
        self.supports_masking = True

    def build(self, input_shape: Sequence[int | None]) -> None:
        shape = (input_shape[-1],)
        self.offset = self.add_weight(
            name="offset", shape=shape, initializer="zeros", trainable=False
        )
        self.scale = self.add_weight(name="scale", shape=shape, initializer="ones", trainable=False)

    def set(
        self, offset: float | np.ndarray | tf.Tensor, scale: float | np.ndarray | tf.Tensor
    ) -> None:
        """Takes the map's offset and scale, [V] or numbers, in the units of the frames."""
        self.offset.assign(tf.broadcast_to(tf.cast(offset, tf.float32), self.offset.shape))
        self.scale.assign(tf.broadcast_to(tf.cast(scale, tf.float32), self.scale.shape))

    def call(self, frames: tf.Tensor) -> tf.Tensor:
        standardised = (frames - tf.convert_to_tensor(self.offset)) / tf.convert_to_tensor(
            self.scale
        )
        return tf.clip_by_value(standardised, 0.0, 1.0) if self.bounded else standardised

    def compute_output_shape(self, input_shape: Sequence[int | None]) -> tuple[int | None, ...]:
        return tuple(input_shape)

    def inverse(self, standardised: tf.Tensor) -> tf.Tensor:
        """Back to the units of the frames.  [..., V] -> [..., V]"""
        return standardised * tf.convert_to_tensor(self.scale) + tf.convert_to_tensor(self.offset)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "bounded": self.bounded}
