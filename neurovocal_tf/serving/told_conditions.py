"""The conditions that callers name in a request, of each row."""

import numpy as np
import tensorflow as tf

from neurovocal_tf.conditions import SHARES_SLACK, UNKNOWN, Conditions


def specs_of(known: Conditions, mixed: bool = False) -> tuple[tf.TensorSpec, ...]:
    """The inputs by which rows say theirs, up to K each, or, where values of one condition may be
    `mixed`, any number M in the place of K; none where there are no conditions.

    condition         string [B, K], NAME=VALUE, or "" for nothing
    condition_number  int32 [B, K], the same as the place of the text in `Conditions.texts`, or 0
    shares            float32 [B, M], only where values may be mixed: of each of these its share
    num_named         int32 [B], only then: how many of M are a row's own; TensorFlow Serving fills
                      those of callers who share a batch up to M with what the first of them says
    """
    shape = [None, None if mixed else len(known)]
    specs = (
        tf.TensorSpec(shape, tf.string, name="condition"),
        tf.TensorSpec(shape, tf.int32, name="condition_number"),
        tf.TensorSpec(shape, tf.float32, name="shares"),
        tf.TensorSpec([None], tf.int32, name="num_named"),
    )
    return specs[: 4 if mixed else 2] * bool(known)


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
    of_condition, values, are_known = _said(known, texts, places)
    at_condition = of_condition[..., tf.newaxis] == tf.range(len(known))
    numbers = tf.where(at_condition, values[..., tf.newaxis], 0)
    is_once = tf.reduce_sum(tf.cast(at_condition, tf.int32), axis=1) <= 1
    return tf.reduce_sum(numbers, axis=1), are_known & tf.reduce_all(is_once, axis=1)


def blends_of_rows(
    known: Conditions,
    texts: tf.Tensor,
    places: tf.Tensor,
    shares: tf.Tensor,
    num_named: tf.Tensor,
) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
    """What rows say that may mix values of a condition.

    Args:
        known: `Conditions`, with one at least, of which N values may be named.
        texts, places, shares, num_named: as in `specs_of`; the share of a value that is alone of
            its condition is 1, or 0.

    Returns:
        (int32 [B, K], the numbers of values that are alone, else 0; float32 [B, N], the shares of
        those that are mixed, in the order of `Conditions.places`, else 0; bool [B], whether all
        that a row says is known, and its shares are such).
    """
    widths = [tf.shape(column)[1] for column in (texts, places, shares)]
    same = tf.debugging.Assert(
        tf.reduce_all(tf.stack(widths) == widths[0]),
        ["`condition`, `condition_number`, `shares` must be of the same width. Received:", widths],
    )
    with tf.control_dependencies([same]):
        is_own = tf.sequence_mask(num_named, widths[0])
    is_good = (num_named >= 0) & (num_named <= widths[0])
    texts, places, shares = (
        tf.where(is_own, column, nothing)
        for column, nothing in ((texts, ""), (places, 0), (shares, 0.0))
    )
    of_condition, values, are_known = _said(known, texts, places)
    at_condition = of_condition[..., tf.newaxis] == tf.range(len(known))
    # An entry says something by its text or by its place.
    is_said = tf.reduce_any(tf.stack(tf.split(of_condition < len(known), 2, axis=1)), axis=0)
    are_shares = (shares >= 0) & (shares <= 1) & (is_said | (shares == 0))
    is_sane = tf.reduce_all(are_shares, axis=1)
    shares = tf.where(is_sane[:, tf.newaxis], shares, 0.0)
    of_entries = tf.concat([shares, shares], axis=1)[..., tf.newaxis]
    sums = tf.reduce_sum(tf.where(at_condition, of_entries, 0.0), axis=1)
    is_alone = tf.reduce_sum(tf.cast(at_condition, tf.int32), axis=1) <= 1
    is_whole = (tf.abs(sums - 1) < SHARES_SLACK) | (is_alone & (sums == 0))
    numbers = tf.where(at_condition & is_alone[:, tf.newaxis], values[..., tf.newaxis], 0)
    conditions, of_values = np.array(known.places, np.int32).reshape(-1, 2).T
    is_value = (of_condition[..., tf.newaxis] == conditions) & (
        values[..., tf.newaxis] == of_values
    )
    mixed = tf.reduce_sum(tf.where(is_value, of_entries, 0.0), axis=1)
    mixed = tf.where(tf.gather(is_alone, conditions, axis=1), 0.0, mixed)
    is_good &= are_known & is_sane & tf.reduce_all(is_whole, axis=1)
    return tf.reduce_sum(numbers, axis=1), mixed, is_good


def _said(known, texts, places):
    """Of each text, and then of each place, the condition's place, K of nothing, and the value's
    number, int32 [B, 2 M] both; and whether all of them are known, bool [B].
    """
    conditions, values = zip(
        # Of "", which says nothing, no condition.
        (len(known), 0),
        *known.places,
        *((place, 0) for place in range(len(known))),
        strict=True,
    )
    is_text = texts[..., tf.newaxis] == tf.constant(
        [*known.texts, *(f"{name}={UNKNOWN}" for name in known.values)]
    )
    of_texts = tf.argmax(tf.cast(is_text, tf.int32), axis=-1, output_type=tf.int32)
    is_place = (places >= 0) & (places < len(known.texts))
    are_known = tf.reduce_all(tf.reduce_any(is_text, axis=-1) & is_place, axis=1)
    said = tf.concat([of_texts, tf.where(is_place, places, 0)], axis=1)
    return tf.gather(tf.constant(conditions), said), tf.gather(tf.constant(values), said), are_known
