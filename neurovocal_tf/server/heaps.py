"""What the C library keeps of memory that was freed. Where it is not glibc, nothing is done."""

import contextlib
import ctypes
import threading
import time


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
