"""What a setting is: a field of a dataclass with a default, a range and a help text.

How its value is checked, and read from JSON.
"""

import dataclasses
import functools
import json
import logging
import math
import typing
from collections.abc import Mapping
from typing import Any

from neurovocal_tf import earlier_settings

_LOG = logging.getLogger(__name__)


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
    if isinstance(value, tuple) != several or value == ():
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
        _warn_once(line)
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
        unknown = sorted(set(values) - {field.name for field in dataclasses.fields(types[section])})
        if unknown:
            raise ValueError(f"config.json: `{unknown[0]}` is not a setting of `{section}`.")
        built[section] = types[section](
            **{name: tuple(v) if isinstance(v, list) else v for name, v in values.items()}
        )
    return kind(**built)


@functools.cache
def _warn_once(line: str) -> None:
    """Logs a line the first time only: some tools read a file several times."""
    _LOG.warning("%s", line)


def _range(meta: Mapping[str, Any]) -> str:
    if math.isinf(meta["high"]):
        return f"at least {meta['low']:g}"
    return f"between {meta['low']:g} and {meta['high']:g}"
