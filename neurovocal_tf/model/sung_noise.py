"""How loud the noise of songs is at each level, by what a model's predictions miss.

A Gaussian unit has one standard deviation, sigma, for all frames, and recordings have not: what is
left of a finch's frames when they are foretold is two to three times as large in loud frames as in
quiet ones. Songs whose quiet frames have all of sigma are rougher there than the bird.

Of a frame v and two means a, b of the machine, each given hidden units of a chain of its own, the
noise beside the mean that a song should have is

    E (v - a)^2 - E (a - b)^2 = Var v - Var a

where predictions are right on average, since E (v - a)^2 = Var v + Var a and E (a - b)^2 = 2 Var a.
It is found by levels of a, in units of sigma^2, and never more than sigma^2 is sung: what loud
frames miss is mostly when and which, and white noise does not make up for that.

It is what is heard. What the encoder reads has all of sigma: the rare and large surprises of quiet
frames, onsets, are few of their residuals and most of what a song goes on by, and sigma's kicks
stand for them.
"""

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
import tensorflow as tf

from neurovocal_tf.layers.noise_shares import NUM_LEVELS, places
from neurovocal_tf.model.batches import whole_batch
from neurovocal_tf.model.rnn_rbm import RNNRBM
from neurovocal_tf.rbm import noise
from neurovocal_tf.rbm.gibbs import gibbs_chain, start_of_chain

# Enough for each level: a frame tells of it by as many bins as it has.
_NUM_FRAMES = 4000
# Whose noise does not matter to anything else.
_SEED = 900
# So many frames of a bin without anything to tell stand beside those looked at.
_PRIOR_FRAMES = 100.0


def noise_finder(model: RNNRBM, batches: Iterable[Any], num_gibbs_steps: int) -> Callable[[], None]:
    """A function that sets `noise_shares` of a model's RBM, if it has such, for the weights of that
    moment, by some frames that the model has not learned from; its graph is made once.

    Args:
        model: `RNNRBM`.
        batches: as `batches.parts_of` takes them; the first of them are looked at.
        num_gibbs_steps: int, as songs have.
    """
    rbm = model.conditional_rbm
    if not rbm.noise_by_level:
        return lambda: None

    @tf.function(autograph=False, reduce_retracing=True)
    def sums(index, frames, mask, is_start, condition=None, cues=None):
        """[2, NUM_LEVELS]: squares by levels, and how many there are of each."""
        machine = model(frames, is_start, condition=condition, cues=cues)
        first_row = index * tf.shape(frames, out_type=tf.int64)[0]
        start, means = start_of_chain(machine, "bias"), []
        for chain in range(2):
            stream = noise.BatchStream(tf.constant(_SEED), tf.constant(chain, tf.int64), first_row)
            means.append(gibbs_chain(machine, start, num_gibbs_steps, stream)[1])
        squares = tf.square(model.standardisation(frames) - means[0])
        squares = (squares - tf.square(means[0] - means[1])) * tf.exp(-2.0 * rbm.log_sigma)
        lower, way = places(means[0])
        counts = mask[..., tf.newaxis] * tf.ones_like(way)
        total = tf.zeros([2, NUM_LEVELS])
        for level, weight in ((lower, 1.0 - way), (lower + 1, way)):
            both = tf.stack([squares, tf.ones_like(squares)]) * weight * counts
            level = tf.reshape(level, [-1])
            total += tf.stack(
                [
                    tf.math.unsorted_segment_sum(tf.reshape(of_one, [-1]), level, NUM_LEVELS)
                    for of_one in tf.unstack(both)
                ]
            )
        return total, tf.reduce_sum(mask)

    def find():
        found, num_frames = np.zeros([2, NUM_LEVELS]), 0.0
        for index, batch in enumerate(batches):
            parts = whole_batch(*model.parts_of(batch))
            of_batch, counted = sums(tf.constant(index, tf.int64), *parts)
            found, num_frames = found + of_batch.numpy(), num_frames + float(counted)
            if num_frames >= _NUM_FRAMES:
                break
        squares, counts = found + _PRIOR_FRAMES
        rbm.noise_shares.assign(np.sqrt(np.clip(squares / counts, 0.0, 1.0)))

    return find
