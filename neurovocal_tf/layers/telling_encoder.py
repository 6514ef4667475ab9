"""What encoders share that tell the one they wrap, and the RBM, a vector beside each frame."""

from collections.abc import Sequence
from typing import Any

import keras
import tensorflow as tf

from neurovocal_tf.labels import NO_LABELS, Labels
from neurovocal_tf.layers.encoder import Encoder, Weights
from neurovocal_tf.layers.initial_weights import check_weight_init
from neurovocal_tf.layers.wrapping_encoder import WrappingEncoder
from neurovocal_tf.rbm import noise


class TellingEncoder(WrappingEncoder):
    """A `WrappingEncoder` whose state is a vector x, and the wrapped encoder's state:

        s_t = encoder([x_t, v_t], s_{t-1})
        u_t = [x_t, u of s_t]

    Subclasses have a `vector_size`, and say what x is: rows of tables of theirs, and what else.

    Args:
        encoder: the `Encoder` to wrap.
        size: int, numbers of a row of each table.
        unknown_share: how often, in training, what is told is left out.
        weight_init: "scaled" or "published" (all tables from N(0, 0.0001)).
        seed: int, of the initial weights.

    Output: the state after each frame, `[B, T, R]`; the direct frames of the wrapped encoder stand
        behind x, too. The RBM reads u = x and what it reads of the wrapped encoder, last the direct
        frames alone.
    """

    def __init__(
        self,
        encoder: Encoder,
        size: int,
        unknown_share: float,
        weight_init: str,
        seed: int,
        **kwargs: Any,
    ) -> None:
        super().__init__(encoder, **kwargs)
        if size < 1:
            raise ValueError(f"`size` must be at least 1. Received: size={size}")
        if not 0 <= unknown_share <= 1:
            raise ValueError(
                f"`unknown_share` must be between 0 and 1. Received: unknown_share={unknown_share}"
            )
        check_weight_init(weight_init)
        self.size = size
        self.unknown_share = unknown_share
        self.weight_init = weight_init
        self.seed = seed

    @property
    def vector_size(self) -> int:
        """X, numbers of x."""
        raise NotImplementedError

    @property
    def num_told(self) -> int:
        """Numbers at the beginning of u that are told: x, and what the wrapped encoder is told."""
        return self.vector_size + getattr(self.encoder, "num_told", 0)

    @property
    def labels(self) -> Labels:
        """Those along time that the wrapped encoder can be told of."""
        return getattr(self.encoder, "labels", NO_LABELS)

    @property
    def state_size(self) -> int:
        """R, the size of one row's state; known once the layer is built."""
        return self.vector_size + self.encoder.state_size

    @property
    def output_size(self) -> int:
        """Size of u: of x, and of what the RBM reads of the wrapped encoder."""
        # Of which each direct frame has x beside it.
        return self.encoder.output_size + (1 - self.num_direct_frames) * self.vector_size

    def build(self, input_shape: Sequence[int | None]) -> None:
        self._num_visible = input_shape[-1]
        if not self.encoder.built:
            self.encoder.build((*input_shape[:-1], self.vector_size + self._num_visible))

    def _table(self, name, num_rows, sd, seed):
        """A weight [num_rows, size] from N(0, sd^2), its seed so far from the layer's."""
        # Read as it is: what is computed in less than its precision is for `call` to choose.
        return self.add_weight(
            name=name,
            shape=(num_rows, self.size),
            initializer=keras.initializers.RandomNormal(
                stddev=1e-4 if self.weight_init == "published" else sd, seed=self.seed + seed
            ),
            autocast=False,
        )

    def _read(self, vectors, inputs, first, training, stream, **told):
        """The state after each frame beside its vector.  [B, T, X], [B, T, V] -> [B, T, R]"""
        states = self.encoder(
            tf.concat([vectors, inputs], axis=2), first, training=training, stream=stream, **told
        )
        return tf.concat([vectors, states], axis=2)

    def _spread(self, vector, inputs):
        """A row's vector beside each of its frames.  [B, X] -> [B, T, X]"""
        num_rows, num_frames, _ = noise.shape_of(inputs)
        return tf.broadcast_to(vector[:, tf.newaxis], [num_rows, num_frames, self.vector_size])

    def _step(self, vector, frame, before, weights, axis, **told):
        """The state one frame later, with its vector."""
        after = self.encoder.step(
            tf.concat([vector, frame], axis=axis), before, weights, axis, **told
        )
        return tf.concat([vector, after], axis=axis)

    def step_weights(self) -> Weights:
        """See `Encoder.step_weights`: the wrapped encoder's."""
        return self.encoder.step_weights()

    def output(self, state: tf.Tensor, axis: int = -1) -> tf.Tensor:
        """See `Encoder.output`: x, and what the RBM reads of the wrapped encoder."""
        vector, of_encoder = self._parts(state, axis)
        u, pair = self.encoder.output(of_encoder, axis), [self.vector_size, self._num_visible]
        num_told = self.encoder.output_size - self.num_direct_frames * sum(pair)
        told, *direct = tf.split(u, [num_told, *pair * self.num_direct_frames], axis=axis)
        return tf.concat([vector, told, *direct[1::2]], axis=axis)

    def _parts(self, state, axis=-1):
        return tf.split(state, [self.vector_size, self.encoder.state_size], axis=axis)

    def get_config(self) -> dict[str, Any]:
        names = ("size", "unknown_share", "weight_init", "seed")
        return {**super().get_config(), **{name: getattr(self, name) for name in names}}
