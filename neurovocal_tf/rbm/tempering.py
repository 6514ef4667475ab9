"""Parallel tempering: a chain that sees over the walls between a machine's modes.

K replicas of a machine run side by side, b_1 = 1 > ... > b_K = 0. Replica k has the couplings times
b_k and biases between the machine's own and those of independent units, which is `ais`' path from
the one to the other; its temperature is the machine's. The first replica is the machine itself, the
last draws independent units afresh in every step. Each step is

1. an exchange: neighbours k and k + 1, the even k and the odd ones in turn, trade their frames v
   and v' with the probability min(1, r), where, F_k being the free energy of replica k at the
   temperature,

       log r = F_k(v) + F_{k+1}(v') - F_k(v') - F_{k+1}(v);

2. a Gibbs step in every replica.

Both leave the product of the replicas' distributions in place, and with it the first one's. The
hidden units are summed out of the exchange, which trades more often than it would with them.
The replicas differ by couplings and biases alone: at another temperature of all the energy, the
noise of a hundred real units would keep neighbours apart that are not close to each other.

Rows lie replica after replica, so that row b of replica k is row k B + b of K B.
Sources: Swendsen & Wang, 1986; Geyer, 1991; of restricted Boltzmann machines Desjardins et al.,
2010; neighbours in turn: Okabe et al., 2001.
"""

import functools
import typing
from collections.abc import Callable

import numpy as np
import tensorflow as tf

from neurovocal_tf.rbm import noise
from neurovocal_tf.rbm.ais import Path, path_to
from neurovocal_tf.rbm.energy import RBM
from neurovocal_tf.rbm.gibbs import gibbs_chain, start_of_chain
from neurovocal_tf.rbm.units import MeanField


def tempered_chain(
    rbm: RBM,
    v: tf.Tensor | None,
    num_steps: int | tf.Tensor,
    stream: noise.Stream,
    temperature: float | tf.Tensor = 1.0,
    transposed: tf.Tensor | None = None,
    num_replicas: int = 1,
    chain_start: str = "bias",
) -> tuple[tf.Tensor, tf.Tensor]:
    """`num_steps` Gibbs steps, shared out among the replicas, and where the first one ends.

    Args:
        rbm: `RBM` with biases and a gain for each row, [B, V], [B, H] and [B, H] or [B, 1].
        v: [B, V], or [V, B] where the `rbm` has its units along the first axis: where all replicas
            start. None: a Gibbs chain by `chain_start`, and several replicas at the mean of the
            last one's independent units. Of real units that is the mean field, near which songs'
            frames are found in a step or two; from the biases' own mean no frame would be traded
            until they are.
        num_steps, stream, temperature, transposed: as of `gibbs_chain`; a stream that is drawn
            ahead must be so for as many replicas.
        num_replicas: int, K; 1: a Gibbs chain.
        chain_start: `kind` of `gibbs.start_of_chain`.

    Returns:
        (sample, mean) of the first replica: v after its last Gibbs step and E[v|h] of that step,
        both shaped as v.

    Raises:
        ValueError: mean-field units, which have no distribution that could be kept in place.
    """
    if isinstance(rbm.units, MeanField) and num_replicas > 1:
        raise ValueError(
            "`rbm` must have units that are sampled: mean-field ones have no distribution. "
            "Received: rbm.units=MeanField"
        )
    if num_replicas == 1:
        if v is None:
            v = start_of_chain(rbm, chain_start)
        return gibbs_chain(rbm, v, num_steps, stream, temperature, transposed)
    path = path_to(rbm)
    if v is None:
        v = rbm.units.mean(path.base_bv, tf.zeros_like(path.base_bv))
    replicas = Replicas.of(path, temperature, num_replicas)
    num_steps = noise.steps_of_each(num_steps, num_replicas)
    ends = replicas.chain(replicas.spread(v), num_steps, stream, transposed)
    sample, mean = (tf.split(x, num_replicas, axis=-1 - rbm.axis)[0] for x in ends)
    return sample, mean


class Replicas(typing.NamedTuple):
    """K replicas of B machines.

    Attributes:
        rbm: `RBM` of K B rows.    temperature: of each row, [K B, 1].    num_replicas: K.
    """

    rbm: RBM
    temperature: tf.Tensor
    num_replicas: int

    @classmethod
    def of(cls, path: Path, temperature: float | tf.Tensor, num_replicas: int) -> "Replicas":
        """The replicas along the path to some machines, see `tempered_chain`."""
        rbm = path.rbm
        tiled = functools.partial(_tiled, num_replicas=num_replicas, axis=rbm.axis)
        # One number a row, [B, 1] or [1, B].
        rows = tf.zeros_like(tf.gather(rbm.bh, [0], axis=rbm.axis))
        beta = tf.repeat(tf.constant(np.linspace(1, 0, num_replicas), rows.dtype), tf.size(rows))
        # What all rows share, such as a noise, stays as it is.
        machines = rbm.map_frames(lambda x: x if _is_shared(x, rbm.axis) else tiled(x))
        return cls(
            Path(machines, tiled(path.base_bv), tiled(path.base_bh)).machine(
                tf.expand_dims(beta, rbm.axis)
            ),
            tiled(temperature + rows),
            num_replicas,
        )

    def spread(self, rows: tf.Tensor) -> tf.Tensor:
        """The same rows for every replica.  [B, n] -> [K B, n], or [n, B] -> [n, K B]"""
        return _tiled(rows, self.num_replicas, self.rbm.axis)

    def apart(self, rows: tf.Tensor) -> tf.Tensor:
        """Rows replica by replica.  [K B, n] -> [K, B, n], or [n, K B] -> [n, K, B]"""
        if self.rbm.axis == -1:
            return tf.reshape(rows, [self.num_replicas, -1, rows.shape[-1]])
        return tf.reshape(rows, [rows.shape[0], self.num_replicas, -1])

    def chain(
        self,
        v: tf.Tensor,
        num_steps: int | tf.Tensor,
        stream: noise.Stream,
        transposed: tf.Tensor | None = None,
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """(sample, mean) of all replicas after so many steps from v, [K B, V] each; arguments as
        of `tempered_chain`.
        """
        return gibbs_chain(
            self.rbm,
            v,
            num_steps,
            noise.ReplicaStream(stream, self.num_replicas, self.rbm.axis),
            self.temperature,
            transposed,
            exchange=functools.partial(self.exchanged, stream),
        )

    def exchanged(
        self, stream: noise.Stream, index: int | tf.Tensor, v: tf.Tensor, field: tf.Tensor
    ) -> tf.Tensor:
        """What v tells the hidden units after the exchange of a step; all that a Gibbs step needs
        of v.

        Args:
            stream: source of noise.    index: of the step.
            v: [K B, V], in its standard deviation.    field: x(v) W, [K B, H].
        """
        if isinstance(index, int) and index == 0:
            # Those of a `tempered_chain` start alike: whether they trade is all one.
            return field
        partner = self._partner(index)
        log_odds = self.log_odds(index, v, field)
        is_rows = self.rbm.axis == -1
        turned: Callable[[tf.Tensor], tf.Tensor] = tf.transpose if is_rows else tf.identity
        shape = noise.shape_of(log_odds)
        uniforms = turned(stream.uniforms(noise.EXCHANGE, index, shape[::-1] if is_rows else shape))
        # One number for both of a pair, that of the first.
        pair = tf.minimum(partner, tf.range(self.num_replicas))
        is_traded = tf.math.log(tf.gather(uniforms, pair)) < log_odds
        apart = self.apart(field)
        traded = tf.where(
            tf.expand_dims(is_traded, self.rbm.axis), self._of_partner(apart, partner), apart
        )
        return tf.reshape(traded, tf.shape(field))

    def log_odds(self, index: int | tf.Tensor, v: tf.Tensor, field: tf.Tensor) -> tf.Tensor:
        """log r of the pair that each replica belongs to in a step, 0 for one without a partner.

        -> [K, B]; arguments as of `exchanged`
        """
        partner = self._partner(index)
        _, scale = self.rbm.units.standardised()
        machine = self.rbm.bv / scale, self.rbm.bh, self.rbm.gain, self.temperature
        v, field, bv, bh, gain, temperature = map(self.apart, (v, field, *machine))
        theirs, own = (
            tf.nn.softplus((bh + each * gain) / temperature)
            for each in (self._of_partner(field, partner), field)
        )
        # Of e(v) what is the same in both replicas cancels in the pair, and v (bv' - bv) is left,
        # for binary units and for real ones: half of it is counted for either.
        visible = (self._of_partner(v, partner) - v) * (bv - self._of_partner(bv, partner))
        gained = tf.reduce_sum(0.5 * visible / temperature, axis=self.rbm.axis) + tf.reduce_sum(
            theirs - own, axis=self.rbm.axis
        )
        return gained + tf.gather(gained, partner)

    def _partner(self, index):
        """The replica that each one trades with in a step, int [K]; one without another: itself."""
        number = np.arange(self.num_replicas)
        even, odd = number ^ 1, ((number + 1) ^ 1) - 1
        tables = [np.where((x < 0) | (x >= self.num_replicas), number, x) for x in (even, odd)]
        return tf.gather(tf.constant(np.stack(tables), tf.int32), tf.convert_to_tensor(index) % 2)

    def _of_partner(self, apart, partner):
        return tf.gather(apart, partner, axis=0 if self.rbm.axis == -1 else 1)


def _tiled(rows, num_replicas, axis):
    return tf.tile(rows, [num_replicas, 1] if axis == -1 else [1, num_replicas])


def _is_shared(x, axis):
    return len(x.shape) < 2 or x.shape[-1 - axis] == 1
