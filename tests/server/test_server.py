"""The local model server: it answers what the SavedModel answers, in TensorFlow Serving's words,
whatever comes and goes.
"""

import base64
import json
import re
import socket
import subprocess
import sys

import grpc
import malformed_requests
import malformed_target
import numpy as np
import pytest
import tensorflow as tf
from grpc_health.v1 import health_pb2, health_pb2_grpc
from running_server import ask
from tensorflow_serving.apis import (
    get_model_metadata_pb2,
    get_model_status_pb2,
    model_service_pb2_grpc,
    predict_pb2,
    prediction_service_pb2_grpc,
)

from neurovocal_tf.audio import wav
from neurovocal_tf.server import json_tensors, page_policy
from neurovocal_tf.server.limits import Limits
from neurovocal_tf.server.refusals import Refusal

URL = "/v1/models/bird"


@pytest.fixture(scope="module")
def loaded(export_dir):
    """What TensorFlow itself makes of the export."""
    return tf.saved_model.load(str(export_dir / "1"))


@pytest.fixture(scope="module")
def channel(model_server):
    with grpc.insecure_channel(
        f"127.0.0.1:{model_server.grpc}", [("grpc.max_receive_message_length", -1)]
    ) as channel:
        yield channel


def rows(endpoints, num_rows):
    """Different rows of every input."""
    rng = np.random.default_rng(3)
    recordings = [
        wav.encode(rng.uniform(-0.5, 0.5, 500 + 300 * i).astype(np.float32), 16_000).numpy()
        for i in range(num_rows)
    ]
    return {
        "seed": rng.integers(-(2**62), 2**62, num_rows),
        "num_frames": rng.integers(0, 49, num_rows).astype(np.int32),
        "temperature": rng.uniform(0.5, 2.0, num_rows).astype(np.float32),
        "frame": rng.integers(0, 2**40, num_rows),
        "state": rng.normal(size=(num_rows, endpoints.model.encoder.state_size)).astype(np.float32),
        "spectrogram": rng.uniform(-60, 0, (num_rows, 12, 65)).astype(np.float32),
        "lengths": rng.integers(2, 14, num_rows).astype(np.int32),
        "known": rng.uniform(-0.5, 0.5, (num_rows, 300)).astype(np.float32),
        "num_known": rng.integers(0, 300, num_rows).astype(np.int32),
        "onsets": rng.integers(-50, 300, (num_rows, 3)),
        "offsets": rng.integers(200, 900, (num_rows, 3)),
        "num_calls": rng.integers(-2, 5, num_rows).astype(np.int32),
        "audio_bytes": np.array([*recordings[1:], b"not a recording"], object),
    }


def inputs_and_outputs(endpoints, loaded, num_rows=3):
    """(Name of a signature, its inputs, what the SavedModel answers)."""
    values = rows(endpoints, num_rows)
    for name, signature in loaded.signatures.items():
        specs = signature.structured_input_signature[1]
        inputs = {key: values[key] for key in specs}
        outputs = signature(
            **{key: tf.constant(value, specs[key].dtype) for key, value in inputs.items()}
        )
        yield name, inputs, {key: value.numpy() for key, value in outputs.items()}


def json_of(array):
    return (
        [{"b64": base64.b64encode(value).decode()} for value in array]
        if array.dtype == object
        else array.tolist()
    )


def from_json(values, like):
    if like.dtype == object:
        # Base64 where the output's name ends in _bytes, else text.
        texts = [
            base64.b64decode(value["b64"]) if isinstance(value, dict) else value.encode()
            for value in np.array(values, object).ravel()
        ]
        return np.array(texts, object).reshape(like.shape)
    return np.array(values, like.dtype).reshape(like.shape)


def predict_request(name, inputs, **spec):
    request = predict_pb2.PredictRequest()
    request.model_spec.name, request.model_spec.signature_name = "bird", name
    for key, value in spec.items():
        setattr(request.model_spec, key, value)
    for key, value in inputs.items():
        request.inputs[key].CopyFrom(tf.make_tensor_proto(value))
    return request


# --- answers


def test_columns_over_rest_are_the_answers_of_the_saved_model_bit_for_bit(
    model_server, endpoints, loaded
):
    for name, inputs, expected in inputs_and_outputs(endpoints, loaded):
        body = {
            "signature_name": name,
            "inputs": {key: json_of(value) for key, value in inputs.items()},
        }
        status, found = ask(model_server.rest, "POST", f"{URL}:predict", body)
        assert status == 200, found
        assert found["outputs"].keys() == expected.keys()
        for key, array in expected.items():
            np.testing.assert_array_equal(
                from_json(found["outputs"][key], array), array, err_msg=f"{name}: {key}"
            )


def test_rows_over_rest_are_the_columns_turned(model_server, endpoints, loaded):
    for name, inputs, expected in inputs_and_outputs(endpoints, loaded):
        columns = {key: json_of(value) for key, value in inputs.items()}
        body = {
            "signature_name": name,
            "instances": [dict(zip(columns, row)) for row in zip(*columns.values())],
        }
        status, found = ask(model_server.rest, "POST", f"{URL}/versions/1:predict", body)
        assert status == 200, found
        for key, array in expected.items():
            column = [row[key] for row in found["predictions"]]
            np.testing.assert_array_equal(from_json(column, array), array, err_msg=f"{name}: {key}")


def test_grpc_gives_the_answers_of_the_saved_model_bit_for_bit(channel, endpoints, loaded):
    stub = prediction_service_pb2_grpc.PredictionServiceStub(channel)
    for name, inputs, expected in inputs_and_outputs(endpoints, loaded):
        found = stub.Predict(predict_request(name, inputs), timeout=60)
        assert (
            found.model_spec.name,
            found.model_spec.version.value,
            found.model_spec.signature_name,
        ) == ("bird", 1, name)
        assert found.outputs.keys() == expected.keys()
        for key, array in expected.items():
            np.testing.assert_array_equal(
                tf.make_ndarray(found.outputs[key]), array, err_msg=f"{name}: {key}"
            )


def test_what_is_asked_for_twenty_at_once_is_what_is_answered_to_one(channel, endpoints, loaded):
    stub = prediction_service_pb2_grpc.PredictionServiceStub(channel)
    values = rows(endpoints, 20)
    inputs = {name: values[name] for name in ("seed", "num_frames", "temperature")}
    alone = {name: tf.constant(value) for name, value in inputs.items()}
    requests = [
        predict_request("generate", {name: value[i : i + 1] for name, value in inputs.items()})
        for i in range(20)
    ]
    calls = [stub.Predict.future(request) for request in requests]
    for i, call in enumerate(calls):
        expected = loaded.signatures["generate"](
            **{name: value[i : i + 1] for name, value in alone.items()}
        )
        found = {
            name: tf.make_ndarray(tensor)[0]
            for name, tensor in call.result(timeout=60).outputs.items()
        }
        np.testing.assert_array_equal(found["state"], expected["state"][0])
        # What follows a row's own frames is as long as the longest song beside it.
        np.testing.assert_array_equal(
            found["spectrogram"][: found["lengths"]], expected["spectrogram"][0]
        )


def test_a_request_without_a_signature_goes_to_the_default_one_and_one_without_rows_gets_none(
    model_server, loaded
):
    status, found = ask(
        model_server.rest,
        "POST",
        f"{URL}:predict",
        {"inputs": {"seed": [], "num_frames": [], "temperature": []}},
    )
    assert status == 200 and found["outputs"] == dict.fromkeys(
        loaded.signatures["generate"].structured_outputs, []
    )


def test_only_the_outputs_that_are_named_come_back(channel):
    stub = prediction_service_pb2_grpc.PredictionServiceStub(channel)
    row = {
        "seed": np.ones(1, np.int64),
        "num_frames": np.ones(1, np.int32),
        "temperature": np.ones(1, np.float32),
    }
    request = predict_request("", row)
    request.output_filter.append("lengths")
    answer = stub.Predict(request, timeout=60)
    assert answer.model_spec.signature_name == "serving_default"
    assert {name: tf.make_ndarray(tensor).tolist() for name, tensor in answer.outputs.items()} == {
        "lengths": [1]
    }


# --- what is said about the model


def test_both_protocols_tell_the_signatures_of_the_file(model_server, channel, export_dir):
    from tensorflow.core.protobuf import saved_model_pb2

    saved = saved_model_pb2.SavedModel.FromString(
        (export_dir / "1" / "saved_model.pb").read_bytes()
    )
    signatures = dict(saved.meta_graphs[0].signature_def)
    del signatures["__saved_model_init_op"]  # no method of the model
    request = get_model_metadata_pb2.GetModelMetadataRequest(metadata_field=["signature_def"])
    request.model_spec.name = "bird"
    answer = prediction_service_pb2_grpc.PredictionServiceStub(channel).GetModelMetadata(
        request, timeout=60
    )
    found = get_model_metadata_pb2.SignatureDefMap()
    assert answer.metadata["signature_def"].Unpack(found) and answer.model_spec.version.value == 1
    assert dict(found.signature_def) == signatures
    status, over_rest = ask(model_server.rest, "GET", f"{URL}/metadata")
    assert (status, over_rest["model_spec"]) == (
        200,
        {"name": "bird", "signature_name": "", "version": "1"},
    )
    told = over_rest["metadata"]["signature_def"]["signature_def"]
    assert (
        told.keys() == signatures.keys()
        and told["encode"]["method_name"] == "tensorflow/serving/predict"
    )
    sizes = [{"size": size, "name": ""} for size in ("-1", "-1", "65")]
    shape = {"dim": sizes, "unknown_rank": False}
    assert told["encode"]["inputs"]["spectrogram"] == {
        "name": "encode_spectrogram:0",
        "dtype": "DT_FLOAT",
        "tensor_shape": shape,
    }


def test_both_protocols_tell_that_the_version_is_available(model_server, channel):
    fine = {"error_code": "OK", "error_message": ""}
    expected = {"model_version_status": [{"version": "1", "state": "AVAILABLE", "status": fine}]}
    for path in (URL, f"{URL}/versions/1"):
        assert ask(model_server.rest, "GET", path) == (200, expected)
    request = get_model_status_pb2.GetModelStatusRequest()
    request.model_spec.name = "bird"
    (status,) = (
        model_service_pb2_grpc.ModelServiceStub(channel)
        .GetModelStatus(request, timeout=60)
        .model_version_status
    )
    assert (status.version, status.state, status.status.error_code) == (
        1,
        get_model_status_pb2.ModelVersionStatus.AVAILABLE,
        0,
    )
    health = health_pb2_grpc.HealthStub(channel)
    assert (
        health.Check(health_pb2.HealthCheckRequest(), timeout=60).status
        == health_pb2.HealthCheckResponse.SERVING
    )


def test_what_is_answered_and_refused_is_counted(model_server):
    def counts():
        page = ask(model_server.rest, "GET", "/monitoring/prometheus/metrics")[1].decode()
        numbers = dict(
            line.rsplit(" ", 1) for line in page.splitlines() if not line.startswith("#")
        )
        names = [
            f':tensorflow:serving:request_count{{model_name="bird",status="{status}"}}'
            for status in ("OK", "INVALID_ARGUMENT")
        ]
        bucket = (
            ':tensorflow:serving:request_latency_bucket{model_name="bird",API="Predict",'
            'entrypoint="REST",le="+Inf"}'
        )
        return [int(numbers.get(name, 0)) for name in [*names, bucket]]

    before = counts()
    body = {"instances": [{"seed": 1, "num_frames": 1, "temperature": 0}]}
    assert [
        ask(model_server.rest, "POST", f"{URL}:predict", content)[0]
        for content in (body, body, b"{")
    ] == [200, 200, 400]
    assert [after - number for after, number in zip(counts(), before)] == [2, 1, 2]


# --- malformed requests


def test_two_hundred_malformed_requests_each_get_their_code_and_good_ones_their_answer(
    model_server,
):
    target = malformed_target.Target(*model_server, "bird", 2**20)
    ends = malformed_requests.tally(target, 200)
    target.close()
    assert [end for end in ends if end.startswith("DEFECT")] == []
    # Every kind of them came, and the good ones between.
    assert {end.split(":")[0] for end in ends} == {
        kind.__name__ for kind in malformed_requests._KINDS
    } | {"good answers"}
    assert sum(ends.values()) == 200 + ends["good answers"] and ends["good answers"] == 4


def columns(seed, num_frames, temperature):
    return {"inputs": {"seed": seed, "num_frames": num_frames, "temperature": temperature}}


@pytest.mark.parametrize(
    "body, message",
    [
        (b"", "JSON Parse error: The document is empty"),
        (
            columns([1.0], [1], [1]),
            "JSON Value: 1.0 Type: Number is not of expected type: int64 (`seed`)",
        ),
        (
            {"inputs": {"seed": [1], "num_frames": [1]}},
            "Missing named input: temperature in 'inputs' object.",
        ),
        (
            {"signature_name": "x", "inputs": {}},
            'Serving signature name: "x" not found in signature def',
        ),
        (
            columns([1] * 33, [1] * 33, [1] * 33),
            "Task size 33 is larger than maximum input batch size 32",
        ),
        (
            columns([[1]], [1], [1]),
            "`seed` must have the shape [?]. Received: seed of shape [1, 1]",
        ),
        (
            columns([1, 2], [1], [1]),
            "`num_frames`, `seed`, `temperature` must have the same first dimension",
        ),
    ],
)
def test_what_is_wrong_is_said(model_server, body, message):
    status, found = ask(model_server.rest, "POST", f"{URL}:predict", body)
    assert (status, list(found)) == (400, ["error"]) and found["error"].startswith(message)


def test_nothing_but_the_api_and_the_page_is_reachable(model_server, repository):
    assert ask(model_server.rest, "GET", "/?model=bird") == (
        200,
        page_policy.PAGE.read_bytes(),
    )
    for path in (
        "/page/index.html",
        "/1/saved_model.pb",
        "/../../etc/passwd",
        "/v1/models/bird/1/saved_model.pb",
        "/%2e%2e/etc/passwd",
    ):
        assert ask(model_server.rest, "GET", path)[0] in (400, 404), path


def test_a_page_that_is_not_there_is_missed_by_name():
    from neurovocal_tf.server import refusals, rest

    with pytest.raises(refusals.Refusal, match="There is no page: index.html"):
        rest.RestApi(None, None, "nowhere/index.html", None)._static_page()


# --- JSON


def info(dtype):
    from tensorflow.core.protobuf import meta_graph_pb2

    return meta_graph_pb2.TensorInfo(dtype=tf.as_dtype(dtype).as_datatype_enum)


@pytest.mark.parametrize("in_rows", [False, True])
def test_numbers_survive_json_bit_for_bit(in_rows, rng):
    arrays = {
        "a": rng.integers(0, 2**32, 4_000, dtype=np.uint32).view(np.float32).reshape(-1, 2, 4),
        "b": rng.integers(-(2**63), 2**63 - 1, 500),
        "c_bytes": np.array([rng.bytes(5) for _ in range(500)], object),
        "d": rng.integers(0, 2, (500, 3)).astype(bool),
    }
    document = json_tensors.parse(json_tensors.answer(arrays, in_rows), Limits())
    key = "predictions" if in_rows else "outputs"
    request = {"instances" if in_rows else "inputs": document[key]}
    infos = {
        name: info(tf.string if array.dtype == object else array.dtype)
        for name, array in arrays.items()
    }
    found, was_in_rows = json_tensors.inputs(request, infos)
    assert was_in_rows == in_rows
    for name, array in arrays.items():
        # Which NaN it is, JSON does not say.
        np.testing.assert_array_equal(found[name], array, err_msg=name)
        assert found[name].dtype == array.dtype


def test_a_single_input_and_a_single_output_stand_without_their_names():
    infos = {"x_bytes": info(tf.string)}
    for request in (
        {"instances": [{"b64": "AP8="}]},
        {"inputs": [{"b64": "AP8="}]},
        {"inputs": {"x_bytes": [{"b64": "AP8="}]}},
    ):
        assert json_tensors.inputs(request, infos)[0]["x_bytes"].tolist() == [b"\x00\xff"], request
    for in_rows, key in ((True, "predictions"), (False, "outputs")):
        assert json.loads(json_tensors.answer({"y": np.array([1, 2])}, in_rows)) == {key: [1, 2]}


def test_an_error_quotes_no_more_than_a_little_of_a_request():
    with pytest.raises(Refusal) as refusal:
        json_tensors.inputs({"instances": [{"x": list(range(10**5))}]}, {"y": info(tf.float32)})
    assert len(refusal.value.message) < 400


# --- the command


def test_the_help_says_what_production_is(repository):
    found = subprocess.run(
        [sys.executable, repository / "export" / "server.py", "--help"],
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert (
        found.returncode == 0
        and "For production use tensorflow/serving" in " ".join(found.stdout.split())
        and "--model_dir" in found.stdout
    )


@pytest.mark.parametrize("missing", ["aiohttp", "grpc_health.v1"])
def test_without_the_extra_one_line_says_what_to_install(missing, repository, tmp_path):
    code = (
        "import runpy, sys; sys.modules[sys.argv.pop(1)] = None; "
        "runpy.run_path(sys.argv.pop(1), run_name='__main__')"
    )
    server = repository / "export" / "server.py"
    ports = ["--rest_port=0", "--grpc_port=0"]
    found = subprocess.run(
        [sys.executable, "-c", code, missing, server, f"--model_dir={tmp_path}", *ports],
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert found.returncode == 1 and len(found.stderr.splitlines()) == 1, found.stderr
    # What the extra is, or where the package is not installed its name.
    said = r"the extra `serve` brings: python -m pip install ('aiohttp>=3.14' 'grpcio|'.\[serve\]')"
    assert re.search(said, found.stderr), found.stderr


@pytest.mark.parametrize(
    "flags, message",
    [
        (["--model_dir={empty}/nowhere"], "nowhere: No such file or directory"),
        (
            ["--model_dir={empty}", "--version_labels=stable"],
            "`version_labels` must be of the form label=version",
        ),
        (
            ["--model_dir={empty}", "--rest_port=7", "--grpc_port=7"],
            "`rest_port`, `grpc_port` must be different",
        ),
        # Rather than that there is no version.
        (
            ["--model_dir={empty}", "--rest_port=0", "--grpc_port={taken}"],
            "`grpc_port` must be free at 127.0.0.1",
        ),
        (
            ["--model_dir={empty}", "--rest_port=0", "--grpc_port=0"],
            "`model_dir` must hold a version that loads, a folder whose name is a number.",
        ),
    ],
)
def test_a_mistake_is_told_in_one_line_before_a_version_is_looked_for(
    flags, message, repository, tmp_path
):
    with socket.create_server(("127.0.0.1", 0)) as other:
        filled_in = [flag.format(empty=tmp_path, taken=other.getsockname()[1]) for flag in flags]
        command = [sys.executable, repository / "export" / "server.py", *filled_in]
        found = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert (
        found.returncode == 1 and message in found.stderr and len(found.stderr.splitlines()) == 1
    ), found.stderr
