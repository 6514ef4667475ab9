"""`neurovocal`: the commands there are, and how one is started, from a wheel too."""

import importlib.metadata
import os
import pathlib
import re
import subprocess
import sys

import pytest
from forked_tools import IMPORTS_OF_FLAGS, running_tools

import neurovocal_tf
from neurovocal_tf.commands import command_line

ROOT = pathlib.Path(__file__).resolve().parents[2]


def neurovocal(*arguments, cwd=ROOT, path=ROOT):
    """(exit code, stdout, stderr) of `python -m neurovocal_tf` where there is no TensorFlow."""
    code = (
        "import sys; sys.modules['tensorflow'] = sys.modules['keras'] = None; "
        "import runpy; runpy.run_module('neurovocal_tf', run_name='__main__', alter_sys=True)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, *map(str, arguments)],
        cwd=cwd,
        capture_output=True,
        text=True,
        env=os.environ | {"PYTHONPATH": str(path)},
        timeout=60,
    )
    return done.returncode, done.stdout, done.stderr


@pytest.mark.parametrize("arguments", [(), ("--help",), ("help",)])
def test_the_help_lists_every_command_in_the_order_of_a_users_way(arguments):
    code, out, err = neurovocal(*arguments)
    assert (code, err) == (0, "") and max(map(len, out.splitlines())) <= 80
    listed = re.findall(r"^  (\w+) +\w", out, re.MULTILINE)
    assert listed == [command.name for command in command_line.COMMANDS]
    way = ["segment", "discover", "train", "evaluate", "generate", "export", "serve", "client"]
    assert [name for name in listed if name in way] == way


def test_the_version_names_the_stack_too():
    code, out, err = neurovocal("--version")
    assert (code, err) == (0, "")
    versions = [f"{name} {importlib.metadata.version(name)}" for name in ("tensorflow", "keras")]
    assert out.startswith(f"neurovocal_tf {neurovocal_tf.__version__}, python ")
    assert ", ".join(versions) in out


@pytest.mark.parametrize(
    "arguments, message",
    [
        (["trian"], r"the command must be among demo, .* Received: trian\. Did you mean train\?"),
        (["xyzzy"], r"the command must be among demo, .* Received: xyzzy\."),
        (["help", "trian"], r"the command must be among demo, .* Did you mean train\?"),
        (["--workdir=x"], "a command must come first, as in neurovocal segment --workdir=x.*"),
        (["train", "--tresh=3"], "Unknown command line flag 'tresh'.*"),
        (["train"], r"--workdir must be given"),
    ],
)
def test_what_is_no_command_is_told_in_one_line(arguments, message):
    code, out, err = neurovocal(*arguments)
    assert (code, out) == (1, "") and re.fullmatch(f"error: {message}\n", err), err


def test_a_command_is_helped_by_its_name_and_a_script_by_its_path():
    _, shown, _ = neurovocal("simulate", "--help")
    assert "\n    neurovocal simulate --out=" in shown and "--kind=bird" in shown
    assert neurovocal("help", "simulate")[1] == shown
    script = subprocess.run(
        [sys.executable, "tools/simulate.py", "--help"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        timeout=60,
    )
    assert script.stdout == shown.replace("neurovocal simulate", "python tools/simulate.py")


@pytest.fixture(scope="module")
def light(tmp_path_factory):
    """Runs commands that may not import TensorFlow."""
    with running_tools(tmp_path_factory.mktemp("calls"), IMPORTS_OF_FLAGS) as tool:
        yield tool


@pytest.mark.parametrize("command", command_line.COMMANDS, ids=lambda command: command.name)
def test_every_command_helps_with_ten_flags_at_most_and_in_full_with_all(command, light):
    (code, short, err), (_, full, _) = (
        light("neurovocal", command.name, flag) for flag in ("--help", "--helpfull")
    )
    assert (code, err) == (0, "") and max(map(len, full.splitlines())) <= 80
    assert short.startswith(full[:40]) and f"\n    neurovocal {command.name}" in short
    shown, every = (re.findall(r"^  --(?:\[no\])?(\w+)", text, re.M) for text in (short, full))
    assert len(shown) <= 10 and set(shown) <= set(every) and len(every) == len(set(every))
    assert shown == command.first.split() if command.first else sorted(shown) == sorted(every)
    assert ("--helpfull" in short) == bool(command.first)
    assert ("\nPresets, for --preset=NAME:\n" in short) == ("preset" in every)
    # Words for those who know the mathematics are for the full help.
    assert not re.search(r"\b(RNN|RBM|Gibbs)\b", short), short


def test_a_command_shows_others_as_it_was_called_itself(monkeypatch):
    monkeypatch.chdir(ROOT / "docs")
    assert command_line.words("export", "neurovocal demo") == ["neurovocal", "export"]
    assert command_line.words("export", "../tools/demo.py") == [
        "python",
        "../export/export_saved_model.py",
    ]
