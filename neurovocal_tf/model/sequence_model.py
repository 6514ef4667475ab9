"""What `fit`, `evaluate` and `predict` take of sequences, and how a step in parts is compiled."""

import functools
from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from neurovocal_tf.model import distribution
from neurovocal_tf.model.batches import padded, parts_of, whole_batch

# What a step of training can tell of a batch without another chain.
NUM_TRAINED_METRICS = 2


class SequenceModel(keras.Model):
    """A Keras model of sequences that has a training step of its own.

    It needs no targets and no loss: `fit(x)` learns from x alone, which is an array `[N, T, V]`, a
    list of sequences `[L, V]`, or batches as `batches.parts_of` takes them, of any size, in a
    `tf.data.Dataset`, a `keras.utils.PyDataset` or a generator. Beside an array its mask `[N, T]`
    may stand where Keras has the targets: `fit(x, mask)`, `validation_data=(x, mask)`.

    A subclass has an `encoder`, `num_visible`, V, `masking`, `conditions`, `labels` and
    `num_train_steps`,
    and computes in `_gradients` and `_figures` what a part of a batch gives: of its `metrics`
    training has the first two alone.
    """

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        # When the last batch to train on was there, in seconds of the clock: what came before it
        # was waiting. No weight, so never saved.
        self.data_arrived_s = tf.Variable(
            0.0,
            dtype=tf.float64,
            trainable=False,
            aggregation=tf.VariableAggregation.ONLY_FIRST_REPLICA,
        )

    def fit(
        self, x: Any = None, y: Any = None, *args: Any, **kwargs: Any
    ) -> keras.callbacks.History:
        """Keras' `fit`; see the class for `x`, and for `y`, a mask."""
        held_out = kwargs.get("validation_data")
        if isinstance(held_out, (list, np.ndarray)):
            kwargs["validation_data"] = self._arrays(held_out, None)
        return super().fit(*self._arrays(x, y, **kwargs), *args, **kwargs)

    def evaluate(self, x: Any = None, y: Any = None, *args: Any, **kwargs: Any) -> Any:
        """Keras' `evaluate`; see the class for `x`, and for `y`, a mask."""
        return super().evaluate(*self._arrays(x, y, **kwargs), *args, **kwargs)

    def predict(self, x: Any, *args: Any, **kwargs: Any) -> np.ndarray:
        """Keras' `predict`, of what `predict_step` says; shorter sequences of a list are padded.

        -> [N, T, V]
        """
        return super().predict(self._arrays(x, None)[0], *args, **kwargs)

    def _arrays(self, x, mask, **further):
        """A list of sequences as an array and its mask; anything else, if it may be, as it is."""
        weights = [
            name for name in ("sample_weight", "class_weight") if further.get(name) is not None
        ]
        if weights:
            raise ValueError(
                f"`{weights[0]}` must not be given: every frame counts, but for those that a mask "
                f"leaves out. Received: {weights[0]}"
            )
        if isinstance(x, list):
            if mask is not None:
                raise ValueError("`y`, a mask, must not be given beside a list of sequences.")
            x, mask = padded(x)
        if isinstance(x, np.ndarray) and (x.ndim != 3 or x.shape[-1] != self.num_visible):
            raise ValueError(
                f"`x` must be [N, T, V] with the model's {self.num_visible} bins. "
                f"Received: an array of shape {x.shape}"
            )
        return x, mask

    def compile(
        self,
        optimizer: str | dict[str, Any] | keras.optimizers.Optimizer = "adam",
        *args: Any,
        jit_compile: bool | str = "auto",
        num_parts: int = 1,
        auto_scale_loss: bool = True,
        run_eagerly: bool = False,
        **kwargs: Any,
    ) -> None:
        """Keras' `compile`, for a step in parts and without a loss of the user's.

        Args:
            optimizer: any of Keras', or its name.
            jit_compile: bool, compile with XLA what a step computes on each part, and the
                optimiser. "auto": where there is a GPU; on processors compiling takes seconds, so
                that it is worth it for a long training alone.
            num_parts: int that divides every batch: so many parts of its rows are worked on at the
                same time, one a core. A compiled graph runs op after op, and the recurrence's small
                products keep one core busy, however many there are.
            auto_scale_loss: bool, wrap the optimiser in Keras' `LossScaleOptimizer` where the
                encoder computes in mixed_float16.

        Raises:
            ValueError: a loss or metrics, which would never be looked at.
        """
        given = [
            name
            for name in ("loss", "loss_weights", "metrics", "weighted_metrics")
            if kwargs.get(name) is not None
        ]
        if args or given:
            raise ValueError(
                f"{type(self).__name__} has its cost and its metrics itself: "
                f"`{given[0] if given else 'loss'}` must not be given. "
                f"Received: {kwargs[given[0]] if given else args[0]}"
            )
        optimizer = keras.optimizers.get(optimizer)
        policy = keras.dtype_policies.get(self.encoder.dtype_policy).name
        is_scaled = isinstance(optimizer, keras.optimizers.LossScaleOptimizer)
        if auto_scale_loss and policy == "mixed_float16" and not is_scaled:
            optimizer = keras.optimizers.LossScaleOptimizer(optimizer, name="loss_scale_optimizer")
        super().compile(optimizer, jit_compile=False, run_eagerly=run_eagerly, **kwargs)
        # One that makes its variables inside the first step has that step traced twice.
        self.optimizer.build(self.trainable_variables)
        self._compile_arguments = {"jit_compile": jit_compile, "num_parts": num_parts}
        if jit_compile == "auto":
            jit_compile = bool(tf.config.list_physical_devices("GPU"))
        compiled: Callable[..., Any] = (
            functools.partial(tf.function, jit_compile=True, autograph=False)
            if jit_compile and not run_eagerly
            else lambda function: function
        )
        self._num_parts = num_parts
        self._part_gradients = compiled(self._gradients)
        self._part_figures = compiled(self._figures)
        # It sums the gradients of all copies, which XLA cannot.
        is_alone = self.distribute_strategy.num_replicas_in_sync == 1
        self._update_weights = (compiled if is_alone else lambda function: function)(
            lambda gradients: self.optimizer.apply(gradients, self.trainable_variables)
        )

    def _maybe_symbolic_build(self, *args: Any, **kwargs: Any) -> None:
        """Nothing: the weights are there from the beginning. Keras would build beside copies
        what it finds in the mean of their batches, and flags have none.
        """

    def get_compile_config(self) -> dict[str, Any] | None:
        return (
            {**super().get_compile_config(), **self._compile_arguments} if self.compiled else None
        )

    def compile_from_config(self, config: dict[str, Any]) -> None:
        self.compile(**keras.saving.deserialize_keras_object(config))

    def train_step(self, data: Any) -> dict[str, tf.Tensor]:
        parts = self.parts_of(data)
        with tf.control_dependencies([tf.identity(parts[0])]):
            arrived = self.data_arrived_s.assign(tf.timestamp())
        # Nothing is computed before the clock is read: on one core it would be read afterwards.
        with tf.control_dependencies([arrived]):
            frames = tf.identity(parts[0])
        batch = whole_batch(frames, *parts[1:])
        step = tf.convert_to_tensor(self.num_train_steps)
        gradients, figures = zip(
            *[self._part_gradients(*part[:5], step, *part[5:]) for part in self._parts(batch)],
            strict=True,
        )
        self._update_weights([tf.add_n(parts) for parts in zip(*gradients, strict=True)])
        self.num_train_steps.assign_add(1)
        return self._updated(self.metrics[:NUM_TRAINED_METRICS], figures, batch)

    def test_step(self, data: Any) -> dict[str, tf.Tensor]:
        batch = whole_batch(*self.parts_of(data))
        figures = [self._part_figures(*part) for part in self._parts(batch)]
        return self._updated(self.metrics, figures, batch)

    def parts_of(self, data: Any) -> tuple[tf.Tensor | None, ...]:
        """A batch as `batches.parts_of` tells it, of this model."""
        known = len(self.conditions), bool(self.labels)
        return parts_of(data, self.num_visible, self.masking, *known)

    def _updated(self, metrics, figures, batch):
        """Adds a batch's figures, of each part a tuple, to the metrics,
        and returns these by name.
        """
        *figures, num_frames = distribution.totals(
            [*map(tf.add_n, zip(*figures, strict=True)), tf.reduce_sum(batch[1])]
        )
        for metric, figure in zip(metrics, figures, strict=True):
            metric.update_state(figure, sample_weight=num_frames)
        return {metric.name: distribution.for_keras(metric.result()) for metric in metrics}

    def _parts(self, batch):
        """Parts of a copy's batch, as (frames, mask, is_start, place of the first row in the
        batch of all copies, share of that batch's frames), and last conditions and cues where there
        are.
        """
        columns = [tf.split(column, self._num_parts) for column in batch]
        num_rows = tf.shape(columns[0][0])[0]
        num_frames = [tf.reduce_sum(mask) for mask in columns[1]]
        (all_frames,) = distribution.totals([tf.add_n(num_frames)])
        first_row = distribution.first_row(self._num_parts * num_rows)
        for i, (frames, mask, is_start, *told) in enumerate(zip(*columns, strict=True)):
            yield (
                frames,
                mask,
                is_start,
                first_row + i * num_rows,
                tf.math.divide_no_nan(num_frames[i], all_frames),
                *told,
            )
