"""A training step on one batch: masks, guard, averaged weights and metrics included, against the
same model of others; and an epoch from recordings against one from memory.
"""

import functools
import importlib.util
import tempfile

import tensorflow as tf

from benchmarks import apart, ceilings, configurations, keras_peer, operations, recordings
from benchmarks.timing import Variant, interleaved
from neurovocal_tf.runs.trained import build_model
from neurovocal_tf.training import trainer
from neurovocal_tf.training.cores import share_out_cores

_NUM_RECORDINGS = 48


def measure(options):
    """Yields the list of `Result`s of each configuration, and that of epochs of the default one."""
    for name, config in configurations.CONFIGURATIONS.items():
        with apart.variants(_ours, config) as ours:
            peers = _peers(config, configurations.random_batch(config)) if options.peers else {}
            others = [
                Variant(peer, run, ours[0].work, ours[0].unit, ours[0].operations)
                for peer, run in peers.items()
            ]
            yield interleaved(
                "train", name, [ceilings.gemm(), ceilings.memory(), *ours, *others], options.seconds
            )
    with tempfile.TemporaryDirectory() as folder:
        paths = recordings.write(folder, _NUM_RECORDINGS)
        with apart.variants(_epochs, configurations.CONFIGURATIONS["default"], paths) as variants:
            yield interleaved("train", "epoch", variants, options.seconds, smallest_rounds=18)


def _ours(config):
    """The `Variant`s of a step in either precision,
    in a process that is set up as tools/train.py sets up its own.
    """
    share_out_cores(config)
    batch = configurations.random_batch(config)
    for name, precision in (("neurovocal_tf", "float32"), ("neurovocal_tf, bfloat16", "bfloat16")):
        model = build_model(config)
        count = operations.training(configurations.sizes_of(model), config.training.cd_steps[0])
        yield Variant(
            name,
            our_step(model, config.replace(precision=precision), batch),
            batch[1].size,
            "frame",
            count,
        )


def _epochs(config, paths):
    """`Variant`s of an epoch: from memory, and a later one and the first from recordings;
    in a process as of `_ours`.
    """
    share_out_cores(config)
    model = build_model(config)
    trainer.compile_model(model, config)
    model.cd_steps.assign(config.training.cd_steps[0])
    model.make_train_function()
    make_dataset, num_batches, num_frames = recordings.training_data(paths, config)
    recorded = make_dataset()
    columns = tuple(tf.stack(column) for column in zip(*recorded.take(num_batches), strict=True))
    memory = tf.data.Dataset.from_tensor_slices(columns).repeat().prefetch(tf.data.AUTOTUNE)

    def epoch(data):
        for _ in range(num_batches):
            model.train_function(data)

    for name, dataset in (("from memory", memory), ("later, from WAV", recorded)):
        data = iter(dataset)
        # From the middle of an epoch to that of the next: whatever prepares an epoch while another
        # trains is within the time.
        for _ in range(num_batches // 2):
            next(data)
        yield Variant(name, functools.partial(epoch, data), num_frames, "frame")
    fresh = []

    def first_epoch(dataset):
        # Kept until its time is taken: to end an iterator takes as long as it takes to begin the
        # next epoch, which training goes on to.
        fresh[:] = [iter(dataset)]
        epoch(fresh[0])

    def make_fresh():
        fresh.clear()
        return make_dataset()

    # Each new dataset has a cache of its own, which its first epoch fills; its graph is built
    # before the first step, as that of any other.
    yield Variant("first, from WAV", first_epoch, num_frames, "frame", prepare=make_fresh)


def our_step(model, config, batch):
    """A function that takes one step as `trainer.train` does, and waits for its cost."""
    trainer.compile_model(model, config)
    model.cd_steps.assign(config.training.cd_steps[0])
    data = iter(tf.data.Dataset.from_tensors(batch).repeat())
    model.make_train_function()
    return lambda: float(model.train_function(data)["cd_cost"])


def _peers(config, batch):
    sizes = configurations.sizes_of(build_model(config))
    peers = {
        "Keras": keras_peer.training_step(sizes, config, batch, jit_compile=False),
        "Keras, XLA": keras_peer.training_step(sizes, config, batch, jit_compile=True),
    }
    if importlib.util.find_spec("torch"):
        from benchmarks import torch_peer  # where it is installed

        peers["PyTorch"] = torch_peer.training_step(sizes, config, batch, compiled=False)
        peers["PyTorch, compiled"] = torch_peer.training_step(sizes, config, batch, compiled=True)
    return peers
