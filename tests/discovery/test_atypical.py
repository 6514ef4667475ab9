"""Odd utterances are named, with the score that shows it; usual ones are not."""

import numpy as np
import pytest

from neurovocal_tf.discovery import atypical, prosody
from neurovocal_tf.discovery.features import directions

ODD = {
    "length_s": ("long", 1.3),
    "f0_median_hz": ("low in pitch", 60.0),
    "f0_range_st": ("flat in pitch", 0.02),
    "f0_slope_st_per_s": ("rising in pitch", 60.0),
    "lull_db": ("broken by a pause", 60.0),
}


@pytest.fixture(scope="module")
def said():
    """Two speakers, two words, twenty times each, as values [U, 11] and columns [U, 16, 13]."""
    rng = np.random.default_rng(2)
    speakers, texts = np.repeat([0, 1], 40), np.tile(np.repeat([0, 1], 20), 2)
    values = np.zeros((80, len(prosody.MEASURES)))
    usual = {"duration_s": 0.5, "length_s": 0.4, "f0_median_hz": 120.0, "f0_range_st": 3.0}
    for name, value in usual.items():
        spread = np.exp(0.1 * rng.normal(size=80) + 0.3 * speakers + 0.2 * texts)
        values[:, prosody.MEASURES.index(name)] = value * spread
    values[:, prosody.MEASURES.index("f0_slope_st_per_s")] = rng.normal(-5, 4, 80)
    values[:, prosody.MEASURES.index("lull_db")] = rng.normal(12, 3, 80)
    sounds = rng.normal(size=(2, 16, 13))
    columns = directions(sounds[texts] + 0.3 * rng.normal(size=(80, 16, 13)))
    return values, columns, speakers, texts


@pytest.mark.parametrize("name", ODD)
def test_what_is_odd_is_named(said, name):
    values, columns, speakers, texts = said
    calibration = atypical.Calibration(values, columns, speakers, texts)
    changed = values[[33]].copy()
    changed[0, prosody.MEASURES.index(name)] = ODD[name][1]
    found = calibration.judge(changed, columns[[33]], np.array([33]))
    assert found.fired[0] == name and found.atypical[0] > 3
    assert found.reason(0) == ODD[name][0]


def test_another_word_s_sounds_are_unlike_the_word(said):
    values, columns, speakers, texts = said
    calibration = atypical.Calibration(values, columns, speakers, texts)
    half = np.concatenate([columns[33, :8], columns[5, 8:]])[None]
    found = calibration.judge(values[[33]], half, np.array([33]))
    assert found.fired[0] == atypical.DISTANCE and found.reason(0) == "unlike the same word"


def test_of_usual_utterances_one_in_twenty_is_called_odd(said):
    found = atypical.Calibration(*said).own()
    # 80 draws: 5 % within three standard errors.
    assert np.mean(found.fired != "") < 0.05 + 3 * np.sqrt(0.05 * 0.95 / 80)
    assert all(found.reason(place) == "" for place in np.flatnonzero(found.fired == ""))


def test_a_shallow_lull_and_a_near_word_are_not_odd(said):
    values, columns, speakers, texts = said
    calibration = atypical.Calibration(values, columns, speakers, texts)
    changed = values[[33]].copy()
    changed[0, prosody.MEASURES.index("lull_db")] = 0.0
    found = calibration.judge(changed, columns[[33]], np.array([33]))
    assert found.fired[0] != "lull_db"


def test_with_too_few_others_nothing_is_said(said):
    values, columns, speakers, texts = (part[:3] for part in said)
    found = atypical.Calibration(values, columns, speakers, texts).own()
    assert np.isnan(found.atypical).all() and (found.fired == "").all()
    none = atypical.Calibration(values[:0], columns[:0], speakers[:0], texts[:0]).own()
    assert none.atypical.shape == (0,)
