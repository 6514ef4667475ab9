"""Every held-out frame's machine, and how a latent variable is averaged over.

**With a latent variable** z_t a frame's likelihood is p(v_t) = E[p(v_t | z_t)] over the prior,
given the frames before. S draws from the posterior q, which has seen the frame, estimate it:

    log (1 / S) sum_s p(v_t | z_s) p(z_s) / q(z_s)

whose mean over the draws is at most log p(v_t), and rises with S (importance weighted bound: Burda,
Grosse & Salakhutdinov, 2016, https://arxiv.org/abs/1509.00519). Each log p(v_t | z_s) has the two
sides that `rbm.ais` gives, so what a bracket encloses is the bound for S draws. Its pessimistic
side is one of log p(v_t), too; its optimistic one may lie below log p(v_t). The draws share the
chains that are asked for.
"""

import dataclasses
from collections.abc import Iterator, Sequence

import numpy as np
import scipy.special
import tensorflow as tf

from neurovocal_tf.model.drawn_machines import drawn_machines
from neurovocal_tf.model.rnn_rbm import RNNRBM
from neurovocal_tf.model.scoring import told_row, told_specs
from neurovocal_tf.rbm import ais
from neurovocal_tf.rbm.energy import RBM
from neurovocal_tf.rbm.noise import BatchStream
from neurovocal_tf.rbm.units import Bernoulli

# The fewest that have a standard error.
_CHAINS_OF_A_DRAW = 2
# Three arrays [N] of a side of N frames: log-likelihoods, their standard errors, and the effective
# sizes of their chains.
SideOfFrames = tuple[np.ndarray, np.ndarray, np.ndarray]


@dataclasses.dataclass(frozen=True)
class Machines:
    """Frames and their machines.

    Attributes:
        frames: float32 `[N, V]`, standardised.
        rbm: `RBM`, biases `[N, V]` and `[N, H]` and what else differs from frame to frame as
            arrays; mean-field units as the binary ones they stand for.
        log_ratio: `[N]`, of a latent variable's draw log p(z) / q(z), else 0.
    """

    frames: np.ndarray
    rbm: RBM
    log_ratio: np.ndarray


@dataclasses.dataclass(frozen=True)
class Draw:
    """Where a latent variable is for every frame.

    Attributes:
        source: "mean", that of its prior, and of a model without a latent variable its machines;
            "posterior", a draw, over which a likelihood is averaged; or "prior", one as in songs.
        index: which draw, by `seed`.
    """

    source: str = "mean"
    index: int = 0
    seed: int = 0

    @property
    def is_averaged(self) -> bool:
        """Whether it has a part in the likelihood."""
        return self.source != "prior"


def draws_of(model: RNNRBM, num_chains: int, seed: int) -> tuple[list[Draw], int]:
    """What a likelihood is averaged over, the last being that whose samples are the model's own;
    and how many chains of a frame each has.

    Args:
        model: `RNNRBM`.    num_chains: of each frame, in all.    seed: of the draws.
    """
    if model.latent is None:
        return [Draw()], num_chains
    num_draws = max(num_chains // _CHAINS_OF_A_DRAW, 1)
    draws = [Draw("posterior", index, seed) for index in range(num_draws)]
    return [*draws, Draw("prior", num_draws, seed)], _CHAINS_OF_A_DRAW


def conditional_machines(
    model: RNNRBM,
    sequences: Sequence[np.ndarray],
    draws: Sequence[Draw] = (Draw(),),
    conditions: Sequence[Sequence[int]] | None = None,
    cues: Sequence[np.ndarray] | None = None,
) -> Iterator[Machines]:
    """Every frame of some sequences and its machine, for each draw of a latent variable.

    Args:
        model: `RNNRBM`.    sequences: list of [L, V], in the data's unit.    draws: `Draw`s.
        conditions, cues: of each sequence its own, see `scoring.told_row`; None: unknown.

    Raises:
        ValueError: there are no frames, or they are neither 0 nor 1 where the units are binary.
    """
    told = [
        told_row(model, len(sequence), conditions and conditions[i], cues and cues[i])
        for i, sequence in enumerate(sequences)
    ]
    told = [of_one for of_one, sequence in zip(told, sequences, strict=True) if len(sequence)]
    sequences = [np.asarray(sequence, np.float32) for sequence in sequences if len(sequence)]
    if not sequences:
        raise ValueError("`sequences` must hold at least one frame. Received: none")
    graphs = {source: _graph(model, source) for source in {draw.source for draw in draws}}
    for draw in draws:
        graph, numbers = graphs[draw.source], [tf.constant(draw.seed), tf.constant(draw.index)]
        parts = [
            graph(tf.constant(sequence[np.newaxis]), tf.constant(number), *numbers, *told[number])
            for number, sequence in enumerate(sequences)
        ]
        frames, log_ratio = (np.concatenate([np.asarray(x[i]) for x in parts]) for i in (0, 2))
        rbm = _joined([part[1] for part in parts])
        if isinstance(rbm.units, Bernoulli) and not np.all((frames == 0) | (frames == 1)):
            raise ValueError(
                "`sequences` must hold zeros and ones for a likelihood under binary units: a "
                "fraction has a mean-field energy, and no probability. Received: other values"
            )
        yield Machines(frames, rbm, log_ratio)


def _graph(model, source):
    """A sequence's frames, machines and log ratios, as a graph of it, its number, and the seed and
    the index of a `Draw` of that source.
    """

    def machines(frames, number, seed, index, *told):
        named = dict(zip(("condition", "cues"), (x[tf.newaxis] for x in told), strict=False))
        if source == "mean":
            rbm, log_ratio = model(frames, **named), tf.zeros(tf.shape(frames)[:2])
        else:
            stream, is_posterior = BatchStream(seed, number), source == "posterior"
            rbm, log_ratio = drawn_machines(model, frames, stream, index, is_posterior, **named)
        return model.standardisation(frames)[0], rbm.map_frames(lambda x: x[0]), log_ratio[0]

    numbers = [tf.TensorSpec([], tf.int32)] * 3
    signature = [tf.TensorSpec([1, None, model.num_visible]), *numbers, *told_specs(model)]
    return tf.function(machines, input_signature=signature, autograph=False)


def averaged(sides: Sequence[SideOfFrames], log_ratios: Sequence[np.ndarray]) -> SideOfFrames:
    """One side of frames, over a latent variable's draws.

    Args:
        sides: that of each draw.    log_ratios: `[N]` of each draw.
    """
    if len(sides) == 1:
        values, errors, sizes = sides[0]
        return values + log_ratios[0], errors, sizes
    values, errors, sizes = (np.stack(column) for column in zip(*sides, strict=True))
    logits, num_draws = values + np.stack(log_ratios), len(sides)
    share = scipy.special.softmax(logits, axis=0)
    # The chains' own, and of the mean of the draws the delta method's, as for the chains in `ais`.
    squares = np.sum(np.square(share), axis=0)
    between = np.maximum(num_draws * squares - 1.0, 0.0) / (num_draws - 1)
    within = np.sum(np.square(share * errors), axis=0)
    return (
        scipy.special.logsumexp(logits, axis=0) - np.log(num_draws),
        np.sqrt(within + between),
        1.0 / np.sum(np.square(share) / sizes, axis=0),
    )


def _joined(rbms):
    """One `RBM` of all the frames of those of several sequences, as arrays."""
    columns = zip(*(rbm.of_frames() for rbm in rbms), strict=True)
    arrays = iter([np.concatenate([np.asarray(x) for x in column]) for column in columns])
    rbm = rbms[0].map_frames(lambda _: next(arrays))
    return rbm._replace(units=ais.sampled_units(rbm.units))
