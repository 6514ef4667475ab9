r"""Trains a model of how vocalizations unfold in time on a folder of recordings, or on frame
sequences that are no sound, such as piano rolls.

    neurovocal train --preset=songbird --data_dir=/data/finches \
        --workdir=/runs/finch
    neurovocal train --frames=/data/pianorolls.npz --visible_units=bernoulli \
        --workdir=/runs/chorales

On several machines, the same command on each, with TF_CONFIG as Kubernetes' training operator or
examples/train_workers.slurm sets it:

    neurovocal train --strategy=workers --num_shares=4 --preset=songbird --data_dir=/data/finches \
        --workdir=/runs/finch

The same command goes on with a run that was stopped. The run folder gets the model, config.json,
history.csv, story.txt (which epoch is kept, and why), curves.png, samples_epoch_N.png, skipped.csv
and what `tensorboard --logdir=WORKDIR` shows; every other command needs only --workdir.
"""

import os

from absl import flags

from neurovocal_tf import flags as setting_flags

_DATA_DIR = setting_flags.define_path("data_dir", None, setting_flags.RECORDINGS)
_FRAMES = setting_flags.define_path(
    "frames",
    None,
    "File of frame sequences to learn instead, .npz: train, valid and test [frames, V], and the "
    "lengths of their sequences. Or folder of MIDI files, see --frame_beats; folders train, valid "
    "and test in it say what they are for.",
)
_WORKDIR = setting_flags.define_path(
    "workdir", None, "Run folder. It is made if it does not exist.", required=True
)
_FOLDS = flags.DEFINE_integer(
    "folds",
    0,
    "Train this many models. Each is validated on the part of the recordings after the part it "
    "learned. 0: one model, by --validation.",
    lower_bound=0,
)
_STRATEGY = flags.DEFINE_enum(
    "strategy",
    "none",
    ["none", "mirrored", "workers"],
    "Who trains one model. none: this process. mirrored: the GPUs of this machine. workers: "
    "processes on several machines, as TF_CONFIG names them; the first, or the chief, writes the "
    "run folder. Batches are the same in any case, and shared out.",
)
_WAIT_S = flags.DEFINE_float(
    "wait_for_workers_s",
    600.0,
    "With --strategy=workers, seconds in which all of them have to be there.",
    lower_bound=1.0,
)
setting_flags.define()
setting_flags.define_preset()


def main(argv: list[str]) -> int | None:
    from neurovocal_tf.segmentation import preset_choice
    from neurovocal_tf.training import progress, trainer  # here, so that --help needs no TensorFlow

    data, audio = setting_flags.one_of(_DATA_DIR, _FRAMES), setting_flags.config_from_flags().audio
    config = setting_flags.config_from_flags(
        setting_flags.chosen_preset(lambda: preset_choice.choose_for_folder(_DATA_DIR.value, audio))
    )
    _check_frames()
    replicas = _replicas(config, data)
    say = setting_flags.say if replicas.is_chief else lambda line: None
    if _FOLDS.value:
        return _train_folds(config, data, replicas, say)
    trainer.train(
        config,
        data,
        _WORKDIR.value,
        report=say,
        progress=progress.bar_of(config),
        replicas=replicas,
    )
    if replicas.is_chief:
        setting_flags.write_flags(os.path.join(_WORKDIR.value, "flags.txt"), config)


def _replicas(config, data):
    """Who trains; workers are there when this returns."""
    from neurovocal_tf.training import fingerprint, strategies, workers
    from neurovocal_tf.training.cores import share_out_cores

    if _STRATEGY.value == "none":
        share_out_cores(config)
        return strategies.ALONE
    if _STRATEGY.value == "mirrored":
        return strategies.of_this_machine(config)
    cluster = workers.cluster_of(os.environ.get("TF_CONFIG"))
    share_out_cores(config, len(cluster.names) * strategies.num_local_replicas())
    workers.call_roll(cluster, fingerprint.of(config, data, _FOLDS.value), _WAIT_S.value)
    return strategies.of_workers(config, cluster)


def _check_frames():
    """Raises ValueError where --frames are recordings, which would be learned as such."""
    from neurovocal_tf.data.frame_sequences import is_frame_file
    from neurovocal_tf.data.midi_folder import holds_pieces

    if _FRAMES.value and not (is_frame_file(_FRAMES.value) or holds_pieces(_FRAMES.value)):
        raise ValueError(
            "`frames` must be an .npz file, or a folder of MIDI files (.mid, .midi) without "
            f"recordings. Received: frames={_FRAMES.value}"
        )


def _train_folds(config, data, replicas, say):
    import numpy as np

    from neurovocal_tf.training import progress, trainer

    results = []
    for fold in range(_FOLDS.value):
        # Another number of folds is another split, which a run cannot go on with.
        workdir = os.path.join(_WORKDIR.value, f"fold_{fold + 1}_of_{_FOLDS.value}")
        results.append(
            trainer.train(
                config,
                data,
                workdir,
                say,
                fold=(fold, _FOLDS.value),
                progress=progress.bar_of(config),
                replicas=replicas,
            )
        )
        say(f"fold {fold + 1} of {_FOLDS.value} is done: {workdir}")
    for name in results[0]:
        values = [result[name] for result in results]
        say(
            f"{name}: mean {np.mean(values):.4g}, standard deviation {np.std(values):.2g} over "
            f"{len(values)} folds"
        )
