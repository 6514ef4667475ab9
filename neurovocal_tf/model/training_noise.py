"""What training adds to frames and drops of states."""

import tensorflow as tf

from neurovocal_tf.rbm import noise


def noisy(frames: tf.Tensor, sd: float, stream: noise.Stream) -> tf.Tensor:
    """Frames with noise of that standard deviation; as they are for 0.

    [B, T, V] -> [B, T, V]
    """
    if not sd:
        return frames
    return frames + sd * stream.normals(noise.INPUT_NOISE, 0, noise.shape_of(frames))


def dropped(u: tf.Tensor, share: float, stream: noise.Stream, index: int) -> tf.Tensor:
    """States of which a share is 0 and the others are as much larger; as they are for 0.

    Args:
        u: [B, T, U].    share: from 0 to 1.    stream: source of noise.
        index: of the numbers of `noise.DROPOUT` that are taken.
    """
    if not share:
        return u
    keep = stream.uniforms(noise.DROPOUT, index, noise.shape_of(u)) >= share
    return tf.where(keep, u / (1.0 - share), 0.0)
