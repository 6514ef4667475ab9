"""Recordings as people name them: a pattern, a list, a table."""

import os

import pytest

from neurovocal_tf.audio import listing


@pytest.fixture
def data(tmp_path):
    """Two days of recordings, a note among them."""
    for name in ("day 1/song_1.wav", "day 1/song_2.flac", "day 2/song_3.WAV", "day 2/noise.wav"):
        path = tmp_path / "data" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    (tmp_path / "data" / "day 1" / "notes.txt").touch()
    return tmp_path / "data"


def names(data_dir, data):
    return [os.path.relpath(path, data) for path in listing.list_recordings(data_dir)]


SONGS = ["day 1/song_1.wav", "day 1/song_2.flac", "day 2/song_3.WAV"]


@pytest.mark.parametrize(
    "pattern, expected",
    [
        ("*/song*", SONGS),
        ("day 1", SONGS[:2]),
        ("day ?", [*SONGS[:2], "day 2/noise.wav", SONGS[2]]),
        ("**", [*SONGS[:2], "day 2/noise.wav", SONGS[2]]),
        ("day 2/song_[0-9].WAV", SONGS[2:]),
    ],
)
def test_a_pattern_means_what_it_matches(pattern, expected, data):
    found = listing.look_at(data / pattern)
    assert names(data / pattern, data) == expected and found.skipped == ()


@pytest.mark.parametrize("pattern", ["*/none*", "*/*.txt", "nowhere/*.wav"])
def test_a_pattern_that_matches_no_recording_is_named(pattern, data):
    with pytest.raises(ValueError, match=r"^`data_dir` must hold recordings .*\. Received: data_"):
        listing.look_at(data / pattern)
    if pattern != "*/*.txt":
        with pytest.raises(ValueError, match="and nothing matches. Received"):
            listing.look_at(data / pattern)


def test_a_folder_with_the_characters_of_a_pattern_is_itself(data):
    odd = data / "day [1]"
    odd.mkdir()
    (odd / "a.wav").touch()
    assert names(odd, odd) == ["a.wav"] and not listing.is_pattern(odd)


LISTED = "# chosen by ear\n\nday 1/song_1.wav\n  day 2/song*  \n../data/day 1/song_1.wav\n{extra}"


@pytest.mark.parametrize("name", ["list.txt", "list.LST"])
def test_a_list_names_recordings_relative_to_itself_and_what_is_not_there_is_skipped(name, data):
    path = data / name
    path.write_text(
        LISTED.format(extra="gone.wav\nday 3/*\nday 1/notes.txt\n"), encoding="utf-8-sig"
    )
    assert names(path, data) == [SONGS[0], SONGS[2]]
    reasons = {os.path.relpath(p, data): why for p, why in listing.look_at(path).skipped}
    assert reasons == {
        "gone.wav": f"is not there: line 6 of {path}",
        "day 3/*": f"matches nothing: line 7 of {path}",
        "day 1/notes.txt": f"is no recording by the ending of its name: line 8 of {path}",
    }


@pytest.mark.parametrize(
    "header, delimiter", [("bird,file,day", ","), ("file;day", ";"), ("file\tday", "\t")]
)
def test_the_column_file_of_a_table_names_recordings(header, delimiter, data):
    rows = [
        {"bird": "3", "file": file, "day": "1"} for file in (*SONGS[:2], SONGS[0], "", "gone.wav")
    ]
    columns = header.split(delimiter)
    lines = [header, *(delimiter.join(row[column] for column in columns) for row in rows)]
    path = data / "table.csv"
    path.write_text("\n".join(lines), encoding="utf-8")
    assert names(path, data) == SONGS[:2]
    ((_, reason),) = listing.look_at(path).skipped
    assert reason.startswith("is not there: ") and reason.endswith("line 6")


@pytest.mark.parametrize(
    "name, text, message",
    [
        ("a.csv", "name,day\nx,1\n", "a table with a column file, and this one has name, day"),
        ("a.csv", "", "a table with a column file, and this one has none"),
        ("a.csv", "file,day\n,1\n", "must name recordings, and this file names none"),
        ("a.txt", "# nothing\n", "must name recordings, and this file names none"),
        (
            "a.txt",
            "gone.wav\n",
            "of 1 none can be read; the first: .*gone.wav is not there: line 1",
        ),
        ("a.txt", "\x00", "is not text"),
        ("a.parquet", "no table", "Parquet"),
    ],
)
def test_a_list_or_table_that_names_none_is_refused_in_one_line(name, text, message, data):
    (data / name).write_text(text, encoding="utf-8")
    with pytest.raises(ValueError, match=message) as error:
        listing.look_at(data / name)
    assert "\n" not in str(error.value)


def test_the_folder_of_what_is_given_holds_all_of_it(data, monkeypatch):
    (data / "list.txt").write_text("day 1/song_1.wav\nday 2/gone/*.wav\n", encoding="utf-8")
    (data / "one.txt").write_text("day 1/song_1.wav\n", encoding="utf-8")
    for given, expected in (
        (data, data),
        (data / "day 1" / "song_1.wav", data / "day 1"),
        (data / "*" / "song*", data),
        (data / "day 1" / "*.wav", data / "day 1"),
        (data / "list.txt", data),
        (data / "one.txt", data / "day 1"),
    ):
        assert os.path.samefile(listing.folder_of(given), expected), given
    monkeypatch.chdir(data)
    assert os.path.samefile(listing.folder_of("*/song*"), data)
