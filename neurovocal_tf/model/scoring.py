"""What a trained model makes of frames: embeddings, and how usual they are.

Three scores, kept apart, for each notices what the others miss; larger is more unusual in all:

    score        log of the one-step error over the error of "same as the frame before":
                 another voice, a blurred call
    order_score  1 - correlation of predicted and actual changes from frame to frame:
                 scrambled or reversed song, a call in the wrong place
    surprise     F(v_t) - mean F of the model's own samples at t:
                 noise (far above) and smoothed frames (far below)

F alone is no surprise: its zero moves with the biases from frame to frame. With a latent variable
all three are those of the machines at its prior's mean.

Of sequences the three are taken over all frames (`score`), and of calls over each one's own frames,
in their context (`score_calls`): one odd call among usual ones is hidden in the numbers of a long
recording, and stands out over its own frames. A call's `score` is the mean of its frames': on two
finches that tells reversed, blurred and stretched calls from others better than the ratio of the
mean errors.

`order_score` correlates changes, not levels: levels of a few bands tell an own call in the wrong
place no better (area under the curve .90 and .82 on two finches, .91 and .90 by changes, each call
measured against its type), and reversed pieces of song worse (.87 and .74 against .93 and .85).
"""

import dataclasses
import math
import typing
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import tensorflow as tf

from neurovocal_tf.labels import CUE_SIZE
from neurovocal_tf.model.rnn_rbm import RNNRBM
from neurovocal_tf.rbm.energy import free_energy, mean_field
from neurovocal_tf.rbm.noise import RowStream
from neurovocal_tf.rbm.tempering import tempered_chain

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


class FrameReadings(typing.NamedTuple):
    """What a model makes of N frames: whether one has another before it [N], its change from that
    and the predicted one [N, V], the mean squares of the prediction's error and of the change [N],
    the log of the ratio of their roots [N], and the free energy above that of the model's own
    samples [N].
    """

    has_before: tf.Tensor
    change: tf.Tensor
    predicted_change: tf.Tensor
    error: tf.Tensor
    change_size: tf.Tensor
    score: tf.Tensor
    surprise: tf.Tensor


@dataclasses.dataclass(frozen=True)
class UsualRanges:
    """Between which values, (lower, upper), each score of at least `num_frames` frames is usual, up
    to where the next such begin; by default all are.
    """

    num_frames: int = 1
    score: tuple[float, float] = (-math.inf, math.inf)
    order_score: tuple[float, float] = (-math.inf, math.inf)
    surprise: tuple[float, float] = (-math.inf, math.inf)


EVERYTHING_USUAL = (UsualRanges(),)


def condition_specs(model: RNNRBM) -> list[tf.TensorSpec]:
    """Of the last argument of a graph that reads under a condition, see `Conditions.row`; none for
    a model without conditions.
    """
    return [tf.TensorSpec([len(model.conditions)], tf.int32)] if model.conditions else []


def told_specs(model: RNNRBM) -> list[tf.TensorSpec]:
    """Of the last arguments of a graph that reads a sequence as `told_row` tells of it."""
    specs = [tf.TensorSpec([len(model.conditions)], tf.int32)]
    specs.append(tf.TensorSpec([None, CUE_SIZE], tf.int32))
    return specs[: 2 if model.labels else bool(model.conditions)]


def told_row(
    model: RNNRBM,
    num_frames: int,
    condition: Sequence[int] | None = None,
    cues: npt.ArrayLike | None = None,
) -> list[npt.ArrayLike]:
    """What a sequence of so many frames is read under: the numbers of its conditions [K], and its
    cues [L, C], of a model that knows of such; None: unknown.
    """
    told: list[npt.ArrayLike] = [(0,) * len(model.conditions) if condition is None else condition]
    told.append(np.zeros((num_frames, CUE_SIZE), np.int32) if cues is None else cues)
    return told[: len(told_specs(model))]


def embed(
    model: RNNRBM, frames: tf.Tensor, lengths: tf.Tensor, condition: tf.Tensor | None = None
) -> Embedding:
    """Embeddings of sequences of frames, see `Encoder.embedding`.

    Args:
        model: `RNNRBM`.
        frames: float32 [S, L, V], in the model's units; each sequence is read from its beginning.
        lengths: int [S], frames of each.
        condition: int [K], under which all are read, see `RNNRBM.first_states`.

    Returns:
        `Embedding`; that of no frames is zero, and the state the one before a first frame.
    """
    frames, lengths, is_frame = at_least_one(frames, lengths)
    encoder = model.encoder
    states = model.states(frames, condition)
    frame_embedding = tf.boolean_mask(encoder.embedding(states), is_frame)
    last = states[-1, tf.maximum(lengths[-1], 1) - 1]
    return Embedding(
        embedding=_mean(frame_embedding),
        frame_embedding=frame_embedding,
        state=tf.where(
            lengths[-1] > 0, last, model.first_states(tf.constant([True]), condition)[0]
        ),
    )


def score(
    model: RNNRBM,
    frames: tf.Tensor,
    lengths: tf.Tensor,
    num_gibbs_steps: int = 20,
    chain_start: str = "bias",
    num_replicas: int = 1,
    condition: tf.Tensor | None = None,
) -> Scores:
    """How unusual sequences of frames are.

    Args:
        model: `RNNRBM`.
        frames: float32 [S, L, V], in the model's units; each sequence is read from its beginning.
        lengths: int [S], frames of each.
        num_gibbs_steps, chain_start, num_replicas: of the model's own samples, as in
            `singing.Sampling`.
        condition: int [K], under which all are read, see `RNNRBM.first_states`.

    Returns:
        `Scores`. A sequence's first frame has no frame before it: its frame_score is 0, and score
        and order_score leave it out; with no other frames they are 0.
    """
    frames, lengths, is_frame = at_least_one(frames, lengths)
    sampling = num_gibbs_steps, chain_start, num_replicas
    read = _read_frames(model, frames, is_frame, condition, *sampling)
    after = FrameReadings(*(tf.boolean_mask(x, read.has_before) for x in read))
    return Scores(
        score=_log_ratio(_mean(after.error), _mean(after.change_size)),
        order_score=_one_minus_correlation(
            after.change, after.predicted_change, tf.zeros_like(after.error, tf.int32), 1
        )[0],
        surprise=_mean(read.surprise),
        frame_score=read.score,
        frame_surprise=read.surprise,
    )


def score_calls(
    model: RNNRBM,
    frames: tf.Tensor,
    lengths: tf.Tensor,
    firsts: tf.Tensor,
    lasts: tf.Tensor,
    num_gibbs_steps: int = 20,
    chain_start: str = "bias",
    num_replicas: int = 1,
    condition: tf.Tensor | None = None,
) -> dict[str, tf.Tensor]:
    """How unusual calls are where they stand: what came before them in their sequence is known.

    Args:
        model, frames, lengths, num_gibbs_steps, chain_start, num_replicas, condition: as for
            `score`.
        firsts, lasts: int [C], each call's first frame and the one after its last, counted through
            all sequences, one after another; at least one frame each.

    Returns:
        Each of `SCORES`, float32 [C]. A call of a sequence's first frame alone has a score and an
        order_score of 0.
    """
    frames, lengths, is_frame = at_least_one(frames, lengths)
    num_frames = tf.reduce_sum(lengths)
    firsts, lasts = tf.cast(firsts, tf.int32), tf.cast(lasts, tf.int32)
    changes = tf.tensor_scatter_nd_add(
        tf.zeros([num_frames + 1], tf.int32),
        tf.concat([firsts, lasts], axis=0)[:, tf.newaxis],
        tf.concat([tf.ones_like(firsts), -tf.ones_like(lasts)], axis=0),
    )
    # Samples of the model's own take most of the time, and are drawn where there are calls alone.
    in_a_call = tf.cumsum(changes)[:-1] > 0
    is_asked = tf.scatter_nd(tf.where(is_frame), in_a_call, tf.shape(is_frame, tf.int64))
    sampling = num_gibbs_steps, chain_start, num_replicas
    read = _read_frames(model, frames, is_asked, condition, *sampling)
    place = tf.cumsum(tf.cast(in_a_call, tf.int32), exclusive=True)
    begins, num_calls = tf.gather(place, firsts), tf.size(firsts)
    call = tf.repeat(tf.range(num_calls), lasts - firsts)
    own = tf.ragged.range(begins, begins + lasts - firsts).values
    of_calls = FrameReadings(*(tf.gather(x, own) for x in read))
    call_after = tf.boolean_mask(call, of_calls.has_before)
    after = FrameReadings(*(tf.boolean_mask(x, of_calls.has_before) for x in of_calls))
    return {
        "score": tf.math.unsorted_segment_mean(after.score, call_after, num_calls),
        "order_score": _one_minus_correlation(
            after.change, after.predicted_change, call_after, num_calls
        ),
        "surprise": tf.math.unsorted_segment_mean(of_calls.surprise, call, num_calls),
    }


def _read_frames(model, frames, is_asked, condition, *sampling):
    """`FrameReadings` of the frames in `is_asked`, bool [S, L]."""
    rbm = model(frames, condition=condition)
    actual = model.standardisation(frames)
    before = tf.pad(actual[:, :-1], [[0, 0], [1, 0], [0, 0]])
    change, predicted_change = actual - before, mean_field(rbm) - before
    error, change_size = (
        tf.reduce_mean(tf.square(x), axis=-1) for x in (change - predicted_change, change)
    )
    has_before = tf.broadcast_to(tf.range(tf.shape(frames)[1]) > 0, tf.shape(is_asked))
    shape = tf.shape(is_asked, tf.int64)
    # A gain that is none has no frames of its own.
    machine = rbm.map_frames(
        lambda x: tf.boolean_mask(tf.broadcast_to(x, tf.concat([shape, x.shape[-1:]], 0)), is_asked)
    )
    frame = tf.where(is_asked)[:, 1]
    surprise = free_energy(machine, tf.boolean_mask(actual, is_asked)) - _expected_free_energy(
        machine, frame, *sampling
    )
    score = tf.where(has_before, _log_ratio(error, change_size), 0.0)
    per_frame = (has_before, change, predicted_change, error, change_size, score)
    return FrameReadings(*(tf.boolean_mask(x, is_asked) for x in per_frame), surprise)


def at_least_one(frames: tf.Tensor, lengths: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
    """At least one frame of at least one sequence, since a recurrence over none is an error, and
    which are frames at all, bool [S, L].
    """
    missing = [[0, tf.maximum(1 - tf.shape(frames)[axis], 0)] for axis in (0, 1)]
    frames = tf.pad(frames, [*missing, [0, 0]])
    lengths = tf.pad(tf.cast(lengths, tf.int32), missing[:1])
    return frames, lengths, tf.sequence_mask(lengths, tf.shape(frames)[1])


def _expected_free_energy(machine, frame, num_gibbs_steps, chain_start, num_replicas):
    """Mean F of `NUM_SAMPLES` samples that the machine of each frame draws of itself, with the
    noise of frames int64 [N].  -> [N]
    """

    # Noise is drawn by row, and every frame is a row here.
    def add_sample(seed, total):
        stream = RowStream(tf.fill(tf.shape(frame), seed), frame)
        sample, _ = tempered_chain(
            machine,
            None,
            num_gibbs_steps,
            stream,
            num_replicas=num_replicas,
            chain_start=chain_start,
        )
        return seed + 1, total + free_energy(machine, sample)

    # One after another: all at once take the memory of all.
    loop = (tf.constant(0, tf.int64), tf.zeros(tf.shape(frame)))
    _, total = tf.while_loop(
        lambda seed, _: seed < NUM_SAMPLES, add_sample, loop, parallel_iterations=1
    )
    return total / NUM_SAMPLES


def _log_ratio(squares, other_squares):
    return 0.5 * tf.math.log((squares + _SMALLEST_SQUARE) / (other_squares + _SMALLEST_SQUARE))


def _one_minus_correlation(a, b, group, num_groups):
    """1 - Pearson's correlation over all elements of a group's rows; where one of them does not
    vary, 0 without any and else 1.  [N, V], [N, V], int [N] -> [G]
    """

    def total(x):
        return tf.math.unsorted_segment_sum(tf.reduce_sum(x, axis=-1), group, num_groups)

    size = total(tf.ones_like(a))
    a, b = (x - tf.gather(tf.math.divide_no_nan(total(x), size), group)[:, None] for x in (a, b))
    spread = tf.sqrt(total(tf.square(a))) * tf.sqrt(total(tf.square(b)))
    return tf.where(size > 0, 1.0 - tf.math.divide_no_nan(total(a * b), spread), 0.0)


def _mean(values):
    """Mean over the first axis; zero of nothing."""
    return tf.reduce_sum(values, axis=0) / tf.cast(tf.maximum(tf.shape(values)[0], 1), values.dtype)
