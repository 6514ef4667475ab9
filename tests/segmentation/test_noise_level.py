"""The noise's level and spread: whatever else is in the recording, and as it drifts."""

import numpy as np
import pytest

from neurovocal_tf.config import SegmentationConfig
from neurovocal_tf.segmentation import detector, drift, noise_level
from neurovocal_tf.segmentation.drift import Drift

RATE = 16_000
# Smoothing a histogram over 1.5 dB, and its bins of a quarter, move a mode by so much at most.
TOLERANCE_DB = 1.0


def histogram(decibels):
    values = (10 ** (np.asarray(decibels) / 20)).astype(np.float32)[:, np.newaxis]
    (counts,) = noise_level.cells([values], len(values), 20.0)
    return noise_level.without_silence(counts)[0]


@pytest.mark.parametrize("share_of_song", [0.0, 0.3, 0.6, 0.85])
@pytest.mark.parametrize("spread_db", [1.0, 4.0])
def test_the_mode_is_the_noise_whatever_share_of_the_time_is_song(share_of_song, spread_db, rng):
    num_song = int(20_000 * share_of_song)
    noise = rng.normal(-60, spread_db, 20_000 - num_song)
    song = rng.uniform(-40, 0, num_song)
    mode, spread = noise_level.mode_and_spread(histogram(np.append(noise, song)))
    assert abs(mode + 60) < TOLERANCE_DB + spread_db / 4
    np.testing.assert_allclose(spread, spread_db, rtol=0.35)


def test_a_call_at_one_level_half_of_the_time_is_not_the_noise(rng):
    levels = np.append(rng.normal(-60, 2, 4000), rng.normal(-20, 0.3, 6000))
    assert abs(noise_level.mode_and_spread(histogram(levels))[0] + 60) < TOLERANCE_DB


def test_what_is_silence_beside_the_loudest_has_no_part_in_it(rng):
    levels = np.concatenate([rng.normal(-60, 1, 1000), np.full(9000, -190.0)])
    assert abs(noise_level.mode_and_spread(histogram(levels))[0] + 60) < TOLERANCE_DB
    assert np.isnan(noise_level.mode_and_spread(np.zeros(noise_level.NUM_BINS, int))).all()


def test_bins_are_quarters_of_a_decibel_of_float32(rng):
    values = np.append(10 ** rng.uniform(-9, 8, 1000), [0.0]).astype(np.float32)
    bins = noise_level.bins_of(10.0)[values.view(np.uint32) >> 16]
    assert bins[-1] == 0
    # The bits that are cut off are worth a hundredth of a power, 0.034 dB.
    found = noise_level.decibels_of(bins[:-1])
    np.testing.assert_allclose(found, 10 * np.log10(values[:-1]), atol=0.125 + 0.035)


@pytest.mark.parametrize("page", [1, 7, 60, 1000])
def test_windows_are_pairs_of_cells_however_the_pages_are_cut(page, rng):
    values = rng.uniform(1e-3, 1, (100, 2)).astype(np.float32)
    pages = [values[i : i + page] for i in range(0, 100, page)]
    windows = list(noise_level.windows(noise_level.cells(pages, 30, 20.0)))
    assert [counts.sum() for counts in windows] == [120, 120, 80]
    (whole,) = noise_level.cells([values[30:90]], 60, 20.0)
    np.testing.assert_array_equal(windows[1], whole)


def test_percentiles_are_those_of_numpy_to_half_a_bin(rng):
    decibels = rng.uniform(-80, 0, (2, 5000))
    counts = np.stack([histogram(column) for column in decibels])
    for percent in (0.0, 20.0, 50.0, 100.0):
        found = noise_level.percentiles_db(counts, percent)
        expected = np.percentile(decibels, percent, axis=1, method="inverted_cdf")
        np.testing.assert_allclose(found, expected, atol=0.125 + 0.07)


def test_a_level_is_drawn_straight_between_the_middles_of_its_windows():
    drifting = Drift(np.array([1.0, 3.0]), step=1)
    levels = drifting.of_values(0, 70)
    # Middles are where the cells of twenty steps meet, at 20 and at 40.
    np.testing.assert_allclose(levels[:20], 1.0)
    np.testing.assert_allclose(levels[20:40], 1 + 2 * (np.arange(20) + 0.5) / 20)
    np.testing.assert_allclose(levels[40:], 3.0)
    np.testing.assert_array_equal(drifting.of_values(13, 30), levels[13:43])
    assert drift.filled(np.array([np.nan, 1.0, np.nan, 3.0, np.nan])).tolist() == [1, 1, 2, 3, 3]


def found(samples, **settings):
    config = SegmentationConfig(**settings)
    return detector.detect_in_blocks(lambda: [samples.astype(np.float32)], RATE, config)


def tones_over(noise, every_s=1.0):
    """Noise with a tone of 60 ms, 20 dB over it, each second; and where they are."""
    onsets = np.arange(0.5, len(noise) / RATE - 0.5, every_s)
    samples = noise.copy()
    for onset in onsets:
        here = slice(round(onset * RATE), round((onset + 0.06) * RATE))
        loudness = 10 * np.sqrt(np.mean(noise[here] ** 2))
        samples[here] += np.sqrt(2) * loudness * np.sin(2 * np.pi * 0.2 * np.arange(960))
    return samples, onsets


@pytest.mark.parametrize(
    "rise_db", [0.0, 30.0], ids=["the same all along", "30 dB louder at its end"]
)
@pytest.mark.parametrize("kind", ["envelope", "contrast"])
def test_a_background_that_drifts_hides_no_call_and_is_none(kind, rise_db, rng):
    noise = 1e-3 * rng.standard_normal(60 * RATE) * 10 ** (np.linspace(0, rise_db / 20, 60 * RATE))
    samples, onsets = tones_over(noise)
    settings = {"detector": kind, "noise_floor_percentile": 20.0}
    segments = found(samples, **settings)
    # Half a window of 16 ms, and what a tone's skirts reach beyond it.
    np.testing.assert_allclose(segments.onsets / RATE, onsets, atol=0.016)
    assert len(found(noise, **settings).onsets) == 0


@pytest.mark.parametrize("kind", ["envelope", "contrast"])
def test_noise_alone_clipped_or_after_zeros_and_one_tone_without_end_have_no_segments(kind, rng):
    noise = 1e-2 * rng.standard_normal(30 * RATE)
    tone = 0.1 * np.sin(2 * np.pi * 0.2 * np.arange(30 * RATE))
    for samples in (
        noise,
        np.clip(noise, -0.01, 0.01),
        np.append(np.zeros(12 * RATE), noise),
        tone,
        tone + noise,
    ):
        assert len(found(samples, detector=kind, noise_floor_percentile=20.0).onsets) == 0
