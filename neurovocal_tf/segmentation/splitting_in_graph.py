"""`splitting` in TensorFlow's own ops, for `detector_in_graph`."""

import numpy as np
import tensorflow as tf

from neurovocal_tf.segmentation.splitting import MOST_LENGTHS, STEPS_IN_LONGEST, values_per_step


def split(
    onsets: tf.Tensor,
    offsets: tf.Tensor,
    decibels: tf.Tensor,
    hop: int,
    longest: float,
    depth_db: float,
) -> tuple[tf.Tensor, tf.Tensor]:
    """Segments, those that are too long cut at their deepest dips, as `splitting.split` does.

    Args:
        onsets, offsets: int64 [S], samples.    decibels: float64 [T], the trace over its level.
        hop: samples from one value to the next.    longest, depth_db: samples, dB.

    Returns: onsets and offsets, int64 [S'], in time order.
    """
    per_step = values_per_step(longest, hop)
    step, num_values = per_step * hop, tf.size(decibels)
    spare = tf.math.floormod(-num_values, per_step)
    loudest = tf.reduce_max(
        tf.reshape(tf.pad(decibels, [[0, spare]], constant_values=-np.inf), [-1, per_step]), axis=1
    )
    first, last = onsets // step, -(-offsets // step)
    lengths = tf.cast(offsets - onsets, tf.float64)
    is_cut = (lengths >= longest) & (
        tf.cast((last - first) * step, tf.float64) <= MOST_LENGTHS * longest
    )
    # Each span in steps, and which segment it is of.
    spans = tf.boolean_mask(
        tf.stack([first, last, tf.range(tf.size(onsets, out_type=tf.int64))], axis=1), is_cut
    )
    leaves = _leaves(spans, loudest, longest / step, depth_db)
    begins, ends, whole = leaves[:, 0], leaves[:, 1], leaves[:, 2]
    earliest, latest = tf.gather(onsets, whole), tf.gather(offsets, whole)

    def place(steps: tf.Tensor) -> tf.Tensor:
        return tf.clip_by_value(steps * step + step // 2, earliest, latest)

    begins = tf.where(begins == tf.gather(first, whole), earliest, place(begins))
    ends = tf.where(ends == tf.gather(last, whole), latest, place(ends))
    onsets = tf.concat([tf.boolean_mask(onsets, ~is_cut), begins], axis=0)
    offsets = tf.concat([tf.boolean_mask(offsets, ~is_cut), ends], axis=0)
    order = tf.argsort(onsets, stable=True)
    return tf.gather(onsets, order), tf.gather(offsets, order)


def _leaves(spans: tf.Tensor, loudest: tf.Tensor, longest: float, depth_db: float) -> tf.Tensor:
    """Spans [D, 3] cut until none is too long or none has a dip so deep.  -> int64 [L, 3]"""
    some = tf.TensorShape([None, 3])

    def cut(left: tf.Tensor, done: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        begin, end, whole = left[0, 0], left[0, 1], left[0, 2]
        values = loudest[begin:end]
        before = _largest_so_far(values)
        after = tf.reverse(_largest_so_far(tf.reverse(values, [0])), [0])
        sides = tf.minimum(before, after)
        depths = tf.where(sides >= 0, sides - values, 0.0)
        dip = tf.argmax(depths)
        is_cut = (tf.cast(end - begin, tf.float64) >= longest) & (depths[dip] >= depth_db)
        halves = tf.stack([[begin, begin + dip, whole], [begin + dip, end, whole]])
        # Without a branch: both halves wait, or the whole is done.
        num = tf.cast(is_cut, tf.int32)
        done = tf.concat([done, left[: 1 - num]], axis=0)
        left = tf.concat([left[1:], halves[: 2 * num]], axis=0)
        return left, done

    _, done = tf.while_loop(
        lambda left, done: tf.shape(left)[0] > 0,
        cut,
        (spans, tf.zeros([0, 3], tf.int64)),
        shape_invariants=(some, some),
    )
    return done


def _largest_so_far(values: tf.Tensor) -> tf.Tensor:
    """The largest of each value and all before it.  [n], n at most that of the longest span"""
    num = tf.size(values)
    for power in range((MOST_LENGTHS * STEPS_IN_LONGEST).bit_length() + 1):
        shift = tf.minimum(1 << power, num)
        earlier = tf.pad(values[: num - shift], [[shift, 0]], constant_values=-np.inf)
        values = tf.maximum(values, earlier)
    return values
