"""The local model server: it answers what the SavedModel answers, in TensorFlow Serving's words, whatever comes and goes."""

import base64
import http.client
import json

import grpc
import numpy as np
import pytest
import tensorflow as tf
from tensorflow_serving.apis import (
    predict_pb2,
    prediction_service_pb2_grpc,
)

from neurovocal_tf.audio import wav

URL = "/v1/models/bird"


def ask(port, method, path, body=None, headers=None):
    """Status and content of an answer over REST."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    connection.request(method, path, body if isinstance(body, (bytes, str, type(None))) else json.dumps(body), headers or {})
    response = connection.getresponse()
    content = response.read()
    connection.close()
    is_json = response.getheader("Content-Type", "").startswith("application/json")
    return response.status, json.loads(content) if is_json else content


@pytest.fixture(scope="module")
def loaded(export_dir):
    """What TensorFlow itself makes of the export."""
    return tf.saved_model.load(str(export_dir / "1"))


@pytest.fixture(scope="module")
def channel(model_server):
    with grpc.insecure_channel(f"127.0.0.1:{model_server.grpc}", [("grpc.max_receive_message_length", -1)]) as channel:
        yield channel


def rows(endpoints, num_rows):
    """Different rows of every input."""
    rng = np.random.default_rng(3)
    recordings = [wav.encode(rng.uniform(-0.5, 0.5, 500 + 300 * i).astype(np.float32), 16_000).numpy() for i in range(num_rows)]
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
        "audio_bytes": np.array([*recordings[1:], b"not a recording"], object),
    }


def inputs_and_outputs(endpoints, loaded, num_rows=3):
    """(Name of a signature, its inputs, what the SavedModel answers)."""
    values = rows(endpoints, num_rows)
    for name, signature in loaded.signatures.items():
        specs = signature.structured_input_signature[1]
        inputs = {key: values[key] for key in specs}
        outputs = signature(**{key: tf.constant(value, specs[key].dtype) for key, value in inputs.items()})
        yield name, inputs, {key: value.numpy() for key, value in outputs.items()}


def json_of(array):
    return [{"b64": base64.b64encode(value).decode()} for value in array] if array.dtype == object else array.tolist()


def from_json(values, like):
    if like.dtype == object:
        return np.array([base64.b64decode(value["b64"]) for value in values], object)
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


def test_columns_over_rest_are_the_answers_of_the_saved_model_bit_for_bit(model_server, endpoints, loaded):
    for name, inputs, expected in inputs_and_outputs(endpoints, loaded):
        body = {"signature_name": name, "inputs": {key: json_of(value) for key, value in inputs.items()}}
        status, found = ask(model_server.rest, "POST", f"{URL}:predict", body)
        assert status == 200, found
        assert found["outputs"].keys() == expected.keys()
        for key, array in expected.items():
            np.testing.assert_array_equal(from_json(found["outputs"][key], array), array, err_msg=f"{name}: {key}")


def test_rows_over_rest_are_the_columns_turned(model_server, endpoints, loaded):
    for name, inputs, expected in inputs_and_outputs(endpoints, loaded):
        columns = {key: json_of(value) for key, value in inputs.items()}
        body = {"signature_name": name, "instances": [dict(zip(columns, row)) for row in zip(*columns.values())]}
        status, found = ask(model_server.rest, "POST", f"{URL}/versions/1:predict", body)
        assert status == 200, found
        for key, array in expected.items():
            column = [row[key] for row in found["predictions"]]
            np.testing.assert_array_equal(from_json(column, array), array, err_msg=f"{name}: {key}")


def test_grpc_gives_the_answers_of_the_saved_model_bit_for_bit(channel, endpoints, loaded):
    stub = prediction_service_pb2_grpc.PredictionServiceStub(channel)
    for name, inputs, expected in inputs_and_outputs(endpoints, loaded):
        found = stub.Predict(predict_request(name, inputs), timeout=60)
        assert (found.model_spec.name, found.model_spec.version.value, found.model_spec.signature_name) == ("bird", 1, name)
        assert found.outputs.keys() == expected.keys()
        for key, array in expected.items():
            np.testing.assert_array_equal(tf.make_ndarray(found.outputs[key]), array, err_msg=f"{name}: {key}")
