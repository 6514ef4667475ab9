"""The folder of a training run: what may change when it goes on,
and what later tools find in it.
"""

import dataclasses
import os
import shutil

import pytest

from neurovocal_tf.audio.spectrogram import FrameScale
from neurovocal_tf.config import Config, may_change_on_resume, settings
from neurovocal_tf.data.sources import Source
from neurovocal_tf.labels import NUM_QUANTILES, Labels
from neurovocal_tf.runs.run_folder import DataSummary, RunFolder
from neurovocal_tf.settings import number_type


def summary(data_dir):
    """A summary of two recordings, one in a folder below."""
    return DataSummary(
        data_dir=str(data_dir),
        sample_rate=32_000,
        scale=FrameScale(reference_power=0.1 + 0.2, mean_max_power=1 / 3),
        training=(
            Source(
                str(data_dir / "day_1" / "a.wav"),
                "tensorflow_io",
                0.0,
                0.75,
                ((0.1 + 0.2, 1.0, "é"), (1.5, 2.0, "")),
                track=((0.1 + 0.2, 1.0, "é"),),
            ),
        ),
        validation=(Source(str(data_dir / "b.flac"), "libsndfile", 0.75, 1.0),),
        training_frames=(10, 20),
        validation_frames=(5,),
        baselines={"mean": 1.25, "ridge_var2": 0.5},
        lists={"held_out_list": ("b.flac",)},
        labels=Labels(("é",), (tuple(range(NUM_QUANTILES)),), {(0, 0): (2,) * NUM_QUANTILES}),
    )


def write_recordings(data_dir):
    (data_dir / "day_1").mkdir(parents=True)
    for name in ("day_1/a.wav", "b.flac"):
        (data_dir / name).write_bytes(b"sound")


def another_value(field, value):
    """A value in range that is not the one given."""
    if field.metadata["choices"]:
        return next(choice for choice in field.metadata["choices"] if choice != value)
    kind, high = number_type(field), field.metadata["high"]
    if kind is bool:
        return not value
    if kind is str:
        folders = dict.fromkeys(("condition_from", "labels", "texts"), "folder")
        return (folders | {"spellings": "1=one"}).get(field.name, "1")
    if isinstance(value, tuple):
        return tuple(number + 2 for number in value)
    if value == high:
        return kind(value / 2)
    return value + 2 if value + 2 <= high else kind((value + high) / 2)


@pytest.mark.parametrize("field", [field for _, field in settings()], ids=lambda field: field.name)
def test_a_run_goes_on_with_its_own_settings_only_and_any_other_is_refused_by_name(field, tmp_path):
    folder = RunFolder(tmp_path)
    # so that each setting has room to change alone
    config = Config().replace(
        n_fft=512,
        sequence="bout",
        batch_size=12,
        recordings_table="birds.csv",
        condition_columns="bird",
        start_from="run",
        texts="annotations",
    )
    folder.check(config)  # nothing there yet
    folder.write_config(config)
    folder.check(config)
    section = next(section for section, other in settings() if other.name == field.name)
    changed = config.replace(
        **{field.name: another_value(field, getattr(getattr(config, section), field.name))}
    )
    if field.name in may_change_on_resume():
        folder.check(changed)
        return
    with pytest.raises(
        ValueError,
        match=(
            f"^`{field.name}` cannot change when a run goes on: .*Use another --workdir; only "
            ".*epochs"
        ),
    ):
        folder.check(changed)
    assert folder.config() == config


def test_epochs_the_cache_pictures_and_the_places_of_annotations_tables_and_lists_may_change():
    assert set(may_change_on_resume()) == {
        "epochs",
        "cache_mb",
        "annotations",
        "recordings_table",
        "train_list",
        "held_out_list",
        "texts",
        "spellings",
        "text_updates",
        "picture_format",
        "picture_dpi",
    }


def test_data_is_written_and_read_back_with_paths_relative_to_its_folder(tmp_path):
    data_dir, folder = tmp_path / "data", RunFolder(tmp_path / "run")
    os.makedirs(folder.path)
    write_recordings(data_dir)
    written = summary(data_dir)
    folder.write_data(written)
    assert folder.data() is None  # without a config.json there is no run to go on with
    folder.write_config(Config())
    found = folder.data()
    assert [source.path for source in found.training + found.validation] == [
        os.path.join("day_1", "a.wav"),
        "b.flac",
    ]
    names = [
        field.name
        for field in dataclasses.fields(DataSummary)
        if field.name not in ("training", "validation")
    ]
    assert {name: getattr(found, name) for name in names} == {
        name: getattr(written, name) for name in names
    }
    parts = found.parts_in(Config())
    assert (parts.training.sources, parts.validation.sources) == (
        written.training,
        written.validation,
    )


@pytest.mark.parametrize("given", ["list.txt", "data/**"])
def test_a_run_on_a_list_or_a_pattern_finds_its_recordings_again(given, tmp_path):
    folder = RunFolder(tmp_path / "run")
    os.makedirs(folder.path)
    write_recordings(tmp_path / "data")
    (tmp_path / "list.txt").write_text("data/day_1/a.wav\ndata/b.flac\n")
    written = dataclasses.replace(summary(tmp_path / "data"), data_dir=str(tmp_path / given))
    folder.write_data(written)
    folder.write_config(Config())
    found = folder.data()
    assert [source.path for source in found.training + found.validation] == [
        os.path.join("day_1", "a.wav"),
        "b.flac",
    ]
    parts = found.parts_in(Config())
    assert [*map(os.path.realpath, (s.path for s in parts.training.sources))] == [
        os.path.realpath(source.path) for source in written.training
    ]


def test_the_recordings_may_have_moved_but_not_be_missing(tmp_path):
    folder = RunFolder(tmp_path / "run")
    os.makedirs(folder.path)
    write_recordings(tmp_path / "data")
    folder.write_data(summary(tmp_path / "data"))
    folder.write_config(Config())
    shutil.move(tmp_path / "data", tmp_path / "elsewhere")
    with pytest.raises(
        ValueError,
        match=(
            "`data_dir` must hold the recordings this run began with, and there is no such "
            "folder.*data"
        ),
    ):
        folder.data().parts_in(Config())
    training, validation, _ = folder.data().parts_in(Config(), str(tmp_path / "elsewhere"))
    assert training.sources[0].path == str(tmp_path / "elsewhere" / "day_1" / "a.wav")
    assert validation.sources[0].path == str(tmp_path / "elsewhere" / "b.flac")
    (tmp_path / "elsewhere" / "b.flac").unlink()
    with pytest.raises(
        ValueError,
        match="`data_dir` must hold the recordings this run began with, and there is no .*b.flac",
    ):
        folder.data().parts_in(Config(), str(tmp_path / "elsewhere"))


def test_one_file_may_be_all_the_data(tmp_path):
    folder, path = RunFolder(tmp_path / "run"), tmp_path / "song.wav"
    os.makedirs(folder.path)
    path.write_bytes(b"sound")
    source = Source(str(path), "libsndfile")
    folder.write_data(
        dataclasses.replace(
            summary(tmp_path), data_dir=str(path), training=(source,), validation=(source,)
        )
    )
    folder.write_config(Config())
    training, _, _ = folder.data().parts_in(Config())
    assert training.sources[0].path == str(path)


def test_a_folder_without_a_run_is_named(tmp_path):
    with pytest.raises(
        ValueError,
        match=f"`workdir` must be a folder that `neurovocal train` has written.*workdir={tmp_path}",
    ):
        RunFolder(tmp_path).config()


def test_errors_are_in_decibels_unless_the_scale_is_linear(tmp_path):
    assert summary(tmp_path).unit == "dB"
    assert (
        dataclasses.replace(summary(tmp_path), scale=FrameScale(scaling="max_power")).unit
        == "relative power"
    )


def test_an_export_is_told_how_many_recordings_and_frames_there_were_and_the_baselines(tmp_path):
    assert summary(tmp_path).for_export() == {
        "num_training_sources": 1,
        "num_validation_sources": 1,
        "training_frames": 30,
        "validation_frames": 5,
        "validation_baseline_errors": {"mean": 1.25, "ridge_var2": 0.5},
        "unit": "dB",
    }
