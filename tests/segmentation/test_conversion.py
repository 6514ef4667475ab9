"""Annotations from any format to any other."""

import csv
import os

import numpy as np
import pytest
import soundfile
from annotation_formats import FORMATS

from neurovocal_tf import annotations
from neurovocal_tf.annotations import Annotation, matching
from neurovocal_tf.config import Config
from neurovocal_tf.segmentation import conversion

CONFIG = Config().replace(low_hz=500.0, high_hz=6000.0)
# What evsonganaly keeps of a label is one letter.
TRUE = {
    "a.wav": [(0.1, 0.2, "a"), (0.3, 0.45, "b")],
    "deep/b.wav": [(0.05, 0.125, "c")],
}


@pytest.fixture(scope="module")
def birds(tmp_path_factory):
    """Folder of two recordings, and by.csv, their annotations."""
    folder = tmp_path_factory.mktemp("birds")
    (folder / "deep").mkdir()
    noise = np.random.default_rng(0).normal(scale=0.01, size=8000)
    for name in TRUE:
        soundfile.write(folder / name, noise, 16_000)
    rows = [Annotation(file, *times) for file, found in TRUE.items() for times in found]
    annotations.write(folder / "by.csv", rows, "csv")
    return folder


def recordings(folder):
    return {name: str(folder / name) for name in TRUE}


def converted(path, out, format, of=None, **options):
    found = conversion.find(path, of)
    return conversion.write(str(out), found, format, CONFIG, **options)


def rows_of(path):
    with open(path, newline="") as file:
        return list(csv.DictReader(file))


@pytest.mark.parametrize("with_recordings", [True, False])
@pytest.mark.parametrize("format", FORMATS)
def test_there_and_back_nothing_is_lost(format, with_recordings, birds, tmp_path):
    of = recordings(birds) if with_recordings else None
    written, skipped = converted(birds / "by.csv", tmp_path / "there", format, of)
    assert skipped == [] and len(written) == (1 if format in conversion.TABLES else 2)
    found = matching.match(tmp_path / "there", recordings(birds).values())
    assert found.unmatched == () and found.passed_over == ()
    for name, expected in TRUE.items():
        read = [(a.onset_s, a.offset_s, a.label) for a in found.of[str(birds / name)]]
        assert [label for *_, label in read] == [label for *_, label in expected]
        np.testing.assert_allclose(
            [times for *times, _ in read], [times for *times, _ in expected], atol=2e-6
        )


def test_a_table_names_recordings_that_are_there_by_their_place_and_others_as_they_were(
    birds, tmp_path
):
    converted(birds / "by.csv", tmp_path / "near", "csv", recordings(birds))
    files = {row["file"] for row in rows_of(tmp_path / "near" / "annotations.csv")}
    assert files == {os.path.relpath(birds / name, tmp_path / "near") for name in TRUE}
    (tmp_path / "labels").mkdir()
    (tmp_path / "labels" / "song.txt").write_text("0.1\t0.2\ta\n")
    converted(tmp_path / "labels", tmp_path / "far", "csv")
    assert rows_of(tmp_path / "far" / "annotations.csv") == [
        {"file": "song", "onset_s": "0.100000", "offset_s": "0.200000", "label": "a"}
    ]


def test_what_is_there_stays_unless_it_is_given_up(birds, tmp_path):
    (tmp_path / "annotations.csv").write_text("mine")
    with pytest.raises(ValueError, match="`out` must be a folder without files of these names"):
        converted(birds / "by.csv", tmp_path, "csv")
    assert (tmp_path / "annotations.csv").read_text() == "mine"
    assert os.listdir(tmp_path) == ["annotations.csv"]
    converted(birds / "by.csv", tmp_path, "csv", overwrite=True)
    assert len(rows_of(tmp_path / "annotations.csv")) == 3


def test_what_cannot_be_read_or_written_is_a_row_with_its_reason(birds, tmp_path):
    labels = tmp_path / "labels"
    labels.mkdir()
    (labels / "a.txt").write_text("0.1\t0.2\ta\n")
    (labels / "gone.txt").write_text("0.1\t0.2\ta\n")
    (labels / "broken.csv").write_text("onset_s,offset_s\nx,y\n")
    written, skipped = converted(labels, tmp_path / "out", "raven", recordings(birds))
    assert written == [str(tmp_path / "out" / "a.selections.txt")]
    assert [row["file"] for row in rows_of(tmp_path / "out" / "skipped.csv")] == [
        str(labels / "broken.csv"),
        str(labels / "gone.txt"),
    ]
    assert "`onset_s` must be a time in seconds" in skipped[0][1]


@pytest.mark.parametrize("format, lacks", [("raven", "bands"), ("notmat", "sample rate")])
def test_what_a_format_needs_of_recordings_that_are_not_there_is_said(format, lacks, tmp_path):
    (tmp_path / "song.txt").write_text("0.1\t0.2\ta\n")
    with pytest.raises(ValueError, match=f"song: --format={format} needs the {lacks}.*--data_dir"):
        converted(tmp_path / "song.txt", tmp_path / "out", format)
    assert not (tmp_path / "out").exists()


def test_files_are_named_below_the_folder_that_all_recordings_are_in_and_never_outside(tmp_path):
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "by.csv").write_text(
        "file,onset_s,offset_s,label\n../x/../song.wav,0.1,0.2,a\n../birds/b.wav,0,1,b\n"
    )
    written, _ = converted(tmp_path / "in", tmp_path / "out", "audacity")
    assert sorted(os.path.relpath(path, tmp_path / "out") for path in written) == [
        "birds/b.txt",
        "song.txt",
    ]
