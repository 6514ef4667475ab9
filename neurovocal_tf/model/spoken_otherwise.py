"""The same word, as it might have been said otherwise: what training changes of a sound so that
only what all takes of a text share tells it.

All changes are drawn by row, and by the counter of `noise`, so that a training is the same again.
"""

import tensorflow as tf

from neurovocal_tf.rbm import noise

# As shares: of the frequencies, as vocal tracts differ; of the duration; of the bins and of the
# frames that are covered. In standard deviations: of the loudness, at so many places of the
# spectrum with straight lines between them.
_WARP, _STRETCH, _COVERED, _LOUDNESS, _NUM_KNOTS = 0.12, 0.25, 0.2, 0.5, 5
# Numbers of `noise.INPUT_NOISE`.
_OF_WARP, _OF_STRETCH, _OF_BINS, _OF_FRAMES, _OF_LOUDNESS = range(5)


def spoken_otherwise(frames: tf.Tensor, lengths: tf.Tensor, stream: noise.Stream) -> tf.Tensor:
    """Rows of standardised frames, with another vocal tract, tempo, loudness and microphone, and a
    band and a while covered by the mean (Jaitly & Hinton, 2013; Park et al., 2019).

    Args:
        frames: [B, T, V].    lengths: int32 [B], 1 at least.    stream: decides.

    Returns:
        (frames [B, T', V], lengths int32 [B]), T' being `_STRETCH` longer than T.
    """
    num_rows, num_frames, num_bins = noise.shape_of(frames)

    def drawn(number, *shape):
        return 2.0 * stream.uniforms(noise.INPUT_NOISE, number, [num_rows, *shape]) - 1.0

    bins = tf.range(num_bins, dtype=tf.float32) * (1.0 + _WARP * drawn(_OF_WARP, 1))
    frames = tf.einsum("btv,bvw->btw", frames, _interpolation(bins, num_bins))
    tempo = 1.0 + _STRETCH * drawn(_OF_STRETCH, 1)
    num_after = num_frames + tf.cast(
        tf.math.ceil(tf.cast(num_frames, tf.float32) * _STRETCH), tf.int32
    )
    last = tf.cast(lengths - 1, tf.float32)
    after = tf.cast(tf.math.round(last * tempo[:, 0]), tf.int32) + 1
    places = tf.range(num_after, dtype=tf.float32) / tempo
    places = tf.minimum(places, last[:, tf.newaxis])
    frames = tf.einsum("btv,btu->buv", frames, _interpolation(places, num_frames))
    knots = tf.linspace(0.0, _NUM_KNOTS - 1.0, num_bins)[tf.newaxis]
    curve = tf.matmul(drawn(_OF_LOUDNESS, _NUM_KNOTS), _interpolation(knots, _NUM_KNOTS)[0])
    frames += _LOUDNESS * curve[:, tf.newaxis]
    covered_bins = _covered(drawn(_OF_BINS, 2), tf.fill([num_rows], num_bins), num_bins)
    covered_frames = _covered(drawn(_OF_FRAMES, 2), after, num_after)
    is_covered = covered_bins[:, tf.newaxis] | covered_frames[..., tf.newaxis]
    return tf.where(is_covered, 0.0, frames), after


def _interpolation(places, size):
    """Weights by which values at 0 .. size - 1 are read at places [B, P], the ends going on.
    -> [B, size, P]
    """
    places = tf.clip_by_value(places, 0.0, tf.cast(size - 1, tf.float32))
    own = tf.range(tf.cast(size, tf.float32))[:, tf.newaxis]
    return tf.maximum(1.0 - tf.abs(own - places[:, tf.newaxis]), 0.0)


def _covered(drawn, lengths, size):
    """Which of `size` places are covered in each row: up to `_COVERED` of its length, anywhere.
    [B, 2] in [-1, 1), int32 [B] -> bool [B, size]
    """
    shares = 0.5 * (drawn + 1.0)
    lengths = tf.cast(lengths, tf.float32)
    width = _COVERED * lengths * shares[:, 0]
    first = (lengths - width) * shares[:, 1]
    places = tf.range(tf.cast(size, tf.float32))
    return (places >= first[:, tf.newaxis]) & (places < (first + width)[:, tf.newaxis])
