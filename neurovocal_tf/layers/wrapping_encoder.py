"""What an encoder around another one leaves to that, whatever else it adds."""

from typing import Any

import keras
import tensorflow as tf

from neurovocal_tf.layers.encoder import Encoder, check_encoder
from neurovocal_tf.layers.padding import after_each, frames_first
from neurovocal_tf.rbm import noise


class WrappingEncoder(keras.layers.Layer):
    """An `encoder.Encoder` that wraps another one, whose state stands at the end of its own.

    Subclasses say what the rest of a state is: `_states` gives the state after each frame
    [B, T, R], of which every one counts, and `_parts` takes a state apart, the wrapped encoder's
    last.

    Args:
        encoder: the `Encoder` to wrap.

    `call` takes what an encoder takes, a Keras mask [B, T]: a frame that it leaves out changes no
    state; and where the encoder knows of labels, cues [B, T, C], see `LabelledEncoder`.
    """

    def __init__(self, encoder: Encoder, **kwargs: Any) -> None:
        super().__init__(**{"autocast": False, **kwargs})
        check_encoder(encoder)
        self.encoder = encoder
        self.supports_masking = True

    @property
    def dtype_policy(self) -> keras.DTypePolicy:
        """That of the wrapped encoder too, which takes it over."""
        return self._dtype_policy

    @dtype_policy.setter
    def dtype_policy(self, policy: keras.DTypePolicy) -> None:
        self._dtype_policy = keras.dtype_policies.get(policy)
        self.encoder.dtype_policy = policy

    @property
    def num_direct_frames(self) -> int:
        """Those of the wrapped encoder, at the end of u."""
        return self.encoder.num_direct_frames

    @property
    def num_dropouts(self) -> int:
        """Those of the wrapped encoder."""
        return self.encoder.num_dropouts

    @property
    def embedding_size(self) -> int:
        """E, that of the wrapped encoder."""
        return self.encoder.embedding_size

    def call(
        self,
        inputs: tf.Tensor,
        initial_state: tf.Tensor | None = None,
        training: bool = False,
        stream: noise.Stream | None = None,
        mask: tf.Tensor | None = None,
        cues: tf.Tensor | None = None,
    ) -> tf.Tensor:
        inputs = tf.cast(inputs, self.variable_dtype)
        if initial_state is None:
            initial_state = self.initial_state(tf.ones([tf.shape(inputs)[0]], tf.bool))
        told = {} if cues is None else {"cues": cues}
        if mask is None:
            return self._states(inputs, initial_state, training, stream, **told)
        told = {name: frames_first(x, mask) for name, x in told.items()}
        inputs = frames_first(inputs, mask)
        first = self._states(inputs, initial_state, training, stream, **told)
        return after_each(first, initial_state, mask)

    def embedding(self, state: tf.Tensor) -> tf.Tensor:
        """See `Encoder.embedding`: that of the wrapped encoder."""
        return self.encoder.embedding(self._parts(state)[-1])

    def get_config(self) -> dict[str, Any]:
        encoder = keras.saving.serialize_keras_object(self.encoder)
        return {**super().get_config(), "encoder": encoder}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> "WrappingEncoder":
        encoder = keras.saving.deserialize_keras_object(config["encoder"])
        return cls(**{**config, "encoder": encoder})
