r"""Tells whether two checkouts of this repository compute the same, and how fast each is: for a
change that is to alter nothing.

    git worktree add ../before REVISION
    python tools/compare.py --before=../before
    python tools/compare.py --before=../before --data_dir=/data/finches --suite=bits
    python tools/compare.py --before=../before --suite=speed --rounds=36 --json=speed.json

The suite bits has both simulate, segment, train for some epochs, sing, evaluate, export and answer,
with their own commands and flag files, and compares every file that they write: number by number,
bit for bit. Times and versions are left out by name, and keys that one of them has alone are told.
The suite speed has both do the same work by turns, round after round, the first one last in every
other round: an epoch's training steps, songs of 1 and of 32 rows, and a recording, as the export
answers, and tools/segment.py. It prints the medians of the times and of the ratio within a round,
with its 95 % interval by bootstrap over rounds. Speed shows on an idle machine alone. The exit code
is 1 if a bit differs, or one has more. Each suite takes some minutes on two cores.
"""

import os
import pathlib
import sys
import tempfile

from absl import flags

from neurovocal_tf import flags as setting_flags

_SUITES = ("bits", "speed")
_BEFORE = setting_flags.define_path(
    "before", None, "Root of the checkout to compare with.", required=True
)
_AFTER = setting_flags.define_path(
    "after", None, "Root of the other one; default: that of this tool."
)
_DATA_DIR = setting_flags.define_path(
    "data_dir",
    None,
    "Of the suite bits: folder of recordings to compare on, beside the simulated bird.",
)
_SUITE = flags.DEFINE_list("suite", list(_SUITES), f"Which suites to run, of {', '.join(_SUITES)}.")
_ROUNDS = flags.DEFINE_integer(
    "rounds",
    18,
    "Of the suite speed: how often both do each work.",
    lower_bound=5,
    upper_bound=10_000,
)
_JSON = setting_flags.define_path("json", None, "File for all that was found.")


def main(argv):
    # here, so that --help needs none
    from benchmarks import checkouts, comparison_of_bits, comparison_of_speed, comparison_of_values

    from neurovocal_tf import files

    _check_flags()
    after = _AFTER.value or pathlib.Path(__file__).resolve().parent.parent
    both, found, compared = (
        [checkouts.Checkout("before", _BEFORE.value), checkouts.Checkout("after", after)],
        {},
        [],
    )
    with tempfile.TemporaryDirectory() as folder:
        for case in comparison_of_bits.cases(_DATA_DIR.value) if "bits" in _SUITE.value else ():
            comparisons = comparison_of_bits.compare(both, case, folder, _say)
            print(comparison_of_values.table(case.name, comparisons), flush=True)
            compared += comparisons
            found |= comparison_of_values.figures(case.name, comparisons)
        if "speed" in _SUITE.value:
            measured = list(comparison_of_speed.measure(both, _ROUNDS.value, folder, _say))
            print(comparison_of_speed.table(measured), flush=True)
            found |= {
                f"speed/{times.work}/{name}": value
                for times in measured
                for name, value in times.figures().items()
            }
    if _JSON.value:
        files.write_json(_JSON.value, found)
    if compared:
        print(_verdict(compared))
    return int(not all(of_one.is_equal for of_one in compared))


def _verdict(compared):
    if all(of_one.is_equal for of_one in compared):
        return "Both compute the same, bit for bit."
    if any(of_one.different for of_one in compared):
        return "They do not compute the same: see what differs above."
    return "What both compute is the same, bit for bit; one of them has more: see above."


def _check_flags():
    unknown = sorted(set(_SUITE.value) - set(_SUITES))
    if unknown or not _SUITE.value:
        raise ValueError(
            f"`suite` must be among {', '.join(_SUITES)}. Received: suite={','.join(_SUITE.value)}"
        )
    if _JSON.value and not os.path.isdir(os.path.dirname(os.path.abspath(_JSON.value))):
        raise ValueError(
            f"`json` must be a file in a folder that exists. Received: json={_JSON.value}"
        )
    if _DATA_DIR.value and not os.path.isdir(_DATA_DIR.value):
        raise ValueError(f"`data_dir` must be a folder. Received: data_dir={_DATA_DIR.value}")


def _say(line):
    print(line, file=sys.stderr, flush=True)


if __name__ == "__main__":
    setting_flags.run(main)
