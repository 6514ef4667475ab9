"""Attention over a bounded memory of what was told of past frames: for one frame, whose memory is
in its state, and for all of some frames at once.

Letters beside those of `encoder`: M entries of the memory, A heads, D numbers of a query, a key and
a value of one head.
"""

import math
import typing

import tensorflow as tf

from neurovocal_tf.layers.frame_counts import is_due, is_noise, whole
from neurovocal_tf.layers.periods import moved
from neurovocal_tf.rbm.noise import shape_of
from neurovocal_tf.rbm.products import along


class Memory(typing.NamedTuple):
    """The shape of a memory, and what is told of it: M entries, one every so many frames.

    Of a state it takes `count`, the number of frames that it remembers, and `remembered`, its keys
    and values [M, 2, A, D], newest first. Once it is full the count stays between M `every` and
    (M + 1) `every`, from where the next entry is due.
    """

    num_entries: int
    every: int
    num_heads: int
    head_size: int

    @property
    def entry_size(self) -> int:
        """Numbers of one entry, key and value of all heads."""
        return 2 * self.num_heads * self.head_size

    @property
    def sizes(self) -> list[int]:
        """Numbers of the state for the count, and for keys and values."""
        return [1, self.num_entries * self.entry_size]

    def bounded(self, count: tf.Tensor) -> tf.Tensor:
        """The number of frames remembered, of those so far.  int or float, any shape"""
        full = self.num_entries * self.every
        return tf.where(count < full, count, full + count % self.every)

    def after_frame(
        self,
        query: tf.Tensor,
        entry: tf.Tensor,
        count: tf.Tensor,
        remembered: tf.Tensor,
        slopes: tf.Tensor,
        axis: int,
    ) -> list[tf.Tensor]:
        """What a state holds after one frame more.

        Args:
            query: [B, A D].    entry: [B, 2 A D], of the frame, its keys first.
            count, remembered: the parts of the state before.
            slopes: [A].    axis: -1, or 0 for arrays with their rows last, see `rbm.products`.

        Returns:
            (count, remembered, context [B, A D]).
        """
        num_entries, every, num_heads, head_size = self
        count += 1.0
        sizes = [(num_entries - 1) * self.entry_size, self.entry_size]
        older, _ = tf.split(remembered, sizes, axis=axis)
        with_entry = tf.concat([entry, older], axis=axis)
        remembered = tf.where(is_due(count, every), with_entry, remembered)
        # Of a state of noise all, so that a step computes all that one may.
        num_filled = tf.where(is_noise(count), float(num_entries), tf.floor(count / every))
        rows, of_entries = shape_of(query)[-1 - axis], 0 if axis == 0 else 1

        def shaped(x, *units):
            return tf.reshape(x, [*units, rows] if axis == 0 else [rows, *units])

        key, value = tf.unstack(
            shaped(remembered, num_entries, 2, num_heads, head_size), axis=of_entries + 1
        )
        scores = tf.reduce_sum(key * shaped(query, 1, num_heads, head_size), axis=of_entries + 2)
        age = tf.reshape(tf.range(float(num_entries)), [-1, 1, 1] if axis == 0 else [-1, 1])
        scores = scores / math.sqrt(head_size) - along(slopes, axis) * age / num_entries
        weights = _weights(scores, age < shaped(num_filled, 1, 1), of_entries)
        context = tf.reduce_sum(tf.expand_dims(weights, of_entries + 2) * value, axis=of_entries)
        return [self.bounded(count), remembered, tf.reshape(context, shape_of(query))]

    def after_each_frame(
        self,
        query: tf.Tensor,
        entry: tf.Tensor,
        count: tf.Tensor,
        remembered: tf.Tensor,
        slopes: tf.Tensor,
    ) -> list[tf.Tensor]:
        """What a state holds after each of some frames, rows being anywhere between two entries.

        Args:
            query: [B, T, A D].    entry: [B, T, 2 A D], of every frame, of which few are taken.
            count, remembered: the parts of the state before the first.    slopes: [A].

        Returns:
            (count [B, T, 1], remembered [B, T, .], context [B, T, A D]).
        """
        num_entries, every, _, _ = self
        query, entry = (tf.transpose(x, [1, 0, 2]) for x in (query, entry))
        num_frames, num_rows, _ = shape_of(query)
        before = whole(count[:, 0], (num_entries + 1) * every)
        since = before % every
        num_new = -(-num_frames // every)
        new = moved(entry, since, num_new * every)[every - 1 :: every]
        older = tf.reshape(remembered, [num_rows, num_entries, self.entry_size])
        # From the oldest to the newest, and those that the rows have not, first.
        entries = tf.concat([tf.transpose(tf.reverse(older, [1]), [1, 0, 2]), new], axis=0)
        frame = tf.range(1, num_frames + 1)[:, tf.newaxis]
        newest = num_entries - 1 + (since + frame) // every
        missing = num_entries - tf.minimum(before // every, num_entries)
        context = self._contexts(query, entries, newest, missing, slopes)
        place = newest[..., tf.newaxis] - tf.range(num_entries)
        flat = tf.reshape(entries, [-1, self.entry_size])
        kept = tf.gather(flat, place * num_rows + tf.range(num_rows)[:, tf.newaxis])
        counts = tf.cast(self.bounded(before + frame), tf.float32)[..., tf.newaxis]
        kept = tf.reshape(kept, [num_frames, num_rows, self.sizes[1]])
        return [tf.transpose(x, [1, 0, 2]) for x in (counts, kept, context)]

    def _contexts(self, query, entries, newest, missing, slopes):
        """Contexts [T, B, A D] of queries [T, B, A D], of which each sees M of the entries
        [N, B, 2 A D] up to its `newest` int [T, B], but none of the first `missing` int [B].

        In blocks of so many frames as it takes for M entries: a block sees those of its own and M
        before, so that time and memory grow with the frames, and not with their square.
        """
        num_entries, every, num_heads, head_size = self
        num_frames, num_rows, width = shape_of(query)
        num_new = shape_of(entries)[0] - num_entries
        per_block = (min if isinstance(num_new, int) else tf.minimum)(num_new, num_entries)
        num_blocks = -(-num_new // per_block)
        length = per_block * every
        query, newest = (
            tf.pad(x, [[0, num_blocks * length - num_frames], *[[0, 0]] * (x.shape.rank - 1)])
            for x in (query, newest)
        )
        entries = tf.pad(entries, [[0, num_blocks * per_block - num_new], [0, 0], [0, 0]])
        place = tf.range(num_blocks)[:, tf.newaxis] * per_block + tf.range(num_entries + per_block)
        key, value = tf.unstack(
            tf.reshape(
                tf.gather(entries, place),
                [num_blocks, num_entries + per_block, num_rows, 2, num_heads, head_size],
            ),
            axis=3,
        )
        query = tf.reshape(query, [num_blocks, length, num_rows, num_heads, head_size])
        scores = tf.einsum("clbad,cjbad->cbalj", query, key) / math.sqrt(head_size)
        newest = tf.transpose(tf.reshape(newest, [num_blocks, length, num_rows]), [0, 2, 1])
        place = place[:, tf.newaxis, tf.newaxis]
        age = newest[..., tf.newaxis] - place
        is_seen = (age >= 0) & (age < num_entries) & (place >= missing[:, tf.newaxis, tf.newaxis])
        age, is_seen = tf.cast(age, tf.float32)[:, :, tf.newaxis], is_seen[:, :, tf.newaxis]
        scores = scores - slopes[:, tf.newaxis, tf.newaxis] * age / num_entries
        context = tf.einsum("cbalj,cjbad->clbad", _weights(scores, is_seen, -1), value)
        return tf.reshape(context, [num_blocks * length, num_rows, width])[:num_frames]


def _weights(scores, is_seen, axis):
    """exp(scores) / (1 + the sum of all) of those that are seen, and zero of the others."""
    scores = tf.where(is_seen, scores, 0.0)
    highest = tf.stop_gradient(tf.nn.relu(tf.reduce_max(scores, axis=axis, keepdims=True)))
    shares = tf.where(is_seen, tf.exp(scores - highest), 0.0)
    return shares / (tf.exp(-highest) + tf.reduce_sum(shares, axis=axis, keepdims=True))
