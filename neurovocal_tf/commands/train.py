r"""Trains a model of how vocalizations unfold in time on a folder of recordings, or on frame
sequences that are no sound, such as piano rolls.

    neurovocal train --preset=songbird --data_dir=/data/finches \
        --workdir=/runs/finch
    neurovocal train --frames=/data/pianorolls.npz --visible_units=bernoulli \
        --workdir=/runs/chorales

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
setting_flags.define()
setting_flags.define_preset()


def main(argv: list[str]) -> int | None:
    from neurovocal_tf.segmentation import preset_choice
    from neurovocal_tf.training import progress, trainer  # here, so that --help needs no TensorFlow
    from neurovocal_tf.training.cores import share_out_cores

    data, audio = setting_flags.one_of(_DATA_DIR, _FRAMES), setting_flags.config_from_flags().audio
    config = setting_flags.config_from_flags(
        setting_flags.chosen_preset(lambda: preset_choice.choose_for_folder(_DATA_DIR.value, audio))
    )
    _check_frames()
    share_out_cores(config)
    if _FOLDS.value:
        return _train_folds(config, data)
    os.makedirs(_WORKDIR.value, exist_ok=True)
    trainer.train(
        config, data, _WORKDIR.value, report=setting_flags.say, progress=progress.bar_of(config)
    )
    setting_flags.write_flags(os.path.join(_WORKDIR.value, "flags.txt"), config)


def _check_frames():
    """Raises ValueError where --frames are recordings, which would be learned as such."""
    from neurovocal_tf.data.frame_sequences import is_frame_file
    from neurovocal_tf.data.midi_folder import holds_pieces

    if _FRAMES.value and not (is_frame_file(_FRAMES.value) or holds_pieces(_FRAMES.value)):
        raise ValueError(
            "`frames` must be an .npz file, or a folder of MIDI files (.mid, .midi) without "
            f"recordings. Received: frames={_FRAMES.value}"
        )


def _train_folds(config, data):
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
                setting_flags.say,
                fold=(fold, _FOLDS.value),
                progress=progress.bar_of(config),
            )
        )
        setting_flags.say(f"fold {fold + 1} of {_FOLDS.value} is done: {workdir}")
    for name in results[0]:
        values = [result[name] for result in results]
        setting_flags.say(
            f"{name}: mean {np.mean(values):.4g}, standard deviation {np.std(values):.2g} over "
            f"{len(values)} folds"
        )
