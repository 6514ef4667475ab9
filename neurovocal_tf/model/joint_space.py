"""One space of texts and sounds: points that lie near each other where a text is what is heard."""

import math
from collections.abc import Sequence
from typing import Any

import keras
import tensorflow as tf

from neurovocal_tf.layers.sequence_tower import SequenceTower
from neurovocal_tf.model.rnn_rbm import RNNRBM
from neurovocal_tf.model.scoring import at_least_one
from neurovocal_tf.rbm import noise

# Of the scale of cosines, and where it begins (Radford et al., 2021).
_LARGEST_LOG_SCALE, _FIRST_LOG_SCALE = math.log(100.0), math.log(1 / 0.07)


@keras.saving.register_keras_serializable(package="neurovocal_tf")
class JointSpace(keras.Model):
    """Two towers, of sounds and of texts, learned together.

        s_i = sound tower of [standardised frames, the encoder's embedding after each]
        t_i = text tower of letters
        logits_ij = exp(log_scale) s_i . t_j

    Args:
        num_features: int, F, numbers that a frame has for the sound tower, see `features_of`.
        texts: the texts that train, sorted.
        size: int, J, the dimensions of the space.
        num_units: int, of each layer of a tower.
        dropout: share dropped in training.
        seed: int, of the initial weights.
        of_weights: digest of the weights of the model whose encoder it reads: with any other its
            points have no meaning.

    Reference: Radford et al., 2021, https://arxiv.org/abs/2103.00020; several takes of a text are
        right answers all: Khosla et al., 2020, https://arxiv.org/abs/2004.11362
    """

    def __init__(
        self,
        num_features: int,
        texts: Sequence[str],
        size: int = 64,
        num_units: int = 64,
        dropout: float = 0.2,
        seed: int = 0,
        of_weights: str = "",
        **kwargs: Any,
    ) -> None:
        super().__init__(**{"dtype": "float32", **kwargs})
        if len(texts) < 2 or list(texts) != sorted(set(texts) - {""}):
            raise ValueError(
                f"`texts` must be two at least, sorted, none of them empty. Received: {texts}"
            )
        self.num_features = num_features
        self.texts = tuple(texts)
        self.size = size
        self.num_units = num_units
        self.dropout = dropout
        self.seed = seed
        self.of_weights = of_weights
        #: What is known of letters: those of `texts`, sorted.
        self.letters = "".join(sorted(set("".join(texts))))
        self._codepoints = tf.constant(list(map(ord, self.letters)), tf.int32)
        shared = dict(size=size, num_units=num_units, dropout=dropout)
        # Far from each other, each taking a number for each of its weights.
        self.sound_tower = SequenceTower(**shared, num_layers=3, seed=seed, name="sound_tower")
        self.text_tower = SequenceTower(**shared, num_layers=2, seed=seed + 100, name="text_tower")
        self.log_scale = self.add_weight(
            name="log_scale",
            shape=(),
            initializer=keras.initializers.Constant(_FIRST_LOG_SCALE),
        )
        self.sound_tower.build((None, None, num_features))
        self.text_tower.build((None, None, len(self.letters)))
        self.built = True

    def sounds(
        self, features: tf.Tensor, mask: tf.Tensor, stream: noise.Stream | None = None
    ) -> tf.Tensor:
        """Points of sounds.

        Args:
            features: [B, T, F], see `features_of`.
            mask: bool [B, T], frames that count, one at least in each row.
            stream: of what is dropped in training.

        Returns:
            Unit vectors [B, J].
        """
        return self.sound_tower(features, mask=mask, stream=stream)

    @property
    def scale(self) -> tf.Tensor:
        """What cosines are multiplied by, 100 at most."""
        return tf.exp(tf.minimum(tf.convert_to_tensor(self.log_scale), _LARGEST_LOG_SCALE))

    def read(self, texts: tf.Tensor, stream: noise.Stream | None = None) -> tf.Tensor:
        """Points of texts, each of one letter at least, all of them known, see `are_known`; of
        other letters nothing is read.  string [B] -> unit vectors [B, J]
        """
        codes = _letters_of(texts)
        # Of an empty text one letter of padding: a row has one at least.
        letters = tf.pad(codes.to_tensor(-1), [[0, 0], [0, 1]], constant_values=-1)
        lengths = tf.maximum(tf.cast(codes.row_lengths(), tf.int32), 1)
        mask = tf.sequence_mask(lengths, tf.shape(letters)[1])
        is_letter = letters[..., tf.newaxis] == self._codepoints
        return self.text_tower(
            tf.cast(is_letter, tf.float32),
            mask=mask,
            stream=stream,
            index=self.sound_tower.num_dropouts,
        )

    def are_known(self, texts: tf.Tensor) -> tf.Tensor:
        """Whether texts have a letter at least, and none that was never seen.

        string [B] -> bool [B]
        """
        codes = _letters_of(texts)
        is_letter = tf.reduce_any(codes.values[:, tf.newaxis] == self._codepoints, axis=1)
        rows = codes.with_values(tf.cast(is_letter, tf.int32))
        lengths = tf.cast(codes.row_lengths(), tf.int32)
        return (lengths > 0) & (tf.reduce_sum(rows, axis=1) == lengths)

    def get_config(self) -> dict[str, Any]:
        names = ("num_features", "size", "num_units", "dropout", "seed", "of_weights")
        return {
            **super().get_config(),
            "texts": list(self.texts),
            **{name: getattr(self, name) for name in names},
        }


def contrastive_loss(
    sounds: tf.Tensor, texts: tf.Tensor, is_same: tf.Tensor, scale: tf.Tensor | float
) -> tf.Tensor:
    """How badly sounds tell their texts among those of a batch, and texts their sounds, in nats.

    For each row i with P_i right answers p it is the divergence of what the cosines say from
    1 / P_i for each of them:

        -log P_i - 1 / P_i sum_p log softmax_j(scale s_i . t_j)_p

    and so is 0 where all of them, and nothing else, are near. The mean over rows and over both
    directions.

    Args:
        sounds, texts: unit vectors [B, J].    is_same: bool [B, B], which texts are the same.
        scale: [].
    """
    logits = scale * tf.matmul(sounds, texts, transpose_b=True)
    right = tf.cast(is_same, tf.float32)
    count = tf.reduce_sum(right, axis=1)

    def divergence(logits):
        log_shares = tf.nn.log_softmax(logits, axis=1)
        return tf.reduce_mean(
            -tf.math.log(count) - tf.reduce_sum(right * log_shares, axis=1) / count
        )

    return 0.5 * (divergence(logits) + divergence(tf.transpose(logits)))


def features_of(model: RNNRBM, standardised: tf.Tensor) -> tf.Tensor:
    """What the sound tower reads of each frame: the frame itself, since it tells what is said, and
    the encoder's embedding after it, under unknown conditions, each row from its own beginning.

    [B, T, V], standardised -> [B, T, F]
    """
    first = model.first_states(tf.ones([tf.shape(standardised)[0]], tf.bool))
    states = model.encoder(standardised, first)
    return tf.concat([standardised, model.encoder.embedding(states)], axis=-1)


def num_features(model: RNNRBM) -> int:
    """F, the width of `features_of`."""
    return model.num_visible + model.encoder.embedding_size


def point_of(space: JointSpace, model: RNNRBM, frames: tf.Tensor, lengths: tf.Tensor) -> tf.Tensor:
    """The point of a sound that may be in several sequences, one after another.

    Args:
        frames: float32 [S, L, V], in the model's units; each sequence is read from its beginning.
        lengths: int [S], frames of each.

    Returns:
        Unit vector [J]; zero of no frames.
    """
    frames, _, is_frame = at_least_one(frames, lengths)
    features = tf.boolean_mask(features_of(model, model.standardisation(frames)), is_frame)
    count = tf.shape(features)[0]
    features = tf.pad(features, [[0, tf.maximum(1 - count, 0)], [0, 0]])[tf.newaxis]
    point = space.sounds(features, tf.ones(tf.shape(features)[:2], tf.bool))[0]
    return tf.where(count > 0, point, 0.0)


def letters_not_in(text: str, space: JointSpace) -> str:
    """The letters of a text that the space has never seen, each once."""
    return "".join(dict.fromkeys(x for x in " ".join(text.split()) if x not in space.letters))


def _letters_of(texts):
    """Code points of texts [B], ragged [B, None]; blanks around them do not count, and inside one
    is as many.
    """
    texts = tf.strings.strip(tf.strings.regex_replace(texts, r"\s+", " "))
    return tf.strings.unicode_decode(texts, "UTF-8")
