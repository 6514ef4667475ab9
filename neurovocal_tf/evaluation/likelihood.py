"""Log-likelihoods of held-out sequences, per frame,
as a bracket of an optimistic and a pessimistic estimate.

Frame t's conditional machine has its own partition function, which `rbm.ais` estimates from both
sides; that module says what each side bounds, and `conditional_machines` what they bound together
for a model with a latent variable. Figures are in nats per frame, summed over units,
pooled over all frames, the first of every sequence included, and of the frames in the data's own
unit: the standardisation's Jacobian, the sum of its log scales, is subtracted.
"""

import dataclasses
import itertools
import math
import operator
from collections.abc import Callable, Mapping, Sequence

import numpy as np
import tensorflow as tf

from neurovocal_tf import xla_log
from neurovocal_tf.evaluation.conditional_machines import (
    averaged,
    conditional_machines,
    draws_of,
)
from neurovocal_tf.model.rnn_rbm import RNNRBM
from neurovocal_tf.rbm import ais
from neurovocal_tf.rbm.energy import pseudo_log_likelihood
from neurovocal_tf.rbm.noise import BatchStream
from neurovocal_tf.rbm.tempering import tempered_chain
from neurovocal_tf.rbm.units import Bernoulli

# Rows of chains that one call of a graph works on:
# enough for fast products, little enough for the cache.
_ROWS_AT_ONCE = 2048
_DOUBLED_SHARE = 0.1
# Nats a frame, by which the two sides, or a side and itself at twice the temperatures, may differ.
_CLOSE_NATS = 0.05
# What --num_temperatures takes.
MOST_TEMPERATURES = 1_000_000


@dataclasses.dataclass(frozen=True)
class LikelihoodOptions:
    """How to estimate: K `num_temperatures`, M `num_chains` of each frame, on `num_frames` seeded
    frames (0: all), see `ais.path_to`. With `num_replicas` above 1 the samples, and they alone, go
    on by `num_gibbs_steps` of parallel tempering, see `rbm.tempering`.
    """

    num_temperatures: int = 200
    num_chains: int = 8
    num_frames: int = 0
    base: str | None = None
    seed: int = 0
    compiled: bool = True
    num_replicas: int = 1
    num_gibbs_steps: int = 20


@dataclasses.dataclass(frozen=True)
class Side:
    """One side's estimate, nats a frame.

    Attributes:
        value: mean over frames.
        standard_error: of the mean over *all* frames: the chains' share, and where only a sample of
            the frames was taken, that of the sampling.
        effective_sample_size: mean over frames, of M chains.
        smallest_effective_sample_size: of any frame.
        change_when_doubled: what K -> 2 K adds to the value, on a seeded tenth of the frames, or as
            many as are worked on at once.
    """

    value: float
    standard_error: float
    effective_sample_size: float
    smallest_effective_sample_size: float
    change_when_doubled: float


@dataclasses.dataclass(frozen=True)
class Bracket:
    """Both sides for the same frames.

    Attributes:
        optimistic: `Side` of AIS.    pessimistic: `Side` of RAISE.
        num_frames: frames estimated, of `num_all_frames`.
        chosen: int `[N]`, which frames, counted over all sequences.
        samples: `[M, N, V]`, the model's own draws for them.
    """

    optimistic: Side
    pessimistic: Side
    num_frames: int
    num_all_frames: int
    chosen: np.ndarray
    samples: np.ndarray

    @property
    def gap(self) -> float:
        """By how much the sides differ, nats a frame."""
        return self.optimistic.value - self.pessimistic.value

    @property
    def is_close(self) -> bool:
        """Whether the sides agree, with each other and with twice the temperatures."""
        sides = self.optimistic, self.pessimistic
        differences = self.gap, *(side.change_when_doubled for side in sides)
        return all(abs(difference) <= _CLOSE_NATS for difference in differences)

    def temperatures_that_would_do(self, num_temperatures: int) -> int | None:
        """About how many temperatures would bring the sides together; None where that cannot be
        told, or would be more than a million.

        A bias of annealing falls as a power of the number of temperatures, in the end as its
        inverse (Neal, 2001, Annealed importance sampling, section 4,
        https://arxiv.org/abs/physics/9803008); the power is that of the last doubling, at most 1.

        Args:
            num_temperatures: with which it was estimated.
        """
        if self.is_close:
            return num_temperatures
        doubled = (
            self.gap + self.optimistic.change_when_doubled - self.pessimistic.change_when_doubled
        )
        if not 0 < doubled < self.gap:
            return None
        power = min(math.log2(self.gap / doubled), 1.0)
        # The sides' own changes are shares of the gap, and close when it is.
        factor = (max(self.gap, 2 * _CLOSE_NATS) / _CLOSE_NATS) ** (1 / power)
        wanted = num_temperatures * factor
        if wanted > MOST_TEMPERATURES:
            return None
        # Two digits, rounded up: it is no better known.
        digits = 10 ** max(int(math.log10(wanted)) - 1, 0)
        return math.ceil(round(wanted / digits, 6)) * digits


def log_likelihood_bracket(
    model: RNNRBM,
    sequences: Sequence[np.ndarray],
    options: LikelihoodOptions = LikelihoodOptions(),
    report: Callable[[float], object] = lambda line: None,
    conditions: Sequence[Sequence[int]] | None = None,
    cues: Sequence[np.ndarray] | None = None,
) -> Bracket:
    """The log-likelihood of sequences under a model, from both sides.

    Args:
        model: `RNNRBM`.
        sequences: list of frames [L, V] in the data's unit, each from its true beginning.
        options: `LikelihoodOptions`.
        report: called with the share of the work done, from 0 to 1.
        conditions, cues: of each sequence its own, see `scoring.told_row`; None: unknown.

    Returns:
        `Bracket`.

    Raises:
        ValueError: there are no frames, or they are neither 0 nor 1 where the units are binary.
    """
    if options.num_chains < 2:
        raise ValueError(
            f"`num_chains` must be at least 2. Received: num_chains={options.num_chains}"
        )
    draws, num_chains = draws_of(model, options.num_chains, options.seed)
    options = dataclasses.replace(options, num_chains=num_chains)
    of_draws = conditional_machines(model, sequences, draws, conditions, cues)
    first = next(of_draws)
    frames = first.frames
    chosen = _sampled(len(frames), options.num_frames, options.seed)
    at_once = min(max(_ROWS_AT_ONCE // options.num_chains, 1), len(chosen))
    doubled = _sampled(
        len(chosen), max(int(_DOUBLED_SHARE * len(chosen)), at_once), options.seed + 1
    )
    jacobian = float(np.sum(np.log(np.asarray(model.standardisation.scale, np.float64))))
    graph, temper = _estimation_graph(options), _tempering_graph(options)
    work_of_draw = len(chosen) + 2 * len(doubled)
    work = sum(work_of_draw if draw.is_averaged else len(chosen) for draw in draws)

    def estimate(number, machines, which, factor, before, further=None):
        sides, samples = _estimate(
            graph,
            further,
            at_once,
            factor * options.num_temperatures,
            frames[which],
            machines.rbm.map_frames(operator.itemgetter(which)),
            # Draws are not to share their chains' noise.
            number * len(frames),
            lambda done: report((before + factor * done) / work),
        )
        return sides, machines.log_ratio[which], samples

    coarse, fine = [], []
    for number, machines in enumerate(itertools.chain([first], of_draws)):
        before = number * work_of_draw
        # The last one's samples are the model's own: drawn by no frame.
        is_last = number == len(draws) - 1
        estimated = estimate(number, machines, chosen, 1, before, temper if is_last else None)
        samples = estimated[-1]
        if draws[number].is_averaged:
            coarse.append(estimated)
            fine.append(estimate(number, machines, chosen[doubled], 2, before + len(chosen)))
    sides, finer = map(_averaged, (coarse, fine))
    optimistic, pessimistic = (
        _side(side, jacobian, len(frames), float(np.mean(fine[0] - side[0][doubled])))
        for side, fine in zip(sides, finer, strict=True)
    )
    samples = np.asarray(model.standardisation.inverse(samples))
    return Bracket(optimistic, pessimistic, len(chosen), len(frames), chosen, samples)


def bracket_figures(bracket: Bracket, num_temperatures: int) -> dict[str, float | None]:
    """A bracket as flat figures, units in their names.

    Args:
        bracket: `Bracket`.    num_temperatures: with which it was estimated.
    """
    figures = {}
    for name, side in (("ais", bracket.optimistic), ("raise", bracket.pessimistic)):
        figures |= {
            f"log_likelihood_{name}_nats": side.value,
            f"log_likelihood_{name}_se_nats": side.standard_error,
            f"{name}_change_when_doubled_nats": side.change_when_doubled,
            f"{name}_effective_sample_size": side.effective_sample_size,
            f"{name}_smallest_effective_sample_size": side.smallest_effective_sample_size,
        }
    return figures | {
        "likelihood_gap_nats": bracket.gap,
        "is_likelihood_gap_close": bracket.is_close,
        "num_temperatures": num_temperatures,
        "num_temperatures_that_would_do": bracket.temperatures_that_would_do(num_temperatures),
        "num_likelihood_frames": bracket.num_frames,
        "num_test_frames": bracket.num_all_frames,
    }


def warning(figures: Mapping[str, float | None]) -> str:
    """What a reader of the figures of a likelihood has to know of them; "" where the sides agree,
    or where there is no likelihood.
    """
    if figures.get("is_likelihood_gap_close", True):
        return ""
    wanted = figures["num_temperatures_that_would_do"]
    remedy = (
        "how many would do cannot be told: try more, or the other --base"
        if wanted is None
        else f"about --num_temperatures={wanted} would do"
    )
    return (
        f"not to be relied on: the sides have to be {_CLOSE_NATS} apart, and to stay when the "
        f"{figures['num_temperatures']} temperatures double; {remedy}"
    )


def mean_pseudo_log_likelihood(model: RNNRBM, sequences: Sequence[np.ndarray]) -> float:
    """The exact pseudo-log-likelihood of binary frames, mean over frames, in nats:
    cheap, and no likelihood.  -> float
    """
    total, count = 0.0, 0
    evaluate = tf.function(pseudo_log_likelihood, autograph=False, reduce_retracing=True)
    (machines,) = conditional_machines(model, sequences)
    frames, rbm = machines.frames, machines.rbm
    for first in range(0, len(frames), _ROWS_AT_ONCE):
        some = slice(first, first + _ROWS_AT_ONCE)
        total += float(
            tf.reduce_sum(
                evaluate(rbm.map_frames(operator.itemgetter(some)), tf.constant(frames[some]))
            )
        )
        count += len(frames[some])
    return total / count


def _estimation_graph(options):
    """Both sides for a block of frames, as a graph: (`RBM`, v [N, V], block's number, K)
    -> (log-likelihood, SE, size) twice, samples.
    """

    def block(rbm, v, index, num_temperatures):
        path = ais.path_to(rbm, options.base)
        streams = [BatchStream(tf.constant(2 * options.seed + side), index) for side in (0, 1)]
        above, samples = ais.annealed_importance_sampling(
            path, num_temperatures, options.num_chains, streams[0]
        )
        below = ais.reverse_annealed_importance_sampling(
            path, v, num_temperatures, options.num_chains, streams[1]
        )
        sides = [
            (
                ais.log_likelihood(rbm, v, side.value),
                side.standard_error,
                side.effective_sample_size,
            )
            for side in (above, below)
        ]
        return sides, samples

    return _graph(block, options)


def _tempering_graph(options):
    """A block's samples [M, N, V] after as many steps of parallel tempering as are asked for, as a
    graph: (`RBM`, samples, block's number) -> samples; None without.
    """
    if options.num_replicas == 1:
        return None

    def block(rbm, samples, index):
        # Keys that neither side's noise has.
        stream = BatchStream(tf.constant(-1 - options.seed), index)
        ends, _ = tempered_chain(
            rbm.map_frames(lambda x: tf.tile(x, [options.num_chains, 1])),
            tf.reshape(samples, [-1, samples.shape[-1]]),
            options.num_gibbs_steps,
            stream,
            num_replicas=options.num_replicas,
        )
        return tf.reshape(ends, samples.shape)

    return _graph(block, options)


def _graph(block, options):
    if options.compiled:
        xla_log.start_quietly()
    return tf.function(block, autograph=False, jit_compile=options.compiled)


def _estimate(graph, further, at_once, num_temperatures, frames, rbm, first_block, report):
    """Both sides of frames [N, V], `at_once` after another: three arrays [N] a side;
    and samples [M, N, V], which go through the graph `further` if there is one. Blocks are numbered
    from `first_block`, by which their noise is keyed.
    """
    found = []
    for first in range(0, len(frames), at_once):
        # One static shape: the last block is filled up with its last frame, and cut.
        rows = np.minimum(np.arange(first, first + at_once), len(frames) - 1)
        kept = min(at_once, len(frames) - first)
        machines = rbm.map_frames(operator.itemgetter(rows))
        index = tf.constant(first_block + first // at_once)
        sides, samples = graph(
            machines, tf.constant(frames[rows]), index, tf.constant(num_temperatures)
        )
        if further is not None:
            samples = further(machines, samples, index)
        found.append(
            (
                [[np.asarray(x)[:kept] for x in side] for side in sides],
                np.asarray(samples)[:, :kept],
            )
        )
        report(first + kept)
    sides = [
        [np.concatenate([block[0][i][j] for block in found]).astype(np.float64) for j in range(3)]
        for i in range(2)
    ]
    return sides, np.concatenate([block[1] for block in found], axis=1)


def _averaged(estimates):
    """Both sides over the draws of a latent variable: three arrays [N] a side."""
    of_draws, log_ratios, _ = zip(*estimates, strict=True)
    return [averaged(sides, log_ratios) for sides in zip(*of_draws, strict=True)]


def _side(side, jacobian, num_all_frames, change):
    values, standard_errors, sizes = side
    num_frames = len(values)
    variance = np.sum(np.square(standard_errors)) / num_frames**2
    if num_frames < num_all_frames:
        # Drawn without replacement. The spread holds that of the chains once more,
        # which errs on the safe side.
        variance += np.var(values, ddof=1) / num_frames * (1 - num_frames / num_all_frames)
    return Side(
        float(values.mean() - jacobian),
        float(np.sqrt(variance)),
        float(sizes.mean()),
        float(sizes.min()),
        change,
    )


def _sampled(num_all, num_wanted, seed):
    """`num_wanted` of the numbers below `num_all`, in order; all of them for 0 or too many."""
    if not 0 < num_wanted < num_all:
        return np.arange(num_all)
    return np.sort(np.random.default_rng(seed).choice(num_all, num_wanted, replace=False))


def is_binary_model(model: RNNRBM) -> bool:
    """Whether a model's likelihood is one of zeros and ones."""
    return isinstance(ais.sampled_units(model.conditional_rbm.units()), Bernoulli)
