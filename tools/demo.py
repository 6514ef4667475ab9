r"""The whole way on a simulated bird: recordings, a trained model, new songs, their likeness in
figures, and a SavedModel.

    python tools/demo.py --workdir=demo

Takes about four minutes on two cores. Each command is shown before it runs, to be used again on
recordings of your own. The same command goes on where it was stopped, and ends with the exit code
of the first command that fails.
"""

import os
import pathlib
import shlex
import subprocess
import sys
import time

from neurovocal_tf import flags as setting_flags

_WORKDIR = setting_flags.define_path(
    "workdir", "demo", "Folder for everything; made if it is not there."
)

_ROOT = pathlib.Path(__file__).resolve().parent.parent
_NUM_RECORDINGS = 12
_DURATION_S = 15
_NUM_SONGS = 4


def main(argv):
    folder = pathlib.Path(_WORKDIR.value)
    folder.mkdir(parents=True, exist_ok=True)
    began = time.monotonic()
    for command in _commands(folder):
        code = _run(command)
        if code:
            print(f"error: {command[0]} failed with exit code {code}", file=sys.stderr)
            return code
    print(_summary(folder, time.monotonic() - began))


def _commands(folder):
    """The demo's commands in their order, each a list of the script and its flags."""
    recordings, run, export = folder / "recordings", folder / "run", folder / "export"
    workdir = f"--workdir={run}"
    flagfile = _from_here("tools/flagfiles/demo.flags")
    return [
        [
            "tools/simulate.py",
            f"--out={recordings}",
            f"--num_recordings={_NUM_RECORDINGS}",
            f"--duration_s={_DURATION_S}",
        ],
        ["tools/train.py", f"--flagfile={flagfile}", f"--data_dir={recordings}", workdir],
        ["tools/generate.py", workdir, f"--num_songs={_NUM_SONGS}"],
        ["tools/evaluate.py", workdir],
        ["export/export_saved_model.py", workdir, f"--export_dir={export}"],
    ]


def _run(command):
    """Shows and runs one command. Returns its exit code."""
    script, *arguments = command
    arguments = [_from_here(script), *arguments]
    print(f"\n$ python {shlex.join(arguments)}", file=sys.stderr, flush=True)
    process = subprocess.Popen([sys.executable, *arguments])
    try:
        code = process.wait()
    except KeyboardInterrupt:
        # The terminal has told the command too, and it has things to save.
        process.wait()
        raise
    return code if code >= 0 else 128 - code


def _from_here(path):
    return os.path.relpath(_ROOT / path)


def _summary(folder, seconds):
    run = folder / "run"
    return f"""
Done in {seconds:.0f} s.
  listen   {run / "songs"}/song_0.wav to song_{_NUM_SONGS - 1}.wav, beside the recordings in \
{folder / "recordings"}
  look     {run / "songs.png"} (real above generated), {run / "curves.png"}, \
{run / "songs"}/song_0.png
  read     {run / "evaluation.json"}
  serve    {folder / "export"}, a SavedModel for TensorFlow Serving
  go on    python {_from_here("tools/generate.py")} --workdir={run} --seed=100"""


if __name__ == "__main__":
    setting_flags.run(main)
