"""The conditions that callers name in a request, of each row."""

import tensorflow as tf

from neurovocal_tf.conditions import UNKNOWN, Conditions


def specs_of(known: Conditions) -> tuple[tf.TensorSpec, ...]:
    """The inputs by which rows say theirs, up to K each; none where there are no conditions.

    condition         string [B, K], NAME=VALUE, or "" for nothing
    condition_number  int32 [B, K], the same as the place of the text in `Conditions.texts`, or 0
    """
    shape = [None, len(known)]
    return (
        tf.TensorSpec(shape, tf.string, name="condition"),
        tf.TensorSpec(shape, tf.int32, name="condition_number"),
    ) * bool(known)


def numbers_of_rows(
    known: Conditions, texts: tf.Tensor, places: tf.Tensor
) -> tuple[tf.Tensor, tf.Tensor]:
    """What rows say, in the numbers of `known`.

    Args:
        known: `Conditions`, with one at least.    texts, places: as in `specs_of`.

    Returns:
        (int32 [B, K], of what is not named 0; bool [B], whether all that a row says is known, and
        nothing is said twice).
    """
    is_text = texts[..., tf.newaxis] == tf.constant(known.texts)
    unknown = [f"{name}={UNKNOWN}" for name in known.values]
    is_unknown = tf.reduce_any(texts[..., tf.newaxis] == tf.constant(unknown), axis=-1)
    of_texts = tf.argmax(tf.cast(is_text, tf.int32), axis=-1, output_type=tf.int32)
    is_known = tf.reduce_any(is_text, axis=-1) | is_unknown
    is_place = (places >= 0) & (places < len(known.texts))
    said = tf.concat([of_texts, tf.where(is_place, places, 0)], axis=1)
    # Of "", which says nothing, no condition.
    conditions, values = zip((len(known), 0), *known.places, strict=True)
    of_condition = tf.gather(tf.constant(conditions), said)
    at_condition = of_condition[..., tf.newaxis] == tf.range(len(known))
    numbers = tf.where(at_condition, tf.gather(tf.constant(values), said)[..., tf.newaxis], 0)
    is_once = tf.reduce_sum(tf.cast(at_condition, tf.int32), axis=1) <= 1
    is_good = [tf.reduce_all(good, axis=1) for good in (is_known, is_place, is_once)]
    return tf.reduce_sum(numbers, axis=1), tf.reduce_all(tf.stack(is_good), axis=0)
