"""From a text to what each frame of a song is told: labels, their durations, and cues.

Durations are drawn from those that recordings had, and all that is drawn follows from the song's
seed and the label's place in the text, so that a song is the same whenever and wherever it is
asked for.
"""

import typing

import numpy as np
import tensorflow as tf

from neurovocal_tf.labels import (
    NOTHING_KNOWN,
    NUM_QUANTILES,
    SILENCE,
    Labels,
    cues_of,
)
from neurovocal_tf.rbm import noise

_DURATION, _GAP = range(2)


class Track(typing.NamedTuple):
    """What is to be sung when, in one song.

    Attributes:
        numbers: int32 [M], of the labels.
        firsts, lasts: int32 [M], the first frame of each, and the one after its last.
        num_frames: int32 [], of all, with the silence before and after.
    """

    numbers: tf.Tensor
    firsts: tf.Tensor
    lasts: tf.Tensor
    num_frames: tf.Tensor

    def cues(self, num_frames: tf.Tensor) -> tf.Tensor:
        """Those of so many frames, int32 [], with silence after the track's own, and that of the
        frame after them, of which nothing is known.  int32 [num_frames + 1, CUE_SIZE]
        """
        return tf.pad(cues_of(self.numbers, self.firsts, self.lasts, num_frames), [[0, 1], [0, 0]])


def track_specs() -> Track:
    """`tf.TensorSpec`s of a `Track`."""
    several, one = tf.TensorSpec([None], tf.int32), tf.TensorSpec([], tf.int32)
    return Track(several, several, several, one)


def numbers_in(labels: Labels, text: tf.Tensor, most: int) -> tf.Tensor:
    """The numbers of the labels of a text, of the first `most` of them, of those that are not known
    0; see `Labels.numbers_in`.

    string [] -> int32 [M]
    """
    if labels.are_characters:
        parts = tf.strings.unicode_split(tf.strings.regex_replace(text, r"\s+", ""), "UTF-8")
    else:
        parts = tf.strings.split(text)
    parts = parts[:most]
    known = tf.constant(["", "", *labels.known])
    is_it = (parts[:, tf.newaxis] == known) & (tf.range(labels.num_values) > SILENCE)
    return tf.argmax(tf.cast(is_it, tf.int32), axis=1, output_type=tf.int32)


def drawn(labels: Labels, numbers: tf.Tensor, seed: tf.Tensor) -> Track:
    """When labels are sung, each as long as one of the recordings had it, and the gaps between
    them, too.

    Args:
        labels: `Labels`, with durations.    numbers: int32 [M].    seed: int64 [].
    """
    durations = np.concatenate(
        [np.zeros((2, NUM_QUANTILES)), np.array(labels.durations).reshape(-1, NUM_QUANTILES)]
    )
    rows, places = labels.gap_rows()
    count = tf.size(numbers)
    edge = tf.fill([1], SILENCE)
    froms, tos = tf.concat([edge, numbers], axis=0), tf.concat([numbers, edge], axis=0)
    gaps = tf.gather_nd(tf.constant(places), tf.stack([froms, tos], axis=1))
    gap_frames = _one_of(tf.gather(tf.constant(rows), gaps), seed, _GAP)
    label_frames = _one_of(tf.gather(tf.constant(durations, tf.int32), numbers), seed, _DURATION)
    lasts = tf.cumsum(gap_frames[:count] + label_frames)
    num_frames = tf.reduce_sum(gap_frames) + tf.reduce_sum(label_frames)
    return Track(numbers, lasts - label_frames, lasts, num_frames)


def _one_of(quantiles, seed, index):
    """Of each row of quantiles, int32 [M, Q], one, by the seed and the row's place.  -> [M]"""
    count = tf.shape(quantiles)[0]
    stream = noise.RowStream(tf.repeat(seed, count), tf.range(count, dtype=tf.int64))
    share = stream.uniforms(noise.LABELS, index, [count, 1])
    # A power of two, so that the product is exact.
    place = tf.cast(share * NUM_QUANTILES, tf.int32)
    return tf.gather(quantiles, tf.minimum(place, NUM_QUANTILES - 1), axis=1, batch_dims=1)[:, 0]


def all_known(numbers: tf.Tensor) -> tf.Tensor:
    """Whether a text's labels are.  int32 [M] -> bool []"""
    return tf.reduce_all(numbers != NOTHING_KNOWN)
