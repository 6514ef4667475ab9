"""What an encoder is: the contract between a layer that reads frames and the
RNN-RBM that sings with it.

Whatever fulfils it is an encoder, and is written once: `tests/layers/test_encoder_contract.py`
holds every one of them to it. All that a song needs to go on is in one flat state [B, R], since a
server without memory hands it to its callers and takes it back; so what an encoder remembers, be it
units, frames or a counter, is its own affair, and nobody else takes a state apart.

Letters: B rows, T frames, V bins of a frame, R the state's size,
U the size of what the RBM reads, E that of an embedding.
"""

import typing

import tensorflow as tf

from neurovocal_tf.rbm import noise

Weights = typing.Any


class Encoder(typing.Protocol):
    """A Keras layer that turns the frames so far into a state.

    Attributes:
        state_size, output_size, embedding_size: int, R, U and E;
            known once the layer is built with the frames' shape.
        conditions: `Conditions` that it can be told of, see `ConditionedEncoder`; what has no such
            attribute knows of none, and its `initial_state` takes `is_start` alone.
        labels: `Labels` along time that it can be told of, see `LabelledEncoder`, whose `call` and
            `step` take cues and which has `told`; what has no such attribute knows of none.
        num_told: int, how many numbers at the beginning of u are what it has been told of
            conditions and labels; what has no such attribute is told nothing.
        num_direct_frames: int, how many of the last frames stand unchanged at the end of u, newest
            first; a fresh model's biases may then start as an autoregression of them.
        num_dropouts: int, how many numbers of the key `noise.DROPOUT` its
            training takes, from 0 on.
    """

    state_size: int
    output_size: int
    embedding_size: int
    num_direct_frames: int
    num_dropouts: int

    def initial_state(self, is_start: tf.Tensor) -> tf.Tensor:
        """The state before a row's first frame: a learned one where a sequence truly starts, else
        zero.  bool [B] -> [B, R]
        """

    def call(
        self,
        inputs: tf.Tensor,
        initial_state: tf.Tensor | None = None,
        training: bool = False,
        stream: noise.Stream | None = None,
    ) -> tf.Tensor:
        """The state after each frame, of which none sees a later one.

        Args:
            inputs: [B, T, V]; a model takes padding out of them first, see `layers.padding`.
            initial_state: [B, R]; default: that of rows which truly start.
            stream: in training the `noise.BatchStream` that decides what is dropped.

        Returns:
            [B, T, R].
        """

    def step_weights(self) -> Weights:
        """What `step` needs of the weights, as tensors:
        taken before a loop, they leave its body without variables.
        """

    def step(
        self, frame: tf.Tensor, state: tf.Tensor, weights: Weights = None, axis: int = -1
    ) -> tf.Tensor:
        """The state one frame later, by the same equations as `call`.

        Args:
            frame: [B, V].    weights: of `step_weights`; None copies them anew.
            state: [B, R]; on one of noise, which no song comes to, `step` computes all that it ever
                does, since `model.tiling` tries it so.
            axis: -1, or 0 for a frame [V, B] and a state [R, B], see `rbm.products`.

        Returns:
            [B, R], or [R, B].
        """

    def output(self, state: tf.Tensor, axis: int = -1) -> tf.Tensor:
        """What the RBM reads of a state.

        [..., R] -> u [..., U], or with `axis` 0 [R, B] -> [U, B]
        """

    def embedding(self, state: tf.Tensor) -> tf.Tensor:
        """What of a state tells sounds apart, as `encode` gives it.  [..., R] -> [..., E]"""


_METHODS = ("initial_state", "call", "step_weights", "step", "output", "embedding")


# How a model reads what Keras' recurrent layers can be asked to return otherwise.
_RETURNS = {"go_backwards": False, "return_sequences": True, "return_state": False}


def check_encoder(layer: typing.Any) -> None:
    """Raises ValueError for what is no encoder, and names what it lacks."""
    missing = [name for name in _METHODS if not callable(getattr(layer, name, None))]
    if missing:
        kind = type(layer).__name__
        raise ValueError(
            "`encoder` must fulfil the contract in layers/encoder.py. "
            f"Received: a {kind} without {', '.join(missing)}"
        )
    for name, needed in _RETURNS.items():
        if getattr(layer, name, needed) != needed:
            raise ValueError(
                f"`encoder` must have {name}={needed}: a frame's RBM follows the frames before it. "
                f"Received: {name}={not needed}"
            )
