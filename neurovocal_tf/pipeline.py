"""Recordings -> batches of windows, segmented and transformed on the fly inside tf.data; nothing is written to disk first."""

import dataclasses

import numpy as np
import tensorflow as tf

from neurovocal_tf.audio import readers, spectrogram
from neurovocal_tf.audio.sequences import sequence_frames

_PARALLEL_FILES = 4
_GRAPH_SEED = 1
# Nothing below is for AutoGraph to rewrite, and its search for what it could takes as long as building the graphs.
_as_it_is = tf.autograph.experimental.do_not_convert


@dataclasses.dataclass(frozen=True)
class Source:
    """A stretch of one recording that trains or validates.

    Attributes:
        path: of the file.    decoder: see `readers.Recording.decoder_at`.
        begin, end: the stretch, as shares of the recording's length: 0 to 1.
    """

    path: str
    decoder: str
    begin: float = 0.0
    end: float = 1.0


def stretch_of(samples, begin, end):
    """The stretch of samples between two shares of their length.  [N] -> [N']"""
    size = tf.cast(tf.size(samples), tf.float64)
    first, last = (tf.cast(tf.round(size * tf.cast(share, tf.float64)), tf.int32) for share in (begin, end))
    return samples[first:last]


def sequences(sources, sample_rate, scale, config, order=None):
    """Every sequence of some sources.

    Args:
        sources: list of `Source`.    sample_rate: Hz, of all.    scale: `FrameScale`.    config: `Config`.
        order: int tensor, a permutation of the sources; default: as given.

    Returns:
        Dataset of (frames float32 [L, V], is_start bool []): a sequence that begins inside its recording's stretch is no true start
        only where the stretch itself begins inside a recording.
    """
    columns = tuple(list(column) for column in zip(*map(dataclasses.astuple, sources), strict=True))
    columns = tuple(tf.constant(column) for column in columns)
    rows = tf.data.Dataset.from_tensor_slices(tuple(column if order is None else tf.gather(column, order) for column in columns))

    @_as_it_is
    def frames_of(path, decoder, begin, end):
        samples = readers.read_in_graph(path, decoder, config.audio.channel, sample_rate)
        frames, lengths = sequence_frames(stretch_of(samples, begin, end), sample_rate, scale, config)
        # A recording whose stretch begins inside it goes on; a call cut out of it begins where it begins.
        is_start = (begin == 0) | (config.data.sequence != "recording")
        ends = tf.cumsum(lengths)
        sequence = _as_it_is(lambda first, last: (frames[first:last], is_start))
        return tf.data.Dataset.from_tensor_slices((ends - lengths, ends)).map(sequence)

    return rows.interleave(frames_of, cycle_length=_PARALLEL_FILES, num_parallel_calls=_PARALLEL_FILES, deterministic=True)


def num_windows(num_frames, window_frames):
    """Windows that `random_onsets` lays over a sequence: one, or enough to have at least half a window to spare.

    Args:
        num_frames: frames of sequences, an integer array or tensor.    window_frames: int.
    """
    enough = (2 * num_frames + 3 * window_frames - 1) // (2 * window_frames)
    where = tf.where if tf.is_tensor(num_frames) else np.where
    return where(num_frames > window_frames, enough, 1)


def random_onsets(num_frames, window_frames, key):
    """First frames of windows that together hold every frame of a sequence, none reaching over its end.

    They follow one another without a gap from a random frame on, so that all of them begin elsewhere in every epoch, yet their
    number is fixed; at both ends they overlap as much as it takes to stay inside.

    Args:
        num_frames: int64 [], L.    window_frames: int, T.    key: int64 [2].

    Returns:
        int64 [num_windows(L, T)], the first of them 0 and the last L - T.
    """
    count = num_windows(num_frames, window_frames)
    spare = count * window_frames - num_frames
    shift = tf.random.stateless_uniform([], key, minval=0, maxval=spare + 1, dtype=tf.int64)
    return tf.clip_by_value(tf.range(count) * window_frames - shift, 0, tf.maximum(num_frames - window_frames, 0))


def windows_of(frames, is_start, onsets, window_frames):
    """The windows of a sequence that begin at `onsets`.

    Args:
        frames: [L, V].    is_start: bool [], whether the sequence begins with frame 0.    onsets: int64 [W].    window_frames: int, T.

    Returns:
        Dataset of (frames [T, V], mask [T], is_start bool []); padding follows a window's frames.
    """
    num_frames = tf.shape(frames, out_type=tf.int64)[0]
    mask = tf.sequence_mask(num_frames - onsets, window_frames)
    padded = tf.pad(frames, [[0, window_frames], [0, 0]])
    windows = tf.gather(padded, onsets[:, tf.newaxis] + tf.range(window_frames, dtype=tf.int64))
    return tf.data.Dataset.from_tensor_slices((windows, tf.cast(mask, tf.float32), is_start & (onsets == 0)))


def batches_of(windows, num_visible, config):
    """Windows in batches of one static shape; the last is filled up with windows whose mask is empty, so that none is lost."""
    batch_size, window_frames = config.data.batch_size, config.data.window_frames

    @_as_it_is
    def filled(frames, mask, is_start):
        missing = batch_size - tf.shape(frames)[0]
        frames = tf.pad(frames, [[0, missing], [0, 0], [0, 0]])
        mask = tf.pad(mask, [[0, missing], [0, 0]])
        is_start = tf.pad(is_start, [[0, missing]])
        return (
            tf.ensure_shape(frames, [batch_size, window_frames, num_visible]),
            tf.ensure_shape(mask, [batch_size, window_frames]),
            tf.ensure_shape(is_start, [batch_size]),
        )

    return windows.batch(batch_size).map(filled).prefetch(tf.data.AUTOTUNE)


def training_dataset(sources, sample_rate, scale, config, epoch, sequence_frames):
    """Shuffled batches of one epoch: a finite, pure function of (seed, epoch).

    Args:
        sources, sample_rate, scale, config: see `sequences`.
        epoch: scalar integer variable or tensor, read whenever the dataset is iterated anew.
        sequence_frames: ints, frames of each sequence: they tell the number of batches, and whether all fit the cache.

    Returns:
        Dataset of (frames [B, T, V], mask [B, T], is_start bool [B]), of `num_batches` elements.
    """
    num_visible = spectrogram.num_bins(config.spectrogram)
    window_frames, seed = config.data.window_frames, config.training.seed
    kept = sequences(sources, sample_rate, scale, config).cache() if _fits_cache(sequence_frames, config) else None

    @_as_it_is
    def one_epoch(_):
        # This graph's own: a global seed would change the order, and TensorFlow compares a global 0 with the tensor below.
        tf.compat.v1.set_random_seed(_GRAPH_SEED)
        key = tf.stack([tf.constant(seed, tf.int64), tf.cast(epoch, tf.int64)])
        order = tf.random.experimental.stateless_shuffle(tf.range(len(sources)), key)
        # What is in memory keeps its order, and only the windows are shuffled; what is read anew is read in a new order.
        source = kept if kept is not None else sequences(sources, sample_rate, scale, config, order)

        @_as_it_is
        def cut(index, sequence):
            frames, is_start = sequence
            onsets = random_onsets(tf.shape(frames, out_type=tf.int64)[0], window_frames, key + [index, 0])
            return windows_of(frames, is_start, onsets, window_frames)

        windows = source.enumerate().flat_map(cut)
        shuffled = windows.shuffle(config.data.shuffle_windows, seed=key[0] * 1_000_003 + key[1], reshuffle_each_iteration=False)
        return batches_of(shuffled, num_visible, config)

    batches = tf.data.Dataset.from_tensors(0).flat_map(one_epoch)
    # Keras would take the first epoch's count for all, and begin the next epoch's data before it is told the epoch.
    return batches.apply(tf.data.experimental.assert_cardinality(num_batches(sequence_frames, config)))


def validation_dataset(sources, sample_rate, scale, config, sequence_frames):
    """Batches of fixed, non-overlapping windows, in order.

    Args:
        sources, sample_rate, scale, config: see `sequences`.    sequence_frames: ints, frames of each sequence.

    Returns:
        Dataset of (frames [B, T, V], mask [B, T], is_start bool [B]).
    """
    window_frames = config.data.window_frames

    @_as_it_is
    def cut(frames, is_start):
        onsets = tf.range(0, tf.shape(frames, out_type=tf.int64)[0], window_frames)
        return windows_of(frames, is_start, onsets, window_frames)

    kept = sequences(sources, sample_rate, scale, config)
    if _fits_cache(sequence_frames, config):
        kept = kept.cache()
    batches = batches_of(kept.flat_map(cut), spectrogram.num_bins(config.spectrogram), config)
    windows = sum(-(-num_frames // window_frames) for num_frames in sequence_frames)
    return batches.apply(tf.data.experimental.assert_cardinality(-(-windows // config.data.batch_size)))


def _fits_cache(sequence_frames, config):
    return sum(sequence_frames) * spectrogram.num_bins(config.spectrogram) * 4 <= config.data.cache_mb * 2**20


def num_batches(sequence_frames, config):
    """Batches of a training epoch over sequences of so many frames.  int"""
    windows = num_windows(np.asarray(sequence_frames), config.data.window_frames).sum()
    return int(-(-windows // config.data.batch_size))
