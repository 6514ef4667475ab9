r"""Exports a trained model as a SavedModel for TensorFlow Serving.

    python export/export_saved_model.py --workdir=/runs/finch --export_dir=/models/finch

Writes the next version, /models/finch/N; earlier ones stay. What a call's scores usually are is
measured on the recordings that were held out from training; where they are not there any more,
--data_dir says where they are now.
"""

import sys

from absl import flags

from neurovocal_tf import flags as setting_flags

_WORKDIR = setting_flags.define_path(
    "workdir", None, "Run folder that tools/train.py has written.", required=True
)
_EXPORT_DIR = setting_flags.define_path(
    "export_dir", None, "Folder of the model's versions; made if it is not there.", required=True
)
_DATA_DIR = setting_flags.define_path(
    "data_dir", None, "Folder of the recordings; default: where the run found them."
)
_MAX_FRAMES = flags.DEFINE_integer(
    "max_frames",
    5_000,
    "Most frames of a song or a recording that the export takes.",
    lower_bound=1,
    upper_bound=1_000_000,
)
setting_flags.define(["generation"])


def main(argv):
    from neurovocal_tf.evaluation import usual_ranges  # here, so that --help needs no TensorFlow
    from neurovocal_tf.runs.run_folder import RunFolder
    from neurovocal_tf.runs.trained import load_trained
    from neurovocal_tf.serving import export

    trained = load_trained(_WORKDIR.value, setting_flags.config_from_flags)
    if not trained.scale.is_sound:
        raise ValueError(
            "`workdir` must hold a model of recordings, not of frame sequences. "
            f"Received: workdir={_WORKDIR.value}"
        )
    usual = _usual_ranges(usual_ranges, trained)
    data = RunFolder(_WORKDIR.value).data().for_export()
    version = export.export_saved_model(trained, _EXPORT_DIR.value, _MAX_FRAMES.value, usual, data)
    print(f"exported epoch {trained.epoch} to {version}", file=sys.stderr)


def _usual_ranges(usual_ranges, trained):
    try:
        return usual_ranges.usual_ranges(trained, _WORKDIR.value, _DATA_DIR.value)
    except ValueError as reason:
        if _DATA_DIR.value:
            raise
        print(f"{reason} So nothing will be called unusual; see --data_dir.", file=sys.stderr)
        return usual_ranges.EVERYTHING_USUAL


if __name__ == "__main__":
    setting_flags.run(main, on_keras=True)
