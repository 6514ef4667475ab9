"""tools/discover.py: a folder of recordings to a report, in processes of their own."""

import csv
import os
import pathlib
import re
import subprocess
import sys

import pytest
import simulated_birds
import simulated_calls

ROOT = pathlib.Path(__file__).resolve().parents[2]
# Runs the tool, and says whether TensorFlow was imported on the way.
_CODE = (
    "import sys, runpy, atexit; atexit.register(lambda: print('tensorflow:', 'tensorflow' in "
    "sys.modules)); sys.argv = sys.argv[1:]; runpy.run_path(sys.argv[0], run_name='__main__')"
)


def discover(*arguments):
    command = [sys.executable, "-c", _CODE, str(ROOT / "tools" / "discover.py"), *arguments]
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    return subprocess.run(command, capture_output=True, text=True, env=environment, timeout=300)


@pytest.fixture(scope="module")
def songs(tmp_path_factory):
    folder = tmp_path_factory.mktemp("songs")
    simulated_calls.write(folder, count=3, duration_s=8.0)
    (folder / "notes.wav").write_text("no sound")
    return folder


@pytest.fixture(scope="module")
def reported(songs, tmp_path_factory):
    out = tmp_path_factory.mktemp("out")
    arguments = ("--preset=songbird", f"--data_dir={songs}", f"--out={out}")
    return out, arguments, discover(*arguments)


def test_a_folder_gets_its_report_without_tensorflow(reported):
    out, _, result = reported
    assert result.returncode == 0, result.stderr
    assert result.stdout.endswith("tensorflow: False\n")
    assert re.search(r"\d+ calls in 3 of 3 recordings, .* call types", result.stdout)
    assert "notes.wav is left out: is not audio" in result.stderr
    names = set(os.listdir(out))
    assert {"report.html", "calls.csv", "types.csv", "syntax.json", "merges.csv"} <= names
    assert {"raven", "audacity", "textgrid", "segments", "call_types.json"} <= names


def test_accepted_merges_join_types_and_the_file_stays(reported):
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


@pytest.mark.parametrize(
    ("argument", "told"),
    [
        ("--merges=/nowhere.csv", "`merges` must be a merges.csv"),
        ("--types=/nowhere", "`types` must be a folder with call_types.json"),
        ("--group_column=day", "`group_column` must be given with `recordings_table`"),
        ("--annotations=/nowhere", "`annotations` must be an annotation file"),
        ("--identity_column=bird", "`identity_column` must be given with `recordings_table`"),
        ("--recordings_table=a.csv", "`recordings_table` must be given with `group_column`"),
    ],
)
def test_what_is_wrong_with_a_flag_is_one_line_before_anything_is_done(
    songs, tmp_path, argument, told
):
    out = tmp_path / "out"
    result = discover("--preset=songbird", f"--data_dir={songs}", f"--out={out}", argument)
    assert result.returncode == 1
    assert told in result.stderr and len(result.stderr.strip().splitlines()) == 1
    assert not out.exists()


def test_who_sings_is_answered_for_recordings_that_the_table_does_not_name(tmp_path):
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
