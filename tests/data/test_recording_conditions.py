"""Under which conditions recordings were made: by tables, folders and names, and with every window
that is cut of them.
"""

import dataclasses
import math
import re
import shutil

import numpy as np
import pytest
import soundfile
import tensorflow as tf

from neurovocal_tf.audio.spectrogram import FrameScale
from neurovocal_tf.conditions import Conditions
from neurovocal_tf.config import Config
from neurovocal_tf.data import frame_sequences, pipeline, recording_conditions, shares, survey
from neurovocal_tf.data.recordings import Recordings
from neurovocal_tf.data.simulated_song import write_recordings
from neurovocal_tf.data.sources import Source
from neurovocal_tf.data.survey import survey as look

CONFIG = Config().replace(n_fft=128, hop_length=64, window_frames=16, batch_size=8)
BIRDS = Conditions.of({"individual": ["a", "b"]})


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("birds")
    write_recordings(folder, num_recordings=4, duration_s=1.0)
    return folder


def sources(*values):
    return tuple(Source(f"{i}.wav", "", conditions=(value,)) for i, value in enumerate(values))


def values_of(names, tmp_path, **settings):
    config = Config().replace(**settings).data
    paths = [str(tmp_path / name) for name in names]
    found, notes = recording_conditions.values_of(paths, tmp_path, config)
    return [found[path] for path in paths], notes


def test_a_table_a_folder_and_a_name_tell_them_in_this_order(tmp_path):
    table = tmp_path / "birds.csv"
    table.write_text("file,individual,day\nx/7_a_1.wav, or60 ,3\n8_a.wav,,4\n")
    found, notes = values_of(
        ["x/7_a_1.wav", "8_a.wav", "y/9.wav"],
        tmp_path,
        recordings_table=str(table),
        condition_columns="individual, day",
        condition_from="folder",
    )
    assert found == [("or60", "3", "x"), ("", "4", ""), ("", "", "y")]
    assert notes == [
        "2 of 3 recordings have no individual: 8_a.wav, y/9.wav",
        "1 of 3 recordings have no day: y/9.wav",
        "1 of 3 recordings have no folder: 8_a.wav",
    ]
    assert values_of(["7_jackson_3.wav", "a.b.wav"], tmp_path, condition_from="name_part:2") == (
        [("jackson",), ("",)],
        ["1 of 2 recordings have no name_part: a.b.wav"],
    )
    assert values_of(["x/7_a.wav"], tmp_path, condition_from="name_part")[0] == [("7",)]
    assert values_of(["x/7_a.wav"], tmp_path) == ([()], [])


@pytest.mark.parametrize(
    "settings, told",
    [
        (dict(condition_columns="a"), "`recordings_table` and `condition_columns` must be given"),
        (dict(recordings_table="a.csv"), "`recordings_table` and `condition_columns` must be"),
        (dict(condition_from="name"), "`condition_from` must be folder or name_part:N"),
        (dict(condition_from="name_part:0"), "`condition_from` must be folder or name_part:N"),
        (dict(recordings_table="a", condition_columns="b,b"), "must name each condition once"),
        (dict(recordings_table="a", condition_columns="b=c"), "must name each condition once"),
        (
            dict(recordings_table="a", condition_columns="folder", condition_from="folder"),
            "must name each condition once",
        ),
    ],
)
def test_settings_that_contradict_each_other_are_told_in_a_line(settings, told):
    with pytest.raises(ValueError, match=told) as error:
        Config().replace(**settings)
    assert "\n" not in str(error.value)


def test_what_no_recording_has_is_told_in_a_line(tmp_path):
    with pytest.raises(ValueError, match="none has a folder. Received: condition_from=folder, and"):
        values_of(["a.wav"], tmp_path, condition_from="folder")


def test_a_survey_knows_those_that_train_and_tells_of_the_others(folder, tmp_path):
    table, names = tmp_path / "birds.csv", [f"simulated_{i:03d}.wav" for i in range(4)]
    held_out = tmp_path / "held_out.txt"
    held_out.write_text(f"{names[3]}\n")
    table.write_text(f"file,individual\n{names[0]},b\n{names[1]},a\n{names[3]},c\n")
    config = CONFIG.replace(
        recordings_table=str(table), condition_columns="individual", held_out_list=str(held_out)
    )
    found = look(folder, config)
    assert found.training.conditions == BIRDS == found.validation.conditions
    assert [source.conditions for source in found.training.sources] == [("b",), ("a",), ("",)]
    assert [found.training.condition_of(index) for index in range(3)] == [(2,), (1,), (0,)]
    assert found.validation.condition_of(0) == (0,)
    told = "\n".join(found.notes)
    assert "1 of 4 recordings have no individual: simulated_002.wav" in told
    assert "1 of 1 held-out recordings have a value of individual that does not train" in told
    others, _, told = survey.survey_held_out(folder, str(held_out), config, found.training)
    assert others.condition_of(0) == (0,) and len(told) == 1
    assert "1 of 1 held-out recordings have a value of individual that does not" in told[0]
    table.write_text(f"file,individual\n{names[0]},b\n{names[1]},b\n{names[3]},c\n")
    with pytest.raises(ValueError, match="the individual of .*001.wav is another than it began"):
        recording_conditions.check_unchanged(found.training.sources, config.data)


def test_recordings_are_chosen_by_the_values_that_are_named():
    data = Recordings(sources("b", "", "a", "b"), 8000, FrameScale(), CONFIG, conditions=BIRDS)

    def named(given):
        chosen = recording_conditions.those_of(data, BIRDS.named(given), "sing")
        return [source.path for source in chosen.sources]

    assert {given: named(given) for given in (None, "individual=b", "individual=unknown")} == {
        None: ["0.wav", "1.wav", "2.wav", "3.wav"],
        "individual=b": ["0.wav", "3.wav"],
        "individual=unknown": ["1.wav"],
    }
    with pytest.raises(ValueError, match="recordings sing. Received: condition=individual=b$"):
        recording_conditions.those_of(data.some([1]), BIRDS.named("individual=b"), "sing")


def test_a_voice_that_lies_in_the_floor_is_told_with_the_range_it_would_need(folder, tmp_path):
    shutil.copytree(folder, tmp_path / "birds")
    for name in ("simulated_000.wav", "simulated_001.wav"):
        samples, rate = soundfile.read(tmp_path / "birds" / name)
        soundfile.write(tmp_path / "birds" / name, 0.1 * samples, rate, subtype="FLOAT")
    table, held_out = tmp_path / "birds.csv", tmp_path / "held_out.txt"
    table.write_text("file,bird\n" + "".join(f"simulated_00{i}.wav,{i // 2}\n" for i in range(4)))
    held_out.write_text("simulated_003.wav\n")
    config = CONFIG.replace(held_out_list=str(held_out))
    told = config.replace(recordings_table=str(table), condition_columns="bird")
    given = (config, told, told.replace(scaling="max_power"), told.replace(dynamic_range_db=84))
    notes = [
        [note for note in look(tmp_path / "birds", one).notes if "fainter" in note] for one in given
    ]
    ((of_faint,),) = filter(None, notes)
    assert notes[1] == [of_faint] and of_faint.startswith("recordings of 0 are ")
    by_db, left_db, range_db = map(float, re.findall(r"[0-9]+\.?[0-9]*", of_faint)[1:4])
    # 20 dB, but for how loud each sings.
    assert by_db == pytest.approx(20, abs=3) and left_db == pytest.approx(60 - by_db, abs=0.11)
    assert range_db == math.ceil(60 + by_db)


def test_each_of_several_conditions_knows_its_own_values():
    settings = dict(recordings_table="birds.csv", condition_columns="individual,context")
    several = [("a", "alone"), ("b", ""), ("", "with b")]
    training = [Source(f"{i}.wav", "", conditions=pair) for i, pair in enumerate(several)]
    known = recording_conditions.known_of(training, Config().replace(**settings).data)
    assert known == Conditions.of({"individual": ["a", "b"], "context": ["alone", "with b"]})


def test_frame_sequences_have_none(tmp_path):
    path = tmp_path / "frames.npz"
    arrays = {name: np.ones((3, 2)) for name in frame_sequences.SPLITS}
    np.savez(path, **arrays, **{f"{name}_lengths": [3] for name in frame_sequences.SPLITS})
    assert not look(path, CONFIG).training.conditions
    with pytest.raises(ValueError, match="`condition_from` must not be given for frame sequences"):
        look(path, CONFIG.replace(condition_from="folder"))


@pytest.mark.parametrize("num_shares, cache_mb", [(1, 1024), (2, 0)])
def test_every_window_has_its_recordings_conditions(folder, num_shares, cache_mb):
    config = CONFIG.replace(num_shares=num_shares, cache_mb=cache_mb, condition_from="name_part:2")
    found = look(folder, config)
    data = dataclasses.replace(found.training)
    whole = [
        (np.asarray(frames), tuple(number))
        for share in shares.split(data, num_shares)
        for frames, _, number in share.sequences().as_numpy_iterator()
    ]
    lengths, counts = [len(frames) for frames, _ in whole], None
    if num_shares > 1:
        counts = [len(share) for share in shares.split(data, num_shares)]
    training = pipeline.training_dataset(
        data, config, tf.constant(1), lengths, num_sequences=counts
    ).take(pipeline.num_batches(lengths, config, counts))
    validation = pipeline.validation_dataset(data, config, lengths, counts)
    for batches in (training, validation):
        num_windows = 0
        for frames, mask, _, numbers in batches.as_numpy_iterator():
            for window, kept, number in zip(frames, mask > 0, numbers, strict=True):
                if not kept.any():
                    assert number == (0,)
                    continue
                num_windows += 1
                (own,) = {
                    value
                    for sequence, value in whole
                    if any((sequence[:, 0] == window[0, 0]) & (sequence[:, 5] == window[0, 5]))
                }
                assert tuple(number) == own
        assert num_windows >= len(whole)


def test_songs_in_turn_have_them_as_often_as_the_sources():
    found = recording_conditions.in_turn(sources("a", "a", "b", ""), BIRDS, 8)
    np.testing.assert_array_equal(found, [[1]] * 4 + [[2]] * 2 + [[0]] * 2)
    assert recording_conditions.in_turn(sources("a")[:0], Conditions(), 3) is None


def test_held_out_recordings_of_what_does_not_train_are_counted():
    assert recording_conditions.notes_of_held_out(sources("c", "a", "", "d"), BIRDS) == [
        "2 of 4 held-out recordings have a value of individual that does not train, and are of "
        "the unknown one: c, d"
    ]
