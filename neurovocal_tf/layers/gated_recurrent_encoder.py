"""A stack of gated recurrent layers that turns the frames so far into a state."""

import functools
from collections.abc import Sequence
from typing import Any

import keras
import tensorflow as tf

from neurovocal_tf.layers.initial_weights import check_weight_init
from neurovocal_tf.layers.padding import after_each, frames_first
from neurovocal_tf.layers.periods import LayerPeriods, ManyFrames, OneFrame
from neurovocal_tf.layers.recurrence import cell, product, recurrence, split_kernel
from neurovocal_tf.layers.slow_gates import SlowGates, longest_of_layers
from neurovocal_tf.layers.training_noise import OwnNoise, dropped
from neurovocal_tf.rbm import noise
from neurovocal_tf.rbm.products import affine

# How far the seeds of a layer that goes backwards are from those of the one that goes forwards, of
# which `keras.layers.Bidirectional` makes it.
_SEED_BACKWARDS = 500
# Of one layer its kernel, the two parts of its recurrent kernel, and its bias.
LayerWeights = tuple[tf.Tensor, tuple[tf.Tensor, tf.Tensor], tf.Tensor]


@keras.saving.register_keras_serializable(package="neurovocal_tf")
class GatedRecurrentEncoder(keras.layers.Layer):
    """An `encoder.Encoder` of gated recurrent layers, one upon the other:

        z, r = g(x_t W_zr + b_zr + h U_zr)
        c = tanh(x_t W_c + b_c + (r * h) U_c)
        h' = h + z * (c - h)

    Args:
        num_units: int, U, of each layer.    num_layers: int.
        gates: "sigmoid", or "tanh" as in the published birdsong model.
        learned_initial_state: bool; otherwise the state before the first frame is zero.
        dropout: share of each layer's inputs dropped in training.
        num_direct_frames: int, P; the last P frames themselves are part of the state and of u, so
            that what is predictable bin by bin need not pass through the layers (Taylor, Hinton &
            Roweis, 2007).
        weight_init: "scaled" (Glorot, orthogonal) or "published" (everything from N(0, 0.0001)).
        seed: int, of the initial weights, and of what is dropped where no stream is given.
        memory_frames: int, or one for each layer: the longest time constant with which its update
            gates start, in frames, see `SlowGates`; 0: all of them start at 2 steps.
        layer_periods: int, or one for each layer: how many frames it takes for a step, on the mean
            of what the layer below did in them, see `periods`. Each is a multiple of the one
            before.
        go_backwards: bool, read the frames from the last to the first, and return the states in
            that order.
        return_sequences: bool, return the state after every frame, or after the last alone, [B, R].
        return_state: bool, return that of the last frame beside the output.

    The last three are what `keras.layers.RNN` has, for `keras.layers.Bidirectional`; a model that
    sings needs them as they are by default.

    Under a policy of mixed precision `call` computes its products in that, and keeps states, gates
    and sums in the weights' own: a state in bfloat16 would lose what a slow gate adds to it. `step`
    knows no policy.

    `call` takes the state to start from, [B, R] (default: the one before a first frame); in
    training with dropout the `noise.BatchStream` that decides what is dropped (default: one of its
    own, which no saved model remembers); and a Keras mask [B, T]. A frame that it leaves out
    changes no state: after it there is the one before it.

    Input shape: `[B, T, V]`.
    Output: the state after each frame, `[B, T, R]` in the weights' precision, R = num_layers * U +
        P * V: of all layers from the bottom up, then the last P frames, newest first. From the top
        layer on it is u, of size U + P * V. With layers of longer periods their clock stands before
        all layers, and u begins with the lowest layer, since a frame does not wait for the top one.
    Reference: Cho et al., 2014, https://arxiv.org/abs/1406.1078
    """

    def __init__(
        self,
        num_units: int,
        num_layers: int = 1,
        gates: str = "sigmoid",
        learned_initial_state: bool = True,
        dropout: float = 0.0,
        num_direct_frames: int = 0,
        weight_init: str = "scaled",
        seed: int = 0,
        memory_frames: int | Sequence[int] = 0,
        layer_periods: int | Sequence[int] = 1,
        go_backwards: bool = False,
        return_sequences: bool = True,
        return_state: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(**{"autocast": False, **kwargs})
        if gates not in ("sigmoid", "tanh"):
            raise ValueError(f"`gates` must be sigmoid or tanh. Received: gates={gates}")
        if num_units < 1 or num_layers < 1:
            raise ValueError(
                "`num_units` and `num_layers` must be at least 1. "
                f"Received: num_units={num_units}, num_layers={num_layers}"
            )
        if not 0 <= dropout < 1:
            raise ValueError(
                f"`dropout` must be at least 0 and below 1. Received: dropout={dropout}"
            )
        if num_direct_frames < 0:
            raise ValueError(
                "`num_direct_frames` must be at least 0. "
                f"Received: num_direct_frames={num_direct_frames}"
            )
        check_weight_init(weight_init)
        self.num_units = num_units
        self.num_layers = num_layers
        self.gates = gates
        self.learned_initial_state = learned_initial_state
        self.dropout = dropout
        self.num_direct_frames = num_direct_frames
        self.weight_init = weight_init
        self.seed = seed
        self.memory_frames = longest_of_layers(memory_frames, num_layers, gates)
        self._periods = LayerPeriods(layer_periods, num_layers)
        self.layer_periods = self._periods.of_layers
        self.go_backwards = go_backwards
        self.return_sequences = return_sequences
        self.return_state = return_state
        # `Bidirectional` asks: no batch goes on from the one before it.
        self.stateful, self.states = False, None
        self.supports_masking = True
        self._own_noise = OwnNoise(self._first_seed) if dropout else None

    @property
    def state_size(self) -> int:
        """R, the size of one row's state; known once the layer is built."""
        return sum(self._sizes())

    @property
    def output_size(self) -> int:
        """Size of u, the part of the state that the RBM's biases see."""
        return self.embedding_size + self.num_direct_frames * self.num_inputs

    @property
    def embedding_size(self) -> int:
        """E, the units of the top layer, or with longer periods those of all layers."""
        return self.num_units * (self.num_layers if self._periods.any else 1)

    @property
    def num_dropouts(self) -> int:
        """One for each layer's inputs."""
        return self.num_layers

    def build(self, input_shape: Sequence[int | None]) -> None:
        self.num_inputs = input_shape[-1]
        # Read as they are: what is computed in less than their precision is for `call` to choose.
        add = functools.partial(self.add_weight, autocast=False)
        kernel_init, recurrent_init, bias_init = self._initializers()
        self.kernels = [
            add(
                name=f"kernel_{i}",
                shape=(width, 3 * self.num_units),
                initializer=kernel_init(3 * i),
            )
            for i, width in enumerate(self._widths())
        ]
        self.recurrent_kernels = [
            add(
                name=f"recurrent_kernel_{i}",
                shape=(self.num_units, 3 * self.num_units),
                initializer=recurrent_init(3 * i + 1),
            )
            for i in range(self.num_layers)
        ]
        self.biases = [
            add(
                name=f"bias_{i}",
                shape=(3 * self.num_units,),
                initializer=self._slow(bias_init(3 * i + 2), i),
            )
            for i in range(self.num_layers)
        ]
        self.first_state = add(
            name="first_state",
            # A clock starts at zero, and is nothing to learn.
            shape=(self.state_size - sum(self._clock_sizes()),),
            initializer="zeros",
            trainable=self.learned_initial_state,
        )

    def _initializers(self):
        initializers, seed = keras.initializers, self._first_seed
        if self.weight_init == "published":
            small = [lambda i: initializers.RandomNormal(stddev=1e-4, seed=seed + i)] * 3
            return small
        return (
            lambda i: initializers.GlorotUniform(seed=seed + i),
            lambda i: initializers.Orthogonal(seed=seed + i),
            lambda i: initializers.Zeros(),
        )

    def _slow(self, initializer, index):
        """That of a layer's bias, whose update gates may start slow."""
        # At less than two of its steps they would be faster than without.
        longest = max(self.memory_frames[index] / self.layer_periods[index], 2.0)
        seed = self._first_seed + 3 * index + 2
        return SlowGates(longest, initializer, seed) if self.memory_frames[index] else initializer

    @property
    def _first_seed(self):
        return self.seed + _SEED_BACKWARDS * self.go_backwards

    def initial_state(self, is_start: tf.Tensor) -> tf.Tensor:
        """See `Encoder.initial_state`; of the clock all zero."""
        clock = tf.zeros([sum(self._clock_sizes())], self.variable_dtype)
        first = tf.concat([clock, tf.convert_to_tensor(self.first_state)], axis=0)
        return tf.where(
            is_start[:, tf.newaxis], first[tf.newaxis, :], tf.zeros_like(first)[tf.newaxis, :]
        )

    def call(
        self,
        inputs: tf.Tensor,
        initial_state: tf.Tensor | Sequence[tf.Tensor] | None = None,
        training: bool = False,
        stream: noise.Stream | None = None,
        mask: tf.Tensor | None = None,
    ) -> tf.Tensor | tuple[tf.Tensor, tf.Tensor]:
        inputs = tf.cast(inputs, self.variable_dtype)
        if initial_state is None:
            initial_state = self.initial_state(tf.ones([tf.shape(inputs)[0]], tf.bool))
        elif isinstance(initial_state, (list, tuple)):
            (initial_state,) = initial_state
        if training and self.dropout > 0 and stream is None:
            stream = self._own_noise.stream()
        if self.go_backwards:
            inputs, mask = (None if x is None else tf.reverse(x, [1]) for x in (inputs, mask))
        if mask is None:
            states = self._states(inputs, initial_state, training, stream)
        else:
            states = after_each(
                self._states(frames_first(inputs, mask), initial_state, training, stream),
                initial_state,
                mask,
            )
        outputs = states if self.return_sequences else states[:, -1]
        return (outputs, states[:, -1]) if self.return_state else outputs

    def _states(self, inputs, initial_state, training, stream):
        """The state after each frame, of which every one counts."""
        layer_input, states = tf.transpose(inputs, [1, 0, 2]), []
        clock, layer_states, direct = self._parts(initial_state)
        frames = ManyFrames(self._periods, clock, noise.shape_of(inputs)[1])
        for i, first in enumerate(layer_states):
            layer_input = frames.read(i, layer_input)
            if training:
                layer_input = dropped(layer_input, self.dropout, stream, i, time_first=True)
            kernel, recurrent_kernel = (
                tf.cast(w, self.compute_dtype) for w in (self.kernels[i], self.recurrent_kernels[i])
            )
            projected = product(layer_input, kernel) + tf.convert_to_tensor(self.biases[i])
            layer_input = recurrence(projected, first, recurrent_kernel, self.gates)
            states.append(frames.hold(i, layer_input, first))
        states = [tf.transpose(tf.concat([*frames.clock(), *states], axis=2), [1, 0, 2])]
        if self.num_direct_frames:
            history = tf.concat([tf.stack(direct[::-1], axis=1), inputs], axis=1)
            num_frames = tf.shape(inputs)[1]
            states += [
                history[:, first : first + num_frames]
                for first in range(self.num_direct_frames, 0, -1)
            ]
        return tf.concat(states, axis=2)

    def step_weights(self) -> list[LayerWeights]:
        """See `Encoder.step_weights`: of each layer (kernel, recurrent kernel split, bias)."""
        weights = zip(self.kernels, self.recurrent_kernels, self.biases, strict=True)
        as_tensors = ((tf.convert_to_tensor(w) for w in layer) for layer in weights)
        return [
            (kernel, split_kernel(recurrent_kernel), bias)
            for kernel, recurrent_kernel, bias in as_tensors
        ]

    def step(
        self,
        frame: tf.Tensor,
        state: tf.Tensor,
        weights: list[LayerWeights] | None = None,
        axis: int = -1,
    ) -> tf.Tensor:
        """See `Encoder.step`."""
        layer_input, states = frame, []
        clock, layer_states, direct = self._parts(state, axis)
        next_frame = OneFrame(self._periods, clock)
        for i, ((kernel, recurrent_kernels, bias), layer_state) in enumerate(
            zip(weights or self.step_weights(), layer_states, strict=True)
        ):
            layer_input, _, _ = cell(
                affine(next_frame.read(i, layer_input), kernel, bias, axis),
                layer_state,
                recurrent_kernels,
                self.gates,
                axis,
            )
            layer_input = next_frame.hold(i, layer_input, layer_state)
            states.append(layer_input)
        direct = [frame, *direct][: self.num_direct_frames]
        return tf.concat([*next_frame.clock(), *states, *direct], axis=axis)

    def output(self, state: tf.Tensor, axis: int = -1) -> tf.Tensor:
        """See `Encoder.output`: the end of a state, of size U + P * V."""
        return tf.split(state, [self.state_size - self.output_size, self.output_size], axis=axis)[1]

    def embedding(self, state: tf.Tensor) -> tf.Tensor:
        """See `Encoder.embedding`: the units of the top layer, or with longer periods of all."""
        return self.output(state)[..., : self.embedding_size]

    def _parts(self, state, axis=-1):
        """A state [B, R] as lists of the parts of the clock, of the layers' states [B, U], and of
        the last frames [B, V], newest first; `axis` as in `step`.
        """
        parts = tf.split(state, self._sizes(), axis=axis)
        layers = len(self._clock_sizes())
        return parts[:layers], parts[layers:][: self.num_layers], parts[layers + self.num_layers :]

    def _sizes(self):
        layers = [self.num_units] * self.num_layers
        return [*self._clock_sizes(), *layers, *[self.num_inputs] * self.num_direct_frames]

    def _clock_sizes(self):
        return self._periods.sizes(self._widths())

    def _widths(self):
        """Of each layer's inputs."""
        return [self.num_inputs] + [self.num_units] * (self.num_layers - 1)

    def compute_output_shape(
        self, input_shape: Sequence[int | None], *_: Any, **__: Any
    ) -> tuple[Any, ...]:
        last = (input_shape[0], self.state_size)
        outputs = (*input_shape[:-1], self.state_size) if self.return_sequences else last
        return (outputs, last) if self.return_state else outputs

    def compute_output_spec(self, inputs: keras.KerasTensor, *_: Any, **__: Any) -> Any:
        # Keras would take the precision of the products.
        shape = self.compute_output_shape(inputs.shape)
        specs = [
            keras.KerasTensor(each, self.variable_dtype)
            for each in (shape if self.return_state else (shape,))
        ]
        return tuple(specs) if self.return_state else specs[0]

    def compute_mask(
        self, inputs: tf.Tensor, mask: tf.Tensor | None = None
    ) -> tf.Tensor | list[tf.Tensor | None] | None:
        outputs = mask if self.return_sequences else None
        return [outputs, None] if self.return_state else outputs

    def get_config(self) -> dict[str, Any]:
        names = (
            "num_units",
            "num_layers",
            "gates",
            "learned_initial_state",
            "dropout",
            "num_direct_frames",
            "weight_init",
            "seed",
            "memory_frames",
            "layer_periods",
            "go_backwards",
            "return_sequences",
            "return_state",
        )
        return {**super().get_config(), **{name: getattr(self, name) for name in names}}
