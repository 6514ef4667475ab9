"""Which sounds are segments: echoes, what is too long, and the company they keep."""

import numpy as np
import pytest

from neurovocal_tf.config import SegmentationConfig
from neurovocal_tf.data import simulated_bats
from neurovocal_tf.segmentation import detector
from neurovocal_tf.segmentation.echoes import Echoes
from neurovocal_tf.segmentation.selection import group_sizes

RATE = 16_000


def tone(seconds, amplitude=0.3):
    return amplitude * np.sin(2 * np.pi * 0.2 * np.arange(round(seconds * RATE)))


def detected(parts, rng, **settings):
    samples = np.concatenate(parts) + 1e-4 * rng.standard_normal(sum(map(len, parts)))
    config = SegmentationConfig(**settings)
    return detector.detect_in_blocks(lambda: [samples.astype(np.float32)], RATE, config)


def spans_s(spans):
    return np.asarray(spans) / RATE


def test_groups_have_no_gap_longer_than_asked_for():
    onsets, offsets = np.array([0, 20, 50, 100, 200]), np.array([10, 40, 60, 110, 210])
    assert group_sizes(onsets, offsets, 10).tolist() == [3, 3, 3, 1, 1]
    assert group_sizes(onsets[:0], offsets[:0], 10).tolist() == []


def test_what_comes_alone_is_dropped_and_told(rng):
    gap, pause = np.zeros(RATE // 10), np.zeros(RATE)
    parts = [pause, tone(0.05), gap, tone(0.05), gap, tone(0.05), pause, tone(0.05), pause]
    segments = detected(parts, rng, min_group_segments=3)
    assert len(segments.onsets) == 3
    np.testing.assert_allclose(spans_s(segments.dropped["alone"]), [[2.35, 2.40]], atol=0.008)


def test_a_long_sound_falls_apart_at_its_deepest_dips(rng):
    """Three calls over a squeal that never falls below the threshold."""
    quiet, deep, shallow = np.zeros(RATE), tone(0.1, 0.02), tone(0.05, 0.05)
    parts = [quiet, tone(0.2), deep, tone(0.2), shallow, tone(0.2), quiet]
    whole = detected(parts, rng, split_depth_db=0.0)
    assert len(whole.onsets) == 0
    np.testing.assert_allclose(spans_s(whole.dropped["too long"]), [[1.0, 1.75]], atol=0.008)
    # The last two, 50 ms apart, are short enough together.
    segments = detected(parts, rng, max_length_ms=600.0)
    assert len(segments.onsets) == 2 and not len(segments.dropped["too long"])
    assert 1.2 < segments.offsets[0] / RATE < 1.3 and 1.2 < segments.onsets[1] / RATE < 1.3
    apart = detected(parts, rng, max_length_ms=300.0)
    assert len(apart.onsets) == 3


def test_no_dip_of_noise_parts_what_is_long(rng):
    hiss = 0.1 * rng.standard_normal(5 * RATE)
    segments = detected([np.zeros(20 * RATE), hiss, np.zeros(20 * RATE)], rng)
    assert len(segments.onsets) == 0 and len(segments.dropped["too long"]) == 1


@pytest.mark.parametrize("page", [1, 3, 100])
def test_a_peak_holds_down_what_follows_it_however_the_pages_are_cut(page, rng):
    values = rng.uniform(0, 1, 50).astype(np.float32)
    config = SegmentationConfig(offset_below_peak_db=6.0, echo_ms=8.0)
    echoes = Echoes(config, 1000, 20.0)
    levels = np.concatenate(
        [
            echoes.level(values[i : i + page], np.full(1, 0.2)) * np.ones(len(values[i : i + page]))
            for i in range(0, 50, page)
        ]
    )
    held = [max(values[max(i - 8, 0) : i + 1]) for i in range(50)]
    np.testing.assert_allclose(levels, np.maximum(np.array(held) * 10 ** (-6 / 20), 0.2), rtol=1e-6)


def test_echoes_are_no_calls_and_no_part_of_one(rng):
    samples, truth = simulated_bats.simulate_pulses(3, 1.0)
    settings = dict(
        threshold=8.0,
        noise_spreads=1.5,
        detector="contrast",
        low_hz=15_000.0,
        high_hz=140_000.0,
        smoothing_ms=0.5,
        min_gap_ms=1.5,
        min_length_ms=1.0,
        noise_floor_percentile=20.0,
    )
    with_echoes = detector.detect(samples, 250_000, SegmentationConfig(**settings))[0]
    without = detector.detect(
        samples, 250_000, SegmentationConfig(**settings, offset_below_peak_db=6.0)
    )
    true = [(call.onset_s, call.offset_s) for call in truth]
    assert len(with_echoes) > 1.2 * len(true)
    # An echo of 6 dB less may be as loud as that for a moment.
    assert len(true) <= len(without[0]) <= len(true) + 1
    found = np.stack(without[:2], axis=1) / 250_000
    nearest = [np.abs(found - call).max(axis=1).min() for call in true]
    assert max(nearest) < 0.002
