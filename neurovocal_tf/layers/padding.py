"""Padding taken out of the way of a recurrence, and put back.

A mask [B, T] tells which frames count, wherever in a row the others lie. What reads frame after
frame sees those that count alone, one after another, and so learns and answers what it would from
the bare sequence.
"""

import tensorflow as tf


def frames_first(frames: tf.Tensor, mask: tf.Tensor) -> tf.Tensor:
    """The frames that count, in their order, and then the others.

    [B, T, ...], mask [B, T] -> [B, T, ...]
    """
    num_frames = tf.shape(mask)[1]
    # No two places are alike, whatever a sort does with those that are.
    place = tf.range(num_frames) + tf.where(tf.cast(mask, tf.bool), 0, num_frames)
    return tf.gather(frames, tf.argsort(place, axis=1), axis=1, batch_dims=1)


def masks_first(mask: tf.Tensor) -> tf.Tensor:
    """The mask of `frames_first`.  [B, T] -> [B, T]"""
    return tf.sort(mask, axis=1, direction="DESCENDING")


def before_each(first: tf.Tensor, mask: tf.Tensor) -> tf.Tensor:
    """What `frames_first` of a sequence has for the next frame, at every place of that sequence:
    of frame t that with as many frames before it as count before t.

    [B, T, ...], mask [B, T] -> [B, T, ...]
    """
    count = tf.cumsum(tf.cast(tf.cast(mask, tf.bool), tf.int32), axis=1, exclusive=True)
    return tf.gather(first, count, axis=1, batch_dims=1)


def after_each(first: tf.Tensor, initial: tf.Tensor, mask: tf.Tensor) -> tf.Tensor:
    """What came of the frames that count as far as each place: `first` [B, T, R] has it for those
    alone, and `initial` [B, R] is what there is before any.

    -> [B, T, R]
    """
    count = tf.cumsum(tf.cast(tf.cast(mask, tf.bool), tf.int32), axis=1)
    whole = tf.concat([initial[:, tf.newaxis], first], axis=1)
    return tf.gather(whole, count, axis=1, batch_dims=1)
