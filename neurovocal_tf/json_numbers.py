"""JSON with arrays of numbers in it, as a TensorFlow Serving model server reads and writes it."""

import json
from typing import Any

import numpy as np
import orjson


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
        ValueError: it is no JSON.    RecursionError: it is nested too deeply.
    """
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:
        # Python's own takes NaN and infinity too, and says better what is wrong.
        return json.loads(text)


def _fragment(array: np.ndarray) -> orjson.Fragment:
    is_finite = array.dtype.kind != "f" or np.all(np.isfinite(array))
    if is_finite and array.dtype.isnative and np.ndim(array):
        return orjson.Fragment(
            orjson.dumps(np.ascontiguousarray(array), option=orjson.OPT_SERIALIZE_NUMPY)
        )
    return orjson.Fragment(json.dumps(array.tolist()))
