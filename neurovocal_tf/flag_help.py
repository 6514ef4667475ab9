"""What --help prints: what the tool does, its own flags, the settings that most users change, and
then all others by section.

Lines are at most 80 characters long, wherever they are shown.
"""

import dataclasses
import inspect
import math
import re
import textwrap
from collections.abc import Container, Iterable
from typing import Any

from neurovocal_tf import config as config_lib

_WIDTH = 80
_INDENT = " " * 6
# The settings that most users change. Where a tool has few settings in all,
# they stay in their sections.
FIRST = (
    "low_hz",
    "high_hz",
    "threshold",
    "n_fft",
    "sequence",
    "annotations",
    "num_hidden",
    "epochs",
    "emission_noise",
    "seed",
)
_FLAGFILE = "File with flags to read, one on each line. Of two values the later one counts."


def help_text(
    description: str, own_flags: Iterable[tuple[str, Any, str, str]], names: Container[str]
) -> str:
    """The whole text.

    Args:
        description: docstring of the tool; lines that are indented, such as commands, stay lines.
        own_flags: (name, default, help, choices or "") of each flag that is no setting.
        names: settings that the tool has; anything with `in`.
    """
    sections: dict[str, list[dataclasses.Field]] = {}
    for section, field in config_lib.settings():
        if field.name in names:
            sections.setdefault(section, []).append(field)
    of_tool = {field.name: field for fields in sections.values() for field in fields}
    first = (
        [of_tool[name] for name in FIRST if name in of_tool] if len(of_tool) > len(FIRST) else []
    )
    own = [_entry(*flag) for flag in (*own_flags, ("flagfile", None, _FLAGFILE, ""))]
    blocks = [_filled(inspect.cleandoc(description)), "\n".join(["This tool:", *own])]
    if first:
        blocks.append("\n".join(["The settings that matter most:", *map(_setting_entry, first)]))
    titles = {
        section.name: section.type.__doc__ for section in dataclasses.fields(config_lib.Config)
    }
    for section, fields in sections.items():
        entries = [_setting_entry(field) for field in fields if field not in first]
        if entries:
            blocks.append(
                "\n".join(
                    [*textwrap.wrap(f"{section.capitalize()}: {titles[section]}", _WIDTH), *entries]
                )
            )
    return "\n\n".join(blocks) + "\n"


def text_of(value: Any) -> str:
    """A value as it is written in a flag."""
    if isinstance(value, (tuple, list)):
        return ",".join(map(text_of, value))
    return str(value).lower() if isinstance(value, bool) else str(value)


def _filled(text: str) -> str:
    """Paragraphs in lines of at most `_WIDTH`.

    A command that is longer goes on in the next line, after a backslash, as in a shell.
    """
    paragraphs = []
    for paragraph in text.split("\n\n"):
        lines = paragraph.splitlines()
        if any(line.startswith(" ") for line in lines):
            paragraphs.append("\n".join(map(_command, lines)))
        else:
            paragraphs.append(
                textwrap.fill(
                    " ".join(lines), _WIDTH, break_on_hyphens=False, break_long_words=False
                )
            )
    return "\n\n".join(paragraphs)


def _command(line: str) -> str:
    if len(line) <= _WIDTH:
        return line
    indent = line[: len(line) - len(line.lstrip())]
    # What stands in quotation marks is one word.
    first, *words = re.findall(r"(?:'[^']*'|\S)+", line)
    lines = [indent + first]
    for word in words:
        if len(lines[-1]) + 1 + len(word) <= _WIDTH - 2:
            lines[-1] += f" {word}"
        else:
            lines.append(f"{indent}    {word}")
    return " \\\n".join(lines)


def _setting_entry(field: dataclasses.Field) -> str:
    return _entry(field.name, field.default, field.metadata["help"], _range(field))


def _entry(name: str, default: object, text: str, limits: str = "") -> str:
    """The flag with its default and its limits, and below it the help."""
    if isinstance(default, bool):
        left, limits = f"  --[no]{name}", f"default: {text_of(default)}"
    else:
        left = f"  --{name}={'...' if default is None else text_of(default)}"
    lines = textwrap.wrap(
        text,
        _WIDTH,
        initial_indent=_INDENT,
        subsequent_indent=_INDENT,
        break_on_hyphens=False,
        break_long_words=False,
    )
    head = f"{left}  [{limits}]" if limits else left
    if len(head) > _WIDTH:
        wrapped = textwrap.wrap(
            f"[{limits}]", _WIDTH, initial_indent=_INDENT, subsequent_indent=_INDENT
        )
        head = "\n".join([left, *wrapped])
    return "\n".join([head, *lines])


def _range(field: dataclasses.Field) -> str:
    low, high, choices = (field.metadata[key] for key in ("low", "high", "choices"))
    if choices:
        return " | ".join(choices)
    if math.isinf(low):
        return ""
    return f"at least {low:.10g}" if math.isinf(high) else f"{low:.10g} to {high:.10g}"
