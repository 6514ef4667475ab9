"""Another checkout of this repository, whose commands and code run in processes of their own."""

import os
import pathlib
import subprocess
import sys

_LAST_LINES = 15
_WHERE = "import neurovocal_tf; print(neurovocal_tf.__file__)"


class Checkout:
    """A checkout's code, run by this environment's Python from the checkout's own root.

    Args:
        name: for messages.
        path: root folder. Raises ValueError if the package that Python finds from
            there is not its own.
    """

    def __init__(self, name, path):
        self.name, self.path = name, pathlib.Path(path).resolve()
        if not (self.path / "tools" / "train.py").is_file():
            raise ValueError(
                f"`{name}` must be the root of a checkout of this repository. "
                f"Received: {name}={path}"
            )
        found = pathlib.Path(self.run("-c", _WHERE).strip()).resolve()
        if self.path not in found.parents:
            raise ValueError(
                f"`{name}` must be a checkout whose own package Python finds, which is {found}. "
                f"Received: {name}={path}"
            )

    def run(self, *arguments):
        """Python with some arguments, to its end.

        Returns what it printed; raises OSError with its last words if it failed.
        """
        command = [sys.executable, *map(str, arguments)]
        process = subprocess.run(
            command,
            cwd=self.path,
            env=self._environment(),
            capture_output=True,
            text=True,
            errors="replace",
        )
        if process.returncode:
            last = "\n".join(process.stderr.splitlines()[-_LAST_LINES:])
            raise OSError(
                f"{self.name}: {self._shown(arguments)} ended with {process.returncode}; its last "
                f"lines:\n{last}"
            )
        return process.stdout

    def start(self, messages, *arguments):
        """The same without waiting for it: a process with pipes to its input and from its output;
        what it says goes to a file.
        """
        command = [sys.executable, *map(str, arguments)]
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": messages}
        return subprocess.Popen(
            command, cwd=self.path, env=self._environment(), text=True, bufsize=1, **pipes
        )

    def _environment(self):
        # A checkout to compare with is left as it is.
        return {
            **os.environ,
            "PYTHONPATH": str(self.path),
            "PYTHONDONTWRITEBYTECODE": "1",
            "TF_CPP_MIN_LOG_LEVEL": "3",
        }

    @staticmethod
    def _shown(arguments):
        return "python " + " ".join(
            str(argument).splitlines()[0] if str(argument) else "''" for argument in arguments
        )
