"""The band of each segment, whatever the blocks."""

import tracemalloc

import numpy as np
import pytest
import reference

from neurovocal_tf.config import SpectrogramConfig
from neurovocal_tf.segmentation import segment_spectra
from neurovocal_tf.segmentation.detector import blocks_of
from neurovocal_tf.segmentation.frequency_bounds import frequency_bounds_hz


def oracle_bounds(samples, rate, n_fft, hop, share, low_hz=0.0, high_hz=1e9):
    """Edges of the bins at which the summed power of one segment crosses its
    two shares, bin by bin.
    """
    power = reference.power_spectrogram(
        samples, rate, SpectrogramConfig(n_fft=n_fft, hop_length=hop)
    ).sum(axis=0)
    width = rate / n_fft
    power = [p if low_hz <= k * width <= high_hz else 0.0 for k, p in enumerate(power)]
    bounds = []
    for target in ((1 - share) / 2, (1 + share) / 2):
        total, k = power[0], 0
        while total < target * sum(power):
            k += 1
            total += power[k]
        bounds.append(k)
    return max((bounds[0] - 0.5) * width, 0), min((bounds[1] + 0.5) * width, rate / 2)


@pytest.mark.parametrize("share", [0.5, 0.95])
@pytest.mark.parametrize("block_length", [50, 4000])
@pytest.mark.parametrize("hop", [32, 20])
def test_the_band_of_a_segment_holds_the_middle_of_its_power(
    share, block_length, hop, rng, monkeypatch
):
    n_fft, rate = 64, 8000
    windows = SpectrogramConfig(n_fft=n_fft, hop_length=hop)
    # Parts of four windows: the segments below take several.
    monkeypatch.setattr(segment_spectra, "_STRETCH_SAMPLES", 128)
    samples = rng.standard_normal(4000) * np.linspace(0.1, 1, 4000) + np.sin(
        2 * np.pi * 60 / rate * np.arange(4000)
    )
    onsets, offsets = np.array([-5, 1000, 1001]), np.array([900, 1064, 3999])
    for limits in ({}, dict(low_hz=500.0, high_hz=3000.0)):
        found = frequency_bounds_hz(
            blocks_of(samples, block_length), rate, onsets, offsets, windows, share, **limits
        )
        expected = [
            oracle_bounds(samples[max(a, 0) : b], rate, n_fft, hop, share, **limits)
            for a, b in zip(onsets, offsets, strict=True)
        ]
        np.testing.assert_allclose(found, expected)


@pytest.mark.parametrize("block_length", [1, 999, 4000])
def test_a_tone_has_a_narrow_band_silence_the_whole_one_and_a_short_segment_that_around_it(
    block_length,
):
    rate, windows = 25_600, SpectrogramConfig(n_fft=256, hop_length=128)
    tone = np.sin(2 * np.pi * 3000 / rate * np.arange(2000))
    samples = np.concatenate([np.zeros(2000), tone])

    def found(onsets, offsets, samples=samples):
        return frequency_bounds_hz(blocks_of(samples, block_length), rate, onsets, offsets, windows)

    # A long and two short ones, one at the very end, and one that lies after it.
    tones = found([2000, 2500, 3990, 4100], [3500, 2520, 4000, 4200])
    # The bin of the tone and, of the window's main lobe, at most one on each side.
    assert np.all((tones[:, 0] < 3000) & (tones[:, 1] > 3000) & (tones[:, 1] - tones[:, 0] <= 300))
    np.testing.assert_array_equal(found([0, 5], [1900, 15]), [[0, 12_800]] * 2)
    assert found([], []).shape == (0, 2)
    np.testing.assert_array_equal(found([0], [9], np.zeros(9)), [[0, 12_800]])
    with pytest.raises(
        ValueError, match="`share` must be above 0, and at most 1. Received: share=0"
    ):
        frequency_bounds_hz([], rate, [0], [9], windows, share=0)


def test_no_more_of_a_recording_is_held_than_a_few_blocks():
    num_blocks, length = 20, 2**16
    onsets = np.arange(0, num_blocks * length, length // 2)
    tracemalloc.start()
    frequency_bounds_hz(
        (np.zeros(length) for _ in range(num_blocks)),
        48_000,
        onsets,
        onsets + 2000,
        SpectrogramConfig(),
    )
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 6 * length * 8
