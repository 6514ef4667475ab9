"""Models that have learned nothing, and what they sing."""

import inspect

import numpy as np
import tensorflow as tf

from neurovocal_tf.layers.conditional_rbm import ConditionalRBM
from neurovocal_tf.layers.conditioned_encoder import ConditionedEncoder
from neurovocal_tf.layers.gated_recurrent_encoder import GatedRecurrentEncoder
from neurovocal_tf.layers.labelled_encoder import LabelledEncoder
from neurovocal_tf.layers.latent_variable import LatentVariable
from neurovocal_tf.model.rnn_rbm import RNNRBM


def fresh_model(
    num_visible,
    num_hidden,
    num_recurrent,
    num_layers=1,
    visible_units="gaussian",
    seed=0,
    num_latent=0,
    conditions=None,
    labels=None,
    unknown_share=0.0,
    **options,
):
    """An `RNNRBM` of gated layers, with a latent variable of `num_latent` and under `Conditions`
    and with `Labels` if wanted; each of `options` goes to the layers that know it, or to the model.
    """

    def of(kind):
        return {
            name: value
            for name, value in options.items()
            if name in inspect.signature(kind.__init__).parameters
        }

    unknown = options.keys() - {
        name for kind in (GatedRecurrentEncoder, ConditionalRBM, RNNRBM) for name in of(kind)
    }
    assert not unknown, unknown
    encoder = GatedRecurrentEncoder(
        num_recurrent,
        num_layers,
        seed=seed,
        name="gated_recurrent_encoder",
        **of(GatedRecurrentEncoder),
    )
    if labels is not None:
        encoder = LabelledEncoder(encoder, labels, 2, unknown_share, seed=seed)
    if conditions is not None:
        encoder = ConditionedEncoder(encoder, conditions, 2, unknown_share, seed=seed)
    return RNNRBM(
        encoder,
        ConditionalRBM(
            num_visible,
            num_hidden,
            visible_units,
            seed=seed + 1000,
            name="conditional_rbm",
            **of(ConditionalRBM),
        ),
        seed=seed,
        latent=LatentVariable(num_latent, num_visible, seed=seed) if num_latent else None,
        **of(RNNRBM),
    )


def make_model(rng, sizes, visible_units="gaussian", **arguments):
    """A model whose states and samples fluctuate."""
    model = fresh_model(*sizes, visible_units=visible_units, **arguments)
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
