"""Sequences of frames -> batches of windows, to train and to validate."""

from collections.abc import Sequence

import numpy as np
import tensorflow as tf

from neurovocal_tf.config import Config
from neurovocal_tf.data import shares
from neurovocal_tf.data.sequence_data import SequenceData
from neurovocal_tf.labels import CUE_SIZE

_GRAPH_SEED = 1
_NEXT_SHARE = 1_000_033  # added to the seed: two shares are shuffled and cut in different ways
_SHUFFLE_WINDOWS = 4096  # with fewer, batches would hold many windows of one recording
# Of more frames than this, those windows are too small a part to mix recordings that lie together
# in a folder, such as one bird's: then recordings are mixed first.
_MIXED_BYTES = 2**30
# Nothing below is for AutoGraph to rewrite, and its search for what it could takes as long
# as building the graphs.
_as_it_is = tf.autograph.experimental.do_not_convert


def num_windows(
    num_frames: int | np.ndarray | tf.Tensor, window_frames: int
) -> np.ndarray | tf.Tensor:
    """Windows that `random_onsets` lays over a sequence:
    one, or enough to have at least half a window to spare.

    Args:
        num_frames: frames of sequences, an integer array or tensor.    window_frames: int.
    """
    enough = (2 * num_frames + 3 * window_frames - 1) // (2 * window_frames)
    where = tf.where if tf.is_tensor(num_frames) else np.where
    return where(num_frames > window_frames, enough, 1)


def random_onsets(num_frames: tf.Tensor, window_frames: int, key: tf.Tensor) -> tf.Tensor:
    """First frames of windows that together hold every frame of a sequence,
    none reaching over its end.

    They follow one another without a gap from a random frame on, so that all of them begin
    elsewhere in every epoch, yet their number is fixed; at both ends they overlap as much as it
    takes to stay inside.

    Args:
        num_frames: int64 [], L.    window_frames: int, T.    key: int64 [2].

    Returns:
        int64 [num_windows(L, T)], the first of them 0 and the last L - T.
    """
    count = num_windows(num_frames, window_frames)
    spare = count * window_frames - num_frames
    shift = tf.random.stateless_uniform([], key, minval=0, maxval=spare + 1, dtype=tf.int64)
    return tf.clip_by_value(
        tf.range(count) * window_frames - shift, 0, tf.maximum(num_frames - window_frames, 0)
    )


def windows_of(
    frames: tf.Tensor,
    is_start: tf.Tensor,
    onsets: tf.Tensor,
    window_frames: int,
    *told: tf.Tensor,
) -> tf.data.Dataset:
    """The windows of a sequence that begin at `onsets`.

    Args:
        frames: [L, V].    is_start: bool [], whether the sequence begins with frame 0.
        onsets: int64 [W].    window_frames: int, T.
        told: condition int32 [K], or none; and after it cues int32 [L, C], or none.

    Returns:
        Dataset of (frames [T, V], mask [T], is_start bool []), and condition [K] and cues [T, C]
        where there are such; padding follows a window's frames.
    """
    num_frames = tf.shape(frames, out_type=tf.int64)[0]
    mask = tf.sequence_mask(num_frames - onsets, window_frames)
    missing = tf.maximum(onsets[-1] + window_frames - num_frames, 0)

    def windows(per_frame):
        # Padding by nothing copies nothing.
        padded = tf.pad(per_frame, [[0, missing], [0, 0]])
        return tf.gather(padded, onsets[:, tf.newaxis] + tf.range(window_frames, dtype=tf.int64))

    condition = [tf.repeat(of_row[tf.newaxis], tf.size(onsets), axis=0) for of_row in told[:1]]
    return tf.data.Dataset.from_tensor_slices(
        (
            windows(frames),
            tf.cast(mask, tf.float32),
            is_start & (onsets == 0),
            *condition,
            *map(windows, told[1:]),
        )
    )


def batches_of(
    windows: tf.data.Dataset, data: SequenceData, window_frames: int, num_rows: int
) -> tf.data.Dataset:
    """Windows of some data in batches of `num_rows`, one static shape; the last is filled up with
    windows whose mask is empty, so that none is lost.
    """
    empty = _empty_windows(data, window_frames)
    return windows.concatenate(empty.repeat(num_rows - 1)).batch(num_rows, drop_remainder=True)


def _empty_windows(data, window_frames):
    has_labels = bool(data.labels)
    condition = [tf.zeros([len(data.conditions)], tf.int32)] * bool(data.conditions or has_labels)
    cues = [tf.zeros([window_frames, CUE_SIZE], tf.int32)] * has_labels
    frames = tf.zeros([window_frames, data.num_visible])
    return tf.data.Dataset.from_tensors(
        (frames, tf.zeros([window_frames]), False, *condition, *cues)
    )


def training_dataset(
    data: SequenceData,
    config: Config,
    epoch: int | tf.Tensor | tf.Variable,
    sequence_frames: Sequence[int],
    shuffle_windows: int = _SHUFFLE_WINDOWS,
    num_sequences: Sequence[int] | None = None,
    place: shares.Place = shares.WHOLE,
) -> tf.data.Dataset:
    """Shuffled batches of one epoch after another, without end,
    each a pure function of (seed, epoch).

    An epoch is begun while the one before it trains:
    filling the shuffle buffer would let the model wait.

    Args:
        data: a `sequence_data.SequenceData`.    config: `Config`.
        epoch: scalar integer variable or tensor, the first epoch,
            read whenever the dataset is iterated anew.
        sequence_frames: ints, frames of each sequence, share after share:
            they tell the number of batches, and whether all fit the cache.
        shuffle_windows: windows in the shuffle buffer.
        num_sequences: sequences of each share; None: there is one share.
        place: the rows that are wanted. Of the shares that have none of them, nothing is read.

    Returns:
        Dataset of (frames [B, T, V], mask [B, T], is_start bool [B]), condition int32 [B, K] of
        data that have conditions or labels, and of labels cues int32 [B, T, C], `num_batches` to an
        epoch; of a place whose share of the rows is smaller, B is that.
    """
    seed, num_shares = config.training.seed, config.data.num_shares
    frames_of = shares.of_shares(sequence_frames, num_sequences)
    parts, kept = _read(data, config, frames_of, place, seed)
    count = num_batches(sequence_frames, config, num_sequences)

    def of_share(part, number):
        # Of the first share the seed is the run's own.
        key = tf.stack([tf.constant(seed + part.share * _NEXT_SHARE, tf.int64), number])

        @_as_it_is
        def cut(index, sequence):
            frames, is_start, *told = sequence
            onsets = random_onsets(
                tf.shape(frames, out_type=tf.int64)[0],
                config.data.window_frames,
                key + [index, 0],
            )
            return windows_of(frames, is_start, onsets, config.data.window_frames, *told)

        windows = kept[part.share].enumerate().flat_map(cut)
        return windows.shuffle(
            max(shuffle_windows // num_shares, 1),
            seed=key[0] * 1_000_003 + key[1],
            reshuffle_each_iteration=False,
        )

    @_as_it_is
    def one_epoch(number):
        # This graph's own: a global seed would change the order,
        # and TensorFlow compares a global 0 with the tensor below.
        tf.compat.v1.set_random_seed(_GRAPH_SEED)
        windows = [of_share(part, number) if part.share in kept else None for part in parts]
        counts = [_num_random(frames_of[part.share], config) for part in parts]
        return _rows_of(parts, windows, counts, count, data, config)

    first = tf.data.Dataset.from_tensors(0)
    epochs = first.flat_map(
        _as_it_is(lambda _: tf.data.Dataset.range(tf.cast(epoch, tf.int64), tf.int64.max))
    )
    return _for_replicas(epochs.flat_map(one_epoch), place).prefetch(tf.data.AUTOTUNE)


def validation_dataset(
    data: SequenceData,
    config: Config,
    sequence_frames: Sequence[int],
    num_sequences: Sequence[int] | None = None,
    place: shares.Place = shares.WHOLE,
) -> tf.data.Dataset:
    """Batches of fixed, non-overlapping windows, in order.

    Args and returns: as `training_dataset`, but for the end; see `num_validation_batches`.
    """
    frames_of = shares.of_shares(sequence_frames, num_sequences)
    parts, kept = _read(data, config, frames_of, place, None)

    @_as_it_is
    def cut(frames, is_start, *told):
        onsets = tf.range(0, tf.shape(frames, out_type=tf.int64)[0], config.data.window_frames)
        return windows_of(frames, is_start, onsets, config.data.window_frames, *told)

    windows = [kept[part.share].flat_map(cut) if part.share in kept else None for part in parts]
    counts = [_num_fixed(frames_of[part.share], config) for part in parts]
    count = num_validation_batches(sequence_frames, config, num_sequences)
    rows = _rows_of(parts, windows, counts, count, data, config)
    return _for_replicas(rows, place).prefetch(tf.data.AUTOTUNE)


def _read(data, config, frames_of, place, seed):
    """The `shares.Part`s of a place, and dict of the share of each -> dataset of its sequences,
    where it has any; in an order of their own unless `seed` is None.
    """
    num_shares = config.data.num_shares
    parts = shares.parts_of(place, config.data.batch_size, num_shares)
    split = shares.split(data, num_shares)
    mine = [part.share for part in parts if len(split[part.share])]
    # What this process reads counts, not what others do.
    is_kept = _fits_cache([n for share in mine for n in frames_of[share]], data, config)
    kept = {}
    for share in mine:
        order = None if seed is None else _order(split[share], frames_of[share], seed)
        # Kept or read anew, the order is the same, so that weights do not depend on the memory.
        sequences = split[share].sequences(order)
        kept[share] = sequences.cache() if is_kept else sequences
    return parts, kept


def _rows_of(parts, windows, counts, count, data, config):
    """`count` batches of a place's rows, from the windows that each part's share has: a dataset, of
    as many as it is said to have, or None.
    """
    window_frames = config.data.window_frames
    empty = _empty_windows(data, window_frames)
    batches = []
    for part, found, num_found in zip(parts, windows, counts, strict=True):
        nothing = empty.repeat(part.num_rows).batch(part.num_rows, drop_remainder=True)
        if found is None:
            batches.append(nothing.repeat(count))
            continue
        num_full = -(-num_found // part.num_rows)
        # Fewer would pass for those of the epoch after it.
        known = batches_of(found, data, window_frames, part.num_rows).apply(
            tf.data.experimental.assert_cardinality(num_full)
        )
        batches.append(
            known if num_full == count else known.concatenate(nothing.repeat(count - num_full))
        )
    if len(parts) == 1 and parts[0].rows == (0, parts[0].num_rows):
        return batches[0]

    @_as_it_is
    def together(*of_parts):
        return tuple(
            tf.concat(
                [batch[slice(*part.rows)] for batch, part in zip(column, parts, strict=True)], 0
            )
            for column in zip(*of_parts, strict=True)
        )

    return tf.data.Dataset.zip(tuple(batches)).map(together)


def _for_replicas(batches, place):
    """Each batch as one after another for each replica of a process."""
    if place.num_replicas == 1:
        return batches

    @_as_it_is
    def apart(*columns):
        return tf.data.Dataset.from_tensor_slices(
            tuple(tf.stack(tf.split(column, place.num_replicas)) for column in columns)
        )

    return batches.flat_map(apart)


def is_read_again(data: SequenceData, config: Config, sequence_frames: Sequence[int]) -> bool:
    """Whether sequences of so many frames are read anew in every epoch, from what they are made
    of.
    """
    return not _fits_cache(sequence_frames, data, config)


def _fits_cache(sequence_frames, data, config):
    return _num_bytes(sequence_frames, data.num_visible) <= config.execution.cache_mb * 2**20


def _order(data, sequence_frames, seed):
    """The order in which sequences are read in every epoch; None: as given."""
    if _num_bytes(sequence_frames, data.num_visible) <= _MIXED_BYTES:
        return None
    return tf.constant(np.random.default_rng(seed).permutation(len(data)), tf.int32)


def _num_bytes(sequence_frames, width):
    return sum(sequence_frames) * width * 4


def num_batches(
    sequence_frames: Sequence[int], config: Config, num_sequences: Sequence[int] | None = None
) -> int:
    """Batches of a training epoch over sequences of so many frames, in the shares of
    `training_dataset`.  int
    """
    return _most_batches(_num_random, sequence_frames, config, num_sequences)


def num_validation_batches(
    sequence_frames: Sequence[int], config: Config, num_sequences: Sequence[int] | None = None
) -> int:
    """Batches of a validation; as `num_batches`.  int"""
    return _most_batches(_num_fixed, sequence_frames, config, num_sequences)


def _most_batches(count_windows, sequence_frames, config, num_sequences):
    """Batches until the share with the most windows has given all of them."""
    num_rows = config.data.batch_size // config.data.num_shares
    return max(
        -(-count_windows(frames, config) // num_rows)
        for frames in shares.of_shares(sequence_frames, num_sequences)
    )


def _num_random(sequence_frames, config):
    """Windows that training takes of sequences."""
    return int(num_windows(np.asarray(sequence_frames, int), config.data.window_frames).sum())


def _num_fixed(sequence_frames, config):
    """Windows that validation takes of sequences."""
    return sum(-(-num_frames // config.data.window_frames) for num_frames in sequence_frames)
