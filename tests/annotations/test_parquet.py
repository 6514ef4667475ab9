"""Tables in Parquet are read wherever CSV is, and written with types."""

import sys

import numpy as np
import pandas as pd
import pytest
import soundfile
from annotation_formats import needs_pyarrow

from neurovocal_tf import annotations
from neurovocal_tf.annotations import Annotation, parquet
from neurovocal_tf.audio import listing
from neurovocal_tf.config import Config
from neurovocal_tf.data import split
from neurovocal_tf.segmentation import formats
from neurovocal_tf.segmentation.folder import SegmentedFolder

FOUND = [
    Annotation("a.wav", 0.25, 0.5, "", score=3.25),
    Annotation("day 1/b,b.wav", 1.0, 1.5, 'a "b"', score=None),
]


@needs_pyarrow
def test_annotations_come_back_with_numbers_as_numbers(tmp_path):
    path = tmp_path / "found.parquet"
    annotations.write(path, FOUND, "parquet")
    assert annotations.read(path) == FOUND
    table = pd.read_parquet(path)
    assert list(table) == ["file", "onset_s", "offset_s", "label", "score"]
    assert table["onset_s"].dtype == float and table["score"].isna().tolist() == [False, True]


@needs_pyarrow
def test_a_table_of_results_keeps_texts_that_look_like_numbers(tmp_path):
    (tmp_path / "files.csv").write_text(
        "file,num_bytes,duration_s,note\n001,7,0.5,\nNA,8,,cut off\n", encoding="utf-8"
    )
    parquet.write_from_csv(tmp_path / "files.parquet", tmp_path / "files.csv")
    table = pd.read_parquet(tmp_path / "files.parquet")
    assert table["file"].tolist() == ["001", "NA"] and table["note"].tolist() == ["", "cut off"]
    assert table["num_bytes"].dtype.kind == "i" and table["duration_s"].isna().tolist() == [0, 1]


@needs_pyarrow
@pytest.mark.parametrize("rows_at_once", [1, 2, 100])
def test_a_table_is_the_same_however_much_of_it_is_read_at_once(
    rows_at_once, tmp_path, monkeypatch
):
    monkeypatch.setattr(parquet, "_ROWS_AT_ONCE", rows_at_once)
    rows = ["a.wav,1,,7,0.5", "b.wav,2,,,1", "'c\n',3,,8,2", "NA,4,,,3"]
    text = "\n".join(["file,onset_s,p,rank,score", *rows, ""]).replace("'", '"')
    (tmp_path / "all.csv").write_text(text, encoding="utf-8")
    parquet.write_from_csv(tmp_path / "all.parquet", tmp_path / "all.csv", {"channel": 1})
    found = pd.read_parquet(tmp_path / "all.parquet")
    expected = pd.DataFrame(
        {
            "file": ["a.wav", "b.wav", "c\n", "NA"],
            "onset_s": [1.0, 2.0, 3.0, 4.0],
            "p": [np.nan] * 4,
            "rank": [7, np.nan, 8, np.nan],
            "channel": pd.Series([1] * 4, dtype="Int64"),
            "score": [0.5, 1.0, 2.0, 3.0],
        }
    )
    pd.testing.assert_frame_equal(found, expected)


@needs_pyarrow
def test_recordings_and_splits_are_named_by_parquet_too(tmp_path):
    for name in ("a.wav", "b.wav"):
        (tmp_path / name).touch()
    table = pd.DataFrame({"file": ["a.wav", "b.wav", "b.wav"], "bird": [1, 2, 2]})
    table.to_parquet(tmp_path / "birds.parquet")
    paths = listing.list_recordings(tmp_path / "birds.parquet")
    assert paths == [str(tmp_path / name) for name in ("a.wav", "b.wav")]
    text = f"{tmp_path / 'birds.parquet'}:bird=2"
    assert split.listed(text, "train_list", str(tmp_path), paths) == paths[1:]


@needs_pyarrow
def test_a_segmented_folders_tables_can_be_joined(tmp_path):
    samples = 1e-3 * np.random.default_rng(0).standard_normal(16_000)
    samples[8000:9600] += 0.3 * np.sin(2 * np.pi * np.arange(1600) * 3000 / 16_000)
    (tmp_path / "data").mkdir()
    soundfile.write(tmp_path / "data" / "a.wav", samples, 16_000)
    (tmp_path / "data" / "b.wav").write_bytes(b"RIFF")
    run = SegmentedFolder(tmp_path / "data", tmp_path / "out", Config())
    run.run(1, lambda num_bytes: None)
    assert formats.write(run, ("parquet", "raven"), Config()) == []
    tables = {path.stem: pd.read_parquet(path) for path in (tmp_path / "out").glob("*.parquet")}
    assert set(tables) == {"annotations", "files", "dropped", "skipped"}
    (row,) = tables["annotations"].merge(tables["files"], on="file").to_dict("records")
    assert row["sample_rate"] == 16_000 and row["label"] == "" and "low_hz" not in row
    assert row["onset_s"] == pytest.approx(0.5, abs=0.02)


@needs_pyarrow
def test_a_file_that_is_no_parquet_is_named_in_one_line(tmp_path):
    (tmp_path / "x.parquet").write_bytes(b"PAR1 and no more")
    with pytest.raises(ValueError, match=r"^.*x\.parquet: is not a Parquet table: .*$"):
        annotations.read(tmp_path / "x.parquet")


def test_without_pyarrow_a_line_says_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    (tmp_path / "x.parquet").write_bytes(b"PAR1")
    for attempt in (
        lambda: annotations.read(tmp_path / "x.parquet"),
        lambda: annotations.write(tmp_path / "y.parquet", FOUND, "parquet"),
        lambda: listing.look_at(tmp_path / "x.parquet"),
    ):
        with pytest.raises(ValueError, match=r"^Parquet needs pyarrow: pip install"):
            attempt()
    assert [path.name for path in tmp_path.iterdir()] == ["x.parquet"]
