"""The peak frequency of each segment, whatever the blocks, and whatever is loud beside it."""

import numpy as np
import pytest

from neurovocal_tf.config import SpectrogramConfig
from neurovocal_tf.segmentation.detector import blocks_of
from neurovocal_tf.segmentation.segment_spectra import peak_frequencies_hz

RATE, N_FFT = 16_000, 256
WINDOWS = SpectrogramConfig(n_fft=N_FFT, hop_length=100)
# Bins are 62.5 Hz apart.
WIDTH_HZ = RATE / N_FFT


def sine(frequency_hz, amplitude, num_samples):
    return amplitude * np.sin(2 * np.pi * frequency_hz * np.arange(num_samples) / RATE)


def peaks(samples, onsets, offsets, *band_hz, block_length=777):
    return peak_frequencies_hz(
        blocks_of(samples, block_length), RATE, onsets, offsets, WINDOWS, *band_hz
    )


def oracle_peak(samples):
    """The frequency at which the powers of Hann windows within one segment have the largest sum."""
    hann = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(N_FFT) / N_FFT)
    windows = [
        samples[i : i + N_FFT] for i in range(0, len(samples) - N_FFT + 1, WINDOWS.hop_length)
    ]
    return (
        np.argmax(sum(np.abs(np.fft.rfft((x - x.mean()) * hann)) ** 2 for x in windows)) * WIDTH_HZ
    )


@pytest.mark.parametrize("block_length", [50, 8000])
def test_the_peak_is_that_of_the_mean_power_within_the_segment(block_length, rng):
    samples = rng.standard_normal(8000) + sine(3000, 0.1, 8000)
    onsets, offsets = np.array([100, 1000, 1001]), np.array([900, 1300, 7999])
    found = peaks(samples, onsets, offsets, block_length=block_length)
    assert found.tolist() == [
        oracle_peak(samples[a:b]) for a, b in zip(onsets, offsets, strict=True)
    ]


def test_hum_outside_of_the_band_is_not_the_peak():
    # The windows of a model's frames have steep ends:
    # there 30 dB of hum outdo the call within the band.
    samples = sine(300, 1.0, 4000) + sine(3000, 0.03, 4000)
    assert peaks(samples, [0], [4000], 500.0, 8000.0) == [3000.0]
    assert abs(peaks(samples, [0], [4000])[0] - 300) < WIDTH_HZ


def test_the_louder_of_two_tones_is_the_peak_also_between_two_bins():
    # By 2 dB, of which a tone half-way between bins would lose 3 under a window with steep ends.
    samples = sine(3031.25, 1.26, 4000) + sine(5000, 1.0, 4000)
    assert abs(peaks(samples, [0], [4000])[0] - 3031.25) <= WIDTH_HZ / 2


def test_what_sounds_outside_of_a_segment_is_none_of_its_business():
    samples = np.concatenate([sine(1000, 1.0, 4000), sine(3000, 0.1, 1000), sine(5000, 1.0, 3000)])
    assert peaks(samples, [4000], [5000]) == [3000.0]


def test_an_offset_of_the_microphone_is_no_sound_and_silence_has_a_peak_too():
    samples = 0.5 + sine(3000, 0.01, 4000)
    assert peaks(samples, [0, 100], [4000, 110]).tolist() == [3000.0, 3000.0]
    assert peaks(np.zeros(4000), [0], [4000], 500.0, 8000.0) == [500.0]
    assert peaks(samples, [], []).shape == (0,)
