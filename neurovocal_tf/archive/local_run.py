"""The pipeline on this machine, in a process of its own.

Beam's local runner waits for ever for a worker that was killed, as by a system that is short of
memory. Here its process then ends with all of its workers, and whoever started it may start it
again: parts that are done stay done. It ends with whoever started it, too.
"""

import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Sequence

from neurovocal_tf.archive import pipeline
from neurovocal_tf.archive.parts import Part
from neurovocal_tf.archive.work import Work

# What Beam says, in a thread of its own, of a worker that has ended before its time.
_LOST = "Worker subprocess exited"
# Seconds between two looks at whether whoever started the process is there.
_LOOK_S = 1.0


class WorkersLost(RuntimeError):
    """A worker has ended in the middle of its work."""


def run(parts: Sequence[Part], work: Work, flags: Sequence[str], num_workers: int) -> None:
    """Does parts, as `pipeline.run`.

    Raises:
        WorkersLost: a worker was killed.    ValueError: as `pipeline.run`.
    """
    told = [part.to_json() for part in parts], work.to_json(), pipeline.local(flags, num_workers)
    # Where this process has the package from, its workers have it, too.
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    with tempfile.TemporaryFile("w+", encoding="utf-8") as said:
        process = subprocess.Popen(
            [sys.executable, "-m", __name__],
            stdin=subprocess.PIPE,
            stdout=said,
            stderr=said,
            env=environment,
            start_new_session=True,
            text=True,
        )
        try:
            process.communicate(json.dumps(told))
        finally:
            # Its workers are of its group; of one that has ended in order there are none.
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        if process.returncode < 0:
            # By a signal: that of `_end`, or one that a library or the system has sent.
            raise WorkersLost("a worker has ended in the middle of its work")
        if process.returncode:
            said.seek(0)
            lines = [line.strip() for line in said if line.strip()]
            reason = lines[-1] if lines else f"exit code {process.returncode}"
            raise ValueError(reason.removeprefix("ValueError: "))


def main() -> None:
    """What the process does: reads what `run` tells it, and does that."""
    threading.Thread(target=_end_with, args=(os.getppid(),), daemon=True).start()
    parts, work, flags = json.load(sys.stdin)
    before = threading.excepthook

    def notice(told: threading.ExceptHookArgs) -> None:
        before(told)
        if _LOST in str(told.exc_value):
            _end()

    threading.excepthook = notice
    pipeline.connect(flags)
    pipeline.run([Part.from_json(part) for part in parts], Work.from_json(work), flags)


def _end_with(parent: int) -> None:
    """Ends all where the process that has started this one was killed."""
    while os.getppid() == parent:
        time.sleep(_LOOK_S)
    _end()


def _end() -> None:
    """Ends this process and its workers, which are of its group."""
    os.killpg(0, signal.SIGKILL)


if __name__ == "__main__":
    main()
