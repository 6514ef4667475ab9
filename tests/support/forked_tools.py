"""Commands in processes of their own, without what each takes to import its libraries."""

import contextlib
import json
import os
import pathlib
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]

# What takes seconds to import.
IMPORTS = """
import contextlib
import keras, matplotlib.figure, scipy.signal, sklearn.cluster, soundfile, soxr, tensorflow, tqdm
# Of which there is no wheel from Python 3.13 on.
with contextlib.suppress(ImportError):
    import tensorflow_io
import neurovocal_tf.evaluation.usual_ranges, neurovocal_tf.training.pictures, \
neurovocal_tf.evaluation.report
import neurovocal_tf.serving.export, neurovocal_tf.generation.songs, neurovocal_tf.training.trainer

# Drawing takes longer than training so small a model.
neurovocal_tf.training.pictures._PICTURE_FRAMES = 40
neurovocal_tf.training.trainer._NUM_PICTURES = 1
"""
_QUICKLY = """
tensorflow.config.run_functions_eagerly(True)
neurovocal_tf.training.trainer._NUM_PICTURES = 0
"""
# What commands import that have nothing to compute; nothing of these is to need TensorFlow.
IMPORTS_OF_FLAGS = """
import numpy, scipy.io, scipy.signal, soundfile, soxr, tqdm
import neurovocal_tf.flags, neurovocal_tf.commands.command_line
sys.modules["tensorflow"] = sys.modules["keras"] = None
"""
# What finds call types, which is not to need it either.
IMPORTS_OF_DISCOVERY = f"""{IMPORTS_OF_FLAGS}
import matplotlib.figure, scipy.stats
import neurovocal_tf.discovery.discover, neurovocal_tf.discovery.written, \
neurovocal_tf.segmentation.folder
"""
# Imports, once, and then becomes each command in a process of its own. TensorFlow has run nothing
# before the fork, so that the child starts as a fresh process does; frozen objects are left out of
# its garbage collection.
FORKING_SERVER = """
import gc, json, os, runpy, sys, traceback
exec(os.environ.pop("IMPORTS_OF_TOOLS"))
gc.freeze()
for line in sys.stdin:
    call = json.loads(line)
    pid = os.fork()
    if not pid:
        exec(call["first"])
        for number, name in ((1, "out"), (2, "err")):
            os.dup2(os.open(call[name], os.O_WRONLY | os.O_CREAT | os.O_TRUNC), number)
        sys.argv, code = call["argv"], 0
        try:
            if sys.argv[0] == "neurovocal":
                runpy.run_module("neurovocal_tf", run_name="__main__")
            else:
                runpy.run_path(sys.argv[0], run_name="__main__")
        except SystemExit as end:
            code = end.code or 0
            if isinstance(code, str):
                print(code, file=sys.stderr)
                code = 1
        except BaseException:
            traceback.print_exc()
            code = 1
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)
    print(pid, flush=True)
    print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), flush=True)
"""


class Tool:
    """Runs commands one after another, each in a process of its own.

    Args:
        server: process of `FORKING_SERVER`.    folder: of what commands say.
        first: code that each process runs first.
    """

    def __init__(self, server, folder, first=""):
        self._server, self._folder, self._first = server, folder, first
        self._out, self._err = folder / "out", folder / "err"

    def quickly(self):
        """The same, for trainings of which no test looks at how they sing while they learn: op by
        op, for to make graphs takes longer than all that so small a model computes.
        """
        return Tool(self._server, self._folder, _QUICKLY)

    def __call__(self, script, *arguments):
        """Exit code, what was written to stdout, and to stderr."""
        self.start(script, *arguments)
        return self.finish()

    def start(self, script, *arguments):
        """Process id of a command that `finish` waits for; a script's, or that of `neurovocal`."""
        program = script if script == "neurovocal" else str(ROOT / script)
        request = {
            "argv": [program, *map(str, arguments)],
            "out": str(self._out),
            "err": str(self._err),
            "first": self._first,
        }
        self._server.stdin.write(json.dumps(request) + "\n")
        return int(self._server.stdout.readline())

    def finish(self):
        code = int(self._server.stdout.readline())
        return code, self._out.read_text(encoding="utf-8"), self._err.read_text(encoding="utf-8")


def locked_in(folder):
    """A folder in which this user can make no other one."""
    if os.geteuid() == 0:
        # What the superuser is not kept from by permissions, the kernel's own folder refuses.
        return pathlib.Path("/sys/kernel")
    locked = pathlib.Path(folder) / "locked"
    locked.mkdir(mode=0o555, exist_ok=True)
    return locked


def environment():
    return {**os.environ, "PYTHONPATH": str(ROOT), "TF_CPP_MIN_LOG_LEVEL": "3"}


@contextlib.contextmanager
def running_tools(folder, imports=IMPORTS):
    """A `Tool`, whose commands run in a folder."""
    server = subprocess.Popen(
        [sys.executable, "-c", FORKING_SERVER],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        bufsize=1,
        cwd=folder,
        env=environment() | {"IMPORTS_OF_TOOLS": imports},
    )
    yield Tool(server, folder)
    server.stdin.close()
    server.wait()
