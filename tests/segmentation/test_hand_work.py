"""What people have changed in the tables of a segmented folder is theirs."""

import os
import pathlib
import re
import shutil

import numpy as np
import pytest
import soundfile

from neurovocal_tf import annotations
from neurovocal_tf.config import Config
from neurovocal_tf.segmentation import folder as segment_folder
from neurovocal_tf.segmentation import formats, pictures
from neurovocal_tf.segmentation.written_files import WrittenFiles

RATE = 16_000
QUIET = Config().replace(buffer_ms=0.0)


def write_tones(path, at):
    samples = 1e-3 * np.random.default_rng(0).standard_normal(RATE)
    for onset in at:
        first = round(onset * RATE)
        samples[first : first + 1600] += 0.3 * np.sin(2 * np.pi * np.arange(1600) * 3000 / RATE)
    soundfile.write(path, samples, RATE)


@pytest.fixture
def data_dir(tmp_path):
    (tmp_path / "data").mkdir()
    for name, at in (("a.wav", [0.2, 0.6]), ("b.wav", [0.3]), ("hiss.wav", [])):
        write_tones(tmp_path / "data" / name, at)
    return tmp_path / "data"


def segmented(data_dir, **options):
    """The command once more: the folder with all recordings done."""
    found = segment_folder.SegmentedFolder(data_dir, data_dir.parent / "out", QUIET, **options)
    found.run(1, lambda num_bytes: None)
    return found


def lines(out, name="annotations.csv"):
    return (out / name).read_text(encoding="utf-8").splitlines()


def edited(out, name="annotations.csv", delimiter=","):
    """Labels typed, and the second row, the second segment of a.wav, deleted."""
    header, *rows = lines(out, name)
    del rows[1]
    text = "\n".join([header, *(row.replace(",,", ",call,") for row in rows)]) + "\n"
    (out / name).write_text(text.replace(",", delimiter), encoding="utf-8")
    return (out / name).read_bytes()


@pytest.mark.parametrize("delimiter", [",", ";"])
def test_labels_typed_and_rows_deleted_stay_and_what_is_new_goes_beside(
    delimiter, data_dir, tmp_path
):
    out = tmp_path / "out"
    segmented(data_dir)
    by_hand = edited(out, delimiter=delimiter)
    write_tones(data_dir / "new.wav", [0.4])
    for _ in range(2):
        found = segmented(data_dir)
        assert (out / "annotations.csv").read_bytes() == by_hand
        assert [a.label for a in found.annotations("a.wav")] == ["call"]
        assert len(found.annotations("new.wav")) == 1
        assert [line.split(",")[0] for line in lines(out, "annotations_2.csv")[1:]] == [
            os.path.join("..", "data", "new.wav")
        ]
        assert "annotations.csv has been changed since it was written, and is kept" in "".join(
            found.notes
        )
        assert found.figures()["num_segments"] == 3 and found.num_resumed >= 3


def test_overwrite_gives_it_up(data_dir, tmp_path):
    segmented(data_dir)
    before = lines(tmp_path / "out")
    edited(tmp_path / "out", delimiter=";")
    write_tones(data_dir / "new.wav", [0.4])
    segmented(data_dir)
    (data_dir / "new.wav").unlink()
    found = segmented(data_dir, overwrite=True)
    gone = "1 recordings that were segmented before are not there any more, such as "
    gone += os.path.join("..", "data", "new.wav")
    assert found.notes == [f"{gone}: their segments have left the tables"]
    assert lines(tmp_path / "out") == before
    assert not (tmp_path / "out" / "annotations_2.csv").exists()


def test_what_is_put_back_as_it_was_is_the_tool_s_again(data_dir, tmp_path):
    out = tmp_path / "out"
    segmented(data_dir)
    shutil.copy(out / "annotations.csv", tmp_path / "copy.csv")
    edited(out)
    write_tones(data_dir / "new.wav", [0.4])
    segmented(data_dir)
    shutil.copy(tmp_path / "copy.csv", out / "annotations.csv")
    assert segmented(data_dir).notes == [] and len(lines(out)) == 5
    assert not (out / "annotations_2.csv").exists()


def test_a_table_without_any_row_says_that_there_is_nothing(data_dir, tmp_path):
    segmented(data_dir)
    (tmp_path / "out" / "annotations.csv").write_text("file,onset_s,offset_s,label,score\n")
    found = segmented(data_dir)
    assert found.num_resumed == 3 and found.figures()["num_segments"] == 0


def test_a_table_that_became_no_table_is_refused_and_stays(data_dir, tmp_path):
    segmented(data_dir)
    (tmp_path / "out" / "annotations.csv").write_text("done on Monday\n")
    with pytest.raises(ValueError, match="annotations.csv, line 1: must be the begin .*overwrite"):
        segmented(data_dir)
    assert lines(tmp_path / "out") == ["done on Monday"]
    segmented(data_dir, overwrite=True)
    assert len(lines(tmp_path / "out")) == 4


def test_a_table_that_is_changed_while_others_are_found_is_kept(data_dir, tmp_path):
    out = tmp_path / "out"
    segmented(data_dir)
    write_tones(data_dir / "new.wav", [0.4])
    found = segment_folder.SegmentedFolder(data_dir, out, QUIET)
    by_hand = edited(out)
    found.run(1, lambda num_bytes: None)
    assert (out / "annotations.csv").read_bytes() == by_hand
    assert len(lines(out, "annotations_2.csv")) == 2
    assert [a.label for a in found.annotations("a.wav")] == ["call"]


def test_the_same_with_the_folder_moved(data_dir, tmp_path):
    segmented(data_dir)
    by_hand = edited(tmp_path / "out")
    (tmp_path / "elsewhere").mkdir()
    moved = (tmp_path / "out").rename(tmp_path / "elsewhere" / "out")
    found = segment_folder.SegmentedFolder(data_dir, moved, QUIET)
    found.run(1, lambda num_bytes: None)
    assert (moved / "annotations.csv").read_bytes() == by_hand
    assert [a.label for a in found.annotations("a.wav")] == ["call"]


def test_files_in_the_formats_of_programs_stay_when_they_are_changed(data_dir, tmp_path):
    out, names = tmp_path / "out", ("audacity", "avn")
    assert formats.write(segmented(data_dir), names, QUIET) == []
    (out / "audacity" / "a.txt").write_text("0.2\t0.3\tmine\n")
    (out / "annotations.avn.csv").write_text("files,onsets,offsets,labels\n")
    kept = formats.write(segmented(data_dir), names, QUIET)
    assert kept == [os.path.join("audacity", "a.txt"), "annotations.avn.csv"]
    assert lines(out / "audacity", "a.txt") == ["0.2\t0.3\tmine"]
    assert formats.write(segmented(data_dir, overwrite=True), names, QUIET) == []
    assert len(annotations.read(out / "audacity" / "a.txt")) == 2


def test_labels_and_bands_by_hand_go_into_the_formats(data_dir, tmp_path):
    segmented(data_dir)
    edited(tmp_path / "out")
    formats.write(segmented(data_dir), ("raven",), QUIET)
    found = annotations.read(tmp_path / "out" / "raven" / "a.selections.txt")
    assert [a.label for a in found] == ["call"]


def test_rows_by_hand_that_cannot_be_are_left_out_and_said_and_stay_in_the_table(
    data_dir, tmp_path
):
    segmented(data_dir)
    table = tmp_path / "out" / "annotations.csv"
    place = os.path.join("..", "data", "b.wav")
    added = f"{place},0.7,99,long,\n{place},5,4,reversed,\n{place},50,51,beyond,\n"
    table.write_text(table.read_text() + added)
    found = segmented(data_dir)
    assert [(a.label, a.offset_s) for a in found.annotations("b.wav")][1:] == [("long", 1.0)]
    assert table.read_text().endswith(added)
    for said in (
        "1 of .*b.wav lie beyond",
        "1 of .*b.wav reach over",
        "line 6: `offset_s` must no",
    ):
        assert any(re.search(said, note) for note in found.notes)


def test_a_record_of_pictures_that_a_spreadsheet_saved_is_made_anew(data_dir, tmp_path):
    drawn = tmp_path / "out" / "pictures" / "drawn.csv"
    pictures.draw(segmented(data_dir), None, QUIET)
    before = drawn.read_text()
    for text in (before.replace(",", ";"), "\xff", "file\na.wav\n"):
        drawn.write_text(text, encoding="latin-1")
        pictures.draw(segmented(data_dir), None, QUIET)
        assert drawn.read_text() == before


@pytest.mark.parametrize("name", ["files.csv", "skipped.csv"])
def test_what_people_make_of_a_report_gets_another_name(name, data_dir, tmp_path):
    out = tmp_path / "out"
    segmented(data_dir)
    (out / name).write_text("\n".join(f"{line},mine" for line in lines(out, name)) + "\n")
    by_hand = (out / name).read_bytes()
    found = segmented(data_dir)
    aside = out / name.replace(".csv", "_changed.csv")
    assert aside.read_bytes() == by_hand and aside.name in found.notes[0]
    assert found.num_resumed == 3 and "mine" not in lines(out, name)[0]


def test_files_csv_saved_by_a_spreadsheet_is_understood_or_named(data_dir, tmp_path):
    path = tmp_path / "out" / "files.csv"
    segmented(data_dir)
    path.write_text(path.read_text().replace(",", ";"))
    assert segmented(data_dir).num_resumed == 3
    path.write_text("file;onset\n")
    with pytest.raises(ValueError, match="files.csv, line 1: must have a column duration_s, as"):
        segmented(data_dir)


@pytest.mark.parametrize("is_changed", [False, True])
def test_a_folder_of_a_version_without_hashes_is_known_by_what_it_holds(
    is_changed, data_dir, tmp_path
):
    segmented(data_dir)
    if is_changed:
        by_hand = edited(tmp_path / "out")
    (tmp_path / "out" / "written.csv").unlink()
    write_tones(data_dir / "new.wav", [0.4])
    found = segmented(data_dir)
    assert bool(found.notes) == is_changed and found.num_resumed == 3
    if is_changed:
        assert (tmp_path / "out" / "annotations.csv").read_bytes() == by_hand
    else:
        assert len(lines(tmp_path / "out")) == 5


def test_what_was_found_in_recordings_that_are_not_listed_now_is_kept(data_dir, tmp_path):
    out = tmp_path / "out"
    (data_dir / "broken.wav").write_bytes(b"RIFF")
    segmented(data_dir)
    before = {name: lines(out, name) for name in ("annotations.csv", "files.csv", "skipped.csv")}
    found = segmented(data_dir, paths={"b.wav": str(data_dir / "b.wav")})
    assert found.finished == ["b.wav"] and found.figures()["num_segments"] == 1
    assert {name: lines(out, name) for name in before} == before
    assert len(before["skipped.csv"]) == 2


def test_hashes_outlive_a_crash_between_them_and_the_file(tmp_path):
    written = WrittenFiles(str(tmp_path))
    written.write("a.csv", lambda path: pathlib.Path(path).write_text("1"))

    def crashes(path):
        pathlib.Path(path).write_text("2")
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        written.write("a.csv", crashes)
    with open(tmp_path / "written.csv", "a") as file:
        file.write("cut o")
    again = WrittenFiles(str(tmp_path))
    assert again.is_as_written("a.csv") and not again.is_changed("a.csv")
    (tmp_path / "a.csv").write_text("mine")
    assert again.is_changed("a.csv") and not again.write_unless_changed("a.csv", crashes)
    assert (tmp_path / "a.csv").read_text() == "mine"


# Each of four tables twice, recordings.csv and config.json.
@pytest.mark.parametrize("num_writes", range(11))
def test_a_crash_at_any_write_is_not_taken_for_hand_work(
    num_writes, data_dir, tmp_path, monkeypatch
):
    segmented(data_dir)
    write_tones(data_dir / "new.wav", [0.4])
    replace, left = os.replace, [num_writes]

    def crashes(*paths):
        if not left[0]:
            raise SystemError
        left[0] -= 1
        replace(*paths)

    monkeypatch.setattr(os, "replace", crashes)
    try:
        segmented(data_dir)
    except SystemError:
        assert num_writes < 10
    monkeypatch.setattr(os, "replace", replace)
    found = segmented(data_dir)
    assert found.notes == [] and len(lines(tmp_path / "out")) == 5
    assert not (tmp_path / "out" / "annotations_2.csv").exists()
