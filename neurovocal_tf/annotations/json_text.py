"""JSON of programs that find vocalizations: its value, and whether it is whole."""

import json
import os
from typing import Any


def recognises(text: str) -> bool:
    """Whether it begins as an object or an array does."""
    return text.lstrip()[:1] in ("{", "[")


def value_of(text: str, path: str | os.PathLike[str]) -> Any:
    """The value of a text of JSON. Raises ValueError, one line with the file and the line."""
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        raise ValueError(
            f"{path}, line {error.lineno}: is not JSON that is whole: {error.msg}."
        ) from None
    except RecursionError:
        raise ValueError(f"{path}: is JSON that is nested too deep.") from None
