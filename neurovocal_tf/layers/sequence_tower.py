"""A sequence of any length as one direction: what recordings and texts are compared by."""

from collections.abc import Sequence
from typing import Any

import keras
import tensorflow as tf

from neurovocal_tf.layers.training_noise import dropped
from neurovocal_tf.rbm import noise

# Places to both sides that a layer reads, and how far apart they are from layer to layer.
_REACH = 2


@keras.saving.register_keras_serializable(package="neurovocal_tf")
class SequenceTower(keras.layers.Layer):
    """Reads a sequence, of frames or of letters, as a point on the unit sphere.

        x = inputs W                                             [B, T, C]
        x = x + gelu(conv(norm(x)))                              in each layer, 5 places wide, these
                                                                 2^layer apart
        y = [sum_t a_t x_t, max_t x_t],   a = softmax_t(x w)     [B, 2 C]
        output = y Wy / |y Wy|                                   [B, J]

    Convolution and pooling see what the mask leaves, and nothing else: a row is the same point,
    but for rounding, however much padding follows it.

    Args:
        size: int, J, the dimensions of the space.
        num_units: int, C.    num_layers: int.
        dropout: share of what each layer and the pooling read that is dropped in training.
        seed: int, of the initial weights.

    Input shape: `[B, T, F]`, and a mask bool `[B, T]` that holds at least once in every row.
    Output shape: `[B, J]`.
    """

    def __init__(
        self,
        size: int = 64,
        num_units: int = 64,
        num_layers: int = 2,
        dropout: float = 0.0,
        seed: int = 0,
        **kwargs: Any,
    ) -> None:
        super().__init__(**{"dtype": "float32", **kwargs})
        if min(size, num_units, num_layers) < 1:
            raise ValueError(
                "`size`, `num_units` and `num_layers` must be at least 1. Received: "
                f"size={size}, num_units={num_units}, num_layers={num_layers}"
            )
        if not 0 <= dropout < 1:
            raise ValueError(
                f"`dropout` must be at least 0 and below 1. Received: dropout={dropout:g}"
            )
        self.supports_masking = True
        self.size = size
        self.num_units = num_units
        self.num_layers = num_layers
        self.dropout = dropout
        self.seed = seed

    def build(self, input_shape: Sequence[int | None]) -> None:
        def glorot(number):
            return keras.initializers.GlorotUniform(seed=self.seed + number)

        self._entry = keras.layers.Dense(self.num_units, kernel_initializer=glorot(0), name="entry")
        self._norms, self._convolutions = [], []
        for layer in range(self.num_layers):
            self._norms.append(keras.layers.LayerNormalization(name=f"norm_{layer}"))
            self._convolutions.append(
                keras.layers.Conv1D(
                    self.num_units,
                    2 * _REACH + 1,
                    padding="same",
                    dilation_rate=2**layer,
                    activation="gelu",
                    kernel_initializer=glorot(1 + layer),
                    name=f"convolution_{layer}",
                )
            )
        number = 1 + self.num_layers
        self._attention = keras.layers.Dense(
            1, use_bias=False, kernel_initializer=glorot(number), name="attention"
        )
        self._exit = keras.layers.Dense(
            self.size, kernel_initializer=glorot(number + 1), name="exit"
        )
        inside = (None, None, self.num_units)
        self._entry.build(input_shape)
        for layer in (*self._norms, *self._convolutions, self._attention):
            layer.build(inside)
        self._exit.build((None, 2 * self.num_units))

    def call(
        self, inputs: tf.Tensor, mask: tf.Tensor, stream: noise.Stream | None = None, index: int = 0
    ) -> tf.Tensor:
        """The points of rows; in training `stream` decides what is dropped, by the numbers of
        `noise.DROPOUT` from `index` on, `num_dropouts` of them.
        """

        def kept(values, number):
            if stream is None:
                return values
            return dropped(values, self.dropout, stream, index + number)

        # What padding holds reaches into a convolution, unless it is zero.
        counts = tf.cast(mask, tf.float32)[..., tf.newaxis]
        x = self._entry(inputs)
        for number, (norm, convolution) in enumerate(
            zip(self._norms, self._convolutions, strict=True)
        ):
            x += convolution(kept(norm(x), number) * counts)
        padding = (1.0 - counts) * x.dtype.min
        attention = tf.nn.softmax(self._attention(x) + padding, axis=1)
        pooled = tf.concat(
            [tf.reduce_sum(attention * x, axis=1), tf.reduce_max(x + padding, axis=1)], axis=-1
        )
        pooled = kept(pooled[:, tf.newaxis], self.num_layers)[:, 0]
        return tf.math.l2_normalize(self._exit(pooled), axis=-1)

    def compute_mask(self, inputs: tf.Tensor, mask: tf.Tensor | None = None) -> None:
        """None: a point has no places to leave out."""

    @property
    def num_dropouts(self) -> int:
        """How many numbers of `noise.DROPOUT` its training takes."""
        return self.num_layers + 1

    def get_config(self) -> dict[str, Any]:
        names = ("size", "num_units", "num_layers", "dropout", "seed")
        return {**super().get_config(), **{name: getattr(self, name) for name in names}}
