"""Files appear whole or not at all, with the permissions of any other."""

import csv
import os
import stat

import pytest

from neurovocal_tf import files


def test_a_file_is_there_once_it_is_whole(tmp_path):
    path = tmp_path / "a.txt"
    path.write_text("before")
    with files.replacing(path) as temporary:
        assert os.path.dirname(temporary) == str(tmp_path) and temporary.endswith(".txt")
        with open(temporary, "w") as file:
            file.write("after")
        assert path.read_text() == "before"
    assert path.read_text() == "after" and os.listdir(tmp_path) == ["a.txt"]


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_what_goes_wrong_leaves_what_was_there_and_nothing_else(error, tmp_path):
    path = tmp_path / "a.txt"
    path.write_text("before")
    with pytest.raises(error), files.replacing(path) as temporary:
        with open(temporary, "w") as file:
            file.write("half")
        raise error
    assert path.read_text() == "before" and os.listdir(tmp_path) == ["a.txt"]


def test_two_writers_of_one_file_do_not_meet(tmp_path):
    with (
        files.replacing(tmp_path / "a.txt") as first,
        files.replacing(tmp_path / "a.txt") as second,
    ):
        assert first != second and os.path.exists(first) and os.path.exists(second)


@pytest.mark.skipif(os.name != "posix", reason="permissions are POSIX's")
@pytest.mark.parametrize("umask, mode", [(0o022, 0o644), (0o077, 0o600), (0o002, 0o664)])
def test_permissions_are_those_of_any_new_file_and_the_umask_of_the_process_stays_untouched(
    umask, mode, tmp_path, monkeypatch
):
    def refuse(mask):
        raise AssertionError("the umask is every thread's")

    before = os.umask(umask)
    try:
        with monkeypatch.context() as patched:
            patched.setattr(os, "umask", refuse)
            files.write_text(tmp_path / "a.txt", "a")
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "a.txt").stat().st_mode) == mode


def test_a_folder_that_is_not_there_is_named(tmp_path):
    with pytest.raises(FileNotFoundError) as error:
        files.write_text(tmp_path / "none" / "a.txt", "a")
    assert str(tmp_path / "none") in error.value.filename


@pytest.mark.parametrize("name", ["a" * 250 + ".csv", "é" * 124 + ".json", "x" * 255, "." * 255])
def test_a_name_that_fills_the_limit_is_written_as_any_other(name, tmp_path):
    files.write_text(tmp_path / name, "whole")
    assert os.listdir(tmp_path) == [name] and (tmp_path / name).read_text() == "whole"


def test_a_name_that_would_be_too_long_gives_way_to_a_hash_of_it(tmp_path):
    names = [f"day/{'ü' * 124}{number}.wav" for number in range(2)]
    fitted = [files.fitting(name, "_2.selections.txt") for name in names]
    assert len(set(fitted)) == 2 and files.fitting("day/a b", ".png") == "day/a b.png"
    for name in fitted:
        assert name.startswith("day/ü") and name.endswith("_2.selections.txt")
        assert len(os.fsencode(os.path.basename(name))) <= 255
        (tmp_path / os.path.basename(name)).touch()


@pytest.mark.parametrize("text", ["a\rb", "a\nb", 'a"b', "a,b", "\r", "a\r\nb"])
def test_a_table_reads_back_as_what_it_was_written_from(text, tmp_path):
    rows = [["x", text], [text, "y"], ["1", ""]]
    files.write_csv(tmp_path / "t.csv", ("one", "two"), rows)
    with open(tmp_path / "t.csv", newline="", encoding="utf-8") as file:
        assert list(csv.reader(file)) == [["one", "two"], *rows]
