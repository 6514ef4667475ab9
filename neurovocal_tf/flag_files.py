"""Flag files and presets on a command line.

A flag file holds one `--name=value` on each line. Lines that begin with # are comments. A line
`--flagfile=other.flags` includes another file, whose path is relative to the file with the line. If
a flag has two values, the later one counts. A tool passes over the settings in a flag file that it
does not use, so that one file serves segmentation and training.

A preset is a flag file of the package. Given on the command line its settings come before all
others, wherever `--preset` stands; in a flag file they stand where it stands.
"""

import itertools
import pathlib
import re
from collections.abc import Container, Iterable, Iterator

from neurovocal_tf import config as config_lib
from neurovocal_tf import earlier_settings, presets


def expanded(arguments: Iterable[str], flag_values: Container[str]) -> list[str]:
    """The arguments with the lines of presets before them, and those of flag files in their place.

    Args:
        arguments: of a command line.    flag_values: names of the flags that a tool has.

    Raises:
        ValueError: a file cannot be read, includes itself, or has a line that is no flag.
    """
    arguments = list(_joined(arguments))
    before = [
        line
        for argument in itertools.takewhile(lambda argument: argument != "--", arguments)
        if (name := _preset_of(argument)) in presets.NAMES
        for line in lines_of_preset(name, flag_values)
    ]
    return [*before, *_with_flagfiles(arguments, flag_values)]


def _joined(arguments: Iterable[str]) -> Iterator[str]:
    """What is written as `--preset NAME` as one argument."""
    rest = iter(arguments)
    for argument in rest:
        if argument == "--":
            yield from (argument, *rest)
        elif argument in ("--preset", "-preset", "--flagfile", "-flagfile"):
            yield f"{argument}={next(rest, '')}"
        else:
            yield argument


def lines_of_preset(name: str, flag_values: Container[str]) -> list[str]:
    """The flags of a preset that a tool uses.

    Raises ValueError for an unknown name.
    """
    return _lines_of(presets.text_of(name), f"preset {name}", pathlib.Path(), (), flag_values)


def _with_flagfiles(arguments, flag_values):
    result, rest = [], iter(arguments)
    for argument in rest:
        if argument == "--":
            return [*result, argument, *rest]
        included = _included_file(argument)
        result += [argument] if included is None else _read_flagfile(included, (), flag_values)
    return result


def _read_flagfile(path, including, flag_values):
    path = pathlib.Path(path).expanduser()
    identity = path.resolve()
    if identity in including:
        raise ValueError(f"flag file {path} includes itself")
    try:
        # Editors on Windows begin a file with a byte order mark.
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except OSError as error:
        raise ValueError(f"flag file {path}: {error.strerror}") from None
    except UnicodeDecodeError:
        raise ValueError(f"flag file {path}: not a text file") from None

    return _lines_of(
        "\n".join(lines), f"flag file {path}", path.parent, (*including, identity), flag_values
    )


def _lines_of(text, source, folder, including, flag_values):
    """The flags of a flag file's text, and of the files that it includes."""
    expanded = []
    for number, line in enumerate(map(str.strip, text.splitlines()), start=1):
        if not line or line.startswith(("#", "//")):
            continue
        if not line.startswith("-"):
            raise ValueError(f"{source}, line {number}: must be --name=value. Received: {line}")
        included = _included_file(line)
        if included is not None:
            included = folder / pathlib.Path(included).expanduser()
            expanded += _read_flagfile(included, including, flag_values)
        elif (name := _preset_of(line)) in presets.NAMES:
            expanded += lines_of_preset(name, flag_values)
            expanded += [line] if "preset" in flag_values else []
        elif not _is_unused_setting(line, flag_values):
            expanded.append(line)
    return expanded


def _included_file(argument):
    match = re.fullmatch(r"--?flagfile[=\s](.*)", argument)
    if match and not match[1].strip():
        raise ValueError("--flagfile must name a file")
    return match and match[1].strip()


def _preset_of(argument):
    match = re.fullmatch(r"--?preset[=\s](.*)", argument)
    return match and match[1].strip()


def _is_unused_setting(line, flag_values):
    name = re.split(r"[=\s]", line.lstrip("-"))[0]
    if earlier_settings.is_of_no_use(name, flag_values):
        return True
    fields = {field.name for _, field in config_lib.settings()}
    if name not in fields:
        name = name.removeprefix("no")
    return name in fields and name not in flag_values
