"""Recordings of two simulated voices that say two words of two vowels each, one of them oddly."""

import functools
import tempfile

import numpy as np
import simulated_voice
import soundfile
from simulated_voice import SAMPLE_RATE

from neurovocal_tf.config import AudioConfig, Config
from neurovocal_tf.discovery import discover, features, speech

VOICES = {"ada": 210.0, "bob": 110.0}
WORDS = {"ai": "ai", "ia": "ia"}
ODD = "bob_ai_3.wav"
_GAP_S = 0.2


def write(folder, times=6):
    """Writes a word a recording; the odd one is twice as long.

    -> dicts of name -> path, (onset, offset, label) of each, speaker
    """
    rng = np.random.default_rng(3)
    paths, labels, speakers = {}, {}, {}
    for voice, hz in VOICES.items():
        for word, vowels in WORDS.items():
            for time in range(times):
                name = f"{voice}_{word}_{time}.wav"
                each_s = 0.15 * np.exp(0.05 * rng.normal()) * (2 if name == ODD else 1)
                middle = hz * 2 ** (0.5 * rng.normal() / 12)
                slope = -6 + rng.normal()
                said = [
                    simulated_voice.say(simulated_voice.glide(each_s, middle, slope), vowel, rng)
                    for vowel in vowels
                ]
                quiet = simulated_voice.silence(_GAP_S, rng)
                samples = np.concatenate([quiet, *said, quiet])
                paths[name] = f"{folder}/{name}"
                soundfile.write(paths[name], samples, SAMPLE_RATE)
                end_s = _GAP_S + sum(map(len, said)) / SAMPLE_RATE
                labels[name], speakers[name] = [(_GAP_S, end_s, word)], voice
    return paths, labels, speakers


@functools.cache
def described():
    """`Speech`, `Discovery`, paths, and the folder, kept for as long."""
    folder = tempfile.TemporaryDirectory()
    paths, labels, speakers = write(folder.name)
    spans_s = {name: np.array([own[0][:2]]) for name, own in labels.items()}
    asked = discover.Asked(Config(), features.PRESETS["speech"], labels=labels, speakers=speakers)
    found = discover.discover(paths, spans_s, asked)
    audio = AudioConfig()
    return speech.describe(found, paths, audio, speakers, labels), found, paths, folder
