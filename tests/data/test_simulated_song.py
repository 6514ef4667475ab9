"""The simulated bird: seeded, true to its syntax, and found by the default detector."""

import collections
import pathlib

import numpy as np
import pytest
import reference
import soundfile

from neurovocal_tf import annotations as annotation_files
from neurovocal_tf.audio import listing, readers, spectrogram
from neurovocal_tf.config import SegmentationConfig, SpectrogramConfig
from neurovocal_tf.data import simulated_song
from neurovocal_tf.segmentation import detector

MAX_GAP_S = 0.1


@pytest.fixture(scope="module")
def long_song():
    return simulated_song.simulate_song(1, 120.0)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("bird")
    simulated_song.write_recordings(folder, num_recordings=3, duration_s=4.0, seed=7)
    return folder


def transitions_of(annotations):
    """Calls that follow each other inside a bout, and the last call of each bout followed by
    `end`; the last bout has none.
    """
    for before, after in zip(annotations, annotations[1:]):
        yield (
            before.label,
            after.label if after.onset_s - before.offset_s < MAX_GAP_S else simulated_song.END,
        )


def test_the_rows_of_the_syntax_sum_to_one():
    for row in simulated_song.TRANSITIONS.values():
        assert sum(row.values()) == pytest.approx(1.0)
        assert set(row) <= {*simulated_song.CALL_TYPES, simulated_song.END}


def test_the_calls_follow_the_syntax(long_song):
    counts = collections.Counter(transitions_of(long_song[1]))
    for call_type, row in simulated_song.TRANSITIONS.items():
        total = sum(n for (before, _), n in counts.items() if before == call_type)
        assert total > 40
        for following in {after for before, after in counts if before == call_type} | set(row):
            p = row.get(following, 0.0)
            # Four standard deviations of a binomial share.
            assert abs(counts[call_type, following] / total - p) <= 4 * np.sqrt(p * (1 - p) / total)


def test_the_default_detector_finds_the_calls(folder):
    truth = annotation_files.read(folder / "annotations.csv")
    for path in listing.list_recordings(folder):
        samples, rate = soundfile.read(path, dtype="float32")
        onsets, offsets = (
            x / rate for x in detector.detect(samples, rate, SegmentationConfig())[:2]
        )
        marked = [(a.onset_s, a.offset_s) for a in truth if path.endswith(a.file)]
        assert reference.segmentation_f1(list(zip(onsets, offsets)), marked) >= 0.95


def test_call_types_are_far_apart(long_song):
    """The mean spectrum and the way from the first to the second half tell every call
    from every other type's.
    """
    samples, annotations = long_song[0], long_song[1][:200]
    features = []
    for a in annotations:
        call = samples[round(a.onset_s * 16_000) : round(a.offset_s * 16_000)]
        power = spectrogram.power_spectrogram(
            call, 16_000, SpectrogramConfig(hop_length=32)
        ).numpy()
        halves = np.stack([half.mean(axis=0) for half in np.array_split(power, 2)])
        features.append(
            (halves / halves.sum(axis=1, keepdims=True))
            .reshape(2, 129)[:, :128]
            .reshape(2, 16, 8)
            .sum(axis=2)
            .ravel()
        )
    features, labels = np.array(features), np.array([a.label for a in annotations])
    centroids = np.array(
        [features[labels == name].mean(axis=0) for name in simulated_song.CALL_TYPES]
    )
    nearest = np.argmin(np.linalg.norm(features[:, np.newaxis] - centroids, axis=-1), axis=1)
    assert np.mean(np.array(simulated_song.CALL_TYPES)[nearest] == labels) > 0.99


def test_the_same_seed_gives_the_same_bytes_however_many_are_written(folder, tmp_path):
    paths = simulated_song.write_recordings(tmp_path, num_recordings=2, duration_s=4.0, seed=7)
    assert [p.name for p in sorted(tmp_path.iterdir())] == [
        "annotations.csv",
        "simulated_000.wav",
        "simulated_001.wav",
    ]
    for path in paths:
        assert pathlib.Path(path).read_bytes() == (folder / pathlib.Path(path).name).read_bytes()
    others = simulated_song.write_recordings(
        tmp_path / "other", num_recordings=1, duration_s=4.0, seed=8
    )
    assert pathlib.Path(others[0]).read_bytes() != pathlib.Path(paths[0]).read_bytes()


def test_the_recordings_are_plain_wav_of_the_asked_length(folder):
    for path in listing.list_recordings(folder):
        recording = readers.probe(path)
        assert (recording.sample_rate, recording.num_samples, recording.decoder) == (
            16_000,
            64_000,
            "tensorflow_io",
        )
        assert 0.1 < np.abs(readers.read(recording)).max() < 0.9


def test_every_call_ends_before_its_recording(long_song):
    samples, annotations = long_song
    assert annotations[-1].offset_s < len(samples) / 16_000
    assert all(a.onset_s < a.offset_s <= b.onset_s for a, b in zip(annotations, annotations[1:]))


def test_what_cannot_be_simulated_is_refused(tmp_path):
    with pytest.raises(
        ValueError, match="`sample_rate` must be at least 16000 Hz. Received: sample_rate=8000"
    ):
        simulated_song.simulate_song(0, sample_rate=8000)
    with pytest.raises(
        ValueError, match="`duration_s` must be at least 1. Received: duration_s=0.5"
    ):
        simulated_song.simulate_song(0, duration_s=0.5)
    with pytest.raises(
        ValueError, match="`num_recordings` must be at least 1. Received: num_recordings=0"
    ):
        simulated_song.write_recordings(tmp_path, num_recordings=0)
