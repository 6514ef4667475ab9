"""What a setting is: a field of a dataclass with a default, a range and a help text.

How its value is checked, and read from JSON and from text.
"""

import dataclasses
import difflib
import functools
import json
import logging
import math
import os
import typing
from collections.abc import Iterable, Mapping
from typing import Any

from neurovocal_tf import earlier_settings

_LOG = logging.getLogger(__name__)
# As absl reads them on a command line.
_TRUTH_VALUES = {"true": True, "t": True, "1": True, "false": False, "f": False, "0": False}


def setting(
    default: Any,
    help: str,
    *,
    choices: tuple[typing.Any, ...] | None = None,
    low: float = -math.inf,
    high: float = math.inf,
    may_change: bool = False,
    is_path: bool = False,
) -> Any:
    """A field of a dataclass of settings.

    Args:
        default: the value where none is given.    help: sentences for the user, with the unit.
        choices: tuple of the allowed values; None: all of the field's type.
        low, high: smallest and largest number allowed.
        may_change: whether a training that goes on may have another value than it began with.
        is_path: whether it names a file or folder.
    """
    metadata = dict(
        help=help, choices=choices, low=low, high=high, may_change=may_change, is_path=is_path
    )
    return dataclasses.field(default=default, metadata=metadata)


def is_list(field: dataclasses.Field) -> bool:
    """Whether a setting's value is a tuple."""
    return typing.get_origin(field.type) is tuple


def number_type(field: dataclasses.Field) -> Any:
    """The type of a setting's value, or of its elements where it is a tuple:
    bool, int, float or str.
    """
    return typing.get_args(field.type)[0] if is_list(field) else field.type


def check(field: dataclasses.Field, value: Any) -> None:
    """Raises ValueError, with the setting's name, for a value that is not of its type
    or not in its range.
    """
    meta, kind, several = field.metadata, number_type(field), is_list(field)
    if isinstance(value, tuple) != several or (several and not value):
        raise ValueError(
            f"`{field.name}` must be {'a list of' if several else 'one'} {kind.__name__}. "
            f"Received: {field.name}={value!r}"
        )
    if meta["choices"] and value not in meta["choices"]:
        raise ValueError(
            f"`{field.name}` must be one of {', '.join(meta['choices'])}. "
            f"Received: {field.name}={value}"
        )
    for number in value if several else (value,):
        right_type = isinstance(number, (int, float) if kind is float else kind) and (
            kind is bool or not isinstance(number, bool)
        )
        if not right_type:
            raise ValueError(
                f"`{field.name}` must be {kind.__name__}. Received: {field.name}={value!r}"
            )
        if kind in (int, float) and not (
            meta["low"] <= number <= meta["high"] and math.isfinite(number)
        ):
            raise ValueError(
                f"`{field.name}` must be {_range(meta)}. Received: {field.name}={value}"
            )


def check_section(argument: str, value: Any, kind: type) -> None:
    """Raises ValueError, with the argument's name, for what is not the section of settings that a
    function takes, such as a whole `Config`.
    """
    if isinstance(value, kind):
        return
    fields = getattr(value, "__dataclass_fields__", ())
    sections = [name for name in fields if isinstance(getattr(value, name, None), kind)]
    remedy = f": give its section {sections[0]}" if sections else ""
    raise ValueError(
        f"`{argument}` must be of type {kind.__name__}. "
        f"Received: {argument} of type {type(value).__name__}{remedy}"
    )


def nearest(name: object, names: Iterable[str]) -> str:
    """A question that ends a message about an unknown name, with the known one most like it; ""
    where none is alike.
    """
    found = difflib.get_close_matches(str(name), list(names), n=1)
    return f" Did you mean {found[0]}?" if found else ""


def path_of(text: str) -> str:
    """A path as people write it: ~ is the home folder; blanks around it are left out where nothing
    has them.
    """
    path = os.path.expanduser(text)
    return path if not path or os.path.exists(path) else os.path.expanduser(text.strip())


def from_text(field: dataclasses.Field, text: str) -> Any:
    """A setting's value from its text in a flag file. Its range is for `check`.

    Raises: ValueError, with the setting's name, for text that is no value of its type.
    """
    kind = number_type(field)
    try:
        values = tuple(
            _of_kind(kind, part) for part in (text.split(",") if is_list(field) else [text])
        )
    except ValueError:
        words = {int: "a whole number", float: "a number", bool: "true or false"}[kind]
        raise ValueError(
            f"`{field.name}` must be {f'a list, each of it {words}' if is_list(field) else words}. "
            f"Received: {field.name}={text}"
        ) from None
    if is_list(field):
        return values
    return path_of(str(values[0])) if field.metadata["is_path"] else values[0]


def _of_kind(kind: Any, text: str) -> Any:
    if kind is not bool:
        return kind(text)
    if text.strip().lower() not in _TRUTH_VALUES:
        raise ValueError(text)
    return _TRUTH_VALUES[text.strip().lower()]


def from_json(kind: Any, text: str) -> Any:
    """Settings from the text of a config.json.

    A value that counted in an earlier version, and counts no more, is logged as a warning.

    Args:
        kind: frozen dataclass whose fields are sections, each a dataclass of settings.
        text: str. A section or setting that it does not name has its default.

    Returns: an instance of `kind`.

    Raises: ValueError for unknown names, and as `kind` itself for values out of range.
    """
    data, lines = earlier_settings.sections_as_now(json.loads(text))
    for line in lines:
        warn_once(line)
    types: dict[str, Any] = {field.name: field.type for field in dataclasses.fields(kind)}
    if not isinstance(data, dict) or not set(data) <= set(types):
        raise ValueError(f"config.json must hold the sections {sorted(types)}.")
    built = {}
    for section, values in data.items():
        if not isinstance(values, dict):
            raise ValueError(
                f"config.json: `{section}` must be an object of settings. "
                f"Received: {section}={values!r}"
            )
        known = {field.name for field in dataclasses.fields(types[section])}
        unknown = sorted(set(values) - known)
        if unknown:
            raise ValueError(
                f"config.json: `{unknown[0]}` is not a setting of `{section}`."
                f"{nearest(unknown[0], known)}"
            )
        built[section] = types[section](
            **{name: tuple(v) if isinstance(v, list) else v for name, v in values.items()}
        )
    return kind(**built)


@functools.cache
def warn_once(line: str) -> None:
    """Logs a line the first time only: some tools read a file several times."""
    _LOG.warning("%s", line)


def _range(meta: Mapping[str, Any]) -> str:
    if math.isinf(meta["high"]):
        return f"at least {meta['low']:g}"
    return f"between {meta['low']:g} and {meta['high']:g}"
