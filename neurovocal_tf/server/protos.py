"""Messages of TensorFlow Serving <-> arrays and versions."""

import inspect
import math
from collections.abc import Collection, Iterable, Mapping
from typing import Any

import grpc
import numpy as np
import tensorflow as tf
from google.protobuf import json_format
from google.protobuf.message import Message
from tensorflow.core.framework import tensor_pb2, types_pb2
from tensorflow.core.protobuf import meta_graph_pb2
from tensorflow_serving.apis import (
    get_model_metadata_pb2,
    get_model_status_pb2,
    model_pb2,
    predict_pb2,
)

from neurovocal_tf.server.refusals import Refusal, invalid
from neurovocal_tf.server.versions import VersionStatus

DEFAULT_SIGNATURE = "serving_default"
SIGNATURES = "signature_def"
# Fields that hold their default are written as well. protobuf 26 gave that another name.
_EVERY_FIELD = {
    name: True
    for name in ("always_print_fields_with_no_presence", "including_default_value_fields")
    if name in inspect.signature(json_format.MessageToDict).parameters
}


def version_and_label(spec: model_pb2.ModelSpec) -> tuple[int | None, str | None]:
    """What a ModelSpec asks for, as two values of which at least one is None."""
    kind = spec.WhichOneof("version_choice")
    return (
        spec.version.value if kind == "version" else None,
        spec.version_label if kind == "version_label" else None,
    )


def arrays(
    request: predict_pb2.PredictRequest, signature: meta_graph_pb2.SignatureDef, max_bytes: int
) -> dict[str, np.ndarray]:
    """The inputs of a PredictRequest.

    Args:
        request: PredictRequest.    signature: SignatureDef.
        max_bytes: int, of all of them, unpacked.

    Returns:
        dict of input name -> NumPy array of the signature's types.

    Raises:
        refusals.Refusal: they are others, or make no sense.
    """
    given, wanted = set(request.inputs), set(signature.inputs)
    names = ", ".join(sorted(wanted))
    for name in sorted(given - wanted):
        raise invalid(
            f"input tensor alias not found in signature: {name}. Inputs expected to be in the set "
            f"{{{names}}}."
        )
    if given != wanted:
        missing = ",".join(sorted(wanted - given))
        raise invalid(
            f"input size does not match signature: {len(given)}!={len(wanted)}. Missing but "
            f"required: {{{missing}}}."
        )
    # One number and a shape may stand for gigabytes.
    if sum(_unpacked_bytes(name, tensor) for name, tensor in request.inputs.items()) > max_bytes:
        raise invalid(f"The inputs unpack to more than {max_bytes} bytes")
    return {
        name: _array(name, tensor, signature.inputs[name].dtype)
        for name, tensor in request.inputs.items()
    }


def tensors(
    outputs: Mapping[str, np.ndarray], names: Collection[str]
) -> dict[str, tensor_pb2.TensorProto]:
    """dict of name -> TensorProto.

    Args:
        outputs: dict of name -> NumPy array.
        names: of the outputs that are wanted; none for all.
    """
    dtypes = {
        name: tf.string if array.dtype == object else array.dtype for name, array in outputs.items()
    }
    return {
        name: tf.make_tensor_proto(outputs[name], dtypes[name], outputs[name].shape)
        for name in names or outputs
    }


def num_bytes(array: np.ndarray) -> int:
    """int, of what an array holds."""
    return sum(map(len, array.ravel())) if array.dtype == object else array.nbytes


def check_filter(names: Collection[str], signature: meta_graph_pb2.SignatureDef) -> None:
    """Raises a `Refusal` for names that are no outputs, or twice the same."""
    for name in names:
        if name not in signature.outputs:
            known = ", ".join(sorted(signature.outputs))
            raise invalid(
                f"output tensor alias not found in signature: {name} Outputs expected to be in the "
                f"set {{{known}}}."
            )
    if len(set(names)) < len(names):
        raise invalid(f"duplicate output tensor alias among {', '.join(sorted(names))}")


def status_response(
    statuses: Mapping[int, VersionStatus],
) -> get_model_status_pb2.GetModelStatusResponse:
    """GetModelStatusResponse of a dict of version -> `versions.VersionStatus`."""
    response = get_model_status_pb2.GetModelStatusResponse()
    for number, status in statuses.items():
        of_version = response.model_version_status.add(version=number, state=int(status.state))
        of_version.status.error_code, of_version.status.error_message = (
            status.error_code,
            status.error,
        )
    return response


def metadata_response(
    model_name: str, version: int, signatures: Mapping[str, meta_graph_pb2.SignatureDef]
) -> get_model_metadata_pb2.GetModelMetadataResponse:
    """GetModelMetadataResponse with the signatures of a version."""
    response = get_model_metadata_pb2.GetModelMetadataResponse()
    response.model_spec.name = model_name
    response.model_spec.version.value = version
    response.metadata[SIGNATURES].Pack(_signature_map(signatures))
    return response


def metadata_json(
    model_name: str, version: int, signatures: Mapping[str, meta_graph_pb2.SignatureDef]
) -> dict[str, Any]:
    """The same for REST, as a dict."""
    spec = metadata_response(model_name, version, {}).model_spec
    return {
        "model_spec": as_json(spec),
        "metadata": {SIGNATURES: as_json(_signature_map(signatures))},
    }


def as_json(message: Message) -> dict[str, Any]:
    """A message as TensorFlow Serving writes it in JSON, as a dict."""
    return json_format.MessageToDict(message, preserving_proto_field_name=True, **_EVERY_FIELD)


def check_metadata_fields(fields: Iterable[str]) -> None:
    """Raises a `Refusal` for fields of the metadata that there are not."""
    if not fields:
        raise invalid("GetModelMetadataRequest must specify at least one metadata_field")
    for field in fields:
        if field != SIGNATURES:
            raise invalid(f"Metadata field {field} is not supported")


def check_signature(name: str, signatures: Mapping[str, meta_graph_pb2.SignatureDef]) -> None:
    """Raises a `Refusal` for a signature that is not there."""
    if name not in signatures:
        raise Refusal(
            grpc.StatusCode.FAILED_PRECONDITION, f'Serving signature key "{name}" not found.'
        )


def _signature_map(
    signatures: Mapping[str, meta_graph_pb2.SignatureDef],
) -> get_model_metadata_pb2.SignatureDefMap:
    message = get_model_metadata_pb2.SignatureDefMap()
    for name, signature in signatures.items():
        message.signature_def[name].CopyFrom(signature)
    return message


def _unpacked_bytes(name: str, tensor: tensor_pb2.TensorProto) -> int:
    sizes = [dim.size for dim in tensor.tensor_shape.dim]
    if tensor.tensor_shape.unknown_rank or any(size < 0 for size in sizes) or len(sizes) > 32:
        raise invalid(f"tensor parsing error: {name}")
    return math.prod(sizes) * 8 + sum(map(len, tensor.string_val))


def _array(name: str, tensor: tensor_pb2.TensorProto, dtype: int) -> np.ndarray:
    if tensor.dtype != dtype:
        raise invalid(
            f"`{name}` must be of type {_type_name(dtype)}. "
            f"Received: {name} of type {_type_name(tensor.dtype)}"
        )
    try:
        array = tf.make_ndarray(tensor)
    except (TypeError, ValueError, KeyError) as error:
        raise invalid(f"tensor parsing error: {name}: {error}") from None
    # Fewer values than the shape says, some of which NumPy has made up for.
    if list(array.shape) != [dim.size for dim in tensor.tensor_shape.dim]:
        raise invalid(f"tensor parsing error: {name}")
    return array


def _type_name(number: int) -> str:
    return types_pb2.DataType.Name(number) if number in types_pb2.DataType.values() else str(number)
