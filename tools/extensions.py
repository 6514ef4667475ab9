r"""Trains and evaluates every extension of the model beside the preset as it is, and prints the
table that they make.

    python tools/extensions.py --data_dir=/data/finches --workdir=/runs/extensions
    python tools/extensions.py --data_dir=/data/finches --workdir=/runs/extensions \
        --rows=preset,latent_16 --seeds=0,1,2

A row of the table is a set of flags, see tools/benchmarks/extensions.py. Each row and seed has a
run folder in --workdir, and, once it is finished, a JSON file of its figures. What is stopped goes
on where it was by the same command, and what is finished is not done again. A row that fails is
told, and the others go on; the exit code is then 1. Ten minutes and more a row on two cores.
"""

import os
import pathlib
import shlex
import sys

from absl import flags

from neurovocal_tf import flags as setting_flags

_DATA_DIR = setting_flags.define_path("data_dir", None, "Folder of recordings.", required=True)
_WORKDIR = setting_flags.define_path(
    "workdir", None, "Folder of the runs and their figures.", required=True
)
_PRESET = flags.DEFINE_string("preset", "songbird", "Preset of every row.")
_ROWS = flags.DEFINE_list("rows", [], "Which rows, with commas between; default: all.")
_SEEDS = flags.DEFINE_list("seeds", ["0"], "Seeds of each row, with commas between.")
_TRAIN_FLAGS = flags.DEFINE_string(
    "train_flags", "", "Flags of every training, with blanks between, such as '--epochs=20'."
)
_EVALUATE_FLAGS = flags.DEFINE_string(
    "evaluate_flags", "", "Flags of every evaluation, such as '--num_temperatures=1000'."
)


def main(argv):
    from benchmarks import extensions  # here, so that --help needs none

    rows, seeds = extensions.rows_of(_ROWS.value), _seeds()
    study = extensions.Study(
        pathlib.Path(_WORKDIR.value),
        os.path.abspath(_DATA_DIR.value),
        _PRESET.value,
        tuple(shlex.split(_TRAIN_FLAGS.value)),
        tuple(shlex.split(_EVALUATE_FLAGS.value)),
    )
    os.makedirs(study.folder, exist_ok=True)
    asked = [(row, seed) for seed in seeds for row in rows]
    # What was made with other flags is told before hours are spent.
    for row, seed in asked:
        extensions.figures_of(study, row, seed)
    went_well = [extensions.run_row(study, row, seed, _say) for row, seed in asked]
    found = [extensions.figures_of(study, row, seed) for row, seed in asked]
    print(extensions.table(filter(None, found)))
    return int(not all(went_well))


def _seeds():
    if not _SEEDS.value or not all(seed.isdecimal() for seed in _SEEDS.value):
        raise ValueError(f"`seeds` must be whole numbers. Received: seeds={','.join(_SEEDS.value)}")
    return [int(seed) for seed in _SEEDS.value]


def _say(line):
    print(line, file=sys.stderr, flush=True)


if __name__ == "__main__":
    setting_flags.run(main)
