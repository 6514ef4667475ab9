"""A wheel in a bare environment and an empty folder, all the way of README.

    python tests/campaigns/installed_wheel.py

builds a wheel of this checkout, installs it with all that it needs into a new virtual environment,
and runs every command there, on simulated recordings, with a model that trains for four epochs.
Prints how each ended, and exits with 1 on a defect: another exit code than 0, a traceback, a file
that is not there, or a line of TensorFlow's. Takes some minutes and 2 GB of disk, and asks the
package index.
"""

import os
import pathlib
import re
import subprocess
import sys
import tempfile
import time
import urllib.request
import venv

ROOT = pathlib.Path(__file__).resolve().parents[2]
_SETTINGS = ("--preset=demo", "--epochs_per_rate=2,1,1")
# Each command, and what is there after it.
WAY = (
    (("--help",), ()),
    (("info",), ()),
    (("simulate", "--out=birds", "--num_recordings=6"), ("birds/annotations.csv",)),
    (("info", "birds"), ()),
    (
        ("segment", "--preset=demo", "--data_dir=birds", "--out=found", "--plot", "--review"),
        ("found/annotations.csv", "found/pictures", "found/review/simulated_000.wav.html"),
    ),
    (("segment", "--preset=demo", "--data_dir=birds", "--out=scored", "--truth=birds"), ()),
    (
        ("convert", "--annotations=found/annotations.csv", "--format=raven", "--out=raven"),
        ("raven/simulated_000.selections.txt",),
    ),
    (
        ("discover", "--preset=demo", "--data_dir=birds", "--out=report"),
        ("report/report.html", "report/calls.csv"),
    ),
    (("train", *_SETTINGS, "--data_dir=birds", "--workdir=run"), ("run/model.keras",)),
    (("info", "run"), ()),
    (
        ("generate", "--workdir=run", "--num_songs=2", "--seconds=2"),
        ("run/songs/song_0.wav", "run/songs/song_1.png"),
    ),
    (
        ("evaluate", "--workdir=run", "--seconds=4", "--num_songs=2", "--num_temperatures=10"),
        ("run/evaluation.json", "run/songs.png"),
    ),
    (("export", "--workdir=run", "--export_dir=models"), ("models/1/saved_model.pb",)),
    (("info", "models"), ()),
    (("check_exactness", "--version=models/1", "--num_callers=20"), ()),
    (
        (
            *("tune", *_SETTINGS, "--data_dir=birds", "--workdir=search", "--tuner=random"),
            *("--num_trials=2", "--trial_epochs=1", "--search=dropout"),
        ),
        ("search/best.flags",),
    ),
)
_PYTHON = """
import neurovocal_tf
segments = neurovocal_tf.segment("birds", preset="demo", progress=False)
model = neurovocal_tf.load_model("run")
song, = model.generate(seconds=1.0, progress=False)
print(len(segments), song.waveform.shape)
"""


def build_and_install(base):
    """The `bin` folder of a new environment that a wheel of this checkout is installed in."""
    subprocess.run(
        [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "-w", base / "wheel", ROOT],
        check=True,
    )
    (wheel,) = (base / "wheel").glob("*.whl")
    venv.create(base / "environment", with_pip=True)
    programs = base / "environment" / "bin"
    subprocess.run(
        [programs / "pip", "install", "--quiet", "--no-cache-dir", f"{wheel}[serve]"], check=True
    )
    return programs


def call(programs, folder, *arguments):
    """How a command ended, as words; "" for well."""
    program = "python" if arguments[0] == "-c" else "neurovocal"
    done = subprocess.run(
        [programs / program, *arguments],
        cwd=folder,
        env={name: value for name, value in os.environ.items() if name != "PYTHONPATH"},
        capture_output=True,
        text=True,
    )
    if done.returncode or "Traceback" in done.stderr:
        return f"exit code {done.returncode}: {done.stderr[-600:]}"
    if program == "python":
        return ""
    strange = re.findall(r"^.*(?:tensorflow/core|external/local_xla).*$", done.stderr, re.M)
    return f"says {strange[0]}" if strange else ""


def serve_and_ask(programs, folder):
    """How the server and its client ended, as words; "" for well."""
    server = subprocess.Popen(
        [programs / "neurovocal", "serve", "--model_dir=models", "--rest_port=0", "--grpc_port=0"],
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    try:
        line = server.stdout.readline()
        port = re.search(r"http://127\.0\.0\.1:(\d+)", line)[1]
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/") as answer:
            if b"<html" not in answer.read():
                return "the page is none"
        arguments = ("client", f"--server=http://127.0.0.1:{port}", "--seconds=1", "--out=s.wav")
        return call(programs, folder, *arguments)
    finally:
        server.terminate()
        server.wait()


def tally(base):
    """(command, how it ended, seconds) of each."""
    programs = build_and_install(base)
    folder = base / "empty"
    folder.mkdir()
    for arguments, files in WAY:
        began = time.monotonic()
        end = call(programs, folder, *arguments)
        missing = [name for name in files if not (folder / name).exists()]
        if not end and missing:
            end = f"{missing[0]} is not there"
        yield f"neurovocal {' '.join(arguments)}", end, time.monotonic() - began
    began = time.monotonic()
    yield "python", call(programs, folder, "-c", _PYTHON), time.monotonic() - began
    began = time.monotonic()
    yield "serve, client", serve_and_ask(programs, folder), time.monotonic() - began


if __name__ == "__main__":
    num_defects = 0
    with tempfile.TemporaryDirectory() as scratch:
        for command, how, seconds in tally(pathlib.Path(scratch)):
            num_defects += bool(how)
            print(f"{seconds:6.1f} s  {command}: {'DEFECT: ' + how if how else 'well'}", flush=True)
    print(f"{num_defects} defects")
    sys.exit(bool(num_defects))
