"""Tracks of labels: by annotations, folders and names, and as the cues of every window's frames."""

import dataclasses

import numpy as np
import pytest
import tensorflow as tf

from neurovocal_tf.config import Config
from neurovocal_tf.data import label_tracks, pipeline, shares
from neurovocal_tf.data.simulated_song import write_recordings
from neurovocal_tf.data.survey import survey, survey_held_out
from neurovocal_tf.labels import (
    CUE_SIZE,
    LABEL,
    LEFT,
    NO_LABELS,
    SINCE,
    DurationStatistics,
    Labels,
)

CONFIG = Config().replace(n_fft=128, hop_length=64, window_frames=16, batch_size=8)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("birds")
    write_recordings(folder, num_recordings=4, duration_s=1.0)
    return folder


@pytest.fixture(scope="module")
def found(folder):
    return survey(folder, CONFIG.replace(labels="annotations"))


def test_labels_lie_beside_the_recordings_and_are_told_of_every_frame(found):
    training = found.training
    assert len(training.labels) > 1 and training.labels.known == found.validation.labels.known
    source = training.sources[0]
    frames, _, condition, cues = next(training.sequences().as_numpy_iterator())
    assert condition.shape == (0,) and cues.shape == (len(frames), CUE_SIZE)
    middles = (np.arange(len(frames)) * 64 + 64) / training.sample_rate
    for middle, (number, _, since, left) in zip(middles, cues, strict=True):
        labels = [label for onset, offset, label in source.track if onset <= middle < offset]
        assert number == (training.labels.number(labels[-1]) if labels else 1)
        assert since >= 0 and left >= 1


def test_windows_carry_the_cues_of_their_own_frames(found):
    data = found.training
    sequences = [(one, cues) for one, _, _, cues in data.sequences().as_numpy_iterator()]
    lengths = [len(frames) for frames, _ in sequences]
    batches = pipeline.training_dataset(data, CONFIG, tf.constant(0), lengths)
    frames, mask, _, condition, cues = next(batches.as_numpy_iterator())
    assert condition.shape == (8, 0) and cues.dtype == np.int32
    for window, is_frame, told in zip(frames, mask.astype(bool), cues, strict=True):
        where = [
            (first, of_all)
            for one, of_all in sequences
            for first in range(max(len(one) - 15, 1))
            if np.array_equal(one[first : first + 16], window[is_frame])
        ]
        assert any(np.array_equal(of_all[first : first + 16], told) for first, of_all in where)
    kept, _, _, _, of_them = next(
        pipeline.validation_dataset(data, CONFIG, lengths, place=shares.WHOLE).as_numpy_iterator()
    )
    np.testing.assert_array_equal(kept[0], sequences[0][0][:16])
    np.testing.assert_array_equal(of_them[0], sequences[0][1][:16])


def test_the_whole_of_each_vocalization_may_be_a_word_that_its_name_tells(folder):
    config = CONFIG.replace(labels="name_part:1", sequence="bout")
    found = survey(folder, config)
    assert len(found.training.labels) == 1
    for frames, _, _, cues in found.training.sequences().as_numpy_iterator():
        assert set(cues[:, LABEL].tolist()) == {1, 2}
        assert len(cues) == len(frames) and (cues[:, LEFT] > 0).all()
        assert ((cues[:, SINCE] == 0) == np.r_[True, np.diff(cues[:, LABEL]) != 0]).all()
    for source in found.training.sources:
        assert {label for *_, label in source.track} == set(found.training.labels.known)


def test_of_a_stretch_too_the_vocalizations_are_those_of_the_whole_recording(folder):
    data = survey(folder, CONFIG).training
    whole = data.sources[0]
    later = dataclasses.replace(whole, begin=0.5)
    # What is kept of the stretch itself counts from where that begins.
    data.spans.detect(later, np.zeros(4000, np.float32), data.sample_rate, CONFIG.segmentation)
    of_both = [
        label_tracks.vocalizations(source, data.sample_rate, CONFIG, data.spans)
        for source in (later, whole)
    ]
    assert of_both[0] == of_both[1] and len(of_both[0]) > 1


def test_recordings_without_labels_are_told_nothing_and_are_named_once(folder, tmp_path, found):
    training = found.training.sources
    without = dataclasses.replace(training[0], track=None)
    other = dataclasses.replace(training[1], track=((0.1, 0.2, "zz"),))
    known = label_tracks.known_of(training)
    assert label_tracks.notes_of(training, [without, other], known) == [
        f"1 of {len(training) + 2} recordings have no labels, and theirs are unknown: "
        f"{without.path.rpartition('/')[2]}",
        "1 held-out labels do not train, and are unknown: zz",
    ]
    data = dataclasses.replace(found.training, sources=(without, training[1]))
    first, second = [cues for *_, cues in data.sequences().as_numpy_iterator()]
    assert not first.any() and second.any()


def test_recordings_of_others_that_have_no_labels_are_evaluated_all_the_same(tmp_path, found):
    data_dir, named, config = tmp_path / "data", tmp_path / "held_out.txt", found.training.config
    write_recordings(data_dir, num_recordings=2, duration_s=1.0)
    for path in set(data_dir.iterdir()) - set(data_dir.glob("*.wav")):
        path.unlink()
    named.write_text("*_000.wav\n")
    others, skipped, _ = survey_held_out(data_dir, str(named), config, found.training)
    assert [source.track for source in others.sources] == [None] and not skipped
    (note,) = label_tracks.notes_of((), others.sources, others.labels)
    assert note.startswith("1 of 1 recordings have no labels, and theirs are unknown")
    with pytest.raises(ValueError, match="`labels` must not be annotations unless --annotations"):
        survey(data_dir, config)


def test_songs_have_the_labels_of_the_sources_in_turn_and_enough_of_them(found):
    sources = [
        dataclasses.replace(found.training.sources[0], track=tuple((0, 1, x) for x in labels))
        for labels in ("ab", "c?", "")
    ]
    known = DurationStatistics().of(Labels.of("abc"))
    # Each lasts one frame at least.
    texts = label_tracks.in_turn(sources, known, 3, 7)
    assert texts == [(2, 3, 4, 2, 3, 4, 2), (4, 2, 3, 4, 2, 3, 4), (2, 3, 4, 2, 3, 4, 2)]
    assert label_tracks.in_turn(sources, NO_LABELS, 3, 7) is None
    # As those of one bird may be, of which alone songs are.
    assert label_tracks.in_turn(sources[2:], known, 3, 7) is None


@pytest.mark.parametrize(
    "labels, told",
    [
        ("annotations", "labels=annotations, and in .* there are none"),
        ("name_part:9", "none has a label. Received: labels=name_part:9"),
        ("folder", "none has a label. Received: labels=folder"),
    ],
)
def test_labels_that_no_recording_has_are_told_in_a_line(labels, told, tmp_path):
    write_recordings(tmp_path, num_recordings=2, duration_s=1.0)
    for path in tmp_path.glob("*.csv"):
        path.unlink()
    with pytest.raises(ValueError, match=told) as error:
        survey(tmp_path, CONFIG.replace(labels=labels))
    assert "\n" not in str(error.value)
    with pytest.raises(ValueError, match="must be annotations, types, folder, name_part:N or"):
        CONFIG.replace(labels="words")
