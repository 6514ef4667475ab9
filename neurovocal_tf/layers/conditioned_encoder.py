"""An encoder that knows under which conditions it reads: who sings, say, or in which context."""

from collections.abc import Mapping, Sequence
from typing import Any

import keras
import tensorflow as tf

from neurovocal_tf.conditions import Conditions
from neurovocal_tf.layers.encoder import Encoder, Weights
from neurovocal_tf.layers.telling_encoder import TellingEncoder
from neurovocal_tf.rbm import noise

# How far the seeds of its weights are from those of the encoder that it wraps.
_SEED_OF_WEIGHTS = 800
# Small beside frames, whose standard deviation is 1, and yet no zeros: where all values are the
# same, nothing is learned of what to do with them.
_FIRST_SD = 0.1


@keras.saving.register_keras_serializable(package="neurovocal_tf")
class ConditionedEncoder(TellingEncoder):
    """An `encoder.Encoder` that wraps another one, and tells it and the RBM of a row's conditions:

        e = [E_1[n_1], ..., E_K[n_K]]        n_k: the number of the k-th condition's value
        s_t = encoder([e, v_t], s_{t-1})
        u_t = [e, u of s_t]

    The vector e is part of the state, so that whatever goes on from a state does so under the same
    conditions; nobody else has to know of them.

    Args:
        encoder: the `Encoder` to wrap.
        conditions: `Conditions`, or the values of such by name: what may be named.
        size: int, D, numbers of each condition's vector, a row of its E.
        unknown_share: how often, in training, each condition is taken for unknown, so that a row
            of which nothing is known can be read, too.
        weight_init: "scaled" (E from N(0, 0.1)) or "published" (from N(0, 0.0001)).
        seed: int, of the initial weights.

    `call` takes what an encoder takes, and a Keras mask [B, T].

    Input shape: `[B, T, V]`.    Output: see `TellingEncoder`, x is e, K D numbers.
    """

    def __init__(
        self,
        encoder: Encoder,
        conditions: Conditions | Mapping[str, Sequence[str]],
        size: int = 8,
        unknown_share: float = 0.1,
        weight_init: str = "scaled",
        seed: int = 0,
        **kwargs: Any,
    ) -> None:
        super().__init__(encoder, size, unknown_share, weight_init, seed, **kwargs)
        if not isinstance(conditions, Conditions):
            conditions = Conditions.from_json(conditions)
        if not conditions:
            raise ValueError("`conditions` must have one at least. Received: none")
        self.conditions = conditions

    @property
    def vector_size(self) -> int:
        """K D, numbers of e."""
        return len(self.conditions) * self.size

    def build(self, input_shape: Sequence[int | None]) -> None:
        super().build(input_shape)
        self.tables = [
            self._table(f"values_{place}", size, _FIRST_SD, _SEED_OF_WEIGHTS + place)
            for place, size in enumerate(self.conditions.sizes)
        ]

    def initial_state(
        self,
        is_start: tf.Tensor,
        condition: tf.Tensor | None = None,
        stream: noise.Stream | None = None,
    ) -> tf.Tensor:
        """The state before a row's first frame: the conditions' vector, and what the wrapped
        encoder has there.

        Args:
            is_start: bool [B].
            condition: int [B, K], or [K] for all rows, numbers of values; None, and a number that
                is none: unknown.
            stream: in training, decides which are taken for unknown.

        Returns:
            [B, R].
        """
        of_encoder = self.encoder.initial_state(is_start)
        shape = [noise.shape_of(of_encoder)[0], len(self.conditions)]
        numbers = tf.zeros(shape, tf.int32)
        if condition is not None:
            numbers = tf.broadcast_to(tf.cast(condition, tf.int32), shape)
        is_known = (numbers > 0) & (numbers < tf.constant(self.conditions.sizes))
        if stream is not None and self.unknown_share:
            is_known &= stream.uniforms(noise.CONDITION, 0, shape) >= self.unknown_share
        columns = tf.unstack(tf.where(is_known, numbers, 0), axis=1)
        # As products with ones and zeros, which are exact: the gradient of a gather adds up row
        # after row.
        vectors = [
            tf.matmul(tf.one_hot(column, size, dtype=of_encoder.dtype), table)
            for column, size, table in zip(
                columns,
                self.conditions.sizes,
                map(tf.convert_to_tensor, self.tables),
                strict=True,
            )
        ]
        return tf.concat([*vectors, of_encoder], axis=1)

    def told(
        self, state: tf.Tensor, cue: tf.Tensor, stream: noise.Stream | None = None
    ) -> tf.Tensor:
        """See `LabelledEncoder.told`, of a wrapped encoder that is one."""
        vector, of_encoder = self._parts(state)
        return tf.concat([vector, self.encoder.told(of_encoder, cue, stream)], axis=1)

    def _states(self, inputs, initial_state, training, stream, **told):
        """The state after each frame, of which every one counts."""
        vector, first = self._parts(initial_state)
        return self._read(self._spread(vector, inputs), inputs, first, training, stream, **told)

    def step(
        self,
        frame: tf.Tensor,
        state: tf.Tensor,
        weights: Weights = None,
        axis: int = -1,
        **told: tf.Tensor,
    ) -> tf.Tensor:
        """See `Encoder.step`; what is told besides is for the wrapped encoder."""
        vector, before = self._parts(state, axis)
        return self._step(vector, frame, before, weights, axis, **told)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "conditions": self.conditions.to_json()}
