"""What the C library keeps of memory that was freed. Where it is not glibc, nothing is done."""

import contextlib
import ctypes

# Of malloc.h.
_M_ARENA_MAX = -8


def limit(num_heaps):
    """Lets all threads share so many heaps; to be called before there are threads.

    By default there are eight for each core. Every version of a model that comes and goes has threads of its own, leaves holes in
    other heaps than the one before it, and a server's memory grows though it needs no more.

    Args:
        num_heaps: int.
    """
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).mallopt(_M_ARENA_MAX, num_heaps)


def trim():
    """Gives pages of which nothing is in use back to the system."""
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).malloc_trim(0)
