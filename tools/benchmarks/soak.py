"""A server under callers who ask, leave before they are answered, and send what makes no sense,
while a new version takes over.
"""

import collections
import concurrent.futures
import dataclasses
import http.client
import json
import random
import threading
import time

import grpc
import numpy as np
import tensorflow as tf
from tensorflow_serving.apis import predict_pb2, prediction_service_pb2_grpc

from neurovocal_tf.client import transports

_NUM_SONGS = 24
_MOST_FRAMES = 20
_LEAVING, _MALFORMED = 0.1, 0.1
# Longest that one who leaves waits, about as long as an answer takes.
_PATIENCE_S = 0.3
_TIMEOUT_S = 120.0
_SAMPLE_S = 2.0

# (signature, inputs, HTTP status, gRPC status); of None, it cannot be said in that protocol.
_GOOD = {"seed": [1], "num_frames": [2], "temperature": [1.0]}
_BAD_COLUMNS = (
    ("generate", {**_GOOD, "num_frames": [2, 3]}, 400, "INVALID_ARGUMENT"),
    ("generate", {name: _GOOD[name] for name in ("seed", "num_frames")}, 400, "INVALID_ARGUMENT"),
    ("generate", {**_GOOD, "seed": ["one"]}, 400, "INVALID_ARGUMENT"),
    ("generate", {**_GOOD, "seed": [[1]]}, 400, "INVALID_ARGUMENT"),
    ("shout", _GOOD, 400, None),
    ("encode", {"spectrogram": [[[0.0, 1.0]]], "lengths": [1]}, 400, "INVALID_ARGUMENT"),
)
_BAD_BODIES = (
    b"",
    b"{",
    b"[]",
    b'{"inputs": 1}',
    b'{"instances": []}',
    b'{"inputs": {"seed": [3.0]}}',
    b"\xff\xfe",
    b'{"a": NaN',
)


@dataclasses.dataclass
class Found:
    """What the callers saw.

    Attributes:
        counts: Counter of good, wrong, refused, failed (any other error of a good request), left,
            malformed, answered_otherwise (malformed ones that did not get the code they should),
            and version_N, good answers of that version.
        latencies_s: of good requests.
        memory_mb: list of (seconds since the beginning, resident MB).
        swap_s: when half-time began and when it was over, in seconds since the beginning.
    """

    counts: collections.Counter
    latencies_s: list
    memory_mb: list
    swap_s: tuple = ()


def songs(folders, seed=0):
    """Requests and, for each version, their answers, straight from the SavedModels.

    Args:
        folders: dict of version -> folder.    seed: of what is asked.

    Returns:
        list of (signature, inputs, dict of version -> (spectrogram, state)).
    """
    rng = np.random.default_rng(seed)
    signatures = {
        version: tf.saved_model.load(str(folder)).signatures for version, folder in folders.items()
    }
    asked = []
    for i in range(_NUM_SONGS):
        inputs = {
            "seed": rng.integers(-(2**62), 2**62, 1),
            "num_frames": rng.integers(1, _MOST_FRAMES, 1).astype(np.int32),
            "temperature": rng.uniform(0.5, 2.0, 1).astype(np.float32),
        }
        name = "generate"
        if i % 2:
            size = (
                next(iter(signatures.values()))["generate_continue"]
                .structured_input_signature[1]["state"]
                .shape[1]
            )
            name = "generate_continue"
            inputs |= {
                "frame": rng.integers(0, 2**40, 1),
                "state": rng.normal(size=(1, size)).astype(np.float32),
            }
        # Each alone, and so no longer than it is.
        answers = {
            version: signature[name](**_constants(inputs))
            for version, signature in signatures.items()
        }
        asked.append(
            (
                name,
                inputs,
                {v: (a["spectrogram"].numpy(), a["state"].numpy()) for v, a in answers.items()},
            )
        )
    return asked


def run(served, model, asked, seconds, num_callers=64, at_half_time=lambda: None, seed=0):
    """Lets callers loose on a server.

    Args:
        served: `served.Served`.    model: name.    asked: `songs`.
        seconds: how long, without half-time.
        num_callers: half of them by REST, half by gRPC.
        at_half_time: called once, such as to publish a version; the second half begins when it
            returns. Callers know no pause.
        seed: of who does what.

    Returns:
        `Found`.
    """
    found, lock, is_over = Found(collections.Counter(), [], []), threading.Lock(), threading.Event()
    began = time.monotonic()
    callers = [
        threading.Thread(
            target=_call,
            args=(
                served,
                model,
                asked,
                is_over,
                i % 2 == 0,
                random.Random(f"{seed} {i}"),
                found,
                lock,
            ),
        )
        for i in range(num_callers)
    ]

    def passed_s():
        return time.monotonic() - began

    def watch_until(is_reached):
        while not is_reached() and served.process.poll() is None:
            found.memory_mb.append((passed_s(), served.memory_mb()))
            time.sleep(min(_SAMPLE_S, seconds / 20))

    for caller in callers:
        caller.start()
    try:
        watch_until(lambda: passed_s() >= seconds / 2)
        with concurrent.futures.ThreadPoolExecutor(1) as executor:
            half_time = passed_s()
            swap = executor.submit(at_half_time)
            watch_until(swap.done)
        swap.result()
        found.swap_s = half_time, passed_s()
        watch_until(lambda: passed_s() >= found.swap_s[1] + seconds / 2)
    finally:
        is_over.set()
        for caller in callers:
            caller.join()
    return found


def _call(served, model, asked, is_over, by_rest, rng, found, lock):
    """One caller, until it is over."""
    transport = transports.connect(
        served.rest if by_rest else served.grpc, model, timeout_s=_TIMEOUT_S
    )
    with grpc.insecure_channel(f"127.0.0.1:{served.grpc_port}") as channel:
        stub = prediction_service_pb2_grpc.PredictionServiceStub(channel)
        while not is_over.is_set():
            name, inputs, expected = rng.choice(asked)
            what, latency_s = rng.random(), None
            if what < _LEAVING:
                _leave(served, model, stub, name, inputs, by_rest, rng.uniform(0, _PATIENCE_S))
                kinds = ["left"]
            elif what < _LEAVING + _MALFORMED:
                is_right = (
                    _malformed_by_rest(served, model, rng)
                    if by_rest
                    else _malformed_by_grpc(stub, model, rng)
                )
                kinds = ["malformed"] if is_right else ["malformed", "answered_otherwise"]
            else:
                start = time.monotonic()
                kinds = _ask(transport, name, inputs, expected)
                latency_s = time.monotonic() - start
            with lock:
                found.counts.update(kinds)
                if latency_s is not None:
                    found.latencies_s.append(latency_s)
    transport.close()


def _ask(transport, name, inputs, expected):
    try:
        answer = transport.predict(name, inputs)
    except transports.Refused as refusal:
        return ["refused" if refusal.code in ("RESOURCE_EXHAUSTED", 429, 503) else "failed"]
    except OSError:
        return ["failed"]
    # The answer is as long as the longest in its batch.
    found = answer["spectrogram"][:, : int(answer["lengths"][0])], answer["state"]
    right = [
        version for version, arrays in expected.items() if all(map(np.array_equal, found, arrays))
    ]
    return ["good", *(f"version_{version}" for version in right)] if right else ["wrong"]


def _leave(served, model, stub, name, inputs, by_rest, patience_s):
    """Asks, and is gone before or while it is answered."""
    if not by_rest:
        call = stub.Predict.future(_message(model, name, inputs), timeout=_TIMEOUT_S)
        time.sleep(patience_s)
        call.cancel()
        return
    connection = http.client.HTTPConnection("127.0.0.1", served.rest_port, timeout=_TIMEOUT_S)
    try:
        columns = {key: value.tolist() for key, value in inputs.items()}
        connection.request(
            "POST",
            f"/v1/models/{model}:predict",
            json.dumps({"signature_name": name, "inputs": columns}),
        )
        time.sleep(patience_s)
    except OSError:
        pass
    finally:
        connection.close()


def _malformed_by_rest(served, model, rng):
    """Whether a request that makes no sense gets the status that it should, with a word of why."""
    path, wanted = f"/v1/models/{model}:predict", 400
    name, columns, _, _ = rng.choice(_BAD_COLUMNS)
    body = json.dumps({"signature_name": name, "inputs": columns}).encode()
    kind = rng.randrange(3)
    if kind == 0:
        body = rng.choice(_BAD_BODIES)
    elif kind == 1:
        path, wanted, body = (
            f"/v1/models/no_{model}:predict",
            404,
            json.dumps({"inputs": _GOOD}).encode(),
        )
    connection = http.client.HTTPConnection("127.0.0.1", served.rest_port, timeout=_TIMEOUT_S)
    try:
        connection.request("POST", path, body)
        response = connection.getresponse()
        return response.status == wanted and bool(json.loads(response.read())["error"])
    except (OSError, ValueError, KeyError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def _malformed_by_grpc(stub, model, rng):
    """The same by gRPC."""
    name, columns, _, wanted = rng.choice([bad for bad in _BAD_COLUMNS if bad[3]])
    message = _message(model, name, {key: np.array(value) for key, value in columns.items()})
    if rng.random() < 0.3:
        message.model_spec.name, wanted = f"no_{model}", "NOT_FOUND"
    try:
        stub.Predict(message, timeout=_TIMEOUT_S)
    except grpc.RpcError as error:
        return error.code().name == wanted and bool(error.details())
    return False


def _message(model, name, inputs):
    message = predict_pb2.PredictRequest()
    message.model_spec.name, message.model_spec.signature_name = model, name
    for key, value in inputs.items():
        message.inputs[key].CopyFrom(tf.make_tensor_proto(value, dtype=_dtype(key, value)))
    return message


def _dtype(name, value):
    """What a signature takes; text stays text, or it could not be written at all."""
    if value.dtype.kind not in "iuf":
        return tf.string
    return {"seed": tf.int64, "frame": tf.int64, "num_frames": tf.int32, "lengths": tf.int32}.get(
        name, tf.float32
    )


def _constants(inputs):
    return {name: tf.constant(value) for name, value in inputs.items()}
