"""A folder has one owner for each kind of work; what a dead one left is swept, and nothing else."""

import os
import signal
import subprocess
import sys

import pytest

from neurovocal_tf import files
from neurovocal_tf.ownership import owned

pytestmark = pytest.mark.skipif(os.name != "posix", reason="the locks are POSIX's")

# Writes half a file, and half a folder, and is killed.
KILLED = """
import os, signal, sys
from neurovocal_tf import files
from neurovocal_tf.ownership import owned
folder = sys.argv[1]
os.makedirs(os.path.join(folder, "pictures"), exist_ok=True)
with owned(folder, sys.argv[2]), files.replacing(os.path.join(folder, "a.csv")), \\
        files.replacing(os.path.join(folder, "pictures", "c00.wav.png")):
    half = os.path.join(folder, files.temporary_name("export"))
    os.mkdir(half)
    open(os.path.join(half, "saved_model.pb"), "w").close()
    print(flush=True)
    sys.stdin.read()
"""


def begin(folder, work):
    """A process that owns a folder and has written half into it."""
    process = subprocess.Popen(
        [sys.executable, "-c", KILLED, str(folder), work],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    process.stdout.readline()
    return process


def kill(process):
    process.send_signal(signal.SIGKILL)
    process.wait()


def everything(folder):
    return sorted(
        os.path.relpath(os.path.join(base, name), folder)
        for base, subfolders, names in os.walk(folder)
        for name in subfolders + names
    )


def test_the_second_is_refused_while_the_first_lives_and_a_folder_has_no_lock_afterwards(tmp_path):
    with (
        owned(tmp_path, "run"),
        pytest.raises(ValueError, match=f"written by another run, process {os.getpid()} on .*wait"),
        owned(tmp_path, "run"),
    ):
        pass
    assert everything(tmp_path) == []
    with owned(tmp_path, "run"):
        pass


def test_a_dead_owner_has_nothing_and_what_it_left_is_swept_by_whoever_comes_next(tmp_path):
    process = begin(tmp_path, "run")
    try:
        with pytest.raises(ValueError, match=f"process {process.pid} on"), owned(tmp_path, "run"):
            pass
        # Others may write beside it, and sweep nothing that is alive.
        with owned(tmp_path, "evaluation"):
            assert len(everything(tmp_path)) == 7
    finally:
        kill(process)
    assert len(everything(tmp_path)) == 6
    with owned(tmp_path, "evaluation"):
        assert everything(tmp_path) == [".neurovocal_tf-evaluation.lock", "pictures"]
    assert everything(tmp_path) == ["pictures"]


def test_only_what_the_dead_owner_left_is_swept(tmp_path):
    kill(begin(tmp_path, "run"))
    mine = [
        *(".notes-20261127.txt", ".a-0123456789abcdef.csv", "a.csv"),
        *(".neurovocal_tf-mine.lock", "pictures/.c00.wav-fedcba9876543210.png"),
    ]
    for name in mine:
        (tmp_path / name).write_text("mine")
    with files.replacing(tmp_path / "b.csv") as temporary:
        with owned(tmp_path, "run"):
            pass
        assert os.path.exists(temporary)
    assert everything(tmp_path) == sorted([*mine, "b.csv", "pictures"])
    assert [(tmp_path / name).read_text() for name in mine] == ["mine"] * len(mine)


def test_an_owner_that_died_before_it_wrote_anything_is_no_hindrance(tmp_path):
    (tmp_path / ".neurovocal_tf-run.lock").write_text("")
    with owned(tmp_path, "run"):
        pass
    assert everything(tmp_path) == []
