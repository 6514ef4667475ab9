"""Flag files and config.json files of earlier versions, brought to the settings of this one."""

import re
from collections.abc import Container, Iterable
from typing import Any

# Setting -> the section of config.json where it was, and the section where it is now.
_MOVED = {
    "cache_mb": ("data", "execution"),
    "compiled": ("training", "execution"),
    "precision": ("training", "execution"),
    "parallel_parts": ("training", "execution"),
}
# The value that `shuffle_windows` always has now. Whoever had it all the same has lost nothing.
_SHUFFLE_WINDOWS = 4096
# Flag that named a tier of Praat's TextGrids -> the flag whose value now ends in #TIER.
_TIERS = {"annotation_tier": "annotations", "truth_tier": "truth"}
# Setting that is gone -> a setting that every tool has which had it.
_GONE = {"shuffle_windows": "cache_mb", "annotation_tier": "annotations"}


def is_of_no_use(name: str, flag_names: Container[str]) -> bool:
    """Whether a flag in a flag file is a setting of earlier versions that the tool with
    these flags never used.
    """
    return name in _GONE and _GONE[name] not in flag_names


def sections_as_now(sections: Any) -> tuple[Any, list[str]]:
    """The content of a config.json, of any version, as this version writes it.

    Args:
        sections: dict of section -> dict of setting -> value. Anything else is returned as it is:
            it is for others to refuse.

    Returns:
        The same with each setting in its section of today; and a list of lines for the user, one
        for each value that counts no more.
    """
    if not isinstance(sections, dict) or not all(
        isinstance(values, dict) for values in sections.values()
    ):
        return sections, []
    sections, lines = {name: dict(values) for name, values in sections.items()}, []
    for name, (before, now) in _MOVED.items():
        if name in sections.get(before, {}):
            sections.setdefault(now, {})[name] = sections[before].pop(name)
    data = sections.get("data", {})
    if data.pop("shuffle_windows", _SHUFFLE_WINDOWS) != _SHUFFLE_WINDOWS:
        lines.append(f"config.json: {_about_shuffling('shuffle_windows')}")
    tier = data.pop("annotation_tier", "")
    if tier and data.get("annotations"):
        data["annotations"] = f"{data['annotations']}#{tier}"
    return sections, lines


def arguments_as_now(
    arguments: Iterable[str], flag_names: Container[str]
) -> tuple[list[str], list[str]]:
    """Command-line arguments, those of flag files among them, without the flags that are gone.

    A flag is left alone where the tool never had it, so that it is an unknown flag there.

    Args:
        arguments: list of str.
        flag_names: names of the flags that the tool has; anything with `in`.

    Returns:
        list of str, and a list of lines for the user, one for each flag that was given and is gone.
    """
    kept, gone, rest = [], {}, iter(arguments)
    for argument in rest:
        if argument == "--":
            kept += [argument, *rest]
            break
        name, value = _name_and_value(argument)
        if name is not None and (_GONE | _TIERS).get(name) in flag_names:
            # Of two values the later one holds.
            gone[name] = next(rest, "") if value is None else value
        else:
            kept.append(argument)
    lines = []
    if gone.pop("shuffle_windows", str(_SHUFFLE_WINDOWS)) != str(_SHUFFLE_WINDOWS):
        lines.append(_about_shuffling("--shuffle_windows"))
    for name, tier in gone.items():
        if tier:
            kept, line = _with_tier(kept, name, tier)
            lines.append(line)
    return kept, lines


def _with_tier(arguments: list[str], name: str, tier: str) -> tuple[list[str], str]:
    """Arguments with #`tier` at the end of the last value of the flag that has taken over from
    `name`, and a line that says so.
    """
    now = _TIERS[name]
    for i in reversed(range(len(arguments))):
        found, value = _name_and_value(arguments[i])
        if found != now:
            continue
        end = i + 1
        if value is None and end < len(arguments):
            value, end = arguments[end], end + 1
        if not value:
            break
        whole = f"--{now}={value}#{tier}"
        return [
            *arguments[:i],
            whole,
            *arguments[end:],
        ], f"--{name} is no longer a flag: {whole} takes its place, and is used."
    return (
        arguments,
        f"--{name} is no longer a flag and is ignored: --{now}=FILE#TIER takes its place.",
    )


def _about_shuffling(name: str) -> str:
    return (
        f"{name} is no longer a setting and is ignored: {_SHUFFLE_WINDOWS} windows are shuffled at "
        "a time."
    )


def _name_and_value(argument: str) -> tuple[str | None, str | None]:
    """Name of a flag, and what follows its equals sign; None for what is not there."""
    match = re.fullmatch(r"--?(\w+)(?:=(.*))?", argument, re.DOTALL)
    return (match[1], match[2]) if match else (None, None)
