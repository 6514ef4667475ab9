"""TensorFlow Serving's JSON <-> tensors.
https://www.tensorflow.org/tfx/serving/api_rest#predict_api

Messages are those of the real server (tensorflow_serving/util/json_tensor.cc),
as far as they are known to be helpful.
"""

import base64
import binascii
import contextlib
import itertools
import json
from collections.abc import Mapping, Sequence
from typing import Any

import grpc
import numpy as np
import tensorflow as tf
from tensorflow.core.protobuf import meta_graph_pb2

from neurovocal_tf import json_numbers
from neurovocal_tf.server import json_shape
from neurovocal_tf.server.limits import Limits
from neurovocal_tf.server.protos import DEFAULT_SIGNATURE
from neurovocal_tf.server.refusals import Refusal, invalid

_LONGEST_QUOTE = 200
_DEEPEST = 16
_KINDS = {"float": (int, float), "int": (int,), "bool": (bool,), "string": (str, dict)}


def request(
    body: bytes, signatures: Mapping[str, meta_graph_pb2.SignatureDef], limits: Limits
) -> tuple[str, dict[str, np.ndarray], bool]:
    """What a request's body asks for.

    Args:
        body: bytes.    signatures: name -> SignatureDef.    limits: `limits.Limits`.

    Returns:
        The signature's name, a dict of input name -> NumPy array, and whether the request is in the
        row format.

    Raises:
        refusals.Refusal: it is no JSON object, or more than the limits allow, or does not fit.
    """
    document = parse(body, limits)
    name = signature_name(document) or DEFAULT_SIGNATURE
    if name not in signatures:
        raise invalid(f'Serving signature name: "{name}" not found in signature def')
    return name, *inputs(document, dict(signatures[name].inputs))


def parse(body: bytes, limits: Limits) -> dict[str, Any]:
    """The JSON object in a request's body.

    Args:
        body: bytes.    limits: `limits.Limits`, of how deep and how many values it may be.

    Raises:
        refusals.Refusal: it is no JSON object, or is more than that;
            then nothing of it has been parsed.
    """
    if not body:
        raise invalid("JSON Parse error: The document is empty")
    shape = json_shape.measure(body)
    if shape.depth > limits.max_json_depth:
        raise invalid(
            f"JSON Parse error: nested too deeply: {shape.depth} levels, where at most "
            f"{limits.max_json_depth} are taken"
        )
    if shape.num_values > limits.max_json_values:
        raise Refusal(
            grpc.StatusCode.RESOURCE_EXHAUSTED,
            f"The request has about {shape.num_values} values, where at most "
            f"{limits.max_json_values} are taken: send fewer rows at once, or ask over gRPC",
            413,
        )
    try:
        document = json_numbers.loads(body)
    except ValueError as error:
        raise invalid(f"JSON Parse error: {error}") from None
    if not isinstance(document, dict):
        raise invalid(f"JSON Value: {_quote(document)} Is not object")
    return document


def signature_name(document: dict[str, Any]) -> str:
    """Which signature a request is for; empty for the default one.  dict -> str"""
    name = document.get("signature_name", "")
    if not isinstance(name, str):
        raise invalid(
            f"JSON Value: {_quote(document)} not formatted correctly. 'signature_name' key must be "
            "a string value."
        )
    return name


def inputs(
    document: dict[str, Any], infos: Mapping[str, meta_graph_pb2.TensorInfo]
) -> tuple[dict[str, np.ndarray], bool]:
    """The tensors of a request.

    Args:
        document: dict, the request.    infos: input name -> TensorInfo, of the signature.

    Returns:
        dict of input name -> NumPy array, and whether the request is in the row format.

    Raises:
        refusals.Refusal: it does not fit the signature,
            or has neither 'instances' nor 'inputs', or both.
    """
    if "instances" in document and "inputs" in document:
        raise invalid(
            f"JSON Value: {_quote(document)} Not formatted correctly expecting only one of "
            "'inputs' or 'instances' keys to exist"
        )
    if "instances" in document:
        return _from_rows(document["instances"], infos), True
    if "inputs" in document:
        return _from_columns(document["inputs"], infos), False
    raise invalid("Missing 'inputs' or 'instances' key")


def answer(outputs: Mapping[str, np.ndarray], in_rows: bool) -> bytes:
    """The body of an answer.

    Args:
        outputs: dict of output name -> NumPy array.
        in_rows: whether the request was in the row format.

    Returns:
        bytes of JSON. Strings of outputs whose name ends in _bytes are base64; a single output
        stands without its name.
    """
    columns = {
        name: _texts(name, array) if array.dtype == object else array
        for name, array in sorted(outputs.items())
    }
    if not in_rows:
        return json_numbers.dumps(
            {"outputs": columns if len(columns) > 1 else next(iter(columns.values()))}
        )
    if len(columns) == 1:
        return json_numbers.dumps({"predictions": next(iter(columns.values()))})
    return json_numbers.dumps(
        {
            "predictions": [
                dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)
            ]
        }
    )


def error(message: str) -> bytes:
    """The body of an answer that says what is wrong.  str -> bytes"""
    return json.dumps({"error": message}).encode()


def _from_rows(rows: Any, infos: Mapping[str, meta_graph_pb2.TensorInfo]) -> dict[str, np.ndarray]:
    if not isinstance(rows, list):
        raise invalid(f"JSON Value: {_quote(rows)} Expecting 'instances' to be an list/array")
    if not rows:
        raise invalid(f"JSON Value: {_quote(rows)} No values in 'instances' array")
    if _is_named(rows[0]):
        for i, row in enumerate(rows):
            if not _is_named(row):
                raise invalid(f"Expecting object but got list at item {i} of input list")
            if row.keys() != infos.keys():
                names = ",".join(sorted(infos))
                raise invalid(
                    f"Failed to process element: {i} of 'instances' list. JSON object: "
                    f"{_quote(row)} keys must be equal to: {names}"
                )
        return {
            name: _tensor(name, [row[name] for row in rows], info) for name, info in infos.items()
        }
    if len(infos) > 1:
        raise invalid(
            "instances is a plain list, but expecting list of objects as multiple input tensors "
            "required as per tensorinfo_map"
        )
    for i, row in enumerate(rows):
        if _is_named(row):
            raise invalid(f"Expecting value/list but got object at item {i} of input list")
    ((name, info),) = infos.items()
    return {name: _tensor(name, rows, info)}


def _from_columns(
    columns: Any, infos: Mapping[str, meta_graph_pb2.TensorInfo]
) -> dict[str, np.ndarray]:
    if _is_named(columns):
        for name in infos:
            if name not in columns:
                raise invalid(f"Missing named input: {name} in 'inputs' object.")
        return {name: _tensor(name, columns[name], info) for name, info in infos.items()}
    if len(infos) > 1:
        raise invalid(
            "inputs is a plain value/list, but expecting an object as multiple input tensors "
            "required as per tensorinfo_map"
        )
    ((name, info),) = infos.items()
    return {name: _tensor(name, columns, info)}


def _is_named(value: object) -> bool:
    return isinstance(value, dict) and not _is_base64(value)


def _is_base64(value: object) -> bool:
    return isinstance(value, dict) and value.keys() == {"b64"} and isinstance(value["b64"], str)


def _tensor(name: str, value: Any, info: meta_graph_pb2.TensorInfo) -> np.ndarray:
    """An array of nested lists whose values are all of the input's type."""
    dtype = tf.dtypes.as_dtype(info.dtype)
    shape: list[int] = []
    flat = [value]
    while flat and isinstance(flat[0], list):
        if len(shape) == _DEEPEST:
            raise invalid(f"`{name}` must have at most {_DEEPEST} dimensions")
        sizes = {len(item) if isinstance(item, list) else -1 for item in flat}
        if len(sizes) > 1:
            raise invalid(
                f"`{name}` must have lists of one length at each level. "
                f"Received: {name}={_quote(value)}"
            )
        shape += sizes
        flat = list(itertools.chain.from_iterable(flat))
    kind = (
        "string"
        if dtype == tf.string
        else "bool"
        if dtype.is_bool
        else "int"
        if dtype.is_integer
        else "float"
    )
    # bool is an int to Python, and neither is a list or null any of these.
    wrong = set(map(type, flat)) - set(_KINDS[kind])
    if wrong:
        first = next(item for item in flat if type(item) in wrong)
        raise invalid(
            f"JSON Value: {_quote(first)} Type: {_type_name(first)} is not of expected type: "
            f"{dtype.name} (`{name}`)"
        )
    if kind == "string":
        return np.array([_bytes(name, item) for item in flat], object).reshape(shape)
    if kind == "int" and flat and not dtype.min <= min(flat) <= max(flat) <= dtype.max:
        outside = min(flat) if min(flat) < dtype.min else max(flat)
        raise invalid(
            f"JSON Value: {_quote(outside)} Type: Number is not of expected type: {dtype.name} "
            f"(`{name}`)"
        )
    if kind == "float":
        return _floats(name, flat, dtype).reshape(shape)
    return np.array(flat, dtype.as_numpy_dtype).reshape(shape)


def _floats(name: str, flat: Sequence[Any], dtype: tf.DType) -> np.ndarray:
    with np.errstate(over="ignore"), contextlib.suppress(OverflowError):
        wide = np.array(flat, np.float64)
        array = wide.astype(dtype.as_numpy_dtype)
        if not np.any(np.isinf(array) & np.isfinite(wide)):
            return array
    raise invalid(
        f"Cannot convert JSON value of `{name}` to {dtype.name} without loss of precision."
    )


def _bytes(name: str, item: Any) -> bytes:
    if isinstance(item, str):
        try:
            return item.encode()
        except UnicodeEncodeError:
            raise invalid(f"JSON Parse error: half a surrogate pair in `{name}`") from None
    if not _is_base64(item):
        raise invalid(f"JSON Value: {_quote(item)} not formatted correctly for base64 data")
    try:
        return base64.b64decode(item["b64"], validate=True)
    except (binascii.Error, ValueError):
        raise invalid(f"Unable to base64 decode `{name}`") from None


def _texts(name: str, array: np.ndarray) -> list[Any]:
    if name.endswith("_bytes"):
        flat = [{"b64": base64.b64encode(value).decode()} for value in array.ravel()]
    else:
        flat = [value.decode(errors="replace") for value in array.ravel()]
    whole = np.empty(len(flat), object)
    whole[:] = flat
    return whole.reshape(array.shape).tolist()


def _type_name(value: object) -> str:
    names = {
        type(None): "Null",
        str: "String",
        list: "Array",
        dict: "Object",
        int: "Number",
        float: "Number",
    }
    return str(value) if isinstance(value, bool) else names[type(value)]


def _quote(value: object) -> str:
    # Piece by piece: what is refused may be large.
    text = "".join(itertools.islice(json.JSONEncoder().iterencode(value), _LONGEST_QUOTE))
    return text if len(text) <= _LONGEST_QUOTE else text[:_LONGEST_QUOTE] + "..."
