"""What malformed requests are fired at, and how: a server's two ports, and bytes."""

import json
import re
import select
import socket
import time

import grpc
import numpy as np
import tensorflow as tf
from tensorflow_serving.apis import predict_pb2

TIMEOUT_S = 30.0
GOOD = {"seed": [7], "num_frames": [3], "temperature": [1.0]}
DTYPES = {"seed": np.int64, "num_frames": np.int32, "temperature": np.float32}
PREDICT = "/tensorflow.serving.PredictionService/Predict"
CLOSED = "closed"


class Target:
    """A server to fire at.

    Args:
        rest_port, grpc_port: at 127.0.0.1.    model_name: str.
        max_request_bytes: the server's limit.
    """

    def __init__(self, rest_port, grpc_port, model_name, max_request_bytes):
        self.rest_port, self.grpc_port = rest_port, grpc_port
        self.model_name = model_name
        self.max_request_bytes = max_request_bytes
        self._channel = grpc.insecure_channel(
            f"127.0.0.1:{grpc_port}", [("grpc.max_receive_message_length", -1)]
        )

    def close(self):
        """Ends the connection."""
        self._channel.close()

    def raw(self, port, data, patience_s=TIMEOUT_S):
        """What comes back for bytes, until the server closes or all of an HTTP answer is there.

        Args:
            data: bytes.
            patience_s: how long to wait for an answer before telling the server that
                nothing more will come.
        """
        received = b""
        with socket.create_connection(("127.0.0.1", port), timeout=TIMEOUT_S) as connection:
            try:
                connection.sendall(data)
                if not select.select([connection], [], [], patience_s)[0]:
                    connection.shutdown(socket.SHUT_WR)
                while not _is_whole(received) and (chunk := connection.recv(65_536)):
                    received += chunk
            # Closed while there was still something to send.
            except (BrokenPipeError, ConnectionResetError):
                pass
        return received

    def rest(self, data, patience_s=TIMEOUT_S):
        """Status and content of the answer to an HTTP request's bytes;
        "closed" if there is none.
        """
        head, _, content = self.raw(self.rest_port, data, patience_s).partition(b"\r\n\r\n")
        match = re.match(rb"HTTP/1\.[01] (\d+)", head)
        return (int(match[1]) if match else CLOSED), content

    def leave(self, method, message, after_s):
        """Calls with a message's bytes, and leaves a while later."""
        call = self._channel.unary_unary(method).future(message, timeout=TIMEOUT_S)
        time.sleep(after_s)
        call.cancel()

    def call(self, method, message, timeout=TIMEOUT_S):
        """Code of the answer to a message's bytes, and its bytes."""
        try:
            return "OK", self._channel.unary_unary(method)(
                message, timeout=timeout, wait_for_ready=True
            )
        except grpc.RpcError as error:
            return error.code().name, b""

    def good_answers(self):
        """Whatever the server answers to a good request, over both protocols."""
        status, content = self.rest(
            self.http(json.dumps({"signature_name": "generate", "inputs": GOOD}).encode())
        )
        code, message = self.call(PREDICT, self.message().SerializeToString())
        tensors = {
            name: tensor.SerializeToString()
            for name, tensor in predict_pb2.PredictResponse.FromString(message).outputs.items()
        }
        return (status, content), (code, tensors)

    def http(
        self, body=b"", method="POST", path=None, headers=(), length=None, host="Host: localhost"
    ):
        """An HTTP request's bytes, after whose answer the connection is closed."""
        path = path or f"/v1/models/{self.model_name}:predict"
        length = len(body) if length is None else length
        lines = [
            f"{method} {path} HTTP/1.1",
            *([host] if host else []),
            "Connection: close",
            f"Content-Length: {length}",
            *headers,
        ]
        return "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + body

    def long_call(self, num_rows, signature="generate"):
        """Inputs of a call that takes long: `signature` and so many songs as the model has them."""
        return {
            "signature_name": signature,
            "inputs": {
                "seed": list(range(num_rows)),
                "num_frames": [100_000] * num_rows,
                "temperature": [1.0] * num_rows,
            },
        }

    def message(self, signature_name="generate", inputs=GOOD):
        """A good PredictRequest."""
        request = predict_pb2.PredictRequest()
        request.model_spec.name, request.model_spec.signature_name = self.model_name, signature_name
        for name, value in inputs.items():
            request.inputs[name].CopyFrom(tf.make_tensor_proto(np.array(value, DTYPES[name])))
        return request


def _is_whole(answer):
    """Whether bytes are all of an answer over HTTP that says how long it is."""
    head, _, content = answer.partition(b"\r\n\r\n")
    length = re.search(rb"(?i)^content-length: (\d+)", head, re.MULTILINE)
    return bool(length) and len(content) >= int(length[1])


def choose(rng, items):
    """One of a sequence."""
    return items[rng.integers(len(items))]
