"""`neurovocal COMMAND --flag=value ...`: which commands there are, and how one of them is started.

Each command is a module of this room, named as the command, with `main(argv)` and the flags that it
defines when it is imported. Flags of two commands may have the same name, so a process imports one
command alone. The scripts in tools/ and export/ start the same commands from a checkout.
"""

import dataclasses
import importlib
import os
import pathlib
import re
import sys
from collections.abc import Sequence

from neurovocal_tf import flags, installation
from neurovocal_tf.settings import nearest


@dataclasses.dataclass(frozen=True)
class Command:
    """One command.

    Attributes:
        name: of the command, and of its module.    summary: what it does, in a line.
        script: what starts it from a checkout.
        first: names of the flags that matter most, with blanks between, which its --help shows;
            "": all do.
        on_keras: whether its `main` imports Keras.
        given_alone: name of the flag whose value may stand by itself, first; "": of none.
    """

    name: str
    summary: str
    script: str | None = None
    first: str = ""
    on_keras: bool = False
    given_alone: str = ""


# In the order of a user's way.
COMMANDS = (
    Command("demo", "go the whole way on a simulated bird, in some minutes", "tools/demo.py"),
    Command(
        "simulate",
        "simulate a bird, bats or neurons to try all of it with",
        "tools/simulate.py",
    ),
    Command("info", "say what a file, a folder or this installation is", given_alone="path"),
    Command(
        "segment",
        "find the vocalizations in recordings",
        "tools/segment.py",
        "data_dir out preset low_hz high_hz threshold format truth plot review",
    ),
    Command(
        "segment_archive",
        "find them in an archive, on one machine or a cluster",
        "tools/segment_archive.py",
        "data_dir out preset low_hz high_hz threshold beam types workdir workers",
    ),
    Command(
        "convert",
        "say in one voice what another said, or convert annotations",
        "tools/convert.py",
        "input workdir to keep guidance annotations format data_dir out overwrite",
    ),
    Command(
        "discover",
        "find the call types and their order",
        "tools/discover.py",
        "data_dir out preset annotations types merges recordings_table group_column "
        "identity_column workdir",
    ),
    Command(
        "train",
        "train a model on recordings",
        "tools/train.py",
        "data_dir workdir preset sequence annotations sample_rate low_hz high_hz epochs seed",
        on_keras=True,
    ),
    Command(
        "tune",
        "search for the settings of the best model",
        "tools/tune.py",
        "data_dir workdir preset tuner search num_trials trial_epochs distributed sequence seed",
        on_keras=True,
    ),
    Command(
        "evaluate",
        "say how good a trained model is",
        "tools/evaluate.py",
        "workdir data_dir held_out_list condition seconds num_songs num_temperatures num_chains "
        "seed json",
        on_keras=True,
    ),
    Command(
        "generate",
        "sing new songs with a trained model",
        "tools/generate.py",
        "workdir out num_songs seconds seed temperature condition text prime guidance",
        on_keras=True,
    ),
    Command("find", "find calls by words, and words by calls", on_keras=True),
    Command(
        "export",
        "write a trained model as a SavedModel to serve",
        "export/export_saved_model.py",
        "workdir export_dir data_dir max_frames emission_noise guidance",
        on_keras=True,
    ),
    Command(
        "serve",
        "serve an export, with a page to try it",
        "export/server.py",
        "model_dir model_name host rest_port grpc_port allowed_hosts num_versions version_labels "
        "max_requests num_batch_threads",
    ),
    Command(
        "client",
        "stream songs from a server",
        "export/client.py",
        "server model out seed seconds text input to recording json",
    ),
    Command(
        "check_exactness",
        "check that an export sings the same however many ask",
        "export/check_exactness.py",
    ),
)
_PROGRAM = "neurovocal"
_BY_NAME = {command.name: command for command in COMMANDS}
_BY_SCRIPT = {command.script: command for command in COMMANDS if command.script}
_HELP = ("help", *flags.HELP_FLAGS)


def run() -> None:
    """Runs the command that the command line names, and exits: the entry point `neurovocal`."""
    name, *rest = sys.argv[1:] or ["help"]
    if name in _HELP and rest:
        name, rest = rest[0], ["--help"]
    if name in _HELP:
        sys.stdout.write(overview())
    elif name == "--version":
        print(installation.version_line())
    elif name in _BY_NAME:
        alone = _BY_NAME[name].given_alone
        if alone and rest and not rest[0].startswith("-"):
            rest[0] = f"--{alone}={rest[0]}"
        _start(_BY_NAME[name], [f"{_PROGRAM} {name}", *rest], shown_as=None)
    else:
        sys.exit(_unknown(name))


def run_script(script: str) -> None:
    """Runs the command of a script of the checkout, such as "tools/train.py", and exits."""
    _start(_BY_SCRIPT[script], sys.argv, shown_as=script)


def overview() -> str:
    """What `neurovocal --help` prints."""
    width = max(len(command.name) for command in COMMANDS)
    lines = [f"  {command.name:{width}}  {command.summary}" for command in COMMANDS]
    return "\n".join(
        [
            "Learns how vocalizations unfold in time, and sings new ones.",
            "",
            "    neurovocal COMMAND --flag=value ...",
            "    neurovocal COMMAND --help",
            "    neurovocal --version",
            "",
            *lines,
            "",
        ]
    )


def words(name: str, called: str) -> list[str]:
    """How a user calls a command who has called another one.

    Args:
        name: of the command.    called: `argv[0]` of the other one.

    Returns the words that stand before its flags.
    """
    script = _BY_NAME[name].script
    if called.startswith(_PROGRAM) or script is None:
        return [_PROGRAM, name]
    root = pathlib.Path(called).resolve().parent.parent
    return ["python", os.path.relpath(root / script)]


def with_scripts(text: str) -> str:
    """A text with the scripts of a checkout in the place of the commands that it shows."""

    def script(match: re.Match[str]) -> str:
        return f"{match[1]}python {_BY_NAME[match[2]].script}"

    names = "|".join(command.name for command in _BY_SCRIPT.values())
    return re.sub(rf"^( +)neurovocal ({names})\b", script, text, flags=re.MULTILINE)


def _start(command: Command, argv: Sequence[str], shown_as: str | None) -> None:
    module = importlib.import_module(f"{__package__}.{command.name}")
    description = module.__doc__ or ""
    flags.run(
        module.main,
        command.on_keras,
        description=with_scripts(description) if shown_as else description,
        first=command.first.split() or None,
        argv=argv,
    )


def _unknown(name: str) -> str:
    if name.startswith("-"):
        return (
            f"error: a command must come first, as in neurovocal segment {name}. neurovocal --help "
            "lists them"
        )
    return (
        f"error: the command must be among {', '.join(_BY_NAME)}. Received: {name}."
        f"{nearest(name, _BY_NAME)}"
    )
