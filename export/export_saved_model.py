r"""Exports a trained model as a SavedModel for TensorFlow Serving.

    python export/export_saved_model.py --workdir=/runs/finch --export_dir=/models/finch

Writes the next version, /models/finch/N; earlier ones stay. Signatures: generate (the default one) and generate_audio.
"""

import sys

from absl import flags

from neurovocal_tf import flags as setting_flags

_WORKDIR = flags.DEFINE_string("workdir", None, "Run folder that tools/train.py has written.", required=True)
_EXPORT_DIR = flags.DEFINE_string("export_dir", None, "Folder of the model's versions; made if it is not there.", required=True)
_MAX_FRAMES = flags.DEFINE_integer("max_frames", 10_000, "Longest song that the export sings.", lower_bound=1, upper_bound=1_000_000)
setting_flags.define(["generation"])


def main(argv):
    from neurovocal_tf import serving, trainer  # here, so that --help needs no TensorFlow

    trained = trainer.load_trained(_WORKDIR.value, setting_flags.config_from_flags)
    if trained.scale is None:
        raise ValueError(f"`workdir` must hold a model of recordings, not of frame sequences. Received: workdir={_WORKDIR.value}")
    version = serving.export_saved_model(trained, _EXPORT_DIR.value, _MAX_FRAMES.value)
    print(f"exported epoch {trained.epoch} to {version}", file=sys.stderr)


if __name__ == "__main__":
    setting_flags.run(main)
