"""What --help prints: what a command does, the flags that matter most, and the presets. --helpfull
shows all other flags too: the command's own, then the settings by section.

Lines are at most 80 characters long, wherever they are shown.
"""

import dataclasses
import inspect
import math
import re
import textwrap
from collections.abc import Container, Sequence
from typing import Any

from neurovocal_tf import config as config_lib
from neurovocal_tf import presets

_WIDTH = 80
_INDENT = " " * 6
_FLAGFILE = "File with flags to read, one on each line. Of two values the later one counts."
_AUTO = "the one that fits the recordings, which is told with the reason"


@dataclasses.dataclass(frozen=True)
class Flags:
    """The flags of a command.

    Attributes:
        own: (name, default, help, choices or "") of each that is no setting.
        settings: names of the settings that the command has; anything with `in`.
        first: names of those that matter most; None: all of them do.
        config: `Config` whose values are shown as the defaults of settings.
        given: what it stands for, such as "--preset=bat"; "" for the defaults themselves.
    """

    own: Sequence[tuple[str, Any, str, str]]
    settings: Container[str] = ()
    first: Sequence[str] | None = None
    config: config_lib.Config = dataclasses.field(default_factory=config_lib.Config)
    given: str = ""


def help_text(description: str, flags: Flags, program: str = "", is_full: bool = True) -> str:
    """The whole text.

    Args:
        description: docstring of the command; lines that are indented, such as examples, stay
            lines.
        flags: `Flags` of the command.
        program: words that start it.
        is_full: whether all flags are shown, or those alone that matter most.
    """
    own = {
        name: _entry(name, default, text, limits)
        for name, default, text, limits in (*flags.own, ("flagfile", None, _FLAGFILE, ""))
    }
    sections: dict[str, dict[str, str]] = {}
    for section, field in config_lib.settings():
        if field.name in flags.settings:
            value = getattr(getattr(flags.config, section), field.name)
            sections.setdefault(section, {})[field.name] = _setting_entry(field, value)
    every = own | {name: entry for of in sections.values() for name, entry in of.items()}
    first = [] if flags.first is None else [name for name in flags.first if name in every]
    blocks = [_filled(inspect.cleandoc(description))]
    if flags.given:
        blocks.append(_filled(f"Values of settings are those of {flags.given}."))
    if first:
        blocks.append("\n".join(["The flags that matter most:", *(every[name] for name in first)]))
    if is_full or not first:
        title = "Other flags of this command:" if first else "Flags of this command:"
        others = [entry for name, entry in own.items() if name not in first]
        blocks += ["\n".join([title, *others]), *_by_section(sections, first)]
    if "preset" in own:
        blocks.append(_presets())
    if first and not is_full:
        blocks.append(f"All {len(every)} flags, by what they are about: {program} --helpfull")
    return "\n\n".join(blocks) + "\n"


def _by_section(sections: dict[str, dict[str, str]], shown: Container[str]) -> list[str]:
    """A block for each section, of the settings that are not shown already."""
    titles = {
        section.name: section.type.__doc__ for section in dataclasses.fields(config_lib.Config)
    }
    blocks = []
    for section, of in sections.items():
        entries = [entry for name, entry in of.items() if name not in shown]
        if entries:
            title = textwrap.wrap(f"{section.capitalize()}: {titles[section]}", _WIDTH)
            blocks.append("\n".join([*title, *entries]))
    return blocks


def _presets() -> str:
    """What each preset is for."""
    purposes = {presets.AUTO: _AUTO} | {name: presets.purpose_of(name) for name in presets.NAMES}
    width = max(map(len, purposes)) + 4
    lines = [
        textwrap.fill(
            text,
            _WIDTH,
            initial_indent=f"  {name}".ljust(width),
            subsequent_indent=" " * width,
            break_on_hyphens=False,
        )
        for name, text in purposes.items()
    ]
    return "\n".join(["Presets, for --preset=NAME:", *lines])


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
            whole = re.sub(r" \\\n *", " ", paragraph).splitlines()
            paragraphs.append("\n".join(map(_command, whole)))
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


def _setting_entry(field: dataclasses.Field, value: object) -> str:
    return _entry(field.name, value, field.metadata["help"], _range(field))


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
