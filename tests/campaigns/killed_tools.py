"""Commands killed at random moments, and repeated.

    python tests/campaigns/killed_tools.py 5

kills each of training, search, generation, evaluation and export so many times, with kill -9, and
then lets the same command come to its end. Prints how each ended, and exits with 1 on a defect: the
end is not that of a command that was never killed, a file is half there, or something is left over.
"""

import collections
import contextlib
import csv
import json
import os
import pathlib
import shutil
import signal
import sys
import tempfile
import time

import numpy as np

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "tests" / "support")]
_LIKELIHOOD = ("--num_temperatures=10", "--num_chains=2", "--num_test_frames=32")


def commands(base, recordings, run, tiny_flags):
    """Name -> function of an output folder that gives the arguments of a command which writes
    there.
    """
    return {
        "train": lambda out: (
            *("tools/train.py", tiny_flags, f"--data_dir={recordings}", f"--workdir={out}"),
        ),
        "tune": lambda out: (
            *("tools/tune.py", tiny_flags, f"--data_dir={recordings}", f"--workdir={out}"),
            *("--tuner=random", "--num_trials=3", "--search=dropout", "--trial_epochs=1"),
        ),
        "generate": lambda out: (
            *("tools/generate.py", f"--workdir={run}", f"--out={out}"),
            *("--num_songs=6", "--num_frames=60"),
        ),
        "evaluate": lambda out: (
            *("tools/evaluate.py", f"--workdir={copy_of(run, out)}", "--seconds=1"),
            *("--num_songs=2", *_LIKELIHOOD),
        ),
        "export": lambda out: (
            *("export/export_saved_model.py", f"--workdir={run}", f"--export_dir={out}"),
            f"--data_dir={recordings}",
        ),
    }


def copy_of(run, out):
    """A copy of a run at `out`, unless one is there."""
    return out if out.exists() else shutil.copytree(run, out)


def result(name, out):
    """What a command has made, without times."""
    if name == "train":
        with np.load(out / "checkpoint.npz", allow_pickle=False) as arrays:
            return {key: arrays[key].tobytes() for key in arrays if "/" in key} | {
                "files": sorted(path.name for path in out.iterdir() if "event" not in path.name)
            }
    if name == "tune":
        with open(out / "trials.csv", newline="", encoding="utf-8") as file:
            found = sorted(row["trial"] for row in csv.DictReader(file))
        return found, (out / "best.flags").is_file()
    if name == "generate":
        songs = {}
        for path in sorted(out.glob("*.npz")):
            with np.load(path, allow_pickle=False) as arrays:
                songs[path.name] = arrays["decibels"].tobytes()
        return songs, sorted(path.name for path in out.iterdir())
    if name == "evaluate":
        figures = json.loads((out / "evaluation.json").read_text())
        return sorted(figures), sorted(path.name for path in out.glob("*.png"))
    # A killed export may have been whole, so that there is one more version.
    versions = [path for path in out.iterdir() if path.name.isdecimal()]
    return [sorted(p.name for p in path.rglob("*") if p.is_file()) for path in versions][:1]


def left_over(out):
    """Hidden names below a folder: temporary files and locks."""
    return sorted(path.name for path in out.rglob(".*"))


def tally(num_kills, base):
    """Counter of how all commands ended, as words."""
    import tiny_runs
    from forked_tools import running_tools

    ends, rng = collections.Counter(), np.random.default_rng(0)
    recordings, tiny_flags = tiny_runs.recordings_in(base), tiny_runs.flags_in(base)
    with running_tools(base) as tool:
        run = base / "run"
        assert not tool(
            "tools/train.py", tiny_flags, f"--data_dir={recordings}", f"--workdir={run}"
        )[0]
        for name, command in commands(base, recordings, run, tiny_flags).items():
            out, began = base / "whole", time.monotonic()
            code, _, err = tool(*command(out))
            takes_s = time.monotonic() - began
            if code:
                ends[f"DEFECT: {name} never killed: {err[-300:]}"] += 1
                continue
            expected = result(name, out)
            for number in range(num_kills):
                out = base / f"{name}_{number}"
                # Sometimes killed again, as it goes on.
                for _ in range(1 + number % 2):
                    process = tool.start(*command(out))
                    time.sleep(rng.uniform(0.1, 1.0) * takes_s)
                    with contextlib.suppress(ProcessLookupError):
                        os.kill(process, signal.SIGKILL)
                    killed = tool.finish()[0] == -signal.SIGKILL
                code, _, err = tool(*command(out))
                wrong = "Traceback" in err or code or result(name, out) != expected
                wrong = wrong or left_over(out)
                end = f"killed, {name} ends as if it had not been"
                if not killed:
                    end = f"{name} had ended before"
                ends[
                    f"DEFECT: {name} {number}: {left_over(out)} {err[-300:]}" if wrong else end
                ] += 1
                shutil.rmtree(out)
            shutil.rmtree(base / "whole")
    return ends


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as scratch:
        found = tally(int(sys.argv[1]), pathlib.Path(scratch))
    for end, count in found.most_common():
        print(f"{count:6}  {end}")
    sys.exit(any("DEFECT" in end for end in found))
