"""A restricted Boltzmann machine whose biases, and couplings and noise if wanted,
follow a recurrent state.
"""

import math
from collections.abc import Sequence
from typing import Any

import keras
import tensorflow as tf

from neurovocal_tf.layers.bounds import bounded
from neurovocal_tf.layers.initial_weights import check_weight_init
from neurovocal_tf.layers.noise_shares import NUM_LEVELS
from neurovocal_tf.rbm import units
from neurovocal_tf.rbm.energy import RBM, RBMInLanes
from neurovocal_tf.rbm.products import affine, along, linear
from neurovocal_tf.rbm.units import Units

# A bin that hardly varies would otherwise take sigma to 0 and its likelihood to infinity; above 2
# (standardised) it explains nothing. Noise that follows the context moves about it within bounds of
# its own.
LOG_SIGMA_RANGE = (math.log(0.05), math.log(2.0))

# A machine whose couplings may grow without bound does not mix any more.
_LARGEST_LOG_GAIN = 2.0


@keras.saving.register_keras_serializable(package="neurovocal_tf")
class LogSigmaRange(keras.constraints.Constraint):
    """Keeps the Gaussian units' log standard deviation inside `LOG_SIGMA_RANGE`."""

    def __call__(self, w: tf.Tensor) -> tf.Tensor:
        return keras.ops.clip(w, *LOG_SIGMA_RANGE)


@keras.saving.register_keras_serializable(package="neurovocal_tf")
class ConditionalRBM(keras.layers.Layer):
    """RBM whose biases, and if wanted its couplings and its noise, follow a recurrent state u.

        bv_t = bv + u_{t-1} @ Wuv
        bh_t = bh + u_{t-1} @ Wuh
        g_t = exp(2 tanh(u_{t-1} @ Wug / 2))
        log sigma_t = log sigma + b tanh(u_{t-1} @ Wus / b)

    Where the noise follows u, hidden units read how far a frame is from its bias, in its noise:
    bh_t + g_t ((v - bv_t) / sigma_t @ W), an RBM of innovations (Montavon & Mueller, 2012, centre
    with constants). Where it does not, v / sigma in its place is the same family of machines.

    Args:
        num_visible: int, V.    num_hidden: int, H.
        visible_units: "gaussian", "mean_field" or "bernoulli".
        coupling_gain: bool, let g_t scale each hidden unit's couplings; otherwise they are the same
            for every frame. Biases say which units are likely, the gain also which of them go
            together: three-way interactions (Taylor & Hinton, 2009), a factor a unit.
        weight_init: "scaled" (Glorot) or "published" (W from N(0, 0.01),
            all else from N(0, 0.0001)).
        seed: int, of the initial weights.
        noise_context: b, by how many nats the log standard deviation of Gaussian units may follow u
            up or down, each unit's its own way; 0: it is the same for every frame.
        noise_by_level: whether songs have a share of Gaussian units' noise that follows their mean
            (`noise_shares`, of `layers.noise_shares`: ones at first, found by
            `model.sung_noise`); the machine itself, and what is read of a song, has all of it.

    Input shape: `[B, T, U]`, already delayed by one frame.
    Output: `RBM` with W `[V, H]`, bv `[B, T, V]`, bh `[B, T, H]`, gain `[B, T, H]`,
        or ones `[B, T, 1]`, and Gaussian units of log sigma `[B, T, V]`, or `[V]`.
    Reference: Boulanger-Lewandowski et al., 2012, https://arxiv.org/abs/1206.6392
    """

    def __init__(
        self,
        num_visible: int,
        num_hidden: int,
        visible_units: str = "gaussian",
        coupling_gain: bool = False,
        weight_init: str = "scaled",
        seed: int = 0,
        noise_context: float = 0.0,
        noise_by_level: bool = False,
        **kwargs: Any,
    ) -> None:
        # Whatever the global policy: the cost is a small difference of large free energies.
        super().__init__(**{"dtype": "float32", **kwargs})
        if visible_units not in ("gaussian", "mean_field", "bernoulli"):
            raise ValueError(
                "`visible_units` must be gaussian, mean_field or bernoulli. "
                f"Received: visible_units={visible_units}"
            )
        check_weight_init(weight_init)
        if num_visible < 1 or num_hidden < 1:
            raise ValueError(
                "`num_visible` and `num_hidden` must be at least 1. "
                f"Received: num_visible={num_visible}, num_hidden={num_hidden}"
            )
        if noise_context < 0 or (noise_context and visible_units != "gaussian"):
            raise ValueError(
                "`noise_context` must be at least 0, and 0 for units other than gaussian. "
                f"Received: noise_context={noise_context:g}, visible_units={visible_units}"
            )
        if noise_by_level and visible_units != "gaussian":
            raise ValueError(
                "`noise_by_level` must be off for units other than gaussian. "
                f"Received: visible_units={visible_units}"
            )
        self.num_visible = num_visible
        self.num_hidden = num_hidden
        self.visible_units = visible_units
        self.coupling_gain = coupling_gain
        self.weight_init = weight_init
        self.seed = seed
        self.noise_context = noise_context
        self.noise_by_level = noise_by_level

    def build(self, input_shape: Sequence[int | None]) -> None:
        num_recurrent = input_shape[-1]
        shapes: dict[str, tuple[int, ...]] = {
            "W": (self.num_visible, self.num_hidden),
            "bv": (self.num_visible,),
            "bh": (self.num_hidden,),
            "Wuv": (num_recurrent, self.num_visible),
            "Wuh": (num_recurrent, self.num_hidden),
        }
        if self.coupling_gain:
            shapes["Wug"] = (num_recurrent, self.num_hidden)
        if self.noise_context:
            shapes["Wus"] = (num_recurrent, self.num_visible)
        self._first_values = {
            name: self._initializer(name, index) for index, name in enumerate(shapes)
        }
        for name, shape in shapes.items():
            weight = self.add_weight(name=name, shape=shape, initializer=self._first_values[name])
            setattr(self, name, weight)
        if self.visible_units == "gaussian":
            self.log_sigma = self.add_weight(
                name="log_sigma",
                shape=(self.num_visible,),
                initializer="zeros",
                constraint=LogSigmaRange(),
            )
        if self.noise_by_level:
            self.noise_shares = self.add_weight(
                name="noise_shares", shape=(NUM_LEVELS,), initializer="ones", trainable=False
            )

    def _initializer(self, name, index):
        seed = self.seed + index
        if self.weight_init == "published":
            return keras.initializers.RandomNormal(stddev=1e-2 if name == "W" else 1e-4, seed=seed)
        if name in ("bv", "bh", "Wug", "Wus"):
            return keras.initializers.Zeros()
        # A hidden unit of a large W saturates before it has learned anything.
        return (
            keras.initializers.RandomNormal(stddev=1e-2, seed=seed)
            if name == "W"
            else keras.initializers.GlorotUniform(seed=seed)
        )

    def initial_value(self, name: str) -> tf.Tensor:
        """What the weight of that name began with, whatever it has become."""
        return self._first_values[name](getattr(self, name).shape, dtype=self.variable_dtype)

    @property
    def output_shape(self) -> tuple[int | None, ...]:
        """`[B, T, V]`, the frames whose machines these are, for `keras.Model.summary`."""
        return (None, None, self.num_visible)

    def call(self, u: tf.Tensor) -> RBM:
        return self.machine(u)

    def step_weights(self, axis: int = -1) -> tuple[dict[str, tf.Tensor], Units]:
        """What `machine` needs of the weights, by name, and the visible units; `axis` as there."""
        names = ["W", "bv", "bh", "Wuv", "Wuh"]
        names += ["Wug"] * self.coupling_gain + ["Wus"] * (self.noise_context > 0)
        names += ["noise_shares"] * self.noise_by_level
        return {name: tf.convert_to_tensor(getattr(self, name)) for name in names}, self.units(axis)

    def machine(
        self,
        u: tf.Tensor,
        weights: tuple[dict[str, tf.Tensor], Units] | None = None,
        axis: int = -1,
    ) -> RBM:
        """The machine of each state.

        Args:
            u: [..., U], already delayed by one frame.
            axis: -1, or 0 for u [U, B], see `rbm.products`.
            weights: of `step_weights`. Taken before a loop, they leave its body without variables:
                those who read variables wait for one another, and songs would be sung one after
                another instead of side by side.

        Returns:
            `RBM`, see the class, or with `axis` 0 `RBMInLanes`.
        """
        w, visible_units = weights or self.step_weights(axis)
        gain = (
            tf.exp(bounded(linear(u, w["Wug"], axis=axis), _LARGEST_LOG_GAIN))
            if self.coupling_gain
            else tf.ones_like(tf.gather(u, [0], axis=axis))
        )
        bv, bh = (
            affine(u, w[weight], w[bias], axis) for weight, bias in (("Wuv", "bv"), ("Wuh", "bh"))
        )
        if isinstance(visible_units, units.Gaussian) and self.noise_context:
            change = bounded(linear(u, w["Wus"], axis=axis), self.noise_context)
            visible_units = units.Gaussian(visible_units.log_sigma + change)
            # Read from zero, every hidden unit would move with sigma_t by what bv_t is, and the
            # state could not make up for it: a quotient is no sum.
            bh -= gain * linear(visible_units.to_hidden(bv), w["W"], axis=axis)
        return (RBMInLanes if axis == 0 else RBM)(
            W=w["W"], bv=bv, bh=bh, units=visible_units, gain=gain
        )

    def units(self, axis: int = -1) -> Units:
        """The visible units, with their present parameters, before any context changes them;
        `axis` as in `machine`.
        """
        if self.visible_units == "gaussian":
            return units.Gaussian(along(tf.convert_to_tensor(self.log_sigma), axis))
        return units.MeanField() if self.visible_units == "mean_field" else units.Bernoulli()

    def get_config(self) -> dict[str, Any]:
        names = (
            "num_visible",
            "num_hidden",
            "visible_units",
            "coupling_gain",
            "weight_init",
            "seed",
            "noise_context",
            "noise_by_level",
        )
        return {**super().get_config(), **{name: getattr(self, name) for name in names}}
