r"""Says how good a trained model is: its one-step error beside simple predictors, and its songs beside the held-out ones.

    python tools/evaluate.py --workdir=/runs/finch

Prints two tables and writes evaluation.json, songs.png and statistics.png into the run folder.
"""

import os

from absl import flags

from neurovocal_tf import flags as setting_flags

_WORKDIR = flags.DEFINE_string("workdir", None, "Run folder that tools/train.py has written.", required=True)
_DATA_DIR = flags.DEFINE_string("data_dir", None, "Folder of recordings; default: where the run found them.")
_SECONDS = flags.DEFINE_float("seconds", 40.0, "Seconds of song to generate.", lower_bound=0.1, upper_bound=36_000)
_NUM_SONGS = flags.DEFINE_integer("num_songs", 8, "Songs among which they are divided.", lower_bound=1, upper_bound=10_000)
_SEED = flags.DEFINE_integer("seed", 0, "Seed of the first song.", lower_bound=0, upper_bound=2**62)
_TEMPERATURE = flags.DEFINE_float("temperature", 1.0, "Temperature of the songs.", lower_bound=0.01, upper_bound=100)
_JSON = flags.DEFINE_string("json", None, "Where to write the figures; default: evaluation.json, in the run folder.")
setting_flags.define(["generation"])


def main(argv):
    from neurovocal_tf import files, report, trainer  # here, so that --help needs no TensorFlow

    trained = trainer.load_trained(_WORKDIR.value, setting_flags.config_from_flags)
    songs = report.SongOptions(_SECONDS.value, _NUM_SONGS.value, _SEED.value, _TEMPERATURE.value)
    figures, pictures = report.evaluate(trained, _WORKDIR.value, _DATA_DIR.value, songs)
    files.write_json(_JSON.value or os.path.join(_WORKDIR.value, "evaluation.json"), figures)
    report.write_pictures(pictures, _WORKDIR.value)
    print(report.as_table(figures))


if __name__ == "__main__":
    setting_flags.run(main)
