r"""Exports a trained model as a SavedModel for TensorFlow Serving.

    neurovocal export --workdir=/runs/finch --export_dir=/models/finch

Writes the next version, /models/finch/N; earlier ones stay. What a call's scores usually are is
measured on the recordings that were held out from training; where they are not there any more,
--data_dir says where they are now. Settings that are not given are those of the run.
"""

import sys

from absl import flags

from neurovocal_tf import flags as setting_flags

_WORKDIR = setting_flags.define_path(
    "workdir", None, "Run folder that `neurovocal train` has written.", required=True
)
_EXPORT_DIR = setting_flags.define_path(
    "export_dir", None, "Folder of the model's versions; made if it is not there.", required=True
)
_DATA_DIR = setting_flags.define_path(
    "data_dir", None, f"{setting_flags.RECORDINGS} Default: where the run found them."
)
_MAX_FRAMES = flags.DEFINE_integer(
    "max_frames",
    5_000,
    "Most frames of a song or a recording that the export takes.",
    lower_bound=1,
    upper_bound=1_000_000,
)
setting_flags.define(["generation"])


def main(argv: list[str]) -> int | None:
    from neurovocal_tf.api.loading import load_model  # here, so that --help needs no TensorFlow

    model = load_model(_WORKDIR.value, setting_flags.config_from_flags)
    version = model.export(
        _EXPORT_DIR.value, _DATA_DIR.value, _MAX_FRAMES.value, say=setting_flags.say
    )
    print(f"exported epoch {model.epoch} to {version}", file=sys.stderr)
