"""Syllables in spectrograms, whose bounds, pitches and gaps are known."""

import csv

import numpy as np
import pytest
import soundfile
import sung_birds

from neurovocal_tf.audio import spectrogram
from neurovocal_tf.config import Config
from neurovocal_tf.discovery.syllables import FrameDetector

BIN_HZ = sung_birds.SAMPLE_RATE / 2 / (sung_birds.NUM_BINS - 1)


def piece_of(rng, *parts):
    """A piece from (frames of silence, frames of a tone, its bin)."""
    made = []
    for silent, sounding, at in parts:
        tone = sung_birds.silence(rng, sounding)
        tone[:, at] = sung_birds.LOUD_DB
        made += [sung_birds.silence(rng, silent), tone]
    return np.concatenate([*made, sung_birds.silence(rng, 60)])


def detector_of(pieces, config=sung_birds.CONFIG):
    return FrameDetector.fitted(pieces, sung_birds.SAMPLE_RATE, config)


def test_tones_give_back_their_bounds_gaps_and_pitches(rng):
    pieces = [
        piece_of(rng, (40, 12, 8), (20, 25, 24)),
        piece_of(rng, (70, 15, 40)),
        sung_birds.silence(rng, 50),
    ]
    found = detector_of(pieces).find(pieces)
    assert found.onsets.tolist() == [40, 72, 70] and found.offsets.tolist() == [52, 97, 85]
    assert found.pieces.tolist() == [0, 0, 1] and found.num_frames.tolist() == [157, 145, 50]
    assert found.follows.tolist() == [False, True, False]
    np.testing.assert_allclose(found.silences_s, [np.inf, 20 * sung_birds.FRAME_S, np.inf])
    np.testing.assert_allclose(found.durations_s, np.array([12, 25, 15]) * sung_birds.FRAME_S)
    np.testing.assert_allclose(found.peak_frequencies_hz, np.array([8, 24, 40]) * BIN_HZ)
    # Of a tone in noise that is 42 dB lower, nearly all is the tone.
    np.testing.assert_allclose(found.centroids_hz, found.peak_frequencies_hz, rtol=0.02)
    assert found.points.shape == (3, found.columns[0].size)


def test_what_is_outside_the_band_is_no_syllable(rng):
    pieces = [piece_of(rng, (40, 20, 2), (20, 20, 30))]
    found = detector_of(pieces).find(pieces)
    assert found.onsets.tolist() == [80]


def test_hum_in_one_bin_is_background(rng):
    piece = piece_of(rng, (40, 20, 30))
    piece[:, 10] = sung_birds.LOUD_DB - 12
    assert detector_of([piece]).find([piece]).onsets.tolist() == [40]


def test_a_quiet_whistle_is_heard_where_the_detector_looks_for_contrast(rng):
    whistle = piece_of(rng, (90, 20, 30))
    # In the sum of sixty bins it is lost.
    whistle[90:110, 30] = sung_birds.BACKGROUND_DB + 24
    config = sung_birds.CONFIG.replace(detector="contrast")
    assert len(detector_of([whistle]).find([whistle])) == 0
    assert detector_of([whistle], config).find([whistle]).onsets.tolist() == [90]


@pytest.mark.parametrize("num_frames", [1, 100])
def test_silence_has_no_syllables(rng, num_frames):
    pieces = [sung_birds.silence(rng, num_frames)]
    found = detector_of(pieces).find(pieces)
    assert len(found) == 0 and found.points.shape[0] == 0


def test_a_constant_spectrogram_has_none_either():
    pieces = [np.full((50, sung_birds.NUM_BINS), -60.0)]
    assert len(detector_of(pieces).find(pieces)) == 0


def test_labelled_syllables_of_a_finch_are_found(shared_recordings):
    """F1 with both bounds within 10 ms, which are two and a half frames."""
    folder = shared_recordings / "bengalese_finch_gy6or6"
    with open(folder / "annotations.csv", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    config = Config.preset("songbird")
    names = sorted({row["file"] for row in rows})[:5]
    pieces = []
    for name in names:
        samples, rate = soundfile.read(folder / name, dtype="float32")
        power = spectrogram.power_spectrogram(samples, rate, config.spectrogram)
        pieces.append(10 * np.log10(np.asarray(power) + 1e-12))
    found = FrameDetector.fitted(pieces, rate, config).find(pieces)
    hits = total = 0
    for number, name in enumerate(names):
        own = found.pieces == number
        # A frame stands for the hop around its window's middle.
        spans = (np.stack([found.onsets[own], found.offsets[own]], axis=1) + 0.5) * found.frame_s
        marked = np.array(
            [[row["onset_s"], row["offset_s"]] for row in rows if row["file"] == name], float
        )
        apart = np.abs(spans[:, None] - marked).max(axis=2)
        hits += int((apart.min(axis=0) <= 0.01).sum())
        total += len(spans) + len(marked)
    assert 2 * hits / total > 0.93


def test_the_threshold_follows_loud_recordings(rng):
    assert detector_of([piece_of(rng, (20, 20, 30))]).threshold_db == 16.0
    loud = piece_of(rng, *[(20, 20, 30)] * 10)
    loud[loud > sung_birds.LOUD_DB - 1] += 40
    detector = detector_of([loud])
    loudest = np.percentile(detector.levels_db(loud), 95)
    assert detector.threshold_db == pytest.approx(loudest - 23.0) and loudest > 50.0
