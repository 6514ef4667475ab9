"""Runs the tests of bits with the kernels of lesser processors, in one and in several threads, and
tells how each run ended.

    python tests/campaigns/instruction_sets.py [TEST ...]

Without tests: those of tiles, songs, endpoints and exactness. oneDNN, which computes TensorFlow's
matrix products, takes its kernels for an older processor where ONEDNN_MAX_CPU_ISA says so; a
processor's own set is the largest that can be tried. The exit code is 1 if a run fails.
"""

import os
import pathlib
import subprocess
import sys
import time
import typing

TESTS = [
    "tests/model/test_tiling.py",
    "tests/model/test_singing.py",
    "tests/serving/test_endpoints.py",
    "tests/server/test_exactness.py",
]
# The test that starts such a run itself.
_LEFT_OUT = "not lesser_processor"


class Setting(typing.NamedTuple):
    """The largest instruction set, "" for the processor's own,
    and the threads of an operation, 0 for one a core.
    """

    instruction_set: str
    num_threads: int


class Outcome(typing.NamedTuple):
    """Whether all tests passed, and what pytest printed."""

    passed: bool
    output: str


SETTINGS = [
    Setting(name, num_threads) for name in ("", "AVX2", "AVX", "SSE41") for num_threads in (1, 0)
]


def run_tests(repository, setting, tests):
    """pytest in a process of its own, under that setting.

    Args:
        repository: root folder.    setting: `Setting`.    tests: of pytest, as paths from there.

    Returns:
        `Outcome`.
    """
    environment = os.environ | {"ONEDNN_MAX_CPU_ISA": setting.instruction_set}
    if setting.num_threads:
        environment |= {
            "TF_NUM_INTRAOP_THREADS": str(setting.num_threads),
            "OMP_NUM_THREADS": str(setting.num_threads),
        }
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "-n",
        "0",
        "-p",
        "no:cacheprovider",
        "-k",
        _LEFT_OUT,
        *tests,
    ]
    run = subprocess.run(
        command, cwd=repository, env=environment, capture_output=True, text=True, timeout=1800
    )
    return Outcome(run.returncode == 0, run.stdout + run.stderr)


def main(tests):
    """Runs `tests` under every setting.  -> exit code"""
    repository = pathlib.Path(__file__).resolve().parents[2]
    outcomes = []
    for setting in SETTINGS:
        began = time.monotonic()
        outcome = run_tests(repository, setting, tests)
        outcomes.append(outcome.passed)
        threads = f"{setting.num_threads or 'all'} threads"
        closing = outcome.output.strip().splitlines()[-1]
        print(
            f"{setting.instruction_set or 'own':6} {threads:12} {time.monotonic() - began:5.0f} s  "
            f"{closing}",
            flush=True,
        )
        if not outcome.passed:
            print(outcome.output, file=sys.stderr)
    return int(not all(outcomes))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:] or TESTS))
