"""Timing several functions side by side, so that whatever else the machine does
disturbs all of them alike.
"""

import contextlib
import dataclasses
import functools
import math
import time

import numpy as np

# OpenMP's threads go on spinning for a while after their last loop,
# and would be timed with whatever comes next.
_PAUSE_S = 0.02


@dataclasses.dataclass(frozen=True)
class Options:
    """What every suite is told.

    Attributes:
        seconds: to spend on each of its comparisons.
        peers: whether to measure those of others, too.
        soak_minutes: how long a server is kept under load; 0: not at all.
        server, model: address of a server that runs already, None to start one; its model.
    """

    seconds: float = 30.0
    peers: bool = True
    soak_minutes: float = 0.0
    server: str | None = None
    model: str = "neurovocal"


@dataclasses.dataclass(frozen=True)
class Variant:
    """One way of doing some work.

    Args:
        name: shown in the table.    run: returns when the work is done.
        prepare: called before each `run`, which gets what it returns, and not timed;
            None: `run` gets nothing.
        work: how much one call does.    unit: of the work.
        operations: floating-point operations in a unit of work; 0: not counted.
        process_id: of the process that does it, whose memory grows.
    """

    name: str
    run: object
    work: float = 1.0
    unit: str = "call"
    operations: float = 0.0
    prepare: object = None
    process_id: int | str = "self"

    def prepared(self):
        """`run` with its arguments: a function without any."""
        return functools.partial(self.run, self.prepare()) if self.prepare else self.run


@dataclasses.dataclass(frozen=True)
class Result:
    """A variant's times, one a round, and the memory it took.

    Attributes:
        suite, configuration: where it belongs.    variant: what was timed.
        times_s: float [rounds].
        peak_memory_mb: how far its process grew above where it stood before the variant's
            first call; NaN: unknown.
    """

    suite: str
    configuration: str
    variant: Variant
    times_s: np.ndarray
    peak_memory_mb: float = math.nan

    @property
    def rates(self):
        """Units of work a second, one a round."""
        return self.variant.work / self.times_s


@dataclasses.dataclass(frozen=True)
class Figures:
    """Numbers that are not the rates of one function: `values`, a flat dict with units in the
    names, of a suite and configuration.
    """

    suite: str
    configuration: str
    values: dict


def interleaved(suite, configuration, variants, seconds, smallest_rounds=5):
    """Calls all variants in turn, round after round, after a first call of each that is not timed.

    Args:
        suite, configuration: see `Result`.    variants: list of `Variant`.
        seconds: to spend, the first calls left out.
        smallest_rounds: int, at least so many rounds, however long they take.

    Returns:
        list of `Result`, in the order of the variants.
    """
    memory = [_memory_of(variant) for variant in variants]
    times, began = [], time.perf_counter()
    while len(times) < smallest_rounds or time.perf_counter() - began < seconds:
        # Every other round backwards: no variant always runs after the same one.
        order = range(len(variants)) if len(times) % 2 else reversed(range(len(variants)))
        round_s = np.empty(len(variants))
        for i in order:
            run = variants[i].prepared()
            time.sleep(_PAUSE_S)
            start = time.perf_counter()
            run()
            round_s[i] = time.perf_counter() - start
        times.append(round_s)
    columns = np.stack(times, axis=1)
    return [
        Result(suite, configuration, variant, column, peak)
        for variant, column, peak in zip(variants, columns, memory, strict=True)
    ]


def ratio(numerator, denominator):
    """How many times faster the first result is: the median over the rounds,
    in each of which both ran.
    """
    return float(np.median(numerator.rates / denominator.rates))


def _memory_of(variant):
    """MB by which its process grows at most during a first call and, compiled, a second; NaN where
    the system does not tell.
    """
    process = f"/proc/{variant.process_id}"
    runs = [variant.prepared(), variant.prepared()]
    before = _resident_mb(process, "VmRSS")
    with contextlib.suppress(OSError), open(f"{process}/clear_refs", "w") as file:
        file.write("5")  # the peak begins anew
    for run in runs:
        run()
    return _resident_mb(process, "VmHWM") - before


def _resident_mb(process, field):
    try:
        with open(f"{process}/status", encoding="ascii") as file:
            return next(float(line.split()[1]) / 1024 for line in file if line.startswith(field))
    except (OSError, StopIteration):
        return math.nan
