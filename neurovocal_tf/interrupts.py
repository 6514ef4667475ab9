"""Ctrl-C as an event, for work that ends in order with what it has by then."""

import contextlib
import signal
import threading
from collections.abc import Iterator
from types import FrameType


@contextlib.contextmanager
def first_interrupt() -> Iterator[threading.Event]:
    """An event that the first Ctrl-C sets while the block runs; the second ends the process.

    A KeyboardInterrupt that is raised while a pool of threads goes away is lost in the
    interpreter's own callbacks.
    """
    stop = threading.Event()

    def set_stop(number: int, frame: FrameType | None) -> None:
        signal.signal(signal.SIGINT, before)
        stop.set()

    before = signal.signal(signal.SIGINT, set_stop)
    try:
        yield stop
    finally:
        signal.signal(signal.SIGINT, before)
