"""The same model as a Keras user would write it: stock GRU cells, automatic differentiation,
TensorFlow's stateless noise.
"""

import keras
import tensorflow as tf


class PlainRNNRBM(keras.Model):
    """RNN-RBM of stock layers.

    Args:
        sizes: `Sizes`.    model: `ModelConfig`, for units, gates and input noise.
        num_steps: int, Gibbs steps.    starts_at_bias: bool, where the chains start.
    """

    def __init__(self, sizes, model, num_steps, starts_at_bias):
        super().__init__()
        self.sizes, self.num_steps, self.starts_at_bias = sizes, num_steps, starts_at_bias
        self.gaussian, self.input_noise = model.visible_units == "gaussian", model.input_noise
        cells = [
            keras.layers.GRUCell(
                sizes.num_recurrent, recurrent_activation=model.gates, reset_after=False
            )
            for _ in range(sizes.num_layers)
        ]
        self.rnn = keras.layers.RNN(cells, return_sequences=True)
        self.to_bv = keras.layers.Dense(sizes.num_visible)
        self.to_bh = keras.layers.Dense(sizes.num_hidden)
        small = keras.initializers.RandomNormal(0, 0.01)
        self.W = self.add_weight(
            name="W", shape=(sizes.num_visible, sizes.num_hidden), initializer=small
        )
        self.num_calls = self.add_weight(
            name="num_calls", shape=(), dtype="int32", initializer="zeros", trainable=False
        )

    def train_step(self, data):
        frames, mask = data
        with tf.GradientTape() as tape:
            bv, bh = self._biases(frames)
            negative = tf.stop_gradient(self._chain(frames, bv, bh))
            difference = self._free_energy(frames, bv, bh) - self._free_energy(negative, bv, bh)
            loss = tf.reduce_sum(mask * difference) / tf.reduce_sum(mask)
        self.optimizer.apply_gradients(
            zip(
                tape.gradient(loss, self.trainable_variables), self.trainable_variables, strict=True
            )
        )
        self.num_calls.assign_add(1)
        return {"loss": loss}

    def _biases(self, frames):
        seen = frames
        if self.input_noise:
            seen += self.input_noise * tf.random.stateless_normal(
                tf.shape(frames), tf.stack([1, tf.convert_to_tensor(self.num_calls)])
            )
        u = self.rnn(seen)
        num_frames = tf.shape(frames)[1]
        direct = [
            tf.pad(frames, [[0, 0], [i, 0], [0, 0]])[:, :num_frames]
            for i in range(self.sizes.num_direct_frames)
        ]
        u = tf.concat([u, *direct], -1)
        before = tf.pad(u, [[0, 0], [1, 0], [0, 0]])[:, :-1]
        return self.to_bv(before), self.to_bh(before)

    def _chain(self, frames, bv, bh):
        count = tf.convert_to_tensor(self.num_calls)

        def step(i, v):
            h = tf.sigmoid(bh + tf.tensordot(v, self.W, 1))
            h = tf.cast(
                tf.random.stateless_uniform(tf.shape(h), tf.stack([2 + i, count])) < h, tf.float32
            )
            v = bv + tf.tensordot(h, tf.transpose(self.W), 1)
            v = (
                v + tf.random.stateless_normal(tf.shape(v), tf.stack([1002 + i, count]))
                if self.gaussian
                else tf.sigmoid(v)
            )
            return i + 1, v

        start = bv if self.starts_at_bias else frames
        return tf.while_loop(
            lambda i, _: i < self.num_steps, step, (0, start), maximum_iterations=self.num_steps
        )[1]

    def _free_energy(self, v, bv, bh):
        visible = (
            0.5 * tf.reduce_sum(tf.square(v - bv), -1)
            if self.gaussian
            else -tf.reduce_sum(v * bv, -1)
        )
        return visible - tf.reduce_sum(tf.nn.softplus(bh + tf.tensordot(v, self.W, 1)), -1)


def training_step(sizes, config, batch, jit_compile):
    """A function that takes one step of the plain model on a batch, and waits for its loss."""
    training = config.training
    model = PlainRNNRBM(
        sizes, config.model, training.cd_steps[0], training.negative_start == "bias"
    )
    optimizer = {"adam": keras.optimizers.Adam, "rmsprop": keras.optimizers.RMSprop}[
        training.optimizer
    ](training.learning_rates[0])
    model.compile(optimizer=optimizer, jit_compile=jit_compile)
    frames, mask, _ = batch
    data = iter(tf.data.Dataset.from_tensors((frames, mask)).repeat())
    model.make_train_function()
    return lambda: float(model.train_function(data)["loss"])
