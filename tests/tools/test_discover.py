"""tools/discover.py: a folder of recordings to a report, in processes of their own."""

import csv
import importlib.util
import os
import re
import subprocess

import pandas as pd
import pytest
import simulated_birds
import simulated_calls
import simulated_speech
from annotation_formats import needs_pyarrow
from forked_tools import IMPORTS_OF_DISCOVERY, running_tools

HAS_PARQUET = importlib.util.find_spec("pyarrow") is not None


@pytest.fixture(scope="module")
def discover(tmp_path_factory):
    """Runs the tool, in processes in which there is no TensorFlow; what a trained run makes of
    calls is in test_tools.py.
    """
    with running_tools(tmp_path_factory.mktemp("calls"), IMPORTS_OF_DISCOVERY) as tool:
        yield lambda *arguments: subprocess.CompletedProcess(
            arguments, *tool("tools/discover.py", *arguments)
        )


@pytest.fixture(scope="module")
def songs(tmp_path_factory):
    folder = tmp_path_factory.mktemp("songs")
    simulated_calls.write(folder, count=3, duration_s=8.0)
    (folder / "notes.wav").write_text("no sound")
    return folder


@pytest.fixture(scope="module")
def reported(discover, songs, tmp_path_factory):
    out = tmp_path_factory.mktemp("out")
    arguments = ("--preset=songbird", f"--data_dir={songs}", f"--out={out}")
    if HAS_PARQUET:
        arguments += ("--format=parquet",)
    return out, arguments, discover(*arguments)


def test_a_folder_gets_its_report_without_tensorflow(reported):
    out, _, result = reported
    assert result.returncode == 0, result.stderr
    assert re.search(r"\d+ calls in 3 of 3 recordings, .* call types", result.stdout)
    assert "notes.wav is left out: is not audio" in result.stderr
    names = set(os.listdir(out))
    assert {"report.html", "calls.csv", "types.csv", "syntax.json", "merges.csv"} <= names
    assert {"raven", "audacity", "textgrid", "segments", "call_types.json"} <= names


@needs_pyarrow
def test_its_tables_come_with_types_too(reported):
    out, _, _ = reported
    for name in ("calls", "types", "merges"):
        typed = pd.read_parquet(out / f"{name}.parquet")
        plain = pd.read_csv(out / f"{name}.csv")
        assert list(typed) == list(plain) and len(typed) == len(plain)
    calls = pd.read_parquet(out / "calls.parquet")
    assert calls["onset_s"].dtype == float and calls["is_familiar"].dtype == int
    # Nobody has labelled these.
    assert set(calls["label"]) == {""} and set(calls["type"]) > {"A"}
    assert not (out / "written.parquet").exists()


def test_accepted_merges_join_types_and_the_file_stays(discover, reported):
    out, arguments, _ = reported

    def types():
        with open(out / "calls.csv", newline="", encoding="utf-8") as file:
            return [row["type"] for row in csv.DictReader(file)]

    before = types()
    text = "type_a,type_b,accept\nA,B,yes\n"
    (out / "merges.csv").write_text(text)
    result = discover(*arguments, f"--merges={out / 'merges.csv'}")
    assert result.returncode == 0, result.stderr
    assert (out / "merges.csv").read_text() == text and "1 files have been changed" in result.stderr
    assert types() == ["A" if name == "B" else name for name in before]


@pytest.mark.skipif(
    not importlib.util.find_spec("parselmouth"), reason="praat-parselmouth is not installed"
)
def test_a_folder_of_speech_gets_its_utterances_and_what_people_change_of_them_stays(
    discover, tmp_path
):
    paths, labels, speakers = simulated_speech.write(tmp_path, times=2)
    tables = {
        "people.csv": [("file", "who"), *speakers.items()],
        "words.csv": [
            ("file", "onset_s", "offset_s", "label"),
            *((name, *label) for name, own in labels.items() for label in own),
        ],
    }
    for name, rows in tables.items():
        with open(tmp_path / name, "w", newline="", encoding="utf-8") as file:
            csv.writer(file).writerows(rows)
    out = tmp_path / "out"
    arguments = (
        "--preset=speech",
        f"--data_dir={tmp_path}",
        f"--out={out}",
        f"--recordings_table={tmp_path / 'people.csv'}",
        "--speaker_column=who",
        f"--annotations={tmp_path / 'words.csv'}",
    )
    result = discover(*arguments)
    assert result.returncode == 0, result.stderr
    assert f"{len(paths)} utterances of 2 speakers" in result.stdout
    assert "2 speakers have at most 3 utterances" not in result.stderr
    assert len(os.listdir(out / "prosody")) == len(paths)
    assert '"speech":{' in (out / "report.html").read_text(encoding="utf-8")
    (out / "utterances.csv").write_text("mine\n")
    again = discover(*arguments)
    assert "the first: " + str(out / "utterances.csv") in again.stderr
    assert (out / "utterances.csv").read_text() == "mine\n"


@pytest.mark.parametrize(
    ("argument", "told"),
    [
        ("--merges=/nowhere.csv", "`merges` must be a merges.csv"),
        ("--types=/nowhere", "`types` must be a folder with call_types.json"),
        ("--group_column=day", "`group_column` must be given with `recordings_table`"),
        ("--speaker_column=who", "Received: recordings_table=None, group_column=None, identity_"),
        ("--annotations=/nowhere", "`annotations` must be an annotation file"),
        ("--identity_column=bird", "`identity_column` must be given with `recordings_table`"),
        ("--recordings_table=a.csv", "`recordings_table` must be given with `group_column`"),
    ],
)
def test_what_is_wrong_with_a_flag_is_one_line_before_anything_is_done(
    discover, songs, tmp_path, argument, told
):
    out = tmp_path / "out"
    result = discover("--preset=songbird", f"--data_dir={songs}", f"--out={out}", argument)
    assert result.returncode == 1
    assert told in result.stderr and len(result.stderr.strip().splitlines()) == 1
    assert not out.exists()


def test_who_sings_is_answered_for_recordings_that_the_table_does_not_name(discover, tmp_path):
    songs = tmp_path / "songs"
    songs.mkdir()
    _, _, birds = simulated_birds.write(songs, count=3, duration_s=2.0)
    named = {name: bird for name, bird in birds.items() if name != "bob_song_2.wav"}
    lines = ["file,bird", *(f"{name},{bird}" for name, bird in named.items())]
    (tmp_path / "birds.csv").write_text("\n".join(lines) + "\n")
    result = discover(
        "--preset=songbird",
        "--min_group_segments=1",
        f"--data_dir={songs}",
        f"--out={tmp_path / 'out'}",
        f"--recordings_table={tmp_path / 'birds.csv'}",
        "--identity_column=bird",
    )
    assert result.returncode == 0, result.stderr
    assert "who sings: 3 individuals, named rightly in recordings held out" in result.stdout
    assert "1 of 9 recordings have no bird" in result.stderr
    with open(tmp_path / "out" / "identity.csv", newline="", encoding="utf-8") as file:
        answers = {row["file"]: row for row in csv.DictReader(file)}
    assert answers["bob_song_2.wav"]["answer"] == "bob" and len(answers) == 9
