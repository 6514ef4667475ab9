"""Models that have learned nothing, and what they sing."""

import numpy as np
import tensorflow as tf

from neurovocal_tf.model.rnn_rbm import RNNRBM


def make_model(rng, sizes, visible_units="gaussian", **arguments):
    """A model whose states and samples fluctuate."""
    model = RNNRBM(*sizes, visible_units=visible_units, **arguments)
    for weight in model.trainable_variables:
        spread = 0.2 if weight.name == "log_sigma" else 1 / np.sqrt(weight.shape[0])
        weight.assign(spread * rng.normal(size=weight.shape))
    return model


def singer(model, **sampling):
    """`generate` as one graph for any number of rows: (frames, state, next frame), as arrays."""
    run = tf.function(
        lambda seeds, num_frames, temperature, state, first_frame: model.generate(
            seeds, num_frames, temperature, state=state, first_frame=first_frame, **sampling
        ),
        autograph=False,
        reduce_retracing=True,
        input_signature=[
            tf.TensorSpec([None], tf.int64),
            tf.TensorSpec([None], tf.int32),
            tf.TensorSpec([None], tf.float32),
            tf.TensorSpec([None, model.encoder.state_size], tf.float32),
            tf.TensorSpec([None], tf.int64),
        ],
    )

    def sing(seeds, num_frames, temperature, state=None, first_frame=None):
        if state is None:
            state = model.encoder.initial_state(tf.ones([len(seeds)], tf.bool))
        if first_frame is None:
            first_frame = np.zeros(len(seeds), np.int64)
        inputs = np.int64(seeds), np.int32(num_frames), np.float32(temperature), state, first_frame
        return [x.numpy() for x in run(*(tf.convert_to_tensor(x) for x in inputs))]

    return sing
