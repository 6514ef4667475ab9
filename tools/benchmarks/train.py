"""A training step on one batch: masks, guard, averaged weights and metrics included, against the same model of others."""

import importlib.util

import tensorflow as tf

from benchmarks import ceilings, configurations, keras_peer, operations
from benchmarks.timing import Variant, interleaved
from neurovocal_tf import trainer


def measure(options):
    """Yields the list of `Result`s of each configuration."""
    for name, config in configurations.CONFIGURATIONS.items():
        batch = configurations.random_batch(config)
        model = trainer.build_model(config)
        sizes, num_frames = configurations.sizes_of(model), batch[1].size
        steps = {"neurovocal_tf": our_step(model, config, batch)}
        if options.peers:
            steps |= _peers(sizes, config, batch)
        count = operations.training(sizes, config.training.cd_steps[0])
        variants = [Variant(step, run, num_frames, "frame", count) for step, run in steps.items()]
        yield interleaved("train", name, [ceilings.gemm(), ceilings.memory(), *variants], options.seconds)


def our_step(model, config, batch):
    """A function that takes one step as `trainer.train` does, and waits for its cost."""
    trainer.compile_model(model, config)
    model.cd_steps.assign(config.training.cd_steps[0])
    data = iter(tf.data.Dataset.from_tensors(batch).repeat())
    model.make_train_function()
    return lambda: float(model.train_function(data)["cd_cost"])


def _peers(sizes, config, batch):
    peers = {
        "Keras": keras_peer.training_step(sizes, config, batch, jit_compile=False),
        "Keras, XLA": keras_peer.training_step(sizes, config, batch, jit_compile=True),
    }
    if importlib.util.find_spec("torch"):
        from benchmarks import torch_peer  # where it is installed

        peers["PyTorch"] = torch_peer.training_step(sizes, config, batch, compiled=False)
        peers["PyTorch, compiled"] = torch_peer.training_step(sizes, config, batch, compiled=True)
    return peers
