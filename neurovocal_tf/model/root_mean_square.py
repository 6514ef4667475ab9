"""The root of a mean of squares, as a metric."""

import keras
import tensorflow as tf


@keras.saving.register_keras_serializable(package="neurovocal_tf")
class RootMeanSquare(keras.metrics.Mean):
    """Root of the mean of the squares it is given."""

    def result(self) -> tf.Tensor:
        return keras.ops.sqrt(super().result())
