"""What is sounding, moment by moment: the same in blocks as in one piece,
and as the plain loops have it.
"""

import dataclasses

import hypothesis
import hypothesis.strategies as st
import numpy as np
import plain_detector
import pytest

from neurovocal_tf.config import SegmentationConfig
from neurovocal_tf.segmentation import drift, percentiles, traces
from neurovocal_tf.segmentation.detector import detect, detect_in_blocks
from neurovocal_tf.segmentation.percentiles import Replayed, percentile

CONTRAST = SegmentationConfig(
    detector="contrast",
    threshold_method="noise_floor",
    threshold=12.0,
    noise_floor_percentile=20.0,
    min_length_ms=3.0,
)
SMALL_PAGES = {"_ENVELOPE_PAGE": 1024, "_CONTRAST_PAGE": 1024}


def trace_of(samples, sample_rate, config, lengths=()):
    cuts = np.cumsum([0, *lengths, len(samples)])
    trace = traces.TRACES[config.detector](
        lambda: (samples[a:b] for a, b in zip(cuts[:-1], cuts[1:])), sample_rate, config
    )
    return np.concatenate(list(trace.pages))[:, 0]


def bursts(rng, num_samples):
    loudness = np.full(num_samples, 0.01)
    for begin in rng.integers(0, num_samples, 6):
        loudness[begin : begin + rng.integers(1, 800)] *= rng.uniform(1, 20)
    return (loudness * rng.standard_normal(num_samples)).astype(np.float32)


@hypothesis.settings(max_examples=60, deadline=None)
@hypothesis.given(
    detector=st.sampled_from(["envelope", "contrast"]),
    method=st.sampled_from(["percentile", "noise_mode", "noise_floor", "absolute"]),
    band=st.sampled_from([(0.0, 0.0), (300.0, 0.0), (300.0, 2000.0), (0.0, 2000.0)]),
    smoothing_ms=st.sampled_from([0.0, 4.0, 100.0]),
    bandwidth_hz=st.sampled_from([0.0, 1000.0]),
    background_hz=st.sampled_from([0.0, 1000.0]),
    echo_db=st.sampled_from([0.0, 6.0]),
    split_depth_db=st.sampled_from([0.0, 3.0]),
    num_samples=st.integers(0, 20_000),
    page=st.sampled_from([1024, 2**18]),
    lengths=st.lists(st.integers(0, 6000), max_size=12),
    kept_bytes=st.sampled_from([0, 2**20]),
    seed=st.integers(0, 2**32 - 1),
)
def test_blocks_of_any_length_give_what_the_whole_recording_gives(
    detector,
    method,
    band,
    smoothing_ms,
    bandwidth_hz,
    background_hz,
    echo_db,
    split_depth_db,
    num_samples,
    page,
    lengths,
    kept_bytes,
    seed,
):
    threshold = {"percentile": 80.0, "noise_mode": 6.0, "noise_floor": 3.0, "absolute": 0.02}[
        method
    ]
    config = SegmentationConfig(
        detector=detector,
        threshold_method=method,
        threshold=threshold,
        low_hz=band[0],
        high_hz=band[1],
        smoothing_ms=smoothing_ms,
        hysteresis_db=2.0,
        min_length_ms=1.0,
        contrast_n_fft=64,
        contrast_bandwidth_hz=bandwidth_hz,
        contrast_background_hz=background_hz,
        offset_below_peak_db=echo_db,
        split_depth_db=split_depth_db,
        max_length_ms=100.0,
    )
    samples = (
        bursts(np.random.default_rng(seed), num_samples) if num_samples else np.zeros(0, np.float32)
    )
    cuts = np.minimum(np.cumsum([0, *lengths]), num_samples).tolist() + [num_samples]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(drift, "_CELL_S", 0.3)
        patch.setattr(traces, "_ENVELOPE_PAGE", page)
        patch.setattr(traces, "_CONTRAST_PAGE", page)
        whole = detect_in_blocks(lambda: [samples], 8000, config)
        patch.setattr(traces, "Replayed", lambda make: Replayed(make, max_bytes=kept_bytes))
        cut = detect_in_blocks(
            lambda: (samples[a:b] for a, b in zip(cuts[:-1], cuts[1:])), 8000, config
        )
    assert cut.num_samples == whole.num_samples == num_samples
    np.testing.assert_array_equal(cut.level.levels, whole.level.levels)
    for reason, spans in whole.dropped.items():
        np.testing.assert_array_equal(cut.dropped[reason], spans)
    for name in ("onsets", "offsets", "scores_db"):
        np.testing.assert_array_equal(getattr(cut, name), getattr(whole, name))


@pytest.mark.parametrize("bandwidth_hz", [0.0, 700.0, 1e9])
@pytest.mark.parametrize("smoothing_ms", [0.0, 4.0, 50.0])
@pytest.mark.parametrize("num_samples", [40, 1000, 20_000])
def test_the_contrast_is_that_of_the_plain_loops(
    bandwidth_hz, smoothing_ms, num_samples, rng, monkeypatch
):
    monkeypatch.setattr(traces, "_CONTRAST_PAGE", 1024)
    settings = dict(
        smoothing_ms=smoothing_ms,
        contrast_bandwidth_hz=bandwidth_hz,
        contrast_n_fft=64,
        low_hz=500.0,
        high_hz=3000.0,
    )
    config = dataclasses.replace(CONTRAST, **settings)
    samples = bursts(rng, num_samples)
    # float32 windows: rounding of 6e-8 of the loudest bin,
    # where a bin may be a thousandth of it in power.
    np.testing.assert_allclose(
        trace_of(samples, 8000, config), plain_detector.contrast(samples, 8000, config), rtol=2e-3
    )


def test_a_narrow_call_under_louder_noise_has_contrast(rng):
    """A whistle that adds a twelfth to the noise's power is found in its own bin."""
    rate = 32_000
    samples = 0.1 * rng.standard_normal(2 * rate)
    inside = slice(rate // 2, rate // 2 + 3200)
    samples[inside] += 0.04 * np.sin(2 * np.pi * 6000 * np.arange(3200) / rate)
    config = dataclasses.replace(
        CONTRAST, smoothing_ms=16.0, min_length_ms=15.0, noise_floor_percentile=50.0, threshold=7.0
    )
    onsets, offsets, scores_db = detect(
        samples, rate, dataclasses.replace(config, max_length_ms=1000.0)
    )
    assert len(onsets) == 1 and scores_db[0] > 1
    np.testing.assert_allclose([onsets[0] / rate, offsets[0] / rate], [0.5, 0.6], atol=0.01)
    assert len(detect(samples, rate, SegmentationConfig())[0]) == 0


def test_a_rustle_as_loud_as_the_noise_has_contrast_over_many_bins(rng):
    rate = 16_000
    samples = 0.01 * rng.standard_normal(rate)
    samples[6400:9600] += 0.01 * rng.standard_normal(3200)
    # Of 64 bins in a band of 4 kHz, 7 windows of which a quarter is new: a mean of some hundred
    # numbers is right to a tenth.
    lengths = dict(noise_floor_percentile=50.0, threshold=2.0, max_length_ms=1000.0)
    wide = dataclasses.replace(CONTRAST, contrast_bandwidth_hz=4000.0, smoothing_ms=20.0, **lengths)
    ((onset, offset),) = np.stack(detect(samples, rate, wide)[:2], axis=1) / rate
    assert abs(onset - 0.4) < 0.01 and abs(offset - 0.6) < 0.01
    narrow = dataclasses.replace(wide, contrast_bandwidth_hz=0.0)
    for threshold in (2.0, 6.0, 10.0):
        found = (
            np.stack(
                detect(samples, rate, dataclasses.replace(narrow, threshold=threshold))[:2], axis=1
            )
            / rate
        )
        assert not any(abs(a - 0.4) < 0.01 and abs(b - 0.6) < 0.01 for a, b in found)


@pytest.mark.parametrize("method", ["percentile", "noise_mode", "noise_floor", "absolute"])
@pytest.mark.parametrize("value", [0.0, 0.3])
@pytest.mark.parametrize("num_samples", [0, 1, 100, 40_000])
def test_silence_and_a_constant_have_no_contrast(method, value, num_samples):
    config = dataclasses.replace(CONTRAST, threshold_method=method)
    assert not len(detect(np.full(num_samples, value, np.float32), 16_000, config)[0])


def test_an_absolute_threshold_is_an_amplitude_for_both_detectors():
    rate = 16_000
    sine = np.sin(2 * np.pi * 2000 * np.arange(rate) / rate).astype(np.float32)
    samples = np.concatenate([np.zeros(rate, np.float32), 0.2 * sine, np.zeros(rate, np.float32)])
    for detector, reached in (("envelope", 0.2 * 2 / np.pi), ("contrast", 0.2)):
        config = SegmentationConfig(
            detector=detector,
            threshold_method="absolute",
            threshold=reached / 10,
            max_length_ms=2000.0,
        )
        scores_db = detect(samples, rate, config)[2]
        # Twenty dB over a tenth; the filter's and the window's ripple are below 0.1 dB, a mean over
        # whole periods or nearly so.
        np.testing.assert_allclose(scores_db, [20.0], atol=0.5)


def test_hysteresis_follows_a_call_down_to_where_it_fades():
    rate = 8000
    fading = np.exp(-np.arange(rate) / 800) * np.sin(2 * np.pi * 1000 * np.arange(rate) / rate)
    samples = np.concatenate([np.zeros(rate), fading])
    lengths = []
    for hysteresis_db in (0.0, 6.0):
        config = SegmentationConfig(
            threshold_method="absolute",
            threshold=0.2,
            hysteresis_db=hysteresis_db,
            max_length_ms=1000.0,
        )
        onsets, offsets, _ = detect(samples, rate, config)
        lengths.append(int(offsets[0] - onsets[0]))
    # Six dB of a decay by 1/e in 800 samples.
    assert abs(lengths[1] - lengths[0] - 800 * np.log(10 ** (6 / 20))) < 40


@hypothesis.settings(max_examples=40, deadline=None)
@hypothesis.given(
    values=st.lists(st.floats(0, 1e6, width=32), min_size=1, max_size=60),
    percent=st.floats(0, 100),
    num_columns=st.integers(1, 3),
)
def test_the_percentile_is_numpys(values, percent, num_columns):
    array = np.array(values, np.float32)
    columns = np.stack([np.roll(array * np.float32(0.5**c), c) for c in range(num_columns)], axis=1)
    got, maxima, _ = percentile([columns[:7], columns[7:7], columns[7:]], percent)
    np.testing.assert_array_equal(got, np.percentile(columns.astype(np.float64), percent, axis=0))
    np.testing.assert_array_equal(maxima, columns.max(axis=0))


@hypothesis.settings(max_examples=40, deadline=None)
@hypothesis.given(
    exponents=st.lists(st.integers(-9, 0), min_size=1, max_size=40),
    percent=st.floats(0, 100),
    seed=st.integers(0, 2**32 - 1),
)
def test_what_is_silent_beside_the_largest_has_no_part_in_a_floor(exponents, percent, seed):
    """The last column is silent as a whole, and has its own percentile."""
    values = np.random.default_rng(seed).uniform(1, 2, len(exponents)) * 10.0 ** np.array(exponents)
    columns = np.stack(
        [values, values[::-1] * 0.9, np.full(len(values), 1e-9 * values.max())], axis=1
    ).astype(np.float32)
    got, _, silent = percentile([columns[:5], columns[5:]], percent, 1e-6)
    limit = percentiles.silence_limit(columns.max(), 1e-6)
    assert 0.99e-6 * columns.max() < limit <= 1e-6 * columns.max() * (1 + 1e-6)
    for column, floor in zip(columns[:, :2].T.astype(np.float64), got[:2], strict=True):
        assert floor == np.percentile(column[column >= limit], percent)
    assert got[2] == columns[0, 2]
    np.testing.assert_allclose(silent, [*np.mean(columns[:, :2] < limit, axis=0), 0.0], atol=1e-12)


@pytest.mark.parametrize("detector", ["envelope", "contrast"])
@pytest.mark.parametrize("share", [0.2, 0.9])
def test_digital_silence_around_a_recording_is_not_its_noise_floor(detector, share, rng):
    rate = 16_000
    samples = 0.003 * rng.standard_normal(2 * rate)
    samples[8000:9600] += 0.1 * np.sin(np.arange(1600))
    padded = np.append(samples, np.zeros(int(len(samples) * share / (1 - share)))).astype(
        np.float32
    )
    config = SegmentationConfig(
        detector=detector, threshold={"envelope": 2.5, "contrast": 28.0}[detector]
    )
    alone, together = (
        detect(some, rate, config)[:2] for some in (samples.astype(np.float32), padded)
    )
    assert len(alone[0]) == 1
    # The filter and the windows reach over the edge, so that a few values more are counted.
    np.testing.assert_allclose(together, alone, atol=64)


@pytest.mark.parametrize("max_bytes", [0, 15, 16, 100])
def test_pages_are_made_once_where_they_fit_and_anew_where_they_do_not(max_bytes):
    made = []

    def make():
        made.append(None)
        return (np.full(2, i, np.float32) for i in range(2))

    pages = Replayed(make, max_bytes)
    assert [np.concatenate(list(pages)).tolist() for _ in range(3)] == [[0, 0, 1, 1]] * 3
    assert len(made) == (1 if max_bytes >= 16 else 3)
