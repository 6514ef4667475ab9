"""An encoder that also looks back: attention over what another encoder told of the last frames."""

import functools
from collections.abc import Sequence
from typing import Any

import keras
import tensorflow as tf

from neurovocal_tf.layers.attention import Memory
from neurovocal_tf.layers.encoder import Encoder, Weights
from neurovocal_tf.layers.initial_weights import check_weight_init
from neurovocal_tf.layers.recurrence import product
from neurovocal_tf.layers.wrapping_encoder import WrappingEncoder
from neurovocal_tf.rbm.products import linear

# How far the seeds of its weights are from those of the encoder that it wraps.
_SEED_OF_WEIGHTS = 700


@keras.saving.register_keras_serializable(package="neurovocal_tf")
class AttentionEncoder(WrappingEncoder):
    """An `encoder.Encoder` that wraps another one, and attends to what that one told before:

        q_t = m_t W_q        k_s = m_s W_k        v_s = m_s W_v        of every `every`-th frame s
        a_ts = q_t . k_s / sqrt(D) - slope (how many entries s lies back) / M
        context_t = sum_s exp(a_ts) v_s / (1 + sum_s exp(a_ts))        over the last M entries s

    m is what the other encoder tells of the frames, u without the frames themselves. The 1 stands
    for nothing that is worth attending to: without entries the context is zero. Values start at
    zero, so that a fresh model is one without attention.

    Args:
        encoder: the `Encoder` to wrap.
        num_entries: int, M, how many entries the memory has.
        every: int, frames from one entry to the next; where the encoder's slowest layer advances
            every so many frames, there is an entry for each of its steps.
        num_heads: int, A, of attention.    head_size: int, D, numbers of a query, key and value.
        weight_init: "scaled" (Glorot, values zero) or "published" (everything from N(0, 0.0001)).
        seed: int, of the initial weights.

    `call` takes what an encoder takes, and a Keras mask [B, T]: a frame that it leaves out changes
    no state.

    Input shape: `[B, T, V]`.
    Output: the state after each frame, `[B, T, R]`: how many frames it remembers, the memory's keys
        and values [M, 2, A, D], newest first, the context [A, D], and the state of the wrapped
        encoder. The RBM reads u = the context, and what it reads of the wrapped encoder.
    Reference: Vaswani et al., 2017, https://arxiv.org/abs/1706.03762; a slope for each head: Press
        et al., 2022, https://arxiv.org/abs/2108.12409, here learned.
    """

    def __init__(
        self,
        encoder: Encoder,
        num_entries: int,
        every: int = 1,
        num_heads: int = 1,
        head_size: int = 16,
        weight_init: str = "scaled",
        seed: int = 0,
        **kwargs: Any,
    ) -> None:
        super().__init__(encoder, **kwargs)
        for name, value in (
            ("num_entries", num_entries),
            ("every", every),
            ("num_heads", num_heads),
            ("head_size", head_size),
        ):
            if value < 1:
                raise ValueError(f"`{name}` must be at least 1. Received: {name}={value}")
        check_weight_init(weight_init)
        self.num_entries = num_entries
        self.every = every
        self.num_heads = num_heads
        self.head_size = head_size
        self.weight_init = weight_init
        self.seed = seed
        self._memory = Memory(num_entries, every, num_heads, head_size)

    @property
    def state_size(self) -> int:
        """R, the size of one row's state; known once the layer is built."""
        return sum(self._sizes())

    @property
    def output_size(self) -> int:
        """Size of u: of the context, and of what the RBM reads of the wrapped encoder."""
        return self._context_size + self.encoder.output_size

    @property
    def _context_size(self):
        return self.num_heads * self.head_size

    def build(self, input_shape: Sequence[int | None]) -> None:
        if not self.encoder.built:
            self.encoder.build(input_shape)
        self._num_direct = self.num_direct_frames * input_shape[-1]
        num_told = self.encoder.output_size - self._num_direct
        # Read as they are: what is computed in less than their precision is for `call` to choose.
        add = functools.partial(self.add_weight, autocast=False)
        self.query_kernel, self.key_kernel, self.value_kernel = (
            add(
                name=f"{name}_kernel",
                shape=(num_told, self._context_size),
                initializer=self._initializer(name, index),
            )
            for index, name in enumerate(("query", "key", "value"))
        )
        self.slopes = add(name="slopes", shape=(self.num_heads,), initializer="zeros")

    def _initializer(self, name, index):
        seed = self.seed + _SEED_OF_WEIGHTS + index
        if self.weight_init == "published":
            return keras.initializers.RandomNormal(stddev=1e-4, seed=seed)
        # Without an effect until training has found a use for it.
        zeros = name == "value"
        return keras.initializers.Zeros() if zeros else keras.initializers.GlorotUniform(seed=seed)

    def initial_state(self, is_start: tf.Tensor) -> tf.Tensor:
        """See `Encoder.initial_state`: nothing is remembered, and the wrapped encoder's."""
        of_encoder = self.encoder.initial_state(is_start)
        own = self.state_size - self.encoder.state_size
        nothing = tf.zeros([tf.shape(is_start)[0], own], of_encoder.dtype)
        return tf.concat([nothing, of_encoder], axis=1)

    def _states(self, inputs, initial_state, training, stream):
        """The state after each frame, of which every one counts."""
        count, remembered, _, first = self._parts(initial_state)
        states = self.encoder(inputs, first, training=training, stream=stream)
        query, *entry = (
            product(self._told(states), tf.cast(kernel, self.compute_dtype))
            for kernel in (self.query_kernel, self.key_kernel, self.value_kernel)
        )
        own = self._memory.after_each_frame(
            query, tf.concat(entry, axis=-1), count, remembered, self.slopes
        )
        return tf.concat([*own, states], axis=2)

    def step_weights(self) -> Weights:
        """See `Encoder.step_weights`: the wrapped encoder's, kernels of queries and of entries, and
        slopes.
        """
        entry_kernel = tf.concat([self.key_kernel, self.value_kernel], axis=1)
        own = (tf.convert_to_tensor(self.query_kernel), entry_kernel)
        return self.encoder.step_weights(), *own, tf.convert_to_tensor(self.slopes)

    def step(
        self, frame: tf.Tensor, state: tf.Tensor, weights: Weights = None, axis: int = -1
    ) -> tf.Tensor:
        """See `Encoder.step`."""
        of_encoder, query_kernel, entry_kernel, slopes = weights or self.step_weights()
        count, remembered, _, before = self._parts(state, axis)
        after = self.encoder.step(frame, before, of_encoder, axis)
        told = self._told(after, axis)
        query, entry = (linear(told, kernel, axis=axis) for kernel in (query_kernel, entry_kernel))
        own = self._memory.after_frame(query, entry, count, remembered, slopes, axis)
        return tf.concat([*own, after], axis=axis)

    def output(self, state: tf.Tensor, axis: int = -1) -> tf.Tensor:
        """See `Encoder.output`: the context, and what the RBM reads of the wrapped encoder."""
        _, _, context, of_encoder = self._parts(state, axis)
        return tf.concat([context, self.encoder.output(of_encoder, axis)], axis=axis)

    def _told(self, states, axis=-1):
        """u of the wrapped encoder without the frames themselves."""
        u = self.encoder.output(states, axis)
        sizes = [self.encoder.output_size - self._num_direct, self._num_direct]
        return tf.split(u, sizes, axis=axis)[0]

    def _parts(self, state, axis=-1):
        return tf.split(state, self._sizes(), axis=axis)

    def _sizes(self):
        return [*self._memory.sizes, self._context_size, self.encoder.state_size]

    def get_config(self) -> dict[str, Any]:
        names = ("num_entries", "every", "num_heads", "head_size", "weight_init", "seed")
        return {
            **super().get_config(),
            **{name: getattr(self, name) for name in names},
        }
