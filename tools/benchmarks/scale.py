"""What several workers exchange in a step, and how much of their time is left for the work: from a
model's own size, and from the time that a step takes here on the rows of one worker.

A ring all-reduce of S bytes among n workers goes in 2 (n - 1) rounds, in each of which every worker
sends and receives S / n bytes (Patarasuk & Yuan, 2009, https://doi.org/10.1016/j.jpdc.2008.09.002):

    t = 2 (n - 1) / n * S / bandwidth + 2 (n - 1) * latency

Nothing of it is taken to go on beside the computation, and the survey, pictures and checkpoints,
which the chief does alone, are left out.
"""

import itertools
import os
import platform

import numpy as np

from benchmarks import apart, configurations
from benchmarks.timing import Figures, Variant, interleaved
from benchmarks.train import our_step
from neurovocal_tf.runs.trained import build_model
from neurovocal_tf.training.cores import num_parts, share_out_cores

NUM_WORKERS = (2, 4, 8, 16, 32, 64)
NETWORKS = {"1_gbit": 1e9, "10_gbit": 10e9}
# Of one message between two machines on Ethernet, through the kernel's TCP.
LATENCY_S = 50e-6
# One after another in every step: how many frames there are, the gradients, the figures.
NUM_ALL_REDUCES = 3
BATCH_SIZE = NUM_WORKERS[-1]  # a row for each of the most


def measure(options):
    """Yields the list of `Figures` of each configuration."""
    for name, base in configurations.CONFIGURATIONS.items():
        config = base.replace(batch_size=BATCH_SIZE)
        step_s = _steps_s(config, options.seconds)
        num_bytes = gradient_bytes(build_model(config))
        where = f"{name}, {BATCH_SIZE} rows, {_processor()}"
        yield [Figures("scale", where, figures(num_bytes, step_s))]


def gradient_bytes(model):
    """Bytes of the gradients of a model's weights, float32, which all workers sum in a step."""
    return 4 * sum(int(np.prod(weight.shape)) for weight in model.trainable_weights)


def all_reduce_s(num_bytes, num_workers, bits_per_s):
    """Seconds of a ring all-reduce, see above."""
    if num_workers == 1:
        return 0.0
    sent = 2 * (num_workers - 1) / num_workers * num_bytes
    return sent * 8 / bits_per_s + 2 * (num_workers - 1) * LATENCY_S


def exchange_s(num_bytes, num_workers, bits_per_s):
    """Seconds of all that is exchanged in a step: the gradients, and two times some numbers."""
    small = (NUM_ALL_REDUCES - 1) * all_reduce_s(4, num_workers, bits_per_s)
    return all_reduce_s(num_bytes, num_workers, bits_per_s) + small


def figures(num_bytes, step_s):
    """All figures of a model as a flat dict.

    Efficiency is the share of n times one worker's rate that n workers reach: of the same batch, so
    that the model learns the same, or of as many rows each, a batch n times as large.

    Args:
        num_bytes: of the gradients.    step_s: dict of rows -> seconds of a step on so many.
    """
    most = max(step_s)
    found = {"gradients_mb": num_bytes / 1e6}
    found |= {f"step_of_{rows}_rows_ms": 1e3 * seconds for rows, seconds in step_s.items()}
    for n in NUM_WORKERS:
        found[f"sent_by_each_of_{n}_mb"] = 2 * (n - 1) / n * num_bytes / 1e6
    for network, bits_per_s in NETWORKS.items():
        for n in NUM_WORKERS:
            seconds = exchange_s(num_bytes, n, bits_per_s)
            found[f"{network}/{n}/exchange_ms"] = 1e3 * seconds
            same = step_s[most // n] + seconds
            found[f"{network}/{n}/efficiency_same_batch"] = step_s[most] / (n * same)
            found[f"{network}/{n}/efficiency_rows_each"] = step_s[most] / (step_s[most] + seconds)
    return found


def _steps_s(config, seconds):
    """Dict of rows -> seconds of a step on them, the least of all rounds: whatever else a machine
    does only adds to it. Each by a process that is set up as a worker with so many rows.
    """
    found, sizes = {}, [BATCH_SIZE // n for n in (1, *NUM_WORKERS)]
    alike = itertools.groupby(sizes, lambda rows: num_parts(config.replace(batch_size=rows)))
    for _, rows_alike in alike:
        rows_alike = list(rows_alike)
        with apart.variants(_steps, config, rows_alike) as variants:
            results = interleaved("scale", "steps", variants, seconds * len(variants) / len(sizes))
        found |= {r: float(x.times_s.min()) for r, x in zip(rows_alike, results, strict=True)}
    return found


def _steps(config, all_rows):
    share_out_cores(config.replace(batch_size=all_rows[0]))
    for rows in all_rows:
        of_worker = config.replace(batch_size=rows)
        batch = configurations.random_batch(of_worker)
        step = our_step(build_model(of_worker), of_worker, batch)
        yield Variant(f"{rows} rows", step, batch[1].size, "frame")


def _processor():
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as file:
            names = [line.split(":")[1].strip() for line in file if line.startswith("model name")]
    except OSError:
        names = []
    return f"{(names or [platform.machine()])[0]}, {os.cpu_count()} cores"
