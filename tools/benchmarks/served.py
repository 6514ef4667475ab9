"""A model server in a process of its own, on cores of its own, and what it takes of memory."""

import contextlib
import os
import pathlib
import re
import subprocess
import sys
import typing

_SERVER = pathlib.Path(__file__).resolve().parent.parent.parent / "export" / "server.py"
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
        model_dir: folder of versions.    flags: more of the server's own.    cores: set of ints that it may use; None: all.

    Yields:
        `Served`.
    """
    command = [sys.executable, str(_SERVER), f"--model_dir={model_dir}", f"--model_name={MODEL}", "--rest_port=0", "--grpc_port=0", *flags]
    confine = None if cores is None else lambda: os.sched_setaffinity(0, cores)
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, preexec_fn=confine)
    try:
        said = process.stdout.readline()
        ports = re.findall(r":(\d+)", said)
        if len(ports) != 2:
            raise OSError(f"the server did not start: {' '.join(command)}")
        yield Served(process, *map(int, ports))
    finally:
        process.terminate()
        try:
            process.wait(60)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        process.stdout.close()
