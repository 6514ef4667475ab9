"""Segmentation: ten minutes in memory beside a plain loop, recordings on disk to frames, and three
hours in bounded memory.
"""

import math
import pathlib
import subprocess
import sys
import tempfile
import time

import numpy as np
import soundfile

from benchmarks.segment_peer import segment_spectrograms
from benchmarks.timing import Result, Variant, interleaved
from neurovocal_tf.audio import spectrogram
from neurovocal_tf.audio.spectrogram import FrameScale
from neurovocal_tf.config import Config
from neurovocal_tf.data import simulated_song
from neurovocal_tf.data.recordings import Recordings
from neurovocal_tf.data.sources import Source
from neurovocal_tf.segmentation import detector

_SAMPLE_RATE = 44_100
_MINUTES = 10
_NUM_FILES = 4
_LONG_HOURS, _LONG_RATE = 3, 48_000
# The published detector, which the plain loop has too.
_SEED = Config().replace(
    threshold_method="percentile",
    threshold=90.0,
    low_hz=0.0,
    high_hz=0.0,
    min_gap_ms=2.0,
    split_depth_db=0.0,
)

# Prints the most memory that the tool has held.
_SEGMENT = """
import re, runpy, sys
del sys.argv[0]
try:
    runpy.run_path(sys.argv[0], run_name="__main__")
finally:
    print(re.search(r"VmHWM:\\s*(\\d+)", open("/proc/self/status").read())[1])
"""


def measure(options):
    """Yields lists of `Result`: in memory, from disk, and one long recording."""
    with tempfile.TemporaryDirectory() as folder:
        paths = simulated_song.write_recordings(
            folder, _NUM_FILES, 60 * _MINUTES / _NUM_FILES, sample_rate=_SAMPLE_RATE
        )
        samples = np.concatenate([soundfile.read(path, dtype="float32")[0] for path in paths])
        yield interleaved(
            "segment", "in_memory", list(in_memory(samples, options.peers)), options.seconds
        )
        from_disk = Variant(
            "neurovocal_tf, WAV to frames",
            lambda: _frames_from(paths),
            len(samples) / _SAMPLE_RATE,
            "second",
        )
        yield interleaved("segment", "from_disk", [from_disk], options.seconds)
        yield [_one_long_recording(folder, samples)]


def in_memory(samples, peers):
    """`Variant`s of segmenting some samples and taking the spectrograms of all segments."""
    seconds = len(samples) / _SAMPLE_RATE
    settings = _SEED.spectrogram

    def ours():
        onsets, offsets, _ = detector.detect(samples, _SAMPLE_RATE, _SEED.segmentation)
        return spectrogram.span_power_spectrograms(samples, onsets, offsets, _SAMPLE_RATE, settings)

    yield Variant("neurovocal_tf", ours, seconds, "second")
    if peers:
        arguments = (samples, _SAMPLE_RATE, _SEED.segmentation, settings.n_fft, settings.hop_length)
        yield Variant(
            "NumPy and SciPy loop", lambda: segment_spectrograms(*arguments), seconds, "second"
        )


def _frames_from(paths):
    sources = tuple(Source(str(path), "tensorflow_io") for path in paths)
    for _ in Recordings(
        sources, _SAMPLE_RATE, FrameScale(), _SEED.replace(sequence="packed")
    ).sequences():
        pass


def _one_long_recording(folder, samples):
    """`Result` of tools/segment.py on hours of song in one file:
    its time, and all the memory that it holds.
    """
    path = pathlib.Path(folder) / "long" / "song.wav"
    path.parent.mkdir()
    with soundfile.SoundFile(path, "w", _LONG_RATE, 1, "PCM_16") as file:
        for _ in range(math.ceil(_LONG_HOURS * 3600 * _LONG_RATE / len(samples))):
            file.write(samples)
        num_samples = file.frames
    tool = pathlib.Path(__file__).resolve().parent.parent / "segment.py"
    command = [
        sys.executable,
        "-c",
        _SEGMENT,
        str(tool),
        f"--data_dir={path.parent}",
        f"--out={path.parent / 'out'}",
    ]
    began = time.perf_counter()
    printed = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    times = np.array([time.perf_counter() - began])
    variant = Variant("tools/segment.py", None, num_samples / _LONG_RATE, "second")
    return Result(
        "segment", f"{_LONG_HOURS}_hours", variant, times, int(printed.split()[-1]) / 1024
    )
