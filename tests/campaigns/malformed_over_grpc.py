"""Malformed gRPC requests: each kind takes the target and a generator, and gives a method's path, a
message's bytes and the codes that are right; or, in NO_GRPC, bytes on whose account the connection
is closed.
"""

import numpy as np
import tensorflow as tf
from malformed_target import DTYPES, GOOD, PREDICT, choose
from tensorflow_serving.apis import get_model_metadata_pb2

_INVALID = {"INVALID_ARGUMENT"}


def noise_for_message(target, rng):
    # Field 1 as a string that is longer than what follows: no message whatever comes.
    return PREDICT, b"\x0a\xff\xff\x7f" + rng.bytes(rng.integers(0, 500)), _INVALID


def cut_message(target, rng):
    data = target.message().SerializeToString(deterministic=True)
    return PREDICT, data[: rng.integers(len(data))], _INVALID


def _changed(target, change):
    request = target.message()
    change(request)
    return PREDICT, request.SerializeToString()


def wrong_tensor_type(target, rng):
    name = choose(rng, list(GOOD))
    dtypes = [
        np.float64,
        np.int16,
        np.uint8,
        np.bool_,
        np.complex64,
        np.float16,
        *(set(DTYPES.values()) - {DTYPES[name]}),
    ]
    values = [tf.make_tensor_proto(np.ones(1, choose(rng, dtypes))), tf.make_tensor_proto([b"x"])]

    def change(request):
        request.inputs[name].CopyFrom(choose(rng, values))
        if rng.integers(4) == 0:
            request.inputs[name].dtype = int(choose(rng, [0, 20, 21, 23, 99, 101, 12_345]))

    return *_changed(target, change), _INVALID


def wrong_tensor_shape(target, rng):
    shape = choose(rng, [(), (2,), (0,), (1, 1), (33,), (1, 0), (1, 1, 1, 1)])
    name = choose(rng, list(GOOD))
    return *_changed(
        target,
        lambda request: request.inputs[name].CopyFrom(
            tf.make_tensor_proto(np.ones(shape, DTYPES[name]))
        ),
    ), _INVALID


def torn_tensor(target, rng):
    """Sizes that are negative, enormous, unknown, or not those of the values."""
    sizes = choose(
        rng, [[-1], [2**62], [2**31, 2**31], [2**40, 0, 2], [3], [1] * 40, [-(2**63)], [10**9]]
    )
    kind = rng.integers(4)

    def change(request):
        tensor = request.inputs[choose(rng, list(GOOD))]
        if kind == 0:
            tensor.tensor_content = rng.bytes(rng.integers(1, 4))
        elif kind == 1:
            tensor.tensor_shape.unknown_rank = True
        else:
            del tensor.tensor_shape.dim[:]
            for size in sizes:
                tensor.tensor_shape.dim.add(size=size)

    return *_changed(target, change), _INVALID


def wrong_inputs(target, rng):
    def change(request):
        kind, name = rng.integers(3), choose(rng, list(GOOD))
        if kind < 2:
            del request.inputs[name]
        if kind > 0:
            request.inputs[choose(rng, ["x", "", "Seed", "s" * 9_999])].CopyFrom(
                tf.make_tensor_proto([1.0])
            )

    return *_changed(target, change), _INVALID


def wrong_outputs(target, rng):
    names = choose(rng, [["x"], ["state", "state"], [""], ["state", "\u00e9"]])
    return *_changed(target, lambda request: request.output_filter.extend(names)), _INVALID


def wrong_spec(target, rng):
    field, value, code = choose(
        rng,
        [
            ("name", "x", "NOT_FOUND"),
            ("name", "", "NOT_FOUND"),
            ("name", "../" + target.model_name, "NOT_FOUND"),
            ("signature_name", "x", "FAILED_PRECONDITION"),
            ("signature_name", "__saved_model_init_op", "FAILED_PRECONDITION"),
            ("version_label", "x", "INVALID_ARGUMENT"),
            ("version", int(rng.integers(2, 2**62)), "NOT_FOUND"),
            ("version", -1, "NOT_FOUND"),
        ],
    )

    def change(request):
        if field == "version":
            request.model_spec.version.value = value
        else:
            setattr(request.model_spec, field, value)

    return *_changed(target, change), {code}


def no_spec(target, rng):
    method = choose(rng, [PREDICT, "/tensorflow.serving.ModelService/GetModelStatus"])
    return method, b"", _INVALID


def wrong_metadata(target, rng):
    request = get_model_metadata_pb2.GetModelMetadataRequest()
    request.model_spec.name = target.model_name
    request.metadata_field.extend(choose(rng, [[], ["x"], ["signature_def", "x"], [""]]))
    return (
        "/tensorflow.serving.PredictionService/GetModelMetadata",
        request.SerializeToString(),
        _INVALID,
    )


def wrong_method(target, rng):
    service = choose(
        rng,
        [
            "tensorflow.serving.PredictionService",
            "tensorflow.serving.Prediction",
            "x",
            "grpc.health.v1.Health",
        ],
    )
    return (
        f"/{service}/{choose(rng, ['predict', 'X', 'Predict/1', ''])}",
        target.message().SerializeToString(),
        {"UNIMPLEMENTED"},
    )


def other_method(target, rng):
    name = choose(rng, ["Classify", "Regress", "MultiInference"])
    return f"/tensorflow.serving.PredictionService/{name}", b"", _INVALID


def huge_message(target, rng):
    return (
        PREDICT,
        bytes(target.max_request_bytes + int(rng.integers(1, 1_000))),
        {"RESOURCE_EXHAUSTED"},
    )


def many_fields(target, rng):
    """Messages, strings and sizes of two bytes and a few more, without end."""
    request = target.message()
    tensor = request.inputs[choose(rng, list(GOOD))]
    num_fields = int(rng.integers(10_001, target.max_request_bytes // 40))
    kind = rng.integers(4)
    if kind == 0:
        tensor.string_val.extend([b""] * num_fields)
    elif kind == 1:
        tensor.tensor_shape.MergeFromString(b"\x12\x00" * num_fields)
    elif kind == 2:
        request.output_filter.extend(["state"] * num_fields)
    data = request.SerializeToString()
    return (
        PREDICT,
        data + (b"\x98\x06\x01" * num_fields if kind == 3 else b""),
        {"RESOURCE_EXHAUSTED"},
    )


def noise_for_grpc(target, rng):
    return rng.bytes(rng.integers(1, 2_000))


def http1_for_grpc(target, rng):
    return target.http(b"{}")


def noise_for_http2(target, rng):
    frame = int(rng.integers(2**24)).to_bytes(3, "big") + rng.bytes(6)
    return (
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
        + choose(rng, [b"", b"\0\0\0\4\0\0\0\0\0"])
        + frame
        + rng.bytes(rng.integers(0, 500))
    )


KINDS = [
    *(
        noise_for_message,
        cut_message,
        wrong_tensor_type,
        wrong_tensor_shape,
        torn_tensor,
        wrong_inputs,
        wrong_outputs,
        wrong_spec,
    ),
    *(no_spec, wrong_metadata, wrong_method, other_method, huge_message, many_fields),
]
NO_GRPC = [noise_for_grpc, http1_for_grpc, noise_for_http2]
