"""How near the sound of a recording's own frames comes to the recording."""

import math

import numpy as np
import pytest
import reference

from neurovocal_tf.audio import spectrogram
from neurovocal_tf.config import SpectrogramConfig
from neurovocal_tf.data import simulated_song
from neurovocal_tf.evaluation import resynthesis

NAMES = {"resynthesis_db", "resynthesis_own_grid_db", "resynthesis_random_phases_db"}


@pytest.fixture(scope="module")
def song(singer):
    samples, _ = simulated_song.simulate_song(5, 2.0)
    return samples.astype(np.float32)


def test_the_figure_is_the_spectral_convergence_on_a_grid_of_an_eighth_of_a_window(singer, song):
    found = resynthesis.resynthesised(singer, [(song, singer.sample_rate)])
    own = singer.config.spectrogram
    power = spectrogram.power_spectrogram(song, singer.sample_rate, own)
    sound = singer.sound(spectrogram.to_decibels(power, singer.scale)).numpy()
    for name, hop in (("", own.n_fft // 8), ("_own_grid", own.hop_length)):
        grid = SpectrogramConfig(n_fft=own.n_fft, hop_length=hop)
        both = (reference.power_spectrogram(x[: len(sound)], 1.0, grid) for x in (song, sound))
        expected = reference.spectral_convergence_db(*both)
        assert found[f"resynthesis{name}_db"] == pytest.approx(expected, abs=0.05)


def test_phases_that_fit_are_nearer_than_random_ones_and_nearest_where_the_frames_lie(singer, song):
    found = resynthesis.resynthesised(singer, [(song, singer.sample_rate)])
    assert set(found) == NAMES
    fine, own, drawn = (found[f"resynthesis{of}_db"] for of in ("", "_own_grid", "_random_phases"))
    assert own < fine < drawn - 3 and drawn < 3


def test_sound_of_random_phases_is_half_as_loud_since_overlapping_windows_do_not_agree(song, rng):
    config = SpectrogramConfig()
    power = reference.power_spectrogram(song, 16_000, config)
    sound = resynthesis.with_random_phases(power, 16_000, config, rng)
    assert len(sound) == (len(power) - 1) * config.hop_length + config.n_fft
    assert 20 * math.log10(sound.std() / song.std()) == pytest.approx(-3, abs=0.7)


@pytest.mark.parametrize("samples", [np.zeros(4000), np.zeros(10)], ids=["silence", "too short"])
def test_nothing_is_told_of_silence_and_of_less_than_a_window(singer, samples):
    found = resynthesis.resynthesised(singer, [(samples.astype(np.float32), singer.sample_rate)])
    assert set(found) == NAMES and all(math.isnan(value) for value in found.values())
