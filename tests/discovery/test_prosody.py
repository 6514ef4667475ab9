"""What is measured of voices whose pitch, syllables and pauses are known."""

import importlib.util

import numpy as np
import pytest
import simulated_voice
from simulated_voice import SAMPLE_RATE

from neurovocal_tf.discovery import prosody

needs_praat = pytest.mark.skipif(
    not importlib.util.find_spec("parselmouth"), reason="praat-parselmouth is not installed"
)


def measured(samples, onset_s=0.0, offset_s=None):
    offset_s = len(samples) / SAMPLE_RATE if offset_s is None else offset_s
    found = prosody.measure(samples, 0.0, (onset_s, offset_s), SAMPLE_RATE)
    return found, dict(zip(prosody.MEASURES, found.values, strict=True))


@needs_praat
@pytest.mark.parametrize("hz", [90, 130, 210, 320])
@pytest.mark.parametrize("slope", [-8.0, 0.0, 5.0])
def test_pitch_is_what_the_voice_was_given(hz, slope, rng):
    """Praat's step between two lags at 8 kHz is 2 %, which it divides to some cents."""
    track = simulated_voice.glide(0.6, hz, slope)
    found, values = measured(simulated_voice.say(track, rng=rng))
    voiced = found.f0_hz > 0
    true_hz = np.interp(found.times_s, np.arange(len(track)) / SAMPLE_RATE, track)
    cents = 1200 * np.log2(found.f0_hz[voiced] / true_hz[voiced])
    assert np.abs(cents).max() < 25 and voiced.mean() > 0.9
    assert values["f0_median_hz"] == pytest.approx(hz, rel=0.01)
    assert values["f0_slope_st_per_s"] == pytest.approx(slope, abs=0.3)
    # From the 10th to the 90th percentile of a line; a window of 50 ms is lost at either end.
    assert values["f0_range_st"] == pytest.approx(0.8 * abs(slope) * 0.57, abs=0.25)


@needs_praat
def test_syllables_and_pauses_are_counted_and_silence_around_is_not(rng):
    vowel = simulated_voice.say(simulated_voice.glide(0.2, 120), rng=rng)
    short, long = (simulated_voice.silence(s, rng) for s in (0.06, 0.3))
    samples = np.concatenate([vowel, short, vowel, long, vowel])
    _, values = measured(np.concatenate([samples, simulated_voice.silence(0.2, rng)]))
    assert values["num_pauses"] == 1
    # The window of 20 ms takes a little from either side.
    assert values["pause_s"] == pytest.approx(0.3, abs=0.03)
    assert values["rate_per_s"] == pytest.approx(3 / (0.96 + 0.2), rel=0.01)
    assert values["voiced_share"] == pytest.approx(0.6 / 1.16, abs=0.08)
    assert values["lull_db"] > 25


@needs_praat
def test_an_utterance_is_measured_alone_in_a_recording(rng):
    high, low = (simulated_voice.say(simulated_voice.glide(0.5, hz), rng=rng) for hz in (250, 110))
    found, values = measured(np.concatenate([high, low]), 0.5, 1.0)
    assert values["f0_median_hz"] == pytest.approx(110, rel=0.01)
    assert values["duration_s"] == 0.5 and found.times_s.min() >= 0.5


@needs_praat
@pytest.mark.parametrize("length", [0, 1, 40, 4000])
@pytest.mark.parametrize("value", [0.0, 1.0, np.nan])
def test_silence_has_no_pitch_whatever_its_length(length, value):
    _, values = measured(np.full(length, value))
    assert np.isnan(values["f0_median_hz"]) and values["voiced_share"] == 0
    assert values["num_pauses"] == 0


@needs_praat
def test_what_is_sampled_too_seldom_for_a_voice_has_no_pitch(rng):
    found = prosody.measure(rng.normal(size=200), 0.0, (0.0, 2.0), 100)
    assert np.isnan(found.values[prosody.MEASURES.index("f0_median_hz")])


@needs_praat
def test_the_range_of_a_voice_leaves_no_room_for_octaves(rng):
    samples = simulated_voice.say(simulated_voice.glide(0.5, 200, 4), rng=rng)
    low, high = prosody.voice_range_hz([measured(samples)[0]])
    assert 100 < low < 170 and 230 < high < 400
    assert prosody.voice_range_hz([]) is None


def test_without_its_library_one_line_says_what_to_install(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "parselmouth", None)
    with pytest.raises(ValueError, match="needs .*: pip install praat-parselmouth$") as told:
        prosody.check_installed()
    assert "\n" not in str(told.value)
