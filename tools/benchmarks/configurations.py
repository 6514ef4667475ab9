"""The two configurations that are measured, and batches for them."""

import numpy as np

from benchmarks.operations import Sizes
from neurovocal_tf.audio.spectrogram import num_bins
from neurovocal_tf.config import Config

# The published model on windows: 129 bins, 219 hidden, 3 x 167 recurrent units, CD-15,
# 20 windows of 64 frames.
_PUBLISHED = dict(
    visible_units="mean_field",
    num_direct_frames=0,
    gates="tanh",
    learned_initial_state=False,
    input_noise=0.0,
    optimizer="rmsprop",
    learning_rates=(3e-4,),
    epochs_per_rate=(50,),
    cd_steps=(15,),
    negative_start="data",
    l1=1e-4,
    weight_average=0.0,
    batch_size=20,
    window_frames=64,
    chain_start="zeros",
    emission_noise=0.0,
)

CONFIGURATIONS = {"published": Config().replace(**_PUBLISHED), "default": Config()}


def sizes_of(model):
    """`Sizes` of an `RNNRBM`."""
    encoder = model.encoder
    return Sizes(
        model.num_visible,
        model.conditional_rbm.num_hidden,
        encoder.num_units,
        encoder.num_layers,
        encoder.num_direct_frames,
    )


def random_batch(config):
    """(frames [B, T, V] in the model's standardised units, mask [B, T] with a padded tail,
    is_start [B]), NumPy.
    """
    rng = np.random.default_rng(0)
    shape = (config.data.batch_size, config.data.window_frames, num_bins(config.spectrogram))
    gaussian = config.model.visible_units == "gaussian"
    frames = rng.normal(size=shape) if gaussian else rng.uniform(size=shape)
    mask = np.ones(shape[:2], np.float32)
    mask[-1, -shape[1] // 4 :] = 0
    return frames.astype(np.float32), mask, np.ones(shape[0], bool)
