"""How calls are measured, beside plain reading and SciPy's spectrogram."""

import dataclasses

import numpy as np
import pytest
import scipy.signal
import soundfile

from neurovocal_tf.audio import readers
from neurovocal_tf.config import AudioConfig
from neurovocal_tf.discovery import features

RATE = 32_000
AUDIO = AudioConfig(sample_rate=RATE)


def test_decibels_are_those_of_a_spectrogram(rng):
    samples = rng.normal(size=4000).astype(np.float32)
    window = scipy.signal.get_window("hann", 256)
    _, times, complexes = scipy.signal.stft(
        samples, 1.0, window, 256, 128, boundary=None, padded=False, scaling="psd"
    )
    expected = 20 * np.log10(np.abs(complexes) * np.sqrt(np.square(window).sum())).T
    found = features.decibels(samples, times, 256)
    # float32 against float64, at levels that may be 40 dB under the loudest.
    np.testing.assert_allclose(found[:, 1:-1], expected[:, 1:-1], atol=0.02)


def test_a_call_s_samples_are_those_of_the_whole_recording_wherever_blocks_end(tmp_path, rng):
    path = tmp_path / "long.wav"
    whole = (0.1 * rng.normal(size=10 * RATE)).astype(np.float32)
    soundfile.write(path, whole, RATE, subtype="FLOAT")
    spans = np.array([(0.0, 0.01), (0.5, 4.0), (0.6, 0.7), (8.19, 8.2), (9.99, 10.0)])
    for (samples, first), (onset, offset) in zip(
        features.samples_of(str(path), spans, AUDIO, margin_s=0.005), spans, strict=True
    ):
        begin = max(int(np.floor((onset - 0.005) * RATE)), 0)
        assert first == begin
        end = int(np.ceil((offset + 0.005) * RATE))
        np.testing.assert_array_equal(samples, whole[begin:end])


def test_a_tone_is_where_its_frequency_is_for_as_long_as_it_lasts(tmp_path, rng):
    path = tmp_path / "tone.wav"
    samples = 1e-4 * rng.normal(size=RATE)
    samples[8000:11200] += 2e-3 * np.sin(2 * np.pi * 4000 * np.arange(3200) / RATE)
    soundfile.write(path, samples, RATE, subtype="FLOAT")
    recipe = features.PRESETS["songbird"]
    background = features.background_db([str(path)], recipe, AUDIO)
    measured = features.measure(str(path), np.array([(0.25, 0.35)]), background, recipe, AUDIO)
    hz = recipe.bins(RATE) * RATE / recipe.n_fft(RATE)
    assert measured.shape == (1, 16, len(hz))
    assert (hz[measured[0].argmax(axis=1)] == 4000).all()
    assert measured.min() >= 0 and measured.max() <= 50


def test_the_recipe_was_measured_with_256_samples_and_without_the_four_lowest_bins():
    recipe = features.PRESETS["songbird"]
    assert recipe.n_fft(32_000) == recipe.n_fft(44_100) == 256
    assert recipe.bins(32_000)[0] == 4


def test_a_speaker_s_own_mean_and_spread_go_out_of_cepstra(rng):
    recipe = features.PRESETS["speech"]
    calls = rng.normal(size=(20, 16, 26)).astype(np.float16)
    speakers = np.repeat([0, 1], 10)
    louder = calls * np.where(speakers == 1, 3, 1)[:, None, None] + speakers[:, None, None] * 7
    own = features.standardised(louder.astype(np.float16), recipe, speakers)
    np.testing.assert_allclose(own, features.standardised(calls, recipe, speakers), atol=0.02)
    plain = dataclasses.replace(recipe, is_per_group=False)
    assert features.standardised(louder, plain, speakers) is louder


def test_speech_is_measured_alike_whatever_its_recording_holds_above_8_khz():
    recipe = features.PRESETS["speech"]
    for rate in (16_000, 48_000):
        width_hz = rate / recipe.n_fft(rate)
        assert 8000 - width_hz < recipe.bins(rate)[-1] * width_hz <= 8000
    assert recipe.bins(8000)[-1] == recipe.n_fft(8000) // 2


def test_no_recording_that_can_be_read_is_told():
    with pytest.raises(readers.UnreadableRecording, match="no recording can be read"):
        features.background_db(["/nowhere.wav"], features.PRESETS["songbird"], AUDIO)


def test_a_call_is_the_same_however_loud_as_far_as_it_stands_out_of_the_background(rng):
    recipe = features.PRESETS["songbird"]
    loud = rng.uniform(-30, 50, size=(3, 16, 125)).clip(0)
    points = [features.as_points((loud - fainter).clip(0), recipe) for fainter in (0, 12)]
    np.testing.assert_allclose(*points, atol=1e-4)
    faint = features.under_own_loudest(np.array([[0.0, 5.0, 9.0]]))
    np.testing.assert_allclose(faint, [[0.0, 5.0, 9.0]], atol=0.1)
    assert features.as_points(np.zeros((2, 16, 125)), recipe).max() == 0
    assert features.as_points(np.zeros((0, 16, 125)), recipe).shape == (0, 16 * 125)
