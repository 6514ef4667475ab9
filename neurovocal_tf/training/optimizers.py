"""Optimisers that survive non-finite gradients."""

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf


def rmsprop_rule(
    gradient: tf.Tensor, accumulator: tf.Tensor, rho: float, epsilon: float
) -> tuple[tf.Tensor, tf.Tensor]:
    """a = rho a + (1 - rho) g^2; the step is g / sqrt(a + epsilon). Returns (step, a).

    Source: Tieleman and Hinton, 2012, Lecture 6.5 of Neural Networks for Machine Learning.
    """
    accumulator = rho * accumulator + (1 - rho) * tf.square(gradient)
    return gradient * tf.math.rsqrt(accumulator + epsilon), accumulator


def adam_rule(
    gradient: tf.Tensor,
    momentum: tf.Tensor,
    velocity: tf.Tensor,
    num_steps: tf.Tensor,
    beta_1: float,
    beta_2: float,
    epsilon: float,
) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
    """Adam's step number `num_steps` (from 1) without its learning rate.

    Returns (step, momentum, velocity).

    Source: Kingma and Ba, 2015, https://arxiv.org/abs/1412.6980,
    the efficient order given before its section 2.1.
    """
    momentum = momentum + (1 - beta_1) * (gradient - momentum)
    velocity = velocity + (1 - beta_2) * (tf.square(gradient) - velocity)
    bias_correction = tf.sqrt(1 - beta_2**num_steps) / (1 - beta_1**num_steps)
    return bias_correction * momentum / (tf.sqrt(velocity) + epsilon), momentum, velocity


class GuardedOptimizer(keras.optimizers.Optimizer):
    """What the guarded optimisers share: guard, clip, decay, average, in this order.

        p -= learning_rate * (step(g) + l1 * sign(p) + l2 * p)

    A subclass names its `slots` (variables kept beside each weight), and gives `guard` (what
    becomes of non-finite gradients) and `rule` (the step of one weight). An entry counts as
    non-finite when its square is: such a square would stay in the accumulators for ever.

    Args:
        learning_rate: float or `keras.optimizers.schedules.LearningRateSchedule`.
        clip_norm: float, largest global norm of the guarded gradients; 0: no clipping.
        l1: float, decoupled L1 on the weights whose path contains `l1_path`.
        l2: float, decoupled L2 on the weights whose path contains `l2_path`.
        l1_path: str.
        l2_path: str.
        kept_rate: float, the learning rate of kept weights as a share of `learning_rate`.
        fresh_paths: strings; weights whose path contains one of them are not kept; of none, where
            `kept_rate` is 1, all are as good as fresh.
        use_ema: bool, whether to keep a moving average of the weights,
            which starts at their initial values.
        ema_momentum: float in [0, 1), the average's momentum.
        name: str.

    Weights: `num_bad_steps`, int: the steps whose gradients held a non-finite entry. Keras'
    `iterations` counts all steps.
    """

    slots: tuple[str, ...] = ()

    def __init__(
        self,
        learning_rate: float | keras.optimizers.schedules.LearningRateSchedule = 1e-3,
        clip_norm: float = 0.0,
        l1: float = 0.0,
        l2: float = 0.0,
        l1_path: str = "gated_recurrent_encoder",
        l2_path: str = "recurrent_kernel",
        kept_rate: float = 1.0,
        fresh_paths: Sequence[str] = (),
        use_ema: bool = False,
        ema_momentum: float = 0.99,
        name: str | None = None,
    ) -> None:
        super().__init__(
            learning_rate=learning_rate, use_ema=use_ema, ema_momentum=ema_momentum, name=name
        )
        for key, value in (("clip_norm", clip_norm), ("l1", l1), ("l2", l2)):
            if not value >= 0:
                raise ValueError(f"`{key}` must be at least 0. Received: {key}={value}")
        self.clip_norm = clip_norm
        self.l1, self.l2 = l1, l2
        self.l1_path, self.l2_path = l1_path, l2_path
        self.kept_rate, self.fresh_paths = kept_rate, tuple(fresh_paths)

    def guard(
        self, gradients: Sequence[tf.Tensor], variables: Sequence[keras.Variable]
    ) -> tuple[list[tf.Tensor], tf.Tensor]:
        """Replaces what is not finite.

        Returns (gradients, bool scalar: any was not finite); an entry left NaN is not applied.
        """
        raise NotImplementedError

    def rule(self, gradient: tf.Tensor, *slots: tf.Tensor) -> tuple[tf.Tensor, ...]:
        """The step of one weight. Returns (step, *new values of the slots)."""
        raise NotImplementedError

    def build(self, variables: Sequence[keras.Variable]) -> None:
        """Creates the optimiser's variables for the model's `variables`."""
        if self.built:
            return
        for key, path in (("l1", self.l1_path), ("l2", self.l2_path)):
            if getattr(self, key) and not any(path in variable.path for variable in variables):
                raise ValueError(
                    f"`{key}_path` must be part of some variable's path. "
                    f"Received: {key}_path={path}"
                )
        super().build(variables)
        self.num_bad_steps = self.add_variable(
            (), dtype="int", aggregation="only_first_replica", name="num_bad_steps"
        )
        self._slots = self.add_optimizer_variables(variables, list(self.slots))
        if self.use_ema:
            # Lifted out of a traced step, which would otherwise repeat it.
            with tf.init_scope():
                for average, variable in zip(
                    self._model_variables_moving_average, variables, strict=True
                ):
                    average.assign(variable)

    def _all_reduce_sum_gradients(self, grads_and_vars):
        # The one place that sees the replicas' summed gradients before any is applied: every
        # replica then decides alike.
        gradients, variables = zip(*super()._all_reduce_sum_gradients(grads_and_vars), strict=True)
        gradients, is_bad = self.guard([tf.convert_to_tensor(g) for g in gradients], variables)
        self.num_bad_steps.assign_add(tf.cast(is_bad, self.num_bad_steps.dtype))
        return list(zip(_clipped(gradients, self.clip_norm), variables, strict=True))

    def update_step(
        self, gradient: tf.Tensor, variable: keras.Variable, learning_rate: tf.Tensor
    ) -> None:
        """Moves one weight, its slots and its average; entries whose gradient is
        NaN stay as they are.
        """
        index = self._get_variable_index(variable)
        path, constraint = (
            self._trainable_variables[index].path,
            self._trainable_variables[index].constraint,
        )
        slots = [slot[index] for slot in self._slots]
        old = tf.convert_to_tensor(variable)
        gradient = tf.cast(gradient, old.dtype)
        is_good = tf.math.is_finite(gradient)

        step, *new_slots = self.rule(gradient, *(tf.convert_to_tensor(slot) for slot in slots))
        if self.l1 and self.l1_path in path:
            step += self.l1 * tf.sign(old)
        if self.l2 and self.l2_path in path:
            step += self.l2 * old
        if self.kept_rate != 1 and not any(fresh in path for fresh in self.fresh_paths):
            learning_rate = learning_rate * self.kept_rate
        new = old - tf.cast(learning_rate, old.dtype) * step
        if constraint is not None:
            # Keras does so too, but only after the averages have been taken.
            new = constraint(new)

        updates = [(variable, new), *zip(slots, new_slots, strict=True)]
        if self.use_ema:
            average = self._model_variables_moving_average[index]
            updates.append((average, average + (1 - self.ema_momentum) * (new - average)))
        for target, value in updates:
            self.assign(target, tf.where(is_good, value, tf.convert_to_tensor(target)))

    def _update_model_variables_moving_average(self, trainable_variables):
        """Nothing: `update_step` did it, so that a skipped step leaves the averages alone too."""

    def finalize_variable_values(self, var_list: Sequence[keras.Variable]) -> None:
        """Nothing: `fit` ends with the weights as trained, so that training can go on from them.

        See `averages.averaged_weights`.
        """

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        keras_config = super().get_config()
        ours = ("clip_norm", "l1", "l2", "l1_path", "l2_path", "kept_rate", "fresh_paths")
        return {
            k: keras_config[k] for k in ("learning_rate", "use_ema", "ema_momentum", "name")
        } | {k: getattr(self, k) for k in ours}


@keras.saving.register_keras_serializable(package="neurovocal_tf")
class GuardedRMSprop(GuardedOptimizer):
    """RMSProp that replaces non-finite entries of a gradient by a tenth of their weights,
    as the published training did.

        a = rho a + (1 - rho) g^2        p -= learning_rate * g / sqrt(a + epsilon)

    Args:
        learning_rate: float or schedule.
        rho: float, decay of the squared gradient's average, which starts at zero.
        epsilon: float, inside the root.
        **kwargs: see `GuardedOptimizer`.
    """

    slots: tuple[str, ...] = ("accumulator",)

    def __init__(
        self,
        learning_rate: float | keras.optimizers.schedules.LearningRateSchedule = 3e-4,
        rho: float = 0.9,
        epsilon: float = 1e-6,
        **kwargs: Any,
    ) -> None:
        super().__init__(learning_rate, **kwargs)
        self.rho, self.epsilon = rho, epsilon

    def guard(
        self, gradients: Sequence[tf.Tensor], variables: Sequence[keras.Variable]
    ) -> tuple[list[tf.Tensor], tf.Tensor]:
        """A tenth of the weight in place of each non-finite entry:
        the weight shrinks a little instead of being lost.
        """
        finite = [_squares_are_finite(g) for g in gradients]
        replaced = [
            tf.where(ok, g, 0.1 * tf.cast(tf.convert_to_tensor(v), g.dtype))
            for ok, g, v in zip(finite, gradients, variables, strict=True)
        ]
        return replaced, tf.logical_not(tf.reduce_all([tf.reduce_all(ok) for ok in finite]))

    def rule(self, gradient: tf.Tensor, accumulator: tf.Tensor) -> tuple[tf.Tensor, ...]:
        """See `rmsprop_rule`."""
        return rmsprop_rule(gradient, accumulator, self.rho, self.epsilon)

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        return super().get_config() | {"rho": self.rho, "epsilon": self.epsilon}


@keras.saving.register_keras_serializable(package="neurovocal_tf")
class GuardedAdam(GuardedOptimizer):
    """Adam that skips a step whose gradients are not all finite.

    A skipped step changes no weight, no moment, no average, and does not count for the bias
    correction, which goes by `iterations - num_bad_steps`.

    Args:
        learning_rate: float or schedule.
        beta_1: float, momentum of the gradient's average.
        beta_2: float, momentum of the squared gradient's average.
        epsilon: float, outside the root.
        **kwargs: see `GuardedOptimizer`.
    """

    slots: tuple[str, ...] = ("momentum", "velocity")

    def __init__(
        self,
        learning_rate: float | keras.optimizers.schedules.LearningRateSchedule = 1e-3,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-7,
        **kwargs: Any,
    ) -> None:
        super().__init__(learning_rate, **kwargs)
        self.beta_1, self.beta_2, self.epsilon = beta_1, beta_2, epsilon

    def guard(
        self, gradients: Sequence[tf.Tensor], variables: Sequence[keras.Variable]
    ) -> tuple[list[tf.Tensor], tf.Tensor]:
        """NaN in place of every entry of a bad step, so that `update_step` applies none of them."""
        is_good = tf.reduce_all([tf.reduce_all(_squares_are_finite(g)) for g in gradients])
        return [
            tf.where(is_good, g, tf.constant(np.nan, g.dtype)) for g in gradients
        ], tf.logical_not(is_good)

    def rule(
        self, gradient: tf.Tensor, momentum: tf.Tensor, velocity: tf.Tensor
    ) -> tuple[tf.Tensor, ...]:
        """See `adam_rule`."""
        # This step counts from 1; Keras adds to `iterations` after the update.
        num_steps = tf.cast(self.iterations - self.num_bad_steps + 1, gradient.dtype)
        return adam_rule(
            gradient, momentum, velocity, num_steps, self.beta_1, self.beta_2, self.epsilon
        )

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        return super().get_config() | {
            "beta_1": self.beta_1,
            "beta_2": self.beta_2,
            "epsilon": self.epsilon,
        }


def _squares_are_finite(gradient):
    return tf.math.is_finite(tf.square(gradient))


def _clipped(gradients, clip_norm):
    if not clip_norm:
        return gradients
    norm = tf.sqrt(tf.add_n([tf.reduce_sum(tf.square(g)) for g in gradients]))
    return [g * tf.minimum(1.0, clip_norm / norm) for g in gradients]
