"""The table of extensions runs what is missing, goes on where it was stopped, and tells what
failed.
"""

import json
import pathlib
import sys
import types

import pytest

from neurovocal_tf.config import Config

ROOT = pathlib.Path(__file__).resolve().parents[2]


@pytest.fixture
def extensions():
    """tools/ as a place to import from, as it is for tools/extensions.py."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(ROOT / "tools"))
        from benchmarks import extensions

        yield extensions
        for name in [name for name in sys.modules if name.split(".")[0] == "benchmarks"]:
            del sys.modules[name]


@pytest.fixture
def calls(extensions, monkeypatch):
    """Commands that were run, in the place of running them: `failing` ones end with code 1."""

    class Calls(list):
        failing = ()

    calls = Calls()

    def run(arguments):
        calls.append((arguments[0], arguments))
        given = dict(flag.removeprefix("--").partition("=")[::2] for flag in arguments[1:])
        folder = pathlib.Path(given["workdir"])
        if (arguments[0], folder.name) in calls.failing:
            return 1
        folder.mkdir(exist_ok=True)
        (folder / "history.csv").write_text("epoch,epoch_s\n1,2.25\n2,3.5\n")
        if arguments[0] == "evaluate":
            pathlib.Path(given["json"]).write_text(
                json.dumps({"one_step_error_db": 3.5, "song_frechet": None})
            )
        return 0

    monkeypatch.setattr(extensions, "_neurovocal", run)
    return calls


def test_every_row_is_a_set_of_settings(extensions, tmp_path):
    for row in extensions.ROWS:
        path = tmp_path / "row.flags"
        path.write_text("\n".join(["--preset=songbird", *row.train, *row.use]))
        assert (Config.from_flagfile(path) == Config.preset("songbird")) == (row.name == "preset")
    names = [row.name for row in extensions.ROWS]
    assert len(set(names)) == len(names)
    assert {row.trained_as for row in extensions.ROWS} <= {"", *names}


def test_rows_are_run_once_share_a_training_and_make_a_table(extensions, calls, tmp_path):
    study = extensions.Study(tmp_path, "/data", train=("--epochs=2",))
    rows = extensions.rows_of(["preset", "tempering"])
    assert all(extensions.run_row(study, row, 3, print) for row in rows)
    assert [name for name, _ in calls] == ["train", "evaluate", "train", "evaluate"]
    trainings = [arguments for name, arguments in calls if name == "train"]
    assert trainings[0] == trainings[1] and "--epochs=2" in trainings[0]
    assert "--sampler=tempering" in calls[3][1] and "--sampler=tempering" not in calls[1][1]
    found = [extensions.figures_of(study, row, 3) for row in rows]
    assert found[0]["train_s"] == 5.8 and found[0]["one_step_error_db"] == 3.5
    lines = extensions.table(found).splitlines()
    assert [line.split()[0] for line in lines[1:]] == ["preset", "tempering"]
    assert "3.500" in lines[1] and " - " in lines[1]
    calls.clear()
    assert all(extensions.run_row(study, row, 3, print) for row in rows) and not calls


def test_a_rows_own_flags_come_after_those_of_all_rows(extensions, tmp_path):
    study = extensions.Study(
        tmp_path, "/data", train=("--latent_size=0",), evaluate=("--sampler=gibbs",)
    )
    latent, tempering = (
        study.asked(row, 0) for row in extensions.rows_of(["latent_16", "tempering"])
    )
    given = latent["train_flags"], tempering["evaluate_flags"]
    for flags, first, last in zip(
        given, ("--latent_size=0", "--sampler=gibbs"), ("--latent_size=16", "--sampler=tempering")
    ):
        assert flags.index(first) < flags.index(last)


def test_a_row_that_fails_is_told_and_done_by_the_next_try(extensions, calls, tmp_path):
    study, said = extensions.Study(tmp_path, "/data"), []
    (row,) = extensions.rows_of(["latent_16"])
    calls.failing = {("evaluate", "latent_16_seed_0")}
    assert not extensions.run_row(study, row, 0, said.append)
    assert "evaluate ended with exit code 1" in said[-1]
    assert extensions.figures_of(study, row, 0) is None
    calls.failing = ()
    assert extensions.run_row(study, row, 0, said.append)
    assert extensions.figures_of(study, row, 0)["row"] == "latent_16"


def test_figures_of_other_flags_and_unknown_rows_are_refused(extensions, calls, tmp_path):
    (row,) = extensions.rows_of(["preset"])
    extensions.run_row(extensions.Study(tmp_path, "/data"), row, 0, print)
    with pytest.raises(ValueError, match="preset_seed_0.json: has train_flags="):
        extensions.figures_of(extensions.Study(tmp_path, "/other"), row, 0)
    with pytest.raises(ValueError, match="`rows` must be among preset, .* Received: rows=none"):
        extensions.rows_of(["none"])


def test_commands_take_relative_paths_as_they_are_given(extensions, monkeypatch):
    given = []

    def run(command, **how):
        given.append((command, how))
        return types.SimpleNamespace(returncode=3)

    monkeypatch.setattr(extensions.subprocess, "run", run)
    assert extensions._neurovocal(["train", "--workdir=runs/a"]) == 3
    ((_, script, *flags), how) = given[0]
    assert pathlib.Path(script) == ROOT / "tools" / "train.py" and flags == ["--workdir=runs/a"]
    assert how.get("cwd") is None
