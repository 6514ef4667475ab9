"""Recordings as samples and as spectrograms, without TensorFlow."""

import numpy as np
import pytest
import soundfile

from neurovocal_tf import Config, load, spectrogram
from neurovocal_tf.audio import spectrogram as in_graph
from neurovocal_tf.audio.spectrogram import FrameScale


@pytest.fixture
def stereo(tmp_path, rng):
    samples = rng.uniform(-0.5, 0.5, (4000, 2)).astype(np.float32) * np.float32([0.5, 1.0])
    soundfile.write(tmp_path / "a.wav", samples, 16_000, subtype="FLOAT")
    return tmp_path / "a.wav", samples


def test_a_recording_is_read_in_one_channel_at_its_own_rate(stereo):
    path, samples = stereo
    for channel, expected in ((0, samples[:, 0]), ("loudest", samples[:, 1])):
        read, rate = load(path, channel=channel)
        np.testing.assert_array_equal(read, expected)
        assert (rate, read.dtype) == (16_000, np.float32)
    resampled, rate = load(str(path), 8000)
    assert (len(resampled), rate) == (2000, 8000)


def test_a_spectrogram_is_what_a_model_sees(rng):
    samples, config = rng.normal(0, 0.1, 3000).astype(np.float32), Config()
    config = config.replace(n_fft=128, hop_length=64)
    seen = spectrogram(samples, 16_000, reference_power=1e-6, n_fft=128, hop_length=64)
    decibels, times_s, frequencies_hz = seen
    expected = in_graph.to_decibels(
        in_graph.power_spectrogram(samples, 16_000, config.spectrogram),
        FrameScale("decibel", 1e-6, config.spectrogram.dynamic_range_db),
    )
    # Products in float32 beside those in float64.
    np.testing.assert_allclose(decibels, expected, atol=2e-3)
    assert decibels.dtype == np.float32 and len(times_s) == len(decibels)
    assert (times_s[0], times_s[1]) == (64 / 16_000, 128 / 16_000)
    np.testing.assert_allclose(
        frequencies_hz, in_graph.bin_frequencies_hz(16_000, config.spectrogram)
    )


def test_the_loudest_bin_is_at_zero_decibels_and_silence_at_the_floor(stereo):
    path, samples = stereo
    tone = np.sin(2 * np.pi * 2000 * np.arange(1600) / 16_000)
    loud = spectrogram(np.concatenate([tone, np.zeros(1600)]), 16_000)
    # The floor is added to it: 1e-6 of the power.
    assert loud.decibels.max() == pytest.approx(0, abs=1e-4)
    assert loud.frequencies_hz[loud.decibels.max(axis=0).argmax()] == 2000
    np.testing.assert_allclose(loud.decibels[-5:], -60, atol=1e-3)
    np.testing.assert_allclose(spectrogram(np.zeros(999), 16_000).decibels, -60, atol=1e-3)
    np.testing.assert_array_equal(
        spectrogram(path, channel="0").decibels, spectrogram(samples[:, 0], 16_000).decibels
    )


@pytest.mark.parametrize(
    "call, message",
    [
        (lambda p: load("gone.wav"), "`path` must be the path of a file, .* path=gone.wav"),
        (lambda p: load(np.zeros(5)), "`path` must be the path .* of type ndarray"),
        (lambda p: load(p, 10), "`sample_rate` must be a whole number of Hz"),
        (lambda p: load(p, channel=2), "has 2 channels, counted from 0, and no channel 2"),
        (lambda p: load(p, channel="left"), "`channel` must be mean, loudest or a number"),
        (lambda p: load(p.parent), "`path` must be the path of a file"),
        (lambda p: spectrogram(np.zeros(999)), "`rate` must be .* as load does"),
        (lambda p: spectrogram(np.zeros(99), 16_000), "`recording` must have at least n_fft=256"),
        (lambda p: spectrogram(p, 16_000), "`rate` must be left out for a file"),
        (lambda p: spectrogram(np.zeros((999, 2)), 16_000), "`samples` must be one channel"),
        (lambda p: spectrogram(np.zeros(999), 16_000, sample_rate=8000), "`sample_rate` must be l"),
        (lambda p: spectrogram(np.zeros(999), 16_000, -1.0), "`reference_power` must be a number"),
        (lambda p: spectrogram(np.zeros(999), 16_000, nfft=128), "`nfft` .* Did you mean n_fft?"),
        (lambda p: spectrogram(np.zeros(999), 16_000, threshold=3), "`threshold` is neither"),
        (lambda p: spectrogram(np.zeros(999), 16_000, n_fft=128), "`hop_length` must be at most"),
    ],
)
def test_a_wrong_argument_is_named(call, message, stereo):
    with pytest.raises(ValueError, match=message):
        call(stereo[0])


def test_a_file_that_is_no_recording_is_named_with_its_reason(tmp_path):
    (tmp_path / "a.wav").write_bytes(b"RIFF")
    with pytest.raises(ValueError, match=r"a\.wav is not audio that libsndfile reads"):
        load(tmp_path / "a.wav")
