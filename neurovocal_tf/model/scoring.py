"""What a trained model makes of frames: embeddings, and how usual they are.

Three scores, kept apart, for each notices what the others miss; larger is more unusual in all:

    score        log of the one-step error over the error of "same as the frame before":
                 another voice, a blurred call
    order_score  1 - correlation of predicted and actual changes from frame to frame:
                 scrambled or reversed song; hardly one usual call in the wrong place
    surprise     F(v_t) - mean F of the model's own samples at t:
                 noise (far above) and smoothed frames (far below)

F alone is no surprise: its zero moves with the biases from frame to frame.

The three numbers of a sequence are means over it. They judge sequences about as long as those that
their usual ranges come from, training windows: of a long recording they hide one odd call, which
`frame_score` and `frame_surprise` over its own frames show; of a single call they spread more than
those ranges allow for.
"""

import dataclasses
import math
import typing

import tensorflow as tf

from neurovocal_tf.model.rnn_rbm import RNNRBM
from neurovocal_tf.rbm.energy import free_energy, mean_field
from neurovocal_tf.rbm.gibbs import gibbs_chain, start_of_chain
from neurovocal_tf.rbm.noise import RowStream

SCORES = ("score", "order_score", "surprise")
NUM_SAMPLES = 4
# A thousandth of a bin's standard deviation, squared: what digital silence leaves of
# an error is no ratio.
_SMALLEST_SQUARE = 1e-6


class Embedding(typing.NamedTuple):
    """What a model remembers of some sequences: embedding [E], frame_embedding [sum of L, E], state
    [R] after the last frame.
    """

    embedding: tf.Tensor
    frame_embedding: tf.Tensor
    state: tf.Tensor


class Scores(typing.NamedTuple):
    """How unusual some sequences are: score, order_score, surprise [], and frame_score and
    frame_surprise [sum of L].
    """

    score: tf.Tensor
    order_score: tf.Tensor
    surprise: tf.Tensor
    frame_score: tf.Tensor
    frame_surprise: tf.Tensor


@dataclasses.dataclass(frozen=True)
class UsualRanges:
    """Between which values, (lower, upper), each score is usual; by default all are."""

    score: tuple[float, float] = (-math.inf, math.inf)
    order_score: tuple[float, float] = (-math.inf, math.inf)
    surprise: tuple[float, float] = (-math.inf, math.inf)


EVERYTHING_USUAL = UsualRanges()


def embed(model: RNNRBM, frames: tf.Tensor, lengths: tf.Tensor) -> Embedding:
    """Embeddings of sequences of frames, see `Encoder.embedding`.

    Args:
        model: `RNNRBM`.
        frames: float32 [S, L, V], in the model's units; each sequence is read from its beginning.
        lengths: int [S], frames of each.

    Returns:
        `Embedding`; that of no frames is zero, and the state the one before a first frame.
    """
    frames, lengths, is_frame = _at_least_one(frames, lengths)
    encoder = model.encoder
    states = model.states(frames)
    frame_embedding = tf.boolean_mask(encoder.embedding(states), is_frame)
    last = states[-1, tf.maximum(lengths[-1], 1) - 1]
    return Embedding(
        embedding=_mean(frame_embedding),
        frame_embedding=frame_embedding,
        state=tf.where(lengths[-1] > 0, last, encoder.initial_state(tf.constant([True]))[0]),
    )


def score(
    model: RNNRBM,
    frames: tf.Tensor,
    lengths: tf.Tensor,
    num_gibbs_steps: int = 20,
    chain_start: str = "bias",
) -> Scores:
    """How unusual sequences of frames are.

    Args:
        model: `RNNRBM`.
        frames: float32 [S, L, V], in the model's units; each sequence is read from its beginning.
        lengths: int [S], frames of each.
        num_gibbs_steps, chain_start: of the model's own samples, as in `singing.sing`.

    Returns:
        `Scores`. A sequence's first frame has no frame before it: its frame_score is 0, and score
        and order_score leave it out; with no other frames they are 0.
    """
    frames, lengths, is_frame = _at_least_one(frames, lengths)
    rbm = model(frames)
    actual = model.standardisation(frames)
    before = tf.pad(actual[:, :-1], [[0, 0], [1, 0], [0, 0]])
    change, predicted_change = actual - before, mean_field(rbm) - before
    error, change_size = (
        tf.reduce_mean(tf.square(x), axis=-1) for x in (change - predicted_change, change)
    )
    has_before = is_frame & (tf.range(tf.shape(frames)[1]) > 0)
    frame_surprise = tf.boolean_mask(
        free_energy(rbm, actual) - _expected_free_energy(rbm, num_gibbs_steps, chain_start),
        is_frame,
    )
    return Scores(
        score=_log_ratio(
            _mean(tf.boolean_mask(error, has_before)),
            _mean(tf.boolean_mask(change_size, has_before)),
        ),
        order_score=_one_minus_correlation(
            *(tf.boolean_mask(x, has_before) for x in (change, predicted_change))
        ),
        surprise=_mean(frame_surprise),
        frame_score=tf.boolean_mask(
            tf.where(has_before, _log_ratio(error, change_size), 0.0), is_frame
        ),
        frame_surprise=frame_surprise,
    )


def _at_least_one(frames, lengths):
    """At least one frame of at least one sequence, since a recurrence over none is an error, and
    which are frames at all, bool [S, L].
    """
    missing = [[0, tf.maximum(1 - tf.shape(frames)[axis], 0)] for axis in (0, 1)]
    frames = tf.pad(frames, [*missing, [0, 0]])
    lengths = tf.pad(tf.cast(lengths, tf.int32), missing[:1])
    return frames, lengths, tf.sequence_mask(lengths, tf.shape(frames)[1])


def _expected_free_energy(rbm, num_gibbs_steps, chain_start):
    """Mean F of `NUM_SAMPLES` samples that the machine of each frame draws of itself.  -> [S, L]"""
    shape = tf.shape(rbm.bv)[:2]
    frame = tf.tile(tf.range(tf.cast(shape[1], tf.int64)), shape[:1])
    # Noise is drawn by row, and every frame is a row here.
    machine = rbm.map_frames(lambda x: tf.reshape(x, [-1, x.shape[-1]]))
    start = start_of_chain(machine, chain_start)

    def add_sample(seed, total):
        sample, _ = gibbs_chain(
            machine, start, num_gibbs_steps, RowStream(tf.fill(tf.shape(frame), seed), frame)
        )
        return seed + 1, total + free_energy(machine, sample)

    # One after another: all at once take the memory of all.
    loop = (tf.constant(0, tf.int64), tf.zeros(tf.shape(frame)))
    _, total = tf.while_loop(
        lambda seed, _: seed < NUM_SAMPLES, add_sample, loop, parallel_iterations=1
    )
    return tf.reshape(total / NUM_SAMPLES, shape)


def _log_ratio(squares, other_squares):
    return 0.5 * tf.math.log((squares + _SMALLEST_SQUARE) / (other_squares + _SMALLEST_SQUARE))


def _one_minus_correlation(a, b):
    """1 - Pearson's correlation over all elements; where one of them does not vary,
    0 without any and else 1.
    """
    a, b = a - _mean(tf.reshape(a, [-1])), b - _mean(tf.reshape(b, [-1]))
    covariance = tf.reduce_sum(a * b)
    spread = tf.sqrt(tf.reduce_sum(tf.square(a))) * tf.sqrt(tf.reduce_sum(tf.square(b)))
    return tf.where(tf.size(a) > 0, 1.0 - tf.math.divide_no_nan(covariance, spread), 0.0)


def _mean(values):
    """Mean over the first axis; zero of nothing."""
    return tf.reduce_sum(values, axis=0) / tf.cast(tf.maximum(tf.shape(values)[0], 1), values.dtype)
