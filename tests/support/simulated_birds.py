"""Recordings of several simulated birds: the one of the package with other voices."""

import functools
import tempfile
from unittest import mock

import numpy as np
import scipy.signal
import simulated_calls
import soundfile

from neurovocal_tf.config import Config
from neurovocal_tf.discovery import discover, features, stability

# By how much each voice is higher and faster than the first.
VOICES = {"ada": (1, 1), "bob": (9, 10), "cid": (4, 5)}
RATE = simulated_calls.SAMPLE_RATE


def write(folder, count=4, duration_s=4.0, seed=7, hum_hz=None):
    """Writes songs of three birds, each over the same kind of noise, ada's with a hum where asked.

    -> dicts of name -> path, of name -> onsets and offsets [S, 2], of name -> bird
    """
    paths, spans_s, birds = {}, {}, {}
    rng = np.random.default_rng(seed)
    for number, (bird, (up, down)) in enumerate(VOICES.items()):
        with tempfile.TemporaryDirectory() as whole:
            songs, spans, _ = simulated_calls.write(whole, count, duration_s, seed + number)
            for name, path in songs.items():
                samples, _ = soundfile.read(path)
                samples = scipy.signal.resample_poly(samples, up, down)
                samples += 1e-2 * rng.standard_normal(len(samples))
                if hum_hz and bird == "ada":
                    samples += 3e-2 * np.sin(2 * np.pi * hum_hz / RATE * np.arange(len(samples)))
                new = f"{bird}_{name}"
                paths[new] = f"{folder}/{new}"
                soundfile.write(paths[new], samples, RATE)
                spans_s[new], birds[new] = spans[name] * up / down, bird
    return paths, spans_s, birds


@functools.cache
def discovered():
    """`Discovery` of twelve songs, one of each bird without a name; paths; who sings; the folder
    kept for as long.
    """
    folder = tempfile.TemporaryDirectory()
    paths, spans_s, birds = write(folder.name)
    given = {name: bird for name, bird in birds.items() if not name.endswith("_0.wav")}
    asked = discover.Asked(Config(), features.PRESETS["songbird"], individuals=given)
    # How sure the types are, is not what these birds are for.
    with mock.patch.object(stability, "NUM_REFITS", 2):
        return discover.discover(paths, spans_s, asked), paths, birds, folder
