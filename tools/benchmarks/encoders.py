"""What the options of the encoder cost: a training step, and a song of one row, each beside that of
the default encoder.
"""

import tensorflow as tf

from benchmarks import apart, configurations
from benchmarks.generate import song
from benchmarks.timing import Variant, interleaved
from benchmarks.train import our_step
from neurovocal_tf.runs.trained import build_model
from neurovocal_tf.training.cores import share_out_cores

_PERIODS = dict(layer_periods=(1, 4, 16))
_OPTIONS = {
    "default": {},
    "layer_periods=1,4,16": _PERIODS,
    "attention_frames=64": dict(attention_frames=64),
    "both, attention_frames=512": dict(**_PERIODS, attention_frames=512),
}
_NUM_FRAMES = 64


def measure(options):
    """Yields the list of `Result`s of training steps, and that of songs."""
    with apart.variants(_steps) as steps:
        yield interleaved("encoders", "training", steps, options.seconds)
    songs = [
        Variant(name, song(build_model(config), config, 1, _NUM_FRAMES), _NUM_FRAMES, "frame")
        for name, config in _configurations().items()
    ]
    yield interleaved("encoders", "song", songs, options.seconds)


def _configurations():
    default = configurations.CONFIGURATIONS["default"]
    return {name: default.replace(**options) for name, options in _OPTIONS.items()}


def _steps():
    configs = _configurations()
    share_out_cores(configs["default"])
    batch = configurations.random_batch(configs["default"])
    for name, config in configs.items():
        step = our_step(build_model(config), config, batch)
        yield Variant(name, step, tf.size(batch[1]).numpy(), "frame")
