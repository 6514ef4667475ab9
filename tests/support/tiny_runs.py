"""A run of the simulated bird that trains in seconds, for commands and drills."""

import contextlib
import pathlib
from unittest import mock

from neurovocal_tf import flags
from neurovocal_tf.config import Config
from neurovocal_tf.data.simulated_song import write_recordings

CONFIG = Config().replace(
    n_fft=128,
    hop_length=64,
    window_frames=32,
    batch_size=8,
    recurrent_scalar=0.1,
    hidden_scalar=0.1,
    num_layers=1,
    num_direct_frames=2,
    optimizer="adam",
    weight_average=0.0,
    learning_rates=(1e-3, 3e-4),
    epochs_per_rate=(2, 1),
    cd_steps=(1, 2),
    num_gibbs_steps=3,
    emission_noise=0.0,
    num_iterations=4,
    num_song_checks=0,
    # Tracing is what takes the time of so small a model, and compiling it would take more.
    compiled=False,
)


def recordings_in(folder, num_recordings=4):
    """Folder of recordings of 1.5 s in a folder."""
    path = pathlib.Path(folder) / "recordings"
    write_recordings(path, num_recordings=num_recordings, duration_s=1.5)
    return path


def flags_in(folder, **changes):
    """`CONFIG`, with changes, as the argument that names a flag file in a folder."""
    path = pathlib.Path(folder) / f"tiny{len(changes)}.flags"
    flags.write_flags(path, CONFIG.replace(**changes))
    return f"--flagfile={path}"


def trained_in(folder, recordings, **changes):
    """Run folder of a training in a folder."""
    from neurovocal_tf.training import trainer

    workdir = pathlib.Path(folder) / "run"
    with quick_pictures():
        trainer.train(CONFIG.replace(**changes), recordings, workdir)
    return workdir


@contextlib.contextmanager
def quick_pictures():
    """Drawing takes longer than training so small a model."""
    from neurovocal_tf.training import pictures, trainer

    with (
        mock.patch.object(pictures, "_PICTURE_FRAMES", 40),
        mock.patch.object(trainer, "_NUM_PICTURES", 2),
    ):
        yield


@contextlib.contextmanager
def quick_training():
    """Trains op by op, for to make graphs takes longer than all that so small a model computes in
    few steps, and draws no curves: for tests of what is around a training.
    """
    import tensorflow as tf

    from neurovocal_tf.training.pictures import Pictures

    tf.config.run_functions_eagerly(True)
    try:
        with mock.patch.object(Pictures, "draw_curves"):
            yield
    finally:
        tf.config.run_functions_eagerly(False)
