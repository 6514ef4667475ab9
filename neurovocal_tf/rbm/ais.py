"""Partition functions: exact by enumeration, and estimated from both sides by annealing.

**The path.** Machine b, for b from 0 to 1, has the couplings times b and biases bv + (1 - b) a and
bh + (1 - b) c. At b = 1 it is the RBM itself, at b = 0 units that are independent, whose partition
function Z_0 is exact. With f_b(v) = exp(-F_b(v)) and a Gibbs step T_b, which leaves p_b = f_b / Z_b
in place and is reversible with respect to it:

**Annealed importance sampling** (AIS: Neal, 2001; Salakhutdinov & Murray, 2008). Draw v_0 from p_0,
then v_k from T_k(. | v_{k-1}):

    w = prod_{k=1}^{K} f_k(v_{k-1}) / f_{k-1}(v_{k-1})        E[w] = Z / Z_0

By Jensen's inequality E[log(Z_0 mean(w))] <= log Z, so -F(v) less it is, on average over its own
randomness, at least log p(v): for every frame, whatever it is. A single estimate may lie on the
other side, but Z is overrated by a factor r with probability 1 / r at most. What it does not say is
how far off it is: chains that all miss a mode miss its weight, and the standard error with it.

**Reverse AIS estimator** (RAISE: Burda, Grosse & Salakhutdinov, 2015). The annealed chain above is
itself a normalised model: let p_ann be the distribution of its last state v_K. Put v_K = v, the
frame, and draw v_{k-1} from T_k(. | v_k), downwards to v_0. As T_k is reversible, p_ann's path over
the proposal's is

    p_0(v_0) prod_k T_k(v_k | v_{k-1}) / T_k(v_{k-1} | v_k)
        = (f_K(v) / Z_0) / prod_{k=1}^{K} f_k(v_{k-1}) / f_{k-1}(v_{k-1})

whose mean is p_ann(v), so that its logarithm is on average at most log p_ann(v). That bounds what
the annealed sampler gives the frame and not what the RBM does. For frames drawn from the RBM the
mean of log p_ann is at most that of log p, their difference being a Kullback-Leibler divergence;
for other frames it need not be, since a sampler that falls short may happen to like them better.
With more temperatures p_ann goes to p, and where both sides meet and stay when temperatures double,
both are right.

**The base.** a and c say which independent units the path begins with: "biases" has the RBM's own
bv and bh; "mean_field" the field that the other side exerts at the mean-field solution m, x*: a = W
m, c = x* W. The path then scales the deviation (x - x*) W (h - m) alone (Plefka, 1982). Without
couplings both are the RBM itself and every estimate is exact. By default real units begin at the
mean field, which on a Bengalese finch's spectrograms closed the gap with a quarter of the
temperatures and fewer; binary ones at the biases: on four-part chorales a mean field missed some
chords, and left ten times the gap.
"""

import math
import typing

import tensorflow as tf

from neurovocal_tf.rbm import noise
from neurovocal_tf.rbm.energy import (
    RBM,
    free_energy,
    hidden_field,
    hidden_logits,
    mean_field,
    visible_field,
)
from neurovocal_tf.rbm.products import linear
from neurovocal_tf.rbm.units import Bernoulli, MeanField, Units

BASES = ("mean_field", "biases")
MAX_ENUMERATED = 20
_STATES_AT_ONCE = 256


class LogPartition(typing.NamedTuple):
    """Estimates for N frames from M chains each: log Z, its standard error, and the effective
    number of the M chains, [N] each.

    The standard error is the delta method's, sd(w) / (mean(w) sqrt(M));
    the effective sample size is (sum w)^2 / sum w^2.
    """

    value: tf.Tensor
    standard_error: tf.Tensor
    effective_sample_size: tf.Tensor


class Path(typing.NamedTuple):
    """From independent units with the biases `base_bv` [N, V] and `base_bh` [N, H] to `rbm`, whose
    biases have the same shapes.

    Chains are [M, N, V]: every one of a frame's M chains has that frame's biases.
    """

    rbm: RBM
    base_bv: tf.Tensor
    base_bh: tf.Tensor

    def bv(self, beta: float | tf.Tensor) -> tf.Tensor:
        """Visible biases at beta.  -> [N, V]"""
        # In this order: without a shift it is bv to the last bit.
        return self.rbm.bv + (1.0 - beta) * (self.base_bv - self.rbm.bv)

    def bh(self, beta: float | tf.Tensor) -> tf.Tensor:
        """Hidden biases at beta.  -> [N, H]"""
        return self.rbm.bh + (1.0 - beta) * (self.base_bh - self.rbm.bh)

    def machine(self, beta: float | tf.Tensor) -> RBM:
        """The machine at beta."""
        return self.rbm._replace(bv=self.bv(beta), bh=self.bh(beta), gain=beta * self.rbm.gain)

    def hidden_logits(self, field: tf.Tensor, beta: float | tf.Tensor) -> tf.Tensor:
        """Logits of p(h=1|v) at beta of the v that exerts `field`.  [M, N, H] -> [M, N, H]"""
        return self.bh(beta) + beta * field

    def field(self, v: tf.Tensor) -> tf.Tensor:
        """What v tells the hidden units at beta 1.  [M, N, V] -> [M, N, H]"""
        return hidden_field(self.rbm, v)

    def base_log_partition(self) -> tf.Tensor:
        """log Z_0.  -> [N]"""
        return self.rbm.units.log_partition(
            self.base_bv, tf.zeros_like(self.base_bv)
        ) + tf.reduce_sum(tf.nn.softplus(self.base_bh), axis=-1)

    def base_sample(self, num_chains: int, stream: noise.Stream) -> tf.Tensor:
        """v of the independent units.  -> [M, N, V]"""
        mean = self.rbm.units.mean(self.base_bv, tf.zeros_like(self.base_bv))
        return self.rbm.units.sample(tf.repeat(mean[tf.newaxis], num_chains, axis=0), stream, 0)

    def gibbs_step(
        self,
        field: tf.Tensor,
        beta: float | tf.Tensor,
        stream: noise.Stream,
        index: int | tf.Tensor,
    ) -> tf.Tensor:
        """The next v at beta, after the one that exerts `field`.  [M, N, H] -> [M, N, V]"""
        probability = tf.sigmoid(self.hidden_logits(field, beta))
        h = tf.cast(
            stream.uniforms(noise.HIDDEN, index, probability.shape) < probability, probability.dtype
        )
        mean = self.rbm.units.mean(self.bv(beta), beta * visible_field(self.rbm, h))
        return self.rbm.units.sample(mean, stream, index)

    def log_ratio(
        self, v: tf.Tensor, field: tf.Tensor, low: float | tf.Tensor, high: float | tf.Tensor
    ) -> tf.Tensor:
        """log f_high(v) - log f_low(v).  [M, N, V], [M, N, H] -> [M, N]"""
        # Unit by unit: the difference of two large sums would lose what K steps then add up.
        hidden = tf.nn.softplus(self.hidden_logits(field, high)) - tf.nn.softplus(
            self.hidden_logits(field, low)
        )
        visible = self.rbm.units.energy_term(v, self.bv(low)) - self.rbm.units.energy_term(
            v, self.bv(high)
        )
        return visible + tf.reduce_sum(hidden, axis=-1)


def sampled_units(units: Units) -> Units:
    """The units that are sampled: of mean-field units the binary ones whose probability they hold.

    Only 0 and 1 have a likelihood there.
    """
    return Bernoulli() if isinstance(units, MeanField) else units


def path_to(rbm: RBM, base: str | None = None) -> Path:
    """The path that ends at `rbm`, with biases [N, V] and [N, H], from one of `BASES`; None: the
    one that suits the units.
    """
    rbm = rbm._replace(units=sampled_units(rbm.units))
    if base is None:
        base = "biases" if isinstance(rbm.units, Bernoulli) else "mean_field"
    if base not in BASES:
        raise ValueError(f"`base` must be one of {', '.join(BASES)}. Received: base={base}")
    if base == "biases":
        return Path(rbm, rbm.bv, rbm.bh)
    logits = hidden_logits(rbm, mean_field(rbm))
    return Path(rbm, rbm.units.shifted(rbm.bv, visible_field(rbm, tf.sigmoid(logits))), logits)


def annealed_importance_sampling(
    path: Path, num_temperatures: int | tf.Tensor, num_chains: int, stream: noise.Stream
) -> tuple[LogPartition, tf.Tensor]:
    """log Z of every frame's machine, from below on average.

    Args:
        path: `Path`.    num_temperatures: K, int or scalar int tensor, steps of beta.
        num_chains: int, M, of each frame.
        stream: source of noise.

    Returns:
        (`LogPartition`, the last states [M, N, V],
        samples of the RBM as far as the chains are annealed).
    """
    v = path.base_sample(num_chains, stream)

    def step(k, v, log_weight):
        low, high = _betas(k, num_temperatures)
        field = path.field(v)
        log_weight += path.log_ratio(v, field, low, high)
        return k + 1, tf.ensure_shape(path.gibbs_step(field, high, stream, k), v.shape), log_weight

    _, v, log_weight = tf.while_loop(
        lambda k, *_: k <= num_temperatures, step, (tf.constant(1), v, tf.zeros(v.shape[:2]))
    )
    return _estimate(path.base_log_partition(), log_weight, 1.0), v


def reverse_annealed_importance_sampling(
    path: Path,
    v: tf.Tensor,
    num_temperatures: int | tf.Tensor,
    num_chains: int,
    stream: noise.Stream,
) -> LogPartition:
    """log Z as the annealed chains that end at the frames see it: -F(v) less it estimates
    log p_ann(v), from below on average.

    Args:
        path: `Path`.    v: the frames, [N, V].    num_temperatures: K, int or scalar int tensor.
        num_chains: int, M, of each frame.
        stream: source of noise.

    Returns:
        `LogPartition`; its `value` is an upper side,
        the mean being taken over p_ann's weights, 1 / w.
    """

    def step(k, field, log_weight):
        low, high = _betas(k, num_temperatures)
        lower = path.gibbs_step(field, high, stream, k)
        field = tf.ensure_shape(path.field(lower), field.shape)
        return k - 1, field, log_weight + path.log_ratio(lower, field, low, high)

    field = tf.repeat(path.field(v)[tf.newaxis], num_chains, axis=0)
    start = (tf.convert_to_tensor(num_temperatures), field, tf.zeros(field.shape[:2]))
    _, _, log_weight = tf.while_loop(lambda k, *_: k >= 1, step, start)
    return _estimate(path.base_log_partition(), log_weight, -1.0)


def _betas(k, num_temperatures):
    """beta_{k-1} and beta_k, each correctly rounded:
    what one step ends with the next begins with.
    """
    return tuple(
        tf.cast(index, tf.float32) / tf.cast(num_temperatures, tf.float32) for index in (k - 1, k)
    )


def _estimate(base, log_weight, sign):
    """log Z from M log weights a frame, [M, N]; sign -1: from the mean of their inverses."""
    num_chains = log_weight.shape[0]
    largest = tf.reduce_max(sign * log_weight, axis=0)
    weight = tf.exp(sign * log_weight - largest)
    mean, square = tf.reduce_mean(weight, axis=0), tf.reduce_mean(tf.square(weight), axis=0)
    # sd^2 / (M mean^2) with the unbiased variance, (square - mean^2) M / (M - 1).
    relative = tf.maximum(square / tf.square(mean) - 1.0, 0.0) / (num_chains - 1)
    return LogPartition(
        base + sign * (largest + tf.math.log(mean)),
        tf.sqrt(relative),
        num_chains * tf.square(mean) / square,
    )


def exact_log_partition(rbm: RBM) -> tf.Tensor:
    """log Z of every frame's machine by enumeration of the hidden states: log sum_h exp(bh.h)
    sum_v exp(-e(v) + x(v) W (g * h)).

    Args:
        rbm: biases [N, V] and [N, H], H at most `MAX_ENUMERATED`.

    Returns:
        [N].
    """
    num_hidden = rbm.W.shape[1]
    if num_hidden > MAX_ENUMERATED:
        raise ValueError(
            f"`rbm` must have at most {MAX_ENUMERATED} hidden units to be enumerated. "
            f"Received: {num_hidden}"
        )
    at_once = min(2**num_hidden, _STATES_AT_ONCE)
    every_frame = rbm.map_frames(lambda x: x[:, tf.newaxis])

    def add_states(first, total):
        numbers = first + tf.range(at_once)
        bits = tf.bitwise.right_shift(numbers[:, tf.newaxis], tf.range(num_hidden)[tf.newaxis])
        h = tf.cast(tf.bitwise.bitwise_and(bits, 1), rbm.W.dtype)
        visible = every_frame.units.log_partition(every_frame.bv, visible_field(every_frame, h))
        logits = visible + linear(rbm.bh, tf.transpose(h))
        return first + at_once, tf.reduce_logsumexp(
            tf.concat([total[:, tf.newaxis], logits], axis=1), axis=1
        )

    start = (tf.constant(0), tf.fill(rbm.bv.shape[:1], tf.constant(-math.inf, rbm.W.dtype)))
    return tf.while_loop(lambda first, _: first < 2**num_hidden, add_states, start)[1]


def log_likelihood(rbm: RBM, v: tf.Tensor, log_partition: tf.Tensor) -> tf.Tensor:
    """log p(v) = -F(v) - log Z, in nats.  [N, V], [N] -> [N]"""
    return -free_energy(rbm, v) - log_partition
