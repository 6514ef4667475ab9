"""What is in a folder: recordings, and what may be sound and cannot be read, with the reason."""

import os
import pathlib

import pytest

from neurovocal_tf.audio import listing


def relative(folder, path):
    return os.path.relpath(path, folder)


@pytest.fixture
def looked_at(tmp_path):
    """Function () -> names of the recordings in `tmp_path`, and dict of name -> reason."""

    def look():
        found = listing.look_at(tmp_path)
        reasons = {relative(tmp_path, path): reason for path, reason in found.skipped}
        return [relative(tmp_path, path) for path in found.paths], reasons

    (tmp_path / "a.wav").touch()
    return look


def test_links_are_followed_and_a_folder_that_several_lead_to_is_entered_once(
    looked_at, tmp_path, tmp_path_factory
):
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    (elsewhere / "b.flac").touch()
    (tmp_path / "0_away").symlink_to(elsewhere)
    (tmp_path / "1_again").symlink_to(elsewhere)
    (tmp_path / "day").mkdir()
    (tmp_path / "day" / "c.wav").touch()
    (tmp_path / "day" / "back").symlink_to(tmp_path)
    # A link is less of a place than the folder itself, wherever it stands in the alphabet.
    (tmp_path / "another day").symlink_to(tmp_path / "day")
    names, reasons = looked_at()
    assert names == ["0_away/b.flac", "a.wav", "day/c.wav"]
    assert reasons == {
        "1_again": f"is the folder {tmp_path}/0_away once more",
        "another day": f"is the folder {tmp_path}/day once more",
        "day/back": f"is the folder {tmp_path} once more",
    }


def test_links_that_lead_nowhere_are_told(looked_at, tmp_path):
    (tmp_path / "gone.wav").symlink_to("no where.wav")
    (tmp_path / "round.wav").symlink_to("round.wav")
    (tmp_path / "notes.txt").symlink_to("gone.txt")
    (tmp_path / "empty").symlink_to("gone")
    names, reasons = looked_at()
    assert names == ["a.wav"]
    assert reasons == {
        "gone.wav": "is a link to no where.wav, which is not there",
        "round.wav": "is a link to round.wav, which cannot be followed: Too many levels of "
        "symbolic links",
        "empty": "is a link to gone, which is not there",
    }


def test_a_folder_that_cannot_be_entered_is_told(looked_at, tmp_path, monkeypatch):
    (tmp_path / "locked").mkdir()
    scandir = os.scandir

    # Whoever runs the tests may be allowed to enter any folder.
    def refused(path):
        if os.path.basename(path) == "locked":
            raise PermissionError(13, "Permission denied", path)
        return scandir(path)

    monkeypatch.setattr(os, "scandir", refused)
    assert looked_at() == (["a.wav"], {"locked": "cannot be opened: Permission denied"})


def test_paths_that_are_too_long_are_told(looked_at, tmp_path, monkeypatch):
    folder = "d" * 200
    monkeypatch.chdir(tmp_path)
    for _ in range(25):
        os.mkdir(folder)
        os.chdir(folder)
    pathlib.Path("deep.wav").touch()
    monkeypatch.chdir(tmp_path)
    names, reasons = looked_at()
    assert names == ["a.wav"]
    ((name, reason),) = reasons.items()
    assert name.startswith("d" * 200) and reason == "cannot be opened: File name too long"


@pytest.mark.parametrize(
    "name, shown, reason",
    [
        (b"caf\xe9.wav", "caf\\xe9.wav", "its name is not UTF-8: rename it"),
        (b"day\xff/a.wav", "day\\xff", "its name is not UTF-8: rename it"),
        (b"a\rb.wav", "a\\rb.wav", "its name holds a control character: rename it"),
        (b"a\nb\x1b[2J.wav", "a\\nb\\x1b[2J.wav", "its name holds a control character: rename it"),
        (b"day\t1/a.wav", "day\\t1", "its name holds a control character: rename it"),
        (b"a.pcm", "a.pcm", "has no header that tells its rate: make it a WAV file"),
    ],
)
def test_names_that_no_table_takes_are_told(name, shown, reason, looked_at, tmp_path):
    path = os.path.join(os.fsencode(tmp_path), name)
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "wb"):
        pass
    assert looked_at() == (["a.wav"], {shown: reason})


def test_sound_under_another_name_is_told_and_other_files_are_not(looked_at, tmp_path):
    contents = {
        "x.dat": b"RIFF\0\0\0\0WAVEfmt ",
        "song": b"fLaC\0\0\0\0",
        "y.bak": b"\0\0\0\x20ftypM4A ",
        "notes.txt": b"a RIFF of WAVEs",
        "empty": b"",
    }
    for name, content in contents.items():
        (tmp_path / name).write_bytes(content)
    names, reasons = looked_at()
    assert names == ["a.wav"]
    assert reasons == {
        "x.dat": "begins as a .wav file does: rename it so",
        "song": "begins as a .flac file does: rename it so",
        "y.bak": "begins as a .m4a file does: rename it so",
    }


def test_a_folder_of_nothing_that_can_be_read_says_so(tmp_path):
    (tmp_path / "gone.wav").symlink_to("nowhere")
    with pytest.raises(ValueError, match=r"of 1 none can be read; the first: .*gone\.wav is a"):
        listing.look_at(tmp_path)


def test_a_data_folder_whose_name_is_not_utf_8_is_refused_in_one_line(tmp_path):
    folder = os.fsdecode(os.fsencode(tmp_path) + b"/\xff")
    os.mkdir(folder)
    with pytest.raises(ValueError, match=r"`data_dir` must be a path in UTF-8.*data_dir=.*\\xff$"):
        listing.look_at(folder)
