"""The processor's cores that are this process's."""

import os


def num_cores() -> int:
    """Cores that this process may use: in a job of a cluster, or under taskset, fewer than the
    machine has.
    """
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:  # of Linux alone
        return os.cpu_count() or 1
