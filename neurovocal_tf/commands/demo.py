r"""The whole way on a simulated bird: recordings, a trained model, new songs, their likeness in
figures, and a SavedModel.

    neurovocal demo --workdir=demo

Takes about four minutes on two cores, and ends by saying what to open, and how to serve the model.
Each command is shown before it runs, to be used again on recordings of your own. The same command
goes on where it was stopped, and ends with the exit code of the first command that fails.
"""

import pathlib
import shlex
import subprocess
import sys
import time

from neurovocal_tf import flags as setting_flags
from neurovocal_tf.commands import command_line

_WORKDIR = setting_flags.define_path(
    "workdir", "demo", "Folder for everything; made if it is not there."
)

_NUM_RECORDINGS = 12
_DURATION_S = 15
_NUM_SONGS = 4
# A quarter of the held-out ones tells the likelihood to a tenth of a nat.
_NUM_TEST_FRAMES = 1000
# What opens a file as a double click does.
_OPENERS = {"darwin": "open", "win32": "start"}


def main(argv: list[str]) -> int | None:
    folder = pathlib.Path(_WORKDIR.value)
    folder.mkdir(parents=True, exist_ok=True)
    began = time.monotonic()
    for command in _commands(folder):
        code = _run(command, argv[0])
        if code:
            print(f"error: {command[0]} failed with exit code {code}", file=sys.stderr)
            return code
    print(_summary(folder, time.monotonic() - began, argv[0]))


def _commands(folder):
    """The demo's commands in their order, each a list of its name and its flags."""
    recordings, run, export = folder / "recordings", folder / "run", folder / "export"
    workdir = f"--workdir={run}"
    return [
        [
            "simulate",
            f"--out={recordings}",
            f"--num_recordings={_NUM_RECORDINGS}",
            f"--duration_s={_DURATION_S}",
        ],
        ["train", "--preset=demo", f"--data_dir={recordings}", workdir],
        ["generate", workdir, f"--num_songs={_NUM_SONGS}"],
        ["evaluate", workdir, f"--num_test_frames={_NUM_TEST_FRAMES}"],
        ["export", workdir, f"--export_dir={export}"],
    ]


def _run(command, called):
    """Shows and runs one command, as the demo itself was `called`. Returns its exit code."""
    name, *arguments = command
    shown = shlex.join([*command_line.words(name, called), *arguments])
    print(f"\n$ {shown}", file=sys.stderr, flush=True)
    process = subprocess.Popen([sys.executable, "-m", "neurovocal_tf", *command])
    try:
        code = process.wait()
    except KeyboardInterrupt:
        # The terminal has told the command too, and it has things to save.
        process.wait()
        raise
    return code if code >= 0 else 128 - code


def _summary(folder, seconds, called):
    """What to open, and the commands to serve the model and to go on with, as they are typed."""
    run, export = folder / "run", folder / "export"
    opener = _OPENERS.get(sys.platform, "xdg-open")

    def command(name, *arguments):
        return [*command_line.words(name, called), *arguments]

    told = [
        ("look", [opener, str(run / "songs.png")], "real songs above generated ones"),
        (
            "listen",
            [opener, str(run / "songs" / "song_0.wav")],
            "a new song; song_0.png shows it, and three more lie beside it",
        ),
        ("curves", [opener, str(run / "curves.png")], "the training, told in story.txt"),
        (
            "serve",
            command("serve", f"--model_dir={export}"),
            "a page to try the model, at http://localhost:8501/, until Ctrl-C",
        ),
        (
            "ask",
            command("client", "--num_frames=1000", "--out=song.wav"),
            "a song from the server, in another terminal",
        ),
        ("go on", command("generate", f"--workdir={run}", "--seed=100"), "other songs"),
    ]
    lines = [f"  {name:6}  {shlex.join(words)}\n          {what}" for name, words, what in told]
    return "\n".join(["", f"Done in {seconds:.0f} s.", *lines])
