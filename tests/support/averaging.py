"""A model whose weights differ from their averages."""

import numpy as np
import tensorflow as tf
from random_models import fresh_model

from neurovocal_tf.training.optimizers import GuardedAdam


def model_with_averages():
    """A model whose weights differ from their averages."""
    model = fresh_model(num_visible=3, num_hidden=2, num_recurrent=2)
    optimizer = GuardedAdam(use_ema=True, ema_momentum=0.75)
    optimizer.build(model.trainable_variables)
    model.compile(optimizer=optimizer)
    optimizer.apply(
        [tf.ones_like(variable) for variable in model.trainable_variables],
        model.trainable_variables,
    )
    return model


def weights_of(model):
    return [np.array(variable) for variable in model.trainable_variables]


def averages_of(model):
    return [np.array(average) for average in model.optimizer._model_variables_moving_average]
