"""Onsets and offsets, against a detector of plain loops and against people's annotations."""

import csv
import dataclasses

import hypothesis
import hypothesis.strategies as st
import numpy as np
import plain_detector
import pytest
import reference
import scipy.signal
import soundfile
import tensorflow as tf

from neurovocal_tf.audio import spectrogram
from neurovocal_tf.config import SegmentationConfig, SpectrogramConfig
from neurovocal_tf.segmentation import columns, detector, detector_in_graph, drift
from neurovocal_tf.segmentation.band_pass import band_pass_taps, filtered
from neurovocal_tf.segmentation.selection import select

UNFILTERED = SegmentationConfig(low_hz=0.0, high_hz=0.0)
PUBLISHED = dataclasses.replace(
    UNFILTERED, threshold_method="percentile", threshold=90.0, min_gap_ms=2.0, split_depth_db=0.0
)
ULTRASOUND = SegmentationConfig(
    detector="contrast",
    low_hz=35_000.0,
    high_hz=110_000.0,
    contrast_background_hz=20_000.0,
    noise_floor_percentile=20.0,
    threshold=4.5,
    smoothing_ms=2.5,
    hysteresis_db=3.0,
    min_gap_ms=12.0,
    min_length_ms=5.0,
    max_length_ms=300.0,
)


def found(samples, sample_rate, config):
    onsets, offsets, scores_db = detector.detect(samples, sample_rate, config)
    assert onsets.dtype == offsets.dtype == np.int64
    assert len(scores_db) == len(onsets) and np.all(scores_db >= 0)
    return list(zip(onsets.tolist(), offsets.tolist()))


def tone(sample_rate, duration_s, frequency_hz=2000.0):
    return 0.3 * np.sin(
        2 * np.pi * frequency_hz * np.arange(round(duration_s * sample_rate)) / sample_rate
    )


def silence(sample_rate, duration_s):
    return np.zeros(round(duration_s * sample_rate))


def pcm_16(samples):
    return (np.round(samples * 32768) / 32768).astype(np.float32)


def windowed_means(samples, length):
    padded = np.pad(np.abs(samples.astype(np.float64)), length // 2, mode="reflect")
    return np.lib.stride_tricks.sliding_window_view(padded, length).mean(axis=-1)


configs = st.builds(
    lambda method, percent, factor, **values: SegmentationConfig(
        threshold_method=method,
        threshold={
            "percentile": percent,
            "noise_mode": 5 * factor,
            "noise_floor": factor,
            "absolute": factor / 50,
        }[method],
        low_hz=0.0,
        high_hz=0.0,
        **values,
    ),
    method=st.sampled_from(["percentile", "noise_mode", "noise_floor", "absolute"]),
    percent=st.floats(0, 100),
    factor=st.floats(0, 4),
    noise_floor_percentile=st.floats(0, 100),
    hysteresis_db=st.sampled_from([0.0, 3.0, 10.0]),
    smoothing_ms=st.floats(0, 10),
    min_gap_ms=st.floats(0, 10),
    min_length_ms=st.floats(0, 20),
    max_length_ms=st.floats(21, 500),
    noise_spreads=st.floats(0, 3),
    offset_below_peak_db=st.sampled_from([0.0, 6.0]),
    echo_ms=st.floats(0, 30),
    split_depth_db=st.sampled_from([0.0, 3.0, 10.0]),
    min_group_segments=st.integers(1, 3),
    group_gap_s=st.sampled_from([0.02, 0.1]),
)


@hypothesis.settings(max_examples=100, deadline=None)
@hypothesis.example(
    config=dataclasses.replace(
        UNFILTERED,
        threshold_method="absolute",
        threshold=0.0,
        smoothing_ms=0.0,
        min_gap_ms=0.0,
        min_length_ms=0.0,
        offset_below_peak_db=6.0,
        echo_ms=0.0,
    ),
    cell_s=5.0,
    num_samples=4,
    num_bursts=2,
    rate=4000,
    seed=1,
)
@hypothesis.given(
    config=configs,
    cell_s=st.sampled_from([0.1, 5.0]),
    num_samples=st.integers(1, 3000),
    num_bursts=st.integers(0, 8),
    rate=st.sampled_from([4000, 8000, 11_025]),
    seed=st.integers(0, 2**32 - 1),
)
def test_every_boundary_is_that_of_the_plain_loops(
    config, cell_s, num_samples, num_bursts, rate, seed
):
    rng = np.random.default_rng(seed)
    loudness = np.full(num_samples, 0.01)
    for begin in rng.integers(0, num_samples, num_bursts):
        loudness[begin : begin + rng.integers(1, 800)] *= rng.choice(
            [rng.uniform(0, 8), 0.0], p=[0.8, 0.2]
        )
    samples = pcm_16(loudness * rng.standard_normal(num_samples))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(drift, "_CELL_S", cell_s)
        segments = found(samples, rate, config)
    assert segments == plain_detector.detect(samples, rate, config, cell_s=cell_s)


def test_on_a_finch_the_seeds_setting_finds_what_the_plain_loops_find(shared_recordings):
    num_segments = num_frames = 0
    for path in sorted((shared_recordings / "bengalese_finch_gy6or6").glob("*.wav")):
        samples, rate = soundfile.read(path, dtype="float32")
        segments = found(samples, rate, PUBLISHED)
        assert segments == plain_detector.detect(samples, rate, PUBLISHED, envelope=windowed_means)
        num_segments += len(segments)
        num_frames += sum(
            spectrogram.num_frames(offset - onset, SpectrogramConfig())
            for onset, offset in np.stack(
                detector_in_graph.add_buffer(
                    *np.array(segments, np.int64).reshape(-1, 2).T, 160, len(samples)
                ),
                axis=1,
            )
        )
    assert (num_segments, num_frames) == (238, 1907)


@pytest.mark.parametrize(
    ("folder", "config", "least"),
    [("bengalese_finch_gy6or6", SegmentationConfig(), 0.98), ("mouse_usv", ULTRASOUND, 0.99)],
    ids=["finch", "mouse"],
)
def test_on_real_recordings_most_segments_are_those_that_people_marked(
    shared_recordings, folder, config, least
):
    with open(shared_recordings / folder / "annotations.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    hits = total = 0
    for name in sorted({row["file"] for row in rows}):
        samples, rate = soundfile.read(shared_recordings / folder / name, dtype="float32")
        truth = [
            (float(row["onset_s"]), float(row["offset_s"])) for row in rows if row["file"] == name
        ]
        segments = [(onset / rate, offset / rate) for onset, offset in found(samples, rate, config)]
        hits += reference.segmentation_f1(segments, truth) * (len(segments) + len(truth))
        total += len(segments) + len(truth)
    assert hits / total > least


@pytest.mark.parametrize(
    "config",
    [SegmentationConfig(), UNFILTERED, PUBLISHED],
    ids=["default", "unfiltered", "published"],
)
@pytest.mark.parametrize("num_samples", [0, 1, 7, 100, 1600, 3200, 16_000])
@pytest.mark.parametrize("value", [0.0, 0.3, -1.0])
def test_silence_and_a_constant_have_no_segments(config, num_samples, value):
    assert found(np.full(num_samples, value, np.float32), 16_000, config) == []


@pytest.mark.parametrize("absurd", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("kind", ["envelope", "contrast"])
def test_samples_that_are_no_numbers_are_refused(kind, absurd, rng):
    samples = 0.1 * rng.standard_normal(8000)
    samples[4000] = absurd
    config = dataclasses.replace(UNFILTERED, detector=kind)
    with pytest.raises(ValueError, match="`samples` must be finite numbers. Received: NaN or inf"):
        detector.detect(samples, 16_000, config)


@pytest.mark.parametrize("background", [0.0, 1e-3])
def test_two_tones_have_two_segments(background, rng):
    rate = 16_000
    quiet = silence(rate, 0.2)
    samples = np.concatenate([quiet, tone(rate, 0.1), quiet, tone(rate, 0.05), quiet])
    samples += background * rng.standard_normal(len(samples))
    config = SegmentationConfig()
    segments = np.array(found(samples, rate, config)) / rate
    # Half of the running mean and, where nothing covers them,
    # the filter's skirts lie outside the tones.
    np.testing.assert_allclose(segments, [[0.2, 0.3], [0.5, 0.55]], atol=0.010)


def test_digital_silence_is_no_noise_floor(rng):
    """Zeros before and after a song must not turn the factor over the noise
    floor into 'everything'.
    """
    rate = 16_000
    samples = np.concatenate([silence(rate, 1.0), tone(rate, 0.1), silence(rate, 1.0)])
    assert len(found(samples, rate, UNFILTERED)) == 1
    np.testing.assert_allclose(
        np.array(found(samples, rate, UNFILTERED)[0]) / rate, [1.0, 1.1], atol=0.001
    )


def test_a_low_hum_and_an_offset_change_nothing_behind_the_band_pass(rng):
    rate = 32_000
    quiet = silence(rate, 0.15)
    samples = np.concatenate([quiet, tone(rate, 0.08), quiet, tone(rate, 0.06, 4000.0), quiet])
    samples += 0.005 * rng.standard_normal(len(samples))
    hum = 0.2 * np.sin(2 * np.pi * 50 * np.arange(len(samples)) / rate) + 0.3
    np.testing.assert_allclose(
        found(samples + hum, rate, SegmentationConfig()),
        found(samples, rate, SegmentationConfig()),
        atol=16,
    )
    assert found(samples + hum, rate, UNFILTERED) == []


@pytest.mark.parametrize(
    ("rate", "low_hz", "high_hz"),
    [
        (32_000, 500.0, 10_000.0),
        (250_000, 30_000.0, 110_000.0),
        (8000, 500.0, 10_000.0),
        (16_000, 0.0, 3000.0),
        (48_000, 100.0, 7000.0),
    ],
)
def test_the_band_pass_passes_its_band_and_stops_what_is_outside(rate, low_hz, high_hz):
    taps = band_pass_taps(rate, low_hz, high_hz)
    np.testing.assert_allclose(taps, taps[::-1], atol=1e-15)
    frequencies, response = scipy.signal.freqz(taps, worN=2**15, fs=rate)
    gain = np.abs(response)
    skirt = (low_hz or high_hz) / 4
    upper = high_hz if high_hz < rate / 2 else np.inf
    inside = (frequencies > (low_hz + skirt if low_hz else -1)) & (frequencies < upper - skirt)
    outside = (frequencies < low_hz - skirt) | (frequencies > upper + skirt)
    # 60 dB, and a ripple of the same size, met to within what Kaiser's formula
    # for the order promises.
    assert np.all(np.abs(gain[inside] - 1) < 2e-3)
    assert np.all(gain[outside] < 2e-3)


@pytest.mark.parametrize("num_samples", [1, 2, 50, 5000, 20_000])
def test_the_band_pass_is_a_convolution(num_samples, rng):
    taps = band_pass_taps(16_000, 500.0, 6000.0)
    page = rng.standard_normal(num_samples + len(taps) - 1)
    np.testing.assert_allclose(
        filtered(page, taps), np.convolve(page, taps, mode="valid"), atol=1e-12
    )


def test_an_offset_does_not_pass_a_lower_edge():
    assert abs(np.sum(band_pass_taps(16_000, 500.0, 6000.0))) < 1e-15


def test_no_edges_are_no_filter():
    assert band_pass_taps(16_000, 0.0, 0.0) is band_pass_taps(16_000, 0.0, 9000.0) is None


def test_a_band_without_a_frequency_is_refused():
    samples = np.zeros(100, np.float32)
    with pytest.raises(
        ValueError,
        match="`low_hz` must be below half the sample rate, 4000 Hz. Received: low_hz=30000",
    ):
        detector.detect(samples, 8000, SegmentationConfig(low_hz=30_000.0, high_hz=110_000.0))
    with pytest.raises(
        ValueError, match="`low_hz` must be below `high_hz`, 500 Hz. Received: low_hz=600"
    ):
        detector.detect(samples, 8000, SegmentationConfig(low_hz=600.0, high_hz=500.0))


def test_a_gap_of_exactly_the_minimum_is_kept_and_lengths_are_strict():
    segments = np.array([0, 15, 30, 60]), np.array([10, 25, 50, 75]), np.array([1.0, 3.0, 2.0, 1.0])
    joined = columns.join_gaps(*segments, 5.5)
    assert [x.tolist() for x in joined] == [[0, 60], [50, 75], [3.0, 1.0]]
    assert columns.join_gaps(*segments, 5)[0].tolist() == [0, 15, 30, 60]
    config = dataclasses.replace(SegmentationConfig(), min_length_ms=10.0, max_length_ms=20.0)
    kept, dropped = select(segments, config, 1000, lambda long_ones: long_ones)
    assert [x.tolist() for x in kept] == [[60], [75], [1.0]]
    assert {reason: spans.tolist() for reason, spans in dropped.items()} == {
        "too short": [[0, 10], [15, 25]],
        "too long": [[30, 50]],
        "alone": [],
    }


def test_inside_a_dataset_it_finds_the_same(rng):
    rate = 16_000
    quiet = 0.003 * rng.standard_normal(rate // 4)
    samples = np.concatenate([quiet, tone(rate, 0.1), quiet, tone(rate, 0.05), quiet]).astype(
        np.float32
    )
    dataset = tf.data.Dataset.from_generator(
        lambda: [samples], output_signature=tf.TensorSpec([None])
    )

    def detect(array):
        return detector.detect(array, rate, SegmentationConfig())

    columns = next(iter(dataset.map(lambda x: detector.in_graph(detect, x))))
    assert [column.dtype for column in columns] == [tf.int64, tf.int64, tf.float64] and len(
        columns[0]
    ) == 2
    for column, expected in zip(columns, detect(samples), strict=True):
        np.testing.assert_array_equal(column, expected)
