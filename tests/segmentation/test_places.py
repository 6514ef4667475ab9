"""`file` means the same in every table of a folder, and tables of earlier versions are read."""

import csv
import os

import numpy as np
import pytest
import soundfile

from neurovocal_tf import files
from neurovocal_tf.config import Config
from neurovocal_tf.segmentation import pictures
from neurovocal_tf.segmentation.folder import SegmentedFolder
from neurovocal_tf.segmentation.reports import with_names
from neurovocal_tf.segmentation.written_files import WrittenFiles

TABLES = ("annotations.csv", "files.csv", "dropped.csv", "skipped.csv", "recordings.csv")


@pytest.fixture
def data_dir(tmp_path):
    """Two recordings of a tone each, and a file that is none."""
    folder = tmp_path / "data"
    folder.mkdir()
    samples = 1e-3 * np.random.default_rng(0).standard_normal(16_000)
    samples[8000:9600] += 0.3 * np.sin(2 * np.pi * np.arange(1600) * 3000 / 16_000)
    for name in ("a.wav", "b.wav"):
        soundfile.write(folder / name, samples, 16_000)
    (folder / "broken.wav").write_bytes(b"RIFF")
    return folder


def segmented(data_dir):
    found = SegmentedFolder(data_dir, data_dir.parent / "out", Config())
    found.run(1, lambda num_bytes: None)
    return found


def texts(out):
    return {name: (out / name).read_text(encoding="utf-8") for name in TABLES}


def files_of(path):
    with open(path, newline="", encoding="utf-8") as file:
        return {row["file"] for row in csv.DictReader(file)}


def test_every_table_calls_a_recording_the_same_and_finds_it(data_dir, tmp_path):
    out = tmp_path / "out"
    pictures.draw(segmented(data_dir), None, Config())
    for path in (*(out / name for name in TABLES), out / "pictures" / "drawn.csv"):
        assert all((out / file).is_file() for file in files_of(path)), path
    assert files_of(out / "files.csv") == files_of(out / "recordings.csv")


def test_tables_of_earlier_versions_with_the_names_of_recordings_are_gone_on_with(
    data_dir, tmp_path
):
    out = tmp_path / "out"
    segmented(data_dir)
    before, written = texts(out), WrittenFiles(str(out))
    for name in TABLES[1:]:
        earlier = before[name].replace(os.path.join("..", "data", ""), "")
        (out / name).write_text(earlier, encoding="utf-8")
        if name != "recordings.csv":
            written.adopt(name)
    found = segmented(data_dir)
    assert found.num_resumed == 2 and found.notes == [] and not found.changed
    assert texts(out) == before


@pytest.mark.parametrize(
    "column, expected",
    [
        (["data/a.wav"], ["a.wav"]),
        (["data/a.wav", "data/gone.wav"], ["a.wav", "data/gone.wav"]),
        (["a.wav", "data/a.wav"], ["a.wav", "data/a.wav"]),
    ],
)
def test_a_name_that_is_another_recordings_place_is_told_by_the_rest_of_its_table(column, expected):
    places = {"a.wav": "data/a.wav", "data/a.wav": "data/data/a.wav"}
    rows = with_names([{"file": file} for file in column], places)
    assert [row["file"] for row in rows] == expected


def test_a_place_leads_through_links_to_the_recording(tmp_path):
    (tmp_path / "disk" / "birds").mkdir(parents=True)
    (tmp_path / "out").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "disk" / "birds")
    path = tmp_path / "link" / "a.wav"
    path.write_bytes(b"")
    place = files.place_in(tmp_path / "out", path)
    assert place == os.path.join("..", "disk", "birds", "a.wav")
    assert os.path.samefile(tmp_path / "out" / place, path)
