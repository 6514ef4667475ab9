"""A time limit for a call that holds Python's own lock while it waits, so that no thread, no signal
handler and no Ctrl-C of this process can end it.
"""

import contextlib
import os
import subprocess
import sys
from collections.abc import Iterator

# A process of its own. Its standard input ends when the call has, or when its parent is no more.
_WATCH = r"""
import os, select, signal, sys
limit_s, process_id, line = float(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
if not select.select([sys.stdin], [], [], limit_s)[0] and os.getppid() == process_id:
    sys.stderr.write(f"error: {line}\n")
    sys.stderr.flush()
    os.kill(process_id, signal.SIGKILL)
"""


@contextlib.contextmanager
def ended_after(limit_s: float, line: str) -> Iterator[None]:
    """Ends this process, with a line for the user, if the block takes longer than `limit_s`
    seconds.
    """
    watch = subprocess.Popen(
        [sys.executable, "-IS", "-c", _WATCH, str(limit_s), str(os.getpid()), line],
        stdin=subprocess.PIPE,
        start_new_session=True,
    )
    assert watch.stdin is not None
    try:
        yield
    finally:
        watch.stdin.close()
        watch.wait()
