"""How the values of flags are read that absl has no parser for, and what is said of a bad one."""

import dataclasses
import math
import re
from collections.abc import Callable
from typing import Any

from absl import flags

from neurovocal_tf.flag_help import text_of
from neurovocal_tf.settings import nearest, number_type, path_of


def _choices_said(match: re.Match[str]) -> str:
    flag, value, choices = match.groups()
    known = choices.split("|")
    return f"{flag}={value}: must be one of {', '.join(known)}.{nearest(value, known)}"


# What absl says of a bad value, and what a user understands.
_PLAINER: tuple[tuple[str, str | Callable[[re.Match[str]], str]], ...] = (
    (r"(flag --\w+)=(.*): value should be one of <(.*)>", _choices_said),
    (r"flag --(\w+)=None: .*must have a value other than None\.", r"--\1 must be given"),
    (r"\('Non-boolean argument to boolean flag', (.*)\)", r"\1 is not true or false"),
    (r"invalid literal for int\(\) with base 10: (.*)", r"\1 is not a whole number"),
    (r"could not convert string to float: (.*)", r"\1 is not a number"),
)


class NumberListParser(flags.ArgumentParser):
    """Numbers with commas between them, each within its setting's range, as a tuple."""

    def __init__(self, field: dataclasses.Field) -> None:
        element = flags.IntegerParser if number_type(field) is int else flags.FloatParser
        limits: dict[str, Any] = bounds(field)
        self._element = element(**limits)
        self.syntactic_help = (
            f"a list of numbers with commas between them, each {self._element.syntactic_help}"
        )

    def parse(self, argument: str | tuple[float, ...]) -> tuple[float, ...]:
        return (
            argument
            if isinstance(argument, tuple)
            else tuple(map(self._parse_element, argument.split(",")))
        )

    def _parse_element(self, text: str) -> float:
        try:
            return self._element.parse(text.strip())
        except ValueError:
            raise ValueError(f"{text.strip()!r} is not {self._element.syntactic_help}") from None


class PathParser(flags.ArgumentParser):
    """A path, with ~ as the home folder; blanks around it are left out where nothing has them."""

    syntactic_help = "a path"

    def parse(self, argument: str | None) -> str | None:
        return path_of(argument) if argument else argument


class TextSerializer(flags.ArgumentSerializer):
    """A value as it is written in a flag."""

    def serialize(self, value: Any) -> str:
        return text_of(value)


def bounds(field: dataclasses.Field) -> dict[str, float | None]:
    """The limits of a setting, as the arguments of absl's parsers of numbers."""
    kind = number_type(field)
    limits = {"lower_bound": field.metadata["low"], "upper_bound": field.metadata["high"]}
    return {name: None if math.isinf(limit) else kind(limit) for name, limit in limits.items()}


def plain(message: str) -> str:
    """What absl says of some flags, in words that a user understands, on one line."""
    lines = message.splitlines()
    for pattern, words in _PLAINER:
        lines = [re.sub(pattern, words, line) for line in lines]
    return "; ".join(lines)
