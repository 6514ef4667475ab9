"""A sound said with another one's intonation."""

import importlib.util
import sys

import numpy as np
import pytest
import simulated_voice
from simulated_voice import SAMPLE_RATE

from neurovocal_tf.discovery import intonation, prosody


@pytest.mark.skipif(
    not importlib.util.find_spec("parselmouth"), reason="praat-parselmouth is not installed"
)
def test_pitch_moves_as_the_others_does_around_the_voices_own_median(rng):
    ours = simulated_voice.say(simulated_voice.glide(0.8, 210.0), "a", rng)
    theirs = simulated_voice.say(simulated_voice.glide(0.8, 110.0, -8.0), "i", rng)
    moved = intonation.with_intonation_of(ours, theirs, SAMPLE_RATE)
    assert moved.shape == ours.shape and moved.dtype == np.float32
    times, hz = prosody.track(moved.astype(float), SAMPLE_RATE, (60.0, 600.0))
    wanted = 210.0 * 2 ** (-8.0 * (times - 0.4) / 12)
    voiced = hz > 0
    assert voiced.mean() > 0.8 and np.abs(1200 * np.log2(hz / wanted)[voiced]).max() < 35
    whisper = simulated_voice.silence(0.8, rng)
    assert intonation.with_intonation_of(ours, whisper, SAMPLE_RATE) is None


def test_where_praat_is_not_installed_that_is_said_in_a_line(monkeypatch):
    monkeypatch.setitem(sys.modules, "parselmouth", None)
    with pytest.raises(ValueError, match="`keep` of pitch needs praat-parselmouth, .*pip install"):
        intonation.check_installed()
