"""A model server in a process of its own, on cores of its own; what it takes of memory, and what it
said if it ended by itself.
"""

import contextlib
import os
import pathlib
import re
import subprocess
import sys
import tempfile
import typing

_SERVER = pathlib.Path(__file__).resolve().parent.parent.parent / "export" / "server.py"
_LAST_LINES = 40
_PATIENCE_S = 60
MODEL = "bird"


class Served(typing.NamedTuple):
    """A server that runs: its `process`, and where it listens at 127.0.0.1."""

    process: subprocess.Popen
    rest_port: int
    grpc_port: int

    @property
    def rest(self):
        """The server's address for a `Client` by REST."""
        return f"http://127.0.0.1:{self.rest_port}"

    @property
    def grpc(self):
        """The same by gRPC."""
        return f"grpc://127.0.0.1:{self.grpc_port}"

    def memory_mb(self, field="VmRSS"):
        """What it has in memory now, or with VmHWM has had at most."""
        status = pathlib.Path(f"/proc/{self.process.pid}/status").read_text(encoding="ascii")
        return int(re.search(rf"^{field}:\s+(\d+) kB", status, re.MULTILINE)[1]) / 1024


@contextlib.contextmanager
def serving(model_dir, *flags, cores=None):
    """export/server.py while the block runs.

    Args:
        model_dir: folder of versions.    flags: more of the server's own.
        cores: set of ints that it may use; None: all.

    Yields:
        `Served`.

    Raises:
        OSError: it did not start. Where it ends before the block does,
            what it said last is printed.
    """
    command = [
        sys.executable,
        str(_SERVER),
        f"--model_dir={model_dir}",
        f"--model_name={MODEL}",
        "--rest_port=0",
        "--grpc_port=0",
        *flags,
    ]
    confine = None if cores is None else lambda: os.sched_setaffinity(0, cores)
    # Where it is ended by a fault of a library's, its threads' stacks are among the last lines.
    environment = {**os.environ, "PYTHONFAULTHANDLER": "1"}
    with tempfile.TemporaryFile("w+", errors="replace") as messages:
        process = subprocess.Popen(
            command,
            stdout=subprocess.PIPE,
            stderr=messages,
            text=True,
            preexec_fn=confine,
            env=environment,
        )
        try:
            ports = re.findall(r":(\d+)", process.stdout.readline())
            if len(ports) != 2:
                with contextlib.suppress(subprocess.TimeoutExpired):
                    process.wait(_PATIENCE_S)
                raise OSError(f"the server did not start: {' '.join(command)}")
            yield Served(process, *map(int, ports))
        finally:
            if process.poll() is not None:
                print(_end(process, messages), file=sys.stderr)
            process.terminate()
            try:
                process.wait(_PATIENCE_S)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
            process.stdout.close()


def _end(process, messages):
    """How a server ended that should not have, and what it said last."""
    messages.seek(0)
    last = "".join(messages.readlines()[-_LAST_LINES:])
    return (
        f"the server, process {process.pid}, ended by itself with {process.returncode}; its last "
        f"lines:\n{last}"
    )
