"""The demo: its commands, one after another."""

import re
import shlex
import subprocess
import sys

import command_modules
import pytest

from neurovocal_tf import presets


@pytest.fixture
def demo():
    """The demo's functions; its flag is taken away again,
    for another test may define one of that name.
    """
    return command_modules.functions_of("demo")


def test_every_command_names_a_tool_and_flags_that_it_has(demo, repository, tmp_path):
    commands = demo["_commands"](tmp_path)
    assert [name for name, *_ in commands] == [
        "simulate",
        "train",
        "generate",
        "evaluate",
        "export",
    ]
    for command, *arguments in commands:
        check_flags(repository, command, arguments)


def check_flags(repository, command, arguments):
    path = repository / "neurovocal_tf" / "commands" / f"{command}.py"
    text = path.read_text(encoding="utf-8")
    for argument in arguments:
        name, _, value = argument.removeprefix("--").partition("=")
        if name == "preset":
            assert value in presets.NAMES and "define_preset()" in text
        else:
            assert re.search(rf'\(\s*"{name}",', text), (command, name)


def test_the_demo_ends_with_what_to_open_and_how_to_serve_it(demo, repository, tmp_path):
    lines = demo["_summary"](tmp_path, 181.4, "neurovocal").splitlines()
    assert lines[1] == "Done in 181 s."
    commands = {line[:9].strip(): shlex.split(line[9:]) for line in lines[2::2]}
    assert set(commands) == {"look", "listen", "curves", "serve", "ask", "go on"}
    assert commands["look"][1] == str(tmp_path / "run" / "songs.png")
    for name in ("serve", "ask", "go on"):
        program, command, *arguments = commands[name]
        assert program == "neurovocal"
        check_flags(repository, command, arguments)
    assert f"--model_dir={tmp_path / 'export'}" in commands["serve"]


@pytest.mark.parametrize(
    "called, shown_as",
    [
        (["tools/demo.py"], "python tools/simulate.py"),
        (["-m", "neurovocal_tf", "demo"], "neurovocal simulate"),
    ],
)
def test_the_demo_ends_with_the_exit_code_of_the_first_command_that_fails(
    called, shown_as, repository, tmp_path
):
    """Its first command is refused: the folder for its recordings holds another file."""
    (tmp_path / "recordings").mkdir()
    (tmp_path / "recordings" / "mine.txt").write_text("mine")
    command = [sys.executable, *called, f"--workdir={tmp_path}"]
    result = subprocess.run(
        command,
        capture_output=True,
        text=True,
        cwd=repository,
        env={"PYTHONPATH": str(repository)},
        timeout=120,
    )
    assert result.returncode == 1 and result.stdout == ""
    shown, reason, end = result.stderr.strip().splitlines()
    assert shown == (
        f"$ {shown_as} --out={tmp_path}/recordings --num_recordings=12 --duration_s=15"
    )
    assert reason.startswith("error: `out` must be a new folder")
    assert end == "error: simulate failed with exit code 1"
