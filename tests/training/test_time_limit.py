"""What holds a process without an end is ended from outside."""

import pathlib
import signal
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
# Python's own lock is held meanwhile, as by TensorFlow when it waits for a worker.
HELD = """
import ctypes, sys
sys.path.insert(0, sys.argv[1])
from neurovocal_tf.training.time_limit import ended_after
with ended_after(60, "too late"):
    print("in time", flush=True)
with ended_after(0.5, "nobody came"):
    ctypes.PyDLL(None).sleep(60)
"""


def test_a_call_that_does_not_return_ends_its_process_with_a_line():
    done = subprocess.run(
        [sys.executable, "-c", HELD, ROOT], capture_output=True, text=True, timeout=30
    )
    assert (done.returncode, done.stdout) == (-signal.SIGKILL, "in time\n")
    assert done.stderr == "error: nobody came\n"
