"""How the cost grows: of a training step with each of its sizes,
and of an epoch's data with the number of recordings.
"""

import json
import subprocess
import sys
import tempfile

import numpy as np

from benchmarks import configurations, recordings
from benchmarks.timing import Result, Variant, interleaved
from benchmarks.train import our_step
from neurovocal_tf.audio.spectrogram import num_bins
from neurovocal_tf.runs.trained import build_model

# Each size of the package's default model in turn, from half of the default to four times as much.
_FACTORS = (0.5, 1, 2, 4)
_NUM_RECORDINGS = (16, 64, 256, 1024)
_GIBBS_STEPS = 8

# Reads one epoch, and prints its time and the most memory that the process has held.
_EPOCH = """
import json, re, sys, time
sys.path[:0] = sys.argv[1:]
from benchmarks import recordings
from neurovocal_tf.config import Config

# Neither cache nor shuffle buffer: both are bounded by settings, and would grow up to there.
config = Config().replace(cache_mb=0)
paths = json.loads(sys.stdin.read())
make_dataset, num_batches, num_frames = recordings.training_data(paths, config, shuffle_windows=64)
start = time.perf_counter()
for _ in make_dataset().take(num_batches):
    pass
peak = re.search(r"VmHWM:\\s*(\\d+)", open("/proc/self/status").read())[1]
print(json.dumps({
    "s": time.perf_counter() - start, "frames": num_frames, "peak_mb": int(peak) / 1024
}))
"""


def measure(options):
    """Yields the list of `Result`s of each size, and that of the recordings;
    the name of a result is the size itself.
    """
    default = configurations.CONFIGURATIONS["default"]
    num_visible = num_bins(default.spectrogram)
    # Numbers of units, which stay as they are while the number of bins changes.
    units = dict(
        num_hidden=default.model.hidden_units(num_visible),
        num_recurrent=default.model.recurrent_units(num_visible),
    )
    default = default.replace(cd_steps=(_GIBBS_STEPS,), **units)
    sizes = {
        "frames": ("window_frames", default.data.window_frames),
        "bins": ("n_fft", default.spectrogram.n_fft),
        "hidden": ("num_hidden", default.model.num_hidden),
        "k": ("cd_steps", _GIBBS_STEPS),
        "batch": ("batch_size", default.data.batch_size),
    }
    for name, (setting, value) in sizes.items():
        yield interleaved(
            "growth",
            name,
            [_step(default, name, setting, value, factor) for factor in _FACTORS],
            options.seconds,
        )
    with tempfile.TemporaryDirectory() as folder:
        paths = recordings.write(folder, max(_NUM_RECORDINGS))
        yield [_epoch(paths[:number]) for number in _NUM_RECORDINGS]


def _step(default, name, setting, value, factor):
    """`Variant` of a training step with one size of the default times a factor."""
    scaled = round(value * factor)
    changes = {setting: (scaled,) if setting == "cd_steps" else scaled}
    if name == "bins":
        changes["hop_length"] = scaled // 2
    config = default.replace(**changes)
    model, batch = build_model(config), configurations.random_batch(config)
    size = model.num_visible if name == "bins" else scaled
    return Variant(str(size), our_step(model, config, batch), batch[1].size, "frame")


def _epoch(paths):
    """`Result` of reading an epoch of some recordings in a process of its own."""
    run = subprocess.run(
        [sys.executable, "-c", _EPOCH, *sys.path],
        input=json.dumps(paths),
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    found = json.loads(run.stdout)
    variant = Variant(str(len(paths)), None, found["frames"], "frame")
    return Result("growth", "recordings", variant, np.array([found["s"]]), found["peak_mb"])
