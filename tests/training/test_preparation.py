"""The data of a run: how often it is read, and how often searched for vocalizations."""

import collections

import pytest
import tensorflow as tf

from neurovocal_tf.data.found_spans import FoundSpans
from neurovocal_tf.runs.run_folder import RunFolder
from neurovocal_tf.segmentation import detector
from neurovocal_tf.training import trainer
from neurovocal_tf.training.preparation import prepare_data

NUM_RECORDINGS = 5


@pytest.fixture
def searches(monkeypatch):
    """Digests of the samples that the detector is given, one a call."""
    given, detect = [], detector.detect

    def counted(samples, *settings):
        given.append(samples.tobytes())
        return detect(samples, *settings)

    monkeypatch.setattr(detector, "detect", counted)
    return given


@pytest.fixture
def readings(monkeypatch):
    """How often each stretch of a recording has been read for its sequences."""
    counts, detect = collections.Counter(), FoundSpans.detect

    def counted(self, source, *rest):
        counts[source.path, source.begin, source.end] += 1
        return detect(self, source, *rest)

    monkeypatch.setattr(FoundSpans, "detect", counted)
    return counts


def read_epochs(config, data_dir, workdir):
    """Reads the data of a run that begins, or goes on, as its epochs do."""
    folder, epoch = RunFolder(workdir), tf.Variable(0, dtype=tf.int64, trainable=False)
    data = prepare_data(config, data_dir, folder, epoch, lambda line: None)
    folder.write_config(config)
    batches = iter(data.training)
    for _ in range(config.training.epochs):
        for _ in range(data.num_batches):
            next(batches)
        for _ in data.validation:
            pass


@pytest.mark.parametrize("cache_mb", [0, 64])
def test_the_detector_runs_once_over_each_recording_and_once_more_when_a_run_goes_on(
    cache_mb, searches, tiny_config, simulated_recordings, tmp_path
):
    config = tiny_config.replace(sequence="bout", bout_gap_s=0.05, cache_mb=cache_mb, epochs=2)
    read_epochs(config, simulated_recordings, tmp_path)
    assert len(searches) == len(set(searches)) == NUM_RECORDINGS
    read_epochs(config, simulated_recordings, tmp_path)
    assert len(searches) == 2 * NUM_RECORDINGS and len(set(searches)) == NUM_RECORDINGS


def test_a_recording_parted_in_time_is_searched_as_a_whole_and_once_in_each_part(
    searches, tiny_config, simulated_recordings, tmp_path
):
    config = tiny_config.replace(
        sequence="segment", validation="temporal", validation_fraction=0.4, epochs=1
    )
    read_epochs(config, simulated_recordings, tmp_path)
    assert len(searches) == len(set(searches)) == 3 * NUM_RECORDINGS


def test_by_the_end_of_a_training_in_memory_every_recording_has_been_read_three_times(
    searches, readings, tiny_config, simulated_recordings, tmp_path, quick_training
):
    config = tiny_config.replace(sequence="bout", bout_gap_s=0.05, batch_size=64, epochs=2)
    trainer.train(config, simulated_recordings, tmp_path, pictures=False)
    assert len(readings) == NUM_RECORDINGS and set(readings.values()) == {3}
    assert len(searches) == NUM_RECORDINGS
