"""Songs of one row, where the time of a frame counts, and of 32, where frames a second do; the
exact, uncompiled path that is served.
"""

import importlib.util
import types

import tensorflow as tf

from benchmarks import ceilings, configurations, operations
from benchmarks.timing import Variant, interleaved
from neurovocal_tf.audio.spectrogram import FrameScale
from neurovocal_tf.runs.trained import build_model
from neurovocal_tf.serving.endpoints import Endpoints

_NUM_FRAMES = 64
_ROWS = (1, 32)


def measure(options):
    """Yields the list of `Result`s of each configuration and number of rows."""
    for name, config in configurations.CONFIGURATIONS.items():
        model = build_model(config)
        sizes = configurations.sizes_of(model)
        for num_rows in _ROWS:
            songs = {"neurovocal_tf": song(model, config, num_rows, _NUM_FRAMES)}
            if options.peers and importlib.util.find_spec("torch"):
                from benchmarks import torch_peer  # where it is installed

                songs["PyTorch"] = torch_peer.song(
                    sizes, config, num_rows, _NUM_FRAMES, compiled=False
                )
                songs["PyTorch, compiled"] = torch_peer.song(
                    sizes, config, num_rows, _NUM_FRAMES, compiled=True
                )
            count = operations.generation(sizes, config.generation.num_gibbs_steps)
            variants = [
                Variant(peer, run, num_rows * _NUM_FRAMES, "frame", count)
                for peer, run in songs.items()
            ]
            where = f"{name}_{num_rows}_rows"
            yield interleaved(
                "generate", where, [ceilings.gemm(), ceilings.memory(), *variants], options.seconds
            )


def song(model, config, num_rows, num_frames):
    """A function that sings so many rows of so many frames, as they are served."""
    scale = FrameScale(config.spectrogram.scaling, 1.0, config.spectrogram.dynamic_range_db, 1.0)
    endpoints = Endpoints(
        types.SimpleNamespace(model=model, config=config, scale=scale, sample_rate=32_000)
    )
    arguments = (
        tf.range(num_rows, dtype=tf.int64),
        tf.fill([num_rows], num_frames),
        tf.ones([num_rows]),
    )
    return lambda: endpoints.generate(*arguments)["spectrogram"].numpy()
