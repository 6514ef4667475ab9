"""An export behind export/server.py: songs streamed to one caller, many callers at once, how many
are carried, and a long time under all kinds of them; or how many any other server carries.
"""

import collections
import concurrent.futures
import contextlib
import json
import math
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import time
import types

import numpy as np

from benchmarks import load, soak
from benchmarks.served import MODEL, serving
from benchmarks.timing import Figures
from neurovocal_tf import Client
from neurovocal_tf.audio.spectrogram import FrameScale
from neurovocal_tf.client import transports
from neurovocal_tf.config import Config
from neurovocal_tf.runs.trained import build_model
from neurovocal_tf.serving import export as exporting

_RATE = 32_000
_STREAM_FRAMES = 500
_FIRST_BLOCKS = 20
_CALLERS, _CALLER_FRAMES, _CALLS_EACH = 32, 100, 3
# Longest that a soak waits for the second version;
# to load one takes ten seconds of a core that has nothing else to do.
_SWAP_PATIENCE_S, _SWAP_POLL_S = 600.0, 0.5

# The package's own ways to sing, in a process on one core:
# as it is exported, and compiled with XLA.
_SONG_ALONE = """
import json, os, sys, time
core, num_frames, rounds = int(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
os.sched_setaffinity(0, {core})
import tensorflow as tf
from neurovocal_tf.config import Config
from neurovocal_tf.model.tiling import Layout
from neurovocal_tf.runs.trained import build_model
config = Config()
model, settings = build_model(config), config.generation
def song(seed):
    return model.generate(
        seed, tf.constant([num_frames]), tf.constant([1.0]),
        num_gibbs_steps=settings.num_gibbs_steps, chain_start=settings.chain_start,
        emission_noise=settings.emission_noise, layout=layouts[name],
    )[0]
# XLA wants to know the number of tiles when it compiles.
times, layouts = {}, {"plain": None, "xla": Layout.ROWS}
for name, compiled in (("plain", False), ("xla", True)):
    graph = tf.function(
        song, input_signature=[tf.TensorSpec([1], tf.int64)], autograph=False, jit_compile=compiled
    )
    graph(tf.constant([0], tf.int64))
    times[name] = []
    for seed in range(rounds):
        began = time.perf_counter()
        graph(tf.constant([seed], tf.int64)).numpy()
        times[name].append(time.perf_counter() - began)
print(json.dumps(times))
"""


def measure(options):
    """Yields the `Figures` of streaming, of many callers, of how many are carried, and of the soak;
    of a server with an address those of how many it carries alone.
    """
    if options.server:
        yield from load.measure(options.server, options.model, options.seconds)
        return
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        first, second = (_export(folder / "exports" / str(seed), seed) for seed in (0, 1))
        yield [_streaming(first, options.seconds)]
        yield [_many_callers(first, options.seconds)]
        with serving(os.path.dirname(first)) as served:
            yield from load.measure(served.grpc, MODEL, options.seconds)
        if options.soak_minutes:
            yield [_soak(folder / "swapped", first, second, options.soak_minutes)]


def _export(folder, seed, config=None):
    """A version folder with fresh weights; how fast a model sings does not depend on them."""
    config = config or Config().replace(seed=seed)
    scale = FrameScale(config.spectrogram.scaling, 1.0, config.spectrogram.dynamic_range_db, 1.0)
    model = build_model(config)
    return exporting.export_saved_model(
        types.SimpleNamespace(model=model, config=config, scale=scale, sample_rate=_RATE, epoch=0),
        folder,
    )


def _streaming(version, seconds):
    """One caller's song, the server on one core and the caller on another if there is one."""
    server_core, caller_cores = _cores()
    times, first_ms = collections.defaultdict(list), collections.defaultdict(list)
    with serving(os.path.dirname(version), cores={server_core}) as served, _confined(caller_cores):
        ways = {
            f"{protocol}{sound}": (address, bool(sound))
            for protocol, address in (("grpc", served.grpc), ("rest", served.rest))
            for sound in ("", "_with_sound")
        }
        began = time.monotonic()
        while len(times["grpc"]) < 3 or time.monotonic() - began < seconds:
            for way, (address, with_sound) in ways.items():
                with Client(address, MODEL) as client:
                    start = time.monotonic()
                    num_frames = sum(
                        len(b.song.spectrogram)
                        for b in client.stream(7, _STREAM_FRAMES, with_sound=with_sound)
                    )
                    times[way].append((time.monotonic() - start) / _real_time_s(num_frames))
        for way, (address, with_sound) in ways.items():
            with Client(address, MODEL) as client:
                for seed in range(_FIRST_BLOCKS):
                    first_ms[way].append(
                        1e3
                        * next(client.stream(seed, _STREAM_FRAMES, with_sound=with_sound)).elapsed_s
                    )
    for way, alone_s in _alone(server_core).items():
        times[f"package_{way}"] = [elapsed / _real_time_s(_STREAM_FRAMES) for elapsed in alone_s]
    values = {
        f"{way}_times_real_time": 1 / float(np.median(shares)) for way, shares in times.items()
    }
    values |= {
        f"{way}_first_block_median_ms": float(np.median(found)) for way, found in first_ms.items()
    }
    values |= {
        f"{way}_first_block_p95_ms": float(np.percentile(found, 95))
        for way, found in first_ms.items()
    }
    return Figures("serve", "streaming_on_one_core", values)


def _alone(core):
    """Seconds of each song without a server, by way of singing."""
    command = [sys.executable, "-c", _SONG_ALONE, str(core), str(_STREAM_FRAMES), "5"]
    return json.loads(
        subprocess.run(
            command, check=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
        ).stdout
    )


def _many_callers(version, seconds):
    """Callers at once, of a server that batches and of one that does not, in turn."""
    rates, latencies_s, refused = (
        collections.defaultdict(list),
        collections.defaultdict(list),
        collections.Counter(),
    )
    folder = os.path.dirname(version)
    with serving(folder) as batched, serving(folder, "--num_batch_threads=0") as unbatched:
        began = time.monotonic()
        while len(rates["unbatched"]) < 2 or time.monotonic() - began < seconds:
            for way, served in (("batched", batched), ("unbatched", unbatched)):
                start = time.monotonic()
                with concurrent.futures.ThreadPoolExecutor(_CALLERS) as callers:
                    found = list(
                        callers.map(
                            lambda caller, served=served: _calls(served, caller), range(_CALLERS)
                        )
                    )
                latencies = [latency for of_one, _ in found for latency in of_one]
                refused[way] += sum(count for _, count in found)
                rates[way].append(len(latencies) * _CALLER_FRAMES / (time.monotonic() - start))
                latencies_s[way] += latencies
    values = {"num_callers": _CALLERS, "frames_a_call": _CALLER_FRAMES}
    for way in ("batched", "unbatched"):
        values[f"{way}_frames_per_s"] = float(np.median(rates[way]))
        values |= {
            f"{way}_p{p}_ms": 1e3 * float(np.percentile(latencies_s[way], p)) for p in (50, 99)
        }
        values[f"{way}_refused"] = refused[way]
    values["batched_over_unbatched"] = float(
        np.median(np.array(rates["batched"]) / rates["unbatched"])
    )
    return Figures("serve", "many_callers", values)


def _calls(served, caller):
    """Latencies of one caller's calls, and how many were refused."""
    latencies_s, num_refused = [], 0
    with Client(served.grpc, MODEL, timeout_s=600) as client:
        for call in range(_CALLS_EACH):
            start = time.monotonic()
            try:
                client.generate(_CALLS_EACH * caller + call, _CALLER_FRAMES)
                latencies_s.append(time.monotonic() - start)
            except transports.Refused:
                num_refused += 1
    return latencies_s, num_refused


def _soak(folder, first, second, minutes):
    """Callers of all kinds, while the second version takes over from the first."""
    folder.mkdir()
    shutil.copytree(first, folder / "1")

    def publish():
        shutil.copytree(second, folder / ".2")
        os.rename(folder / ".2", folder / "2")
        _await_swap(served)

    with serving(folder) as served:
        asked = soak.songs({1: folder / "1", 2: second})
        found = soak.run(served, MODEL, asked, 60 * minutes, at_half_time=publish)
        values = {
            name: found.counts[name]
            for name in (
                "good",
                "wrong",
                "failed",
                "refused",
                "left",
                "malformed",
                "answered_otherwise",
            )
        }
        values |= {
            f"answers_of_version_{version}": found.counts[f"version_{version}"]
            for version in (1, 2)
        }
        values |= {f"p{p}_ms": 1e3 * float(np.percentile(found.latencies_s, p)) for p in (50, 99)}
        is_alive = served.process.poll() is None
        values |= {"minutes": minutes, "crashes": int(not is_alive)} | _growth(
            found.memory_mb, found.swap_s
        )
        values["swap_s"] = found.swap_s[1] - found.swap_s[0]
        if is_alive:
            values["memory_at_most_mb"] = served.memory_mb("VmHWM")
            # It must have had enough of nothing: the next request is answered right.
            transport = transports.connect(served.grpc, MODEL)
            values["next_answer_is_right"] = int("version_2" in soak._ask(transport, *asked[0]))
    return Figures("serve", "soak", values)


def _await_swap(served):
    """Returns once the second version alone is served, or patience or the server is at its end."""
    deadline = time.monotonic() + _SWAP_PATIENCE_S
    transport = transports.connect(served.rest, MODEL)
    while time.monotonic() < deadline and served.process.poll() is None:
        with contextlib.suppress(OSError, transports.Refused):
            if transport.status() == {1: "END", 2: "AVAILABLE"}:
                break
        time.sleep(_SWAP_POLL_S)
    transport.close()


def _growth(memory_mb, swap_s):
    """Resident memory of the old version, once it is warm and at the end of its half,
    and of the new one alike.

    Args:
        memory_mb, swap_s: see `soak.Found`; between the two times of the swap both
            versions are in memory.
    """
    times, memory = np.array(memory_mb).T
    old, new = memory[times <= swap_s[0]], memory[times >= swap_s[1]]
    spans = {
        "warm": (old, 0.2, 0.4),
        "before_swap": (old, 0.8, 1.0),
        "after_swap": (new, 0.3, 0.5),
        "end": (new, 0.8, 1.0),
    }
    found = {
        f"memory_{name}_mb": float(np.median(of[int(low * len(of)) : math.ceil(high * len(of))]))
        for name, (of, low, high) in spans.items()
    }
    found["memory_growth_percent"] = 100 * (found["memory_end_mb"] / found["memory_warm_mb"] - 1)
    return found


def _real_time_s(num_frames):
    return num_frames * Config().spectrogram.hop_length / _RATE


def _cores():
    """The server's core, and the cores of its caller: others, if there are."""
    server, *others = sorted(os.sched_getaffinity(0))
    return server, set(others) or {server}


class _confined:
    """This thread, and those it starts, on some cores while the block runs."""

    def __init__(self, cores):
        self._cores = cores

    def __enter__(self):
        self._before = os.sched_getaffinity(0)
        os.sched_setaffinity(0, self._cores)

    def __exit__(self, *_):
        os.sched_setaffinity(0, self._before)
