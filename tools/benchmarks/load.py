"""How many callers a server carries: more and more at once, each of whom calls again as soon as it
is answered, until one call in a hundred takes too long.
"""

import collections
import concurrent.futures
import dataclasses
import threading
import time

import numpy as np

from benchmarks.timing import Figures
from neurovocal_tf import Client

_LIMIT_S = 1.0
# As many calls at once as export/serving/ lets a server take.
_MOST_CALLERS = 256
_CALL_FRAMES = 100
_TIMEOUT_S = 30.0
# Fewer calls say nothing of one in a hundred.
_FEWEST_CALLS = 200
_SHORTEST_STEP_S = 2.0


@dataclasses.dataclass(frozen=True)
class Step:
    """What so many callers at once met.

    Attributes:
        num_callers: int.    latencies_s: float [calls], of the calls that were answered.
        num_refused: int, calls that the server refused, or that took longer than half a minute.
        elapsed_s: float, of the step.
    """

    num_callers: int
    latencies_s: np.ndarray
    num_refused: int
    elapsed_s: float

    @property
    def is_carried(self):
        """Whether every call was answered, and 99 of 100 in time."""
        answered = len(self.latencies_s) > 0 and not self.num_refused
        return answered and bool(np.percentile(self.latencies_s, 99) < _LIMIT_S)

    @property
    def figures(self):
        """Its rates and percentiles."""
        values = {"calls_per_s": len(self.latencies_s) / self.elapsed_s}
        if len(self.latencies_s):
            values |= {
                f"p{p}_ms": 1e3 * float(np.percentile(self.latencies_s, p)) for p in (50, 95, 99)
            }
        return Figures(
            "serve", f"{self.num_callers}_callers", values | {"refused": self.num_refused}
        )


def measure(address, model, seconds):
    """Yields the `Figures` of every number of callers that is tried, and of the most that a server
    carries: they double until it does not, and are then narrowed down to an eighth.

    Args:
        address: "http://HOST:PORT" or "grpc://HOST:PORT".    model: its name there.
        seconds: float, five times what each number of callers takes at least.

    Raises:
        OSError: there is no server.    ValueError: it has no such model.
    """
    with Client(address, model, timeout_s=_TIMEOUT_S) as client:
        client.generate(0, _CALL_FRAMES)
    step_s = max(seconds / 5, _SHORTEST_STEP_S)
    carried, too_many, best = 0, _MOST_CALLERS + 1, None
    while too_many - carried > max(carried // 8, 1):
        doubled = min(2 * carried or 1, _MOST_CALLERS)
        num_callers = doubled if too_many > _MOST_CALLERS else (carried + too_many) // 2
        found = step(address, model, num_callers, step_s)
        yield [found.figures]
        if found.is_carried:
            carried, best = num_callers, found
        else:
            too_many = num_callers
        if carried == _MOST_CALLERS:
            break
    values = {
        "frames_a_call": _CALL_FRAMES,
        "callers_at_p99_below_1_s": carried,
        "most_that_are_tried": _MOST_CALLERS,
    }
    if best is not None:
        values["frames_per_s"] = best.figures.values["calls_per_s"] * _CALL_FRAMES
    yield [Figures("serve", "load", values)]


def step(address, model, num_callers, seconds):
    """So many callers for that long, and until they have had enough answers to tell percentiles, at
    most ten times as long.

    Returns `Step`.
    """
    counts, began = (
        collections.Counter(),
        threading.Barrier(num_callers + 1, timeout=2 * _TIMEOUT_S),
    )
    latencies_s, ended = [], threading.Event()

    def call(caller):
        with Client(address, model, timeout_s=_TIMEOUT_S) as client:
            try:
                # To connect is no part of a call.
                client.generate(caller, _CALL_FRAMES)
            except (OSError, ValueError):
                counts["refused"] += 1
            began.wait()
            seed = caller
            while not ended.is_set():
                seed += num_callers
                start_s = time.monotonic()
                try:
                    client.generate(seed, _CALL_FRAMES)
                    latencies_s.append(time.monotonic() - start_s)
                except (OSError, ValueError):
                    counts["refused"] += 1

    with concurrent.futures.ThreadPoolExecutor(num_callers) as callers:
        calls = [callers.submit(call, caller) for caller in range(num_callers)]
        began.wait()
        start_s = time.monotonic()
        try:
            ended.wait(seconds)
            while not counts["refused"] and len(latencies_s) < _FEWEST_CALLS:
                if time.monotonic() - start_s > 10 * seconds or any(c.done() for c in calls):
                    break
                ended.wait(0.05)
        finally:
            ended.set()
        for one in calls:
            one.result()
    return Step(num_callers, np.array(latencies_s), counts["refused"], time.monotonic() - start_s)
