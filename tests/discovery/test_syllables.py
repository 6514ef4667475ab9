"""Syllables of tones, whose lengths, gaps and pitches are known."""

import math

import numpy as np
import pytest
from tones import SAMPLE_RATE, song

from neurovocal_tf.config import Config
from neurovocal_tf.discovery.syllables import song_statistics

# A boundary moves outwards by half the detector's running mean, 2 ms, and by what its band-pass
# rings beyond a sudden tone.
BOUNDARY_S = 0.0025


def test_tones_give_back_their_durations_gaps_and_pitches(rng):
    syllables = [
        (0.3, 0.05, 1000.0),
        (0.08, 0.1, 3000.0),
        (0.12, 0.07, 5000.0),
        (0.9, 0.06, 2000.0),
    ]
    tones = song(syllables, rng)
    found = song_statistics([tones], Config())
    assert found.num_syllables == 4
    assert found.syllables_per_s == pytest.approx(4 * SAMPLE_RATE / len(tones[0]))
    np.testing.assert_allclose(found.durations_s, [0.05, 0.1, 0.07, 0.06], atol=2 * BOUNDARY_S)
    # The last gap parts two bouts.
    np.testing.assert_allclose(found.gaps_s, [0.08, 0.12], atol=2 * BOUNDARY_S)
    assert found.follows.tolist() == [False, True, True, False]
    # A peak is the nearest bin.
    np.testing.assert_allclose(
        found.peak_frequencies_hz, [1000, 3000, 5000, 2000], atol=SAMPLE_RATE / 256 / 2
    )
    assert found.spectra_db.shape == (4, 4, 129)
    assert found.spectra_db.max() == 0.0
    assert found.spectra_db.min() == pytest.approx(-30.0)


def test_medians_are_of_all_songs_and_no_gap_spans_two(rng):
    songs = [
        song([(0.3, 0.05, 1000.0), (0.1, 0.05, 1000.0)], rng, tail_s=0.01),
        song([(0.01, 0.08, 4000.0)], rng),
    ]
    found = song_statistics(iter(songs), Config())
    assert found.num_syllables == 3
    assert len(found.gaps_s) == 1
    assert found.follows.tolist() == [False, True, False]
    assert found.median_gap_s == found.gaps_s[0]
    assert found.median_duration_s == np.median(found.durations_s)
    assert found.median_peak_frequency_hz == np.median(found.peak_frequencies_hz)


def test_loud_hum_below_the_band_is_no_syllables_peak(rng):
    samples, _ = song([(0.3, 0.08, 2500.0)], rng)
    hum = np.sin(2 * np.pi * 120 * np.arange(len(samples)) / SAMPLE_RATE)
    found = song_statistics([(samples + hum.astype(np.float32), SAMPLE_RATE)], Config())
    assert found.median_peak_frequency_hz == pytest.approx(2500, abs=SAMPLE_RATE / 256 / 2)


def test_loud_hum_just_below_the_band_is_no_syllables_peak_either(rng):
    """Nor does it leak into the band's lowest bin, as it does through the windows of the model's
    frames: there it is the peak.
    """
    tones, _ = song([(0.3, 0.08, 2500.0)], rng)
    hum = 0.8 * np.sin(2 * np.pi * 300 * np.arange(len(tones)) / SAMPLE_RATE)
    found = song_statistics([(0.1 * tones + hum.astype(np.float32), SAMPLE_RATE)], Config())
    assert found.num_syllables == 1
    assert found.median_peak_frequency_hz == pytest.approx(2500, abs=SAMPLE_RATE / 256 / 2)


@pytest.mark.parametrize("samples", [np.zeros(0), np.zeros(10), np.zeros(8000)])
def test_silence_has_no_syllables_and_no_medians(samples):
    found = song_statistics([(samples, SAMPLE_RATE)], Config())
    assert found.num_syllables == 0
    assert (
        math.isnan(found.median_duration_s)
        and math.isnan(found.median_gap_s)
        and math.isnan(found.median_peak_frequency_hz)
    )


def test_no_song_at_all_is_no_error():
    assert math.isnan(song_statistics([], Config()).syllables_per_s)
