"""The detector in TensorFlow's ops, held to the one in NumPy."""

import dataclasses
import itertools

import numpy as np
import pytest
import tensorflow as tf

from neurovocal_tf.config import SegmentationConfig
from neurovocal_tf.data import simulated_song
from neurovocal_tf.segmentation import detector as detector_in_numpy
from neurovocal_tf.segmentation import detector_in_graph, drift, thresholds_in_graph

RATE = 16_000


def both(samples, config, sample_rate=RATE):
    """Segments [S, 2] of the NumPy detector, and of the one in a graph."""
    graph = tf.function(
        lambda samples: detector_in_graph.detect(samples, sample_rate, config),
        input_signature=[tf.TensorSpec([None], tf.float32)],
        autograph=False,
    )
    operations = {node.op for node in graph.get_concrete_function().graph.as_graph_def().node}
    assert not operations & {"PyFunc", "EagerPyFunc", "PyFuncStateless"}
    found = graph(tf.constant(samples, tf.float32))
    assert [column.dtype for column in found] == [tf.int64, tf.int64]
    expected = detector_in_numpy.detect(np.asarray(samples, np.float32), sample_rate, config)[:2]
    return np.stack(expected, axis=1), np.stack([column.numpy() for column in found], axis=1)


def tolerance(config):
    """A trace within a rounding of its level is on either side of it:
    one value, for either of them.
    """
    return 1 if config.detector == "envelope" else config.contrast_n_fft // 4


def assert_same(samples, config, sample_rate=RATE):
    expected, found = both(samples, config, sample_rate)
    assert len(found) == len(expected)
    np.testing.assert_allclose(found, expected, rtol=0, atol=tolerance(config))
    return expected


THRESHOLDS = {
    "envelope": {"percentile": 80.0, "noise_mode": 7.0, "noise_floor": 2.5, "absolute": 0.02},
    "contrast": {"percentile": 80.0, "noise_mode": 9.0, "noise_floor": 22.0, "absolute": 0.01},
}
LENGTHS = {"min_length_ms": 8.0, "max_length_ms": 700.0}


@pytest.fixture(scope="module")
def song():
    return simulated_song.simulate_song(3, 3.0, RATE)[0]


@pytest.mark.parametrize("hysteresis_db", [0.0, 6.0])
@pytest.mark.parametrize(
    "detector, method",
    [(detector, method) for detector, methods in THRESHOLDS.items() for method in methods],
)
def test_songs_have_the_segments_that_the_other_detector_finds(
    song, detector, method, hysteresis_db
):
    threshold = THRESHOLDS[detector][method]
    settings = {
        "detector": detector,
        "threshold_method": method,
        "threshold": threshold,
        "hysteresis_db": hysteresis_db,
        **LENGTHS,
    }
    assert len(assert_same(song, SegmentationConfig(**settings))) > 3


@pytest.mark.parametrize("detector", THRESHOLDS)
@pytest.mark.parametrize("band", [(0.0, 0.0), (0.0, 2000.0), (1000.0, 7000.0)])
def test_noise_is_cut_at_the_same_places_in_every_band(detector, band, rng):
    samples = rng.standard_normal(RATE) * np.repeat(rng.choice([0.01, 0.1], 20), RATE // 20) + 0.01
    config = SegmentationConfig(
        detector=detector,
        threshold_method="percentile",
        threshold=60.0,
        hysteresis_db=2.0,
        low_hz=band[0],
        high_hz=band[1],
        smoothing_ms=10.0,
        min_length_ms=1.0,
    )
    assert len(assert_same(samples, config)) > 3


@pytest.mark.parametrize("bandwidth_hz", [500.0, 1e9])
def test_the_contrast_of_many_bins_is_the_same_in_both(song, bandwidth_hz):
    config = SegmentationConfig(
        detector="contrast",
        contrast_bandwidth_hz=bandwidth_hz,
        threshold=12.0,
        smoothing_ms=10.0,
        **LENGTHS,
    )
    assert len(assert_same(song, config)) > 3


@pytest.mark.parametrize("detector", THRESHOLDS)
def test_a_background_that_drifts_is_followed_alike(song, detector, monkeypatch, rng):
    monkeypatch.setattr(drift, "_CELL_S", 0.4)
    rising = song + 0.002 * rng.standard_normal(len(song)) * np.linspace(0, 3, len(song))
    settings = {"detector": detector, "threshold": 7.0, "noise_floor_percentile": 20.0}
    assert len(assert_same(rising, SegmentationConfig(**settings, **LENGTHS))) > 3


@pytest.mark.parametrize(
    "settings",
    [
        {
            "offset_below_peak_db": 6.0,
            "echo_ms": 60.0,
            "min_group_segments": 3,
            "group_gap_s": 0.06,
        },
        dict(split_depth_db=3.0, max_length_ms=60.0, contrast_background_hz=1500.0),
    ],
    ids=["echoes and groups", "splits and background"],
)
@pytest.mark.parametrize("detector", THRESHOLDS)
def test_what_is_selected_is_the_same_in_both(song, detector, settings):
    base = SegmentationConfig(detector=detector, noise_floor_percentile=20.0, **LENGTHS)
    segments = assert_same(song, dataclasses.replace(base, **settings))
    without = detector_in_numpy.detect(song.astype(np.float32), RATE, base)[0]
    assert len(segments) not in (0, len(without))


@pytest.mark.parametrize("num_samples", [0, 1, 64, 700])
@pytest.mark.parametrize("detector", THRESHOLDS)
def test_recordings_shorter_than_a_filter_are_mirrored_alike(detector, num_samples, rng):
    samples = rng.standard_normal(num_samples) * np.linspace(0, 1, num_samples) ** 4
    lengths = {"min_length_ms": 0.0, "max_length_ms": 1000.0}
    expected = assert_same(
        samples,
        SegmentationConfig(
            detector=detector, threshold_method="percentile", threshold=70.0, **lengths
        ),
    )
    assert len(expected) or num_samples < 100


@pytest.mark.parametrize("method", ["percentile", "noise_mode", "noise_floor", "absolute"])
@pytest.mark.parametrize("detector", THRESHOLDS)
def test_a_constant_has_no_segments(detector, method):
    config = SegmentationConfig(
        detector=detector,
        threshold_method=method,
        threshold=THRESHOLDS[detector][method],
        min_length_ms=0.0,
        max_length_ms=10_000.0,
    )
    for value, (low_hz, high_hz) in itertools.product(
        [0.0, 0.1], [(0.0, 0.0), (0.0, 2000.0), (500.0, 0.0)]
    ):
        some = dataclasses.replace(config, low_hz=low_hz, high_hz=high_hz)
        assert len(detector_in_graph.detect(tf.fill([3000], value), RATE, some)[0]) == 0


def test_a_call_among_digital_silence_is_found_by_both(rng):
    samples = np.zeros(RATE)
    samples[6000:8000] = 0.3 * np.sin(np.arange(2000))
    for detector in THRESHOLDS:
        ((onset, offset),) = assert_same(samples, SegmentationConfig(detector=detector))
        assert abs(onset - 6000) < 400 and abs(offset - 8000) < 400


def test_digital_silence_is_no_noise_floor_for_both(song):
    padded = np.append(song, np.zeros(4 * len(song)))
    for detector, methods in THRESHOLDS.items():
        assert (
            len(
                assert_same(
                    padded,
                    SegmentationConfig(
                        detector=detector, threshold=methods["noise_floor"], **LENGTHS
                    ),
                )
            )
            > 3
        )


def test_a_band_that_holds_nothing_is_refused():
    for detector in THRESHOLDS:
        with pytest.raises(ValueError, match="`low_hz`"):
            detector_in_graph.detect(
                tf.zeros([100]), RATE, SegmentationConfig(detector=detector, low_hz=9000.0)
            )


def test_percentiles_are_those_of_numpy(rng):
    values = rng.standard_normal((3, 101)).astype(np.float32)
    for percent in (0.0, 10.0, 33.3, 50.0, 99.9, 100.0):
        expected = np.percentile(values.astype(np.float64), percent, axis=-1)
        np.testing.assert_allclose(
            thresholds_in_graph.percentile(tf.constant(values), percent),
            expected,
            rtol=1e-12,
            atol=1e-15,
        )


def test_bouts_are_runs_of_segments_with_short_gaps():
    segments = tf.constant([0, 8, 30, 80], tf.int64), tf.constant([10, 20, 40, 90], tf.int64)
    assert [x.numpy().tolist() for x in detector_in_graph.bouts(*segments, 10)] == [
        [0, 80],
        [40, 90],
    ]
    assert [len(x) for x in detector_in_graph.bouts(*(x[:0] for x in segments), 10)] == [0, 0]
