"""An encoder that knows what is sung when: the labels along time."""

from collections.abc import Mapping, Sequence
from typing import Any

import keras
import tensorflow as tf

from neurovocal_tf.labels import CUE_SIZE, Labels
from neurovocal_tf.layers.encoder import Encoder, Weights
from neurovocal_tf.layers.telling_encoder import TellingEncoder
from neurovocal_tf.rbm import noise

# How far the seeds of its weights are from those of the encoder that it wraps.
_SEED_OF_WEIGHTS = 850
# Of a label's vector, and of what each part of its span has besides.
_FIRST_SD, _FIRST_SD_OF_PARTS = 0.5, 0.1
#: Parts of a span that have vectors of their own, so that a label has a course.
NUM_PARTS = 8
# Frames at which what a place in a span is told by is half of what it can be.
_SCALES = (2.0, 8.0, 32.0)
_NUM_PLACES = 2 * len(_SCALES) + 1


@keras.saving.register_keras_serializable(package="neurovocal_tf")
class LabelledEncoder(TellingEncoder):
    """An `encoder.Encoder` that wraps another one, and tells it and the RBM the cue of the frame
    that is to come, see `labels`: n its label, m the next one, s frames since its span began, l
    frames that are left of it, p the eighth of its span that it lies in, and three
    numbers k of frames:

        x_t = [E[n], F[m], G[n, p], s / (s + k), l / (l + k), s / (s + l)]     of frame t + 1
        s_t = encoder([x_t, v_t], s_{t-1})
        u_t = [x_t, u of s_t]

    so that the RBM of frame t + 1 knows what that frame is to be: by E what is sung, by G how it
    goes on from onset to offset. What the place in a span is told by is the same to the last bit on
    every processor: a division is rounded in one way alone.

    Args:
        encoder: the `Encoder` to wrap.
        labels: `Labels`, or the values of such as JSON has them.
        size: int, numbers of each label's vector, a row of E, of F, and of G.
        unknown_share: how often, in training, a row is told nothing of any of its frames.
        weight_init: "scaled" (E and F from N(0, 0.5), G from N(0, 0.1)) or "published" (all from
            N(0, 0.0001)).
        seed: int, of the initial weights.

    `call` takes what an encoder takes, a Keras mask [B, T], and cues int [B, T, CUE_SIZE], of each
    frame that of the one after it; None: nothing is known of any.

    Input shape: `[B, T, V]`.    Output: see `TellingEncoder`, x is 3 `size` and 7 numbers.
    """

    def __init__(
        self,
        encoder: Encoder,
        labels: Labels | Mapping[str, Any],
        size: int = 16,
        unknown_share: float = 0.1,
        weight_init: str = "scaled",
        seed: int = 0,
        **kwargs: Any,
    ) -> None:
        super().__init__(encoder, size, unknown_share, weight_init, seed, **kwargs)
        if not isinstance(labels, Labels):
            labels = Labels.from_json(labels)
        if not labels:
            raise ValueError("`labels` must have one at least. Received: none")
        self._labels = labels

    @property
    def labels(self) -> Labels:
        """What it can be told of, with how long each lasts."""
        return self._labels

    @property
    def vector_size(self) -> int:
        """Numbers of x."""
        return 3 * self.size + _NUM_PLACES

    def build(self, input_shape: Sequence[int | None]) -> None:
        super().build(input_shape)
        num_values = self.labels.num_values
        shapes = {
            "label_vectors": (num_values, _FIRST_SD),
            "next_label_vectors": (num_values, _FIRST_SD),
            "part_vectors": (num_values * NUM_PARTS, _FIRST_SD_OF_PARTS),
        }
        self.tables = [
            self._table(name, num_rows, sd, _SEED_OF_WEIGHTS + place)
            for place, (name, (num_rows, sd)) in enumerate(shapes.items())
        ]

    def initial_state(self, is_start: tf.Tensor) -> tf.Tensor:
        """The state before a row's first frame, of which nothing is known, see `told`.

        bool [B] -> [B, R]
        """
        of_encoder = self.encoder.initial_state(is_start)
        cues = tf.zeros([noise.shape_of(of_encoder)[0], CUE_SIZE], tf.int32)
        return tf.concat([self._vectors(cues, self._table_weights()), of_encoder], axis=1)

    def told(
        self, state: tf.Tensor, cue: tf.Tensor, stream: noise.Stream | None = None
    ) -> tf.Tensor:
        """A state that knows of the frame after it.

        Args:
            state: [B, R].    cue: int [B, CUE_SIZE].
            stream: in training, decides which rows are told nothing.
        """
        cue = self._heard(cue, stream)
        return tf.concat([self._vectors(cue, self._table_weights()), self._parts(state)[1]], axis=1)

    def _states(self, inputs, initial_state, training, stream, cues=None):
        """The state after each frame, of which every one counts."""
        first = self._parts(initial_state)[1]
        if cues is None:
            cues = tf.zeros([1, CUE_SIZE], tf.int32)
            vectors = self._spread(self._vectors(cues, self._table_weights()), inputs)
        else:
            cues = self._heard(cues, stream if training else None)
            vectors = self._vectors(cues, self._table_weights())
        return self._read(vectors, inputs, first, training, stream)

    def step_weights(self) -> Weights:
        """See `Encoder.step_weights`: the wrapped encoder's, and the labels' vectors."""
        return self.encoder.step_weights(), self._table_weights()

    def step(
        self,
        frame: tf.Tensor,
        state: tf.Tensor,
        weights: Weights = None,
        axis: int = -1,
        cue: tf.Tensor | None = None,
    ) -> tf.Tensor:
        """See `Encoder.step`; `cue`, int [B, CUE_SIZE], is that of the frame after this one, None:
        nothing is known of it.
        """
        of_encoder, tables = weights or self.step_weights()
        if cue is None:
            cue = tf.zeros([noise.shape_of(state)[1 + axis], CUE_SIZE], tf.int32)
        vector = self._vectors(cue, tables)
        before = self._parts(state, axis)[1]
        return self._step(
            vector if axis == -1 else tf.transpose(vector), frame, before, of_encoder, axis
        )

    def _table_weights(self):
        return tuple(map(tf.convert_to_tensor, self.tables))

    def _heard(self, cues, stream):
        """Cues [B, ...] of which, in training, whole rows are left out."""
        cues = tf.cast(cues, tf.int32)
        if stream is None or not self.unknown_share:
            return cues
        num_rows = noise.shape_of(cues)[0]
        is_told = stream.uniforms(noise.LABELS, 0, [num_rows]) >= self.unknown_share
        return tf.where(tf.reshape(is_told, [-1] + [1] * (cues.shape.rank - 1)), cues, 0)

    def _vectors(self, cues, tables):
        """x of cues.  int32 [..., CUE_SIZE] -> float32 [..., X]"""
        columns = tf.unstack(tf.cast(cues, tf.int32), CUE_SIZE, axis=-1)
        label, following, since, left = columns
        since, left = tf.maximum(since, 0), tf.maximum(left, 0)
        part = NUM_PARTS * since // tf.maximum(since + left, 1)
        part = label * NUM_PARTS + tf.minimum(part, NUM_PARTS - 1)
        # As products with ones and zeros, which are exact: the gradient of a gather adds up row
        # after row. A number that is none has no vector.
        vectors = [
            tf.tensordot(tf.one_hot(number, table.shape[0], dtype=table.dtype), table, 1)
            for number, table in zip((label, following, part), tables, strict=True)
        ]
        since, left = (tf.cast(frames, tables[0].dtype) for frames in (since, left))
        places = [frames / (frames + scale) for frames in (since, left) for scale in _SCALES]
        places.append(since / tf.maximum(since + left, 1.0))
        return tf.concat([*vectors, tf.stack(places, axis=-1)], axis=-1)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "labels": self.labels.to_json()}
