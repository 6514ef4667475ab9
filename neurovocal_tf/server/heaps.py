"""What the C library keeps of memory that was freed, where it is glibc; and when Python looks for
circles.
"""

import contextlib
import ctypes
import gc
import threading
import time
from collections.abc import Iterator


def trim() -> None:
    """Gives pages of which nothing is in use back to the system."""
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).malloc_trim(0)


def trim_every(seconds: float) -> None:
    """Trims so often for as long as the process lives, in a thread of its own.

    While a version is loaded beside another that answers, what one lets go lies between what the
    other keeps. A new request takes the hole that was left alone for longest, so that sooner or
    later every one of them is in memory.

    Args:
        seconds: float.
    """

    def run() -> None:
        while True:
            time.sleep(seconds)
            trim()

    threading.Thread(target=run, name="heaps", daemon=True).start()


@contextlib.contextmanager
def without_search_for_circles() -> Iterator[None]:
    """A block that makes very many objects, of which none points back at another.

    After every few thousand of them Python would go through all that there are, and meanwhile no
    thread gets a turn. For one thread at a time.
    """
    was_searching = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_searching:
            gc.enable()
