"""The simulated bird's recordings, cut where its calls are, and what is discovered in them."""

import functools
import tempfile

import numpy as np
import soundfile

from neurovocal_tf.config import Config
from neurovocal_tf.data import simulated_song
from neurovocal_tf.discovery import discover, features
from neurovocal_tf.segmentation import detector

SAMPLE_RATE = 16_000


def write(folder, count=6, duration_s=10.0, seed=7):
    """Writes songs.  -> dicts of name -> path, onsets and offsets [S, 2], (onset, offset, label)"""
    paths, spans_s, labels = {}, {}, {}
    for number in range(count):
        name = f"song_{number}.wav"
        samples, calls = simulated_song.simulate_song((seed, number), duration_s, SAMPLE_RATE)
        paths[name] = f"{folder}/{name}"
        soundfile.write(paths[name], samples, SAMPLE_RATE)
        labels[name] = sorted((a.onset_s, a.offset_s, a.label) for a in calls)
        spans_s[name] = np.array([times[:2] for times in labels[name]])
    return paths, spans_s, labels


@functools.cache
def discovered(by_detector=False):
    """`Discovery` of six songs in two groups, cut where the calls are or by the detector; paths;
    and their folder, kept for as long.
    """
    folder = tempfile.TemporaryDirectory()
    paths, spans_s, labels = write(folder.name)
    if by_detector:
        spans_s = {name: _detected(path) for name, path in paths.items()}
    groups = {name: "even" if number % 2 else "odd" for number, name in enumerate(paths)}
    asked = discover.Asked(Config(), features.PRESETS["songbird"], labels=labels, groups=groups)
    return discover.discover(paths, spans_s, asked), paths, folder


def _detected(path):
    samples, rate = soundfile.read(path, dtype="float32")
    onsets, offsets, *_ = detector.detect(samples, rate, Config().segmentation)
    return np.stack([onsets, offsets], axis=1) / rate
