"""JSON with arrays of numbers in it, as a TensorFlow Serving model server reads and writes it."""

import json
import math
from typing import Any

import numpy as np
import orjson

_NUMBERS_AT_ONCE = 100_000


def dumps(value: object) -> bytes:
    """JSON of dicts and lists, with NumPy arrays in them as nested lists.

    A float32 is written with as few digits as tell it from others; NaN and infinity, for which JSON
    has no words, as NaN and Infinity.

    Returns:
        bytes.
    """
    return orjson.dumps(value, default=_fragment)


def loads(text: bytes | str) -> Any:
    """Inverse of `dumps`: arrays come back as lists, and numbers with a point as float.

    Args:
        text: bytes.

    Raises:
        ValueError: it is no JSON, or not in UTF-8.    RecursionError: it is nested too deeply.
    """
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:
        # Python's own takes NaN and infinity too, and says better what is wrong. Of bytes it would
        # take UTF-16, in which JSON is not sent (RFC 8259).
        text = text if isinstance(text, str) else text.decode("utf-8-sig")
        return json.loads(text, parse_float=_float)


def _float(digits: str) -> float:
    number = float(digits)
    if math.isinf(number):
        raise ValueError(f"a number must be below 1.8e308. Received: {digits[:40]}")
    return number


def _fragment(array: np.ndarray) -> orjson.Fragment:
    return orjson.Fragment(_json_of(np.asarray(array)))


def _json_of(array: np.ndarray) -> bytes:
    if array.size > _NUMBERS_AT_ONCE:
        # In pieces: as long as one call writes, no other thread of the process gets a turn.
        if len(array) == 1:
            return b"[" + _json_of(array[0]) + b"]"
        step = max(_NUMBERS_AT_ONCE * len(array) // array.size, 1)
        pieces = (array[start : start + step] for start in range(0, len(array), step))
        return b"[" + b",".join(_json_of(piece)[1:-1] for piece in pieces) + b"]"
    is_finite = array.dtype.kind != "f" or np.all(np.isfinite(array))
    if is_finite and array.dtype.isnative and array.ndim:
        return orjson.dumps(np.ascontiguousarray(array), option=orjson.OPT_SERIALIZE_NUMPY)
    return json.dumps(array.tolist()).encode()
