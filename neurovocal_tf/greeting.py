"""What TensorFlow and XLA say of a machine at first, left out where TF_CPP_MIN_LOG_LEVEL says so.

XLA, and from version 2.19 on TensorFlow's import, write it through a logger that reads no variable
and that nothing outside reaches: https://github.com/tensorflow/tensorflow/issues/100442.
"""

import contextlib
import os
import subprocess
import sys
from collections.abc import Callable, Iterator

from neurovocal_tf import imports

# Passes on what is no greeting, as it comes. In a process of its own, so that the last words of one
# that a library aborts are heard.
_FILTER = r"""
import re, sys
greeting = re.compile(
    rb"WARNING: All log messages before absl::InitializeLog\(\)|I\d{4} \d\d:\d\d:\d+\.\d+ "
)
for line in sys.stdin.buffer:
    if not greeting.match(line):
        sys.stderr.buffer.write(line)
        sys.stderr.buffer.flush()
"""
# Whoever has been started meanwhile may hold the standard error open.
_LONGEST_WAIT_S = 10


def is_unwanted() -> bool:
    """Whether the environment asks for less than every line."""
    return os.environ.get("TF_CPP_MIN_LOG_LEVEL", "0") != "0"


def leave_out_of_import() -> None:
    """Leaves it out when TensorFlow is imported, if that is still to come and it is unwanted."""
    if is_unwanted() and "tensorflow" not in sys.modules:
        imports.around("tensorflow", _quietly)


def _quietly(import_it: Callable[[], None]) -> None:
    with left_out():
        import_it()


@contextlib.contextmanager
def left_out() -> Iterator[None]:
    """Leaves it out of what is written to the standard error within the block."""
    try:
        # The descriptor itself: a compiled library writes past Python.
        before = os.dup(2)
    except OSError:
        # A process without a standard error has nothing to keep quiet.
        yield
        return
    try:
        reader = subprocess.Popen(
            # Ctrl-C is for others.
            [sys.executable, "-IS", "-c", _FILTER],
            stdin=subprocess.PIPE,
            start_new_session=True,
        )
    except OSError:
        os.close(before)
        yield
        return
    assert reader.stdin is not None
    os.dup2(reader.stdin.fileno(), 2)
    reader.stdin.close()
    try:
        yield
    finally:
        os.dup2(before, 2)
        os.close(before)
        with contextlib.suppress(subprocess.TimeoutExpired):
            reader.wait(_LONGEST_WAIT_S)
