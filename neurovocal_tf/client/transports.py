"""Requests to a TensorFlow Serving model server, by REST or gRPC:
dicts of NumPy arrays there and back.

TensorFlow is needed for gRPC alone. https://www.tensorflow.org/tfx/serving/api_rest
"""

import base64
import http.client
import urllib.parse
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from neurovocal_tf import json_numbers

_PORTS = {"http": 8501, "grpc": 8500}


class Refused(ValueError):
    """The server's own words on a request that it did not answer; `code` is its HTTP status or the
    name of its gRPC status.
    """

    def __init__(self, code: int | str, message: str) -> None:
        super().__init__(f"the server refused ({code}): {message}")
        self.code = code


def connect(
    server: str, model: str, version: int | None = None, timeout_s: float = 60.0
) -> "RestTransport | GrpcTransport":
    """A `RestTransport` or a `GrpcTransport`.

    Args:
        server: "http://HOST[:PORT]" or "grpc://HOST[:PORT]".    model: name.
        version: int; None: the newest.
        timeout_s: seconds, of each request.
    """
    parts = urllib.parse.urlsplit(server)
    try:
        known, port = (
            parts.scheme in _PORTS and parts.hostname and not parts.path.strip("/"),
            parts.port,
        )
    except ValueError:
        known = False
    if not known or parts.hostname is None:
        raise ValueError(
            f"`server` must be http://HOST:PORT or grpc://HOST:PORT. Received: server={server}"
        )
    kind: type[RestTransport] | type[GrpcTransport] = (
        RestTransport if parts.scheme == "http" else GrpcTransport
    )
    return kind(parts.hostname, port or _PORTS[parts.scheme], model, version, timeout_s)


class RestTransport:
    """One connection, kept open, for one thread.

    Args:
        host, port: of the server.    model: name.    version: int or None.
        timeout_s: of each request.
    """

    def __init__(
        self, host: str, port: int, model: str, version: int | None, timeout_s: float
    ) -> None:
        self._address = _address(host, port)
        self.where = f"http://{self._address}"
        self._path = f"/v1/models/{urllib.parse.quote(model, safe='')}" + (
            "" if version is None else f"/versions/{version}"
        )
        self._connection = http.client.HTTPConnection(host, port, timeout=timeout_s)

    def predict(self, signature: str, inputs: Mapping[str, npt.ArrayLike]) -> dict[str, np.ndarray]:
        """Asks a signature.

        dict of arrays [B, ...] -> dict of arrays [B, ...]:
        float32, int64, bool, or bytes as objects.

        Raises:
            Refused: by the server.    OSError: it cannot be reached, or takes too long.
        """
        body = json_numbers.dumps(
            {
                "signature_name": signature,
                "inputs": {name: _to_json(value) for name, value in inputs.items()},
            }
        )
        outputs = self._ask("POST", f"{self._path}:predict", body)["outputs"]
        return {name: _from_json(value) for name, value in outputs.items()}

    def input_sizes(self, signature: str) -> dict[str, tuple[int, ...]]:
        """The sizes of each input of a signature beyond its rows, -1 where any will do.

        Raises: as `predict`; Refused where there is no such signature.
        """
        told = self._ask("GET", f"{self._path}/metadata")["metadata"]["signature_def"]
        signatures = told["signature_def"]
        if signature not in signatures:
            raise _no_signature(signature)
        return {
            name: tuple(int(dim["size"]) for dim in info["tensor_shape"].get("dim", [])[1:])
            for name, info in signatures[signature]["inputs"].items()
        }

    def status(self) -> dict[int, str]:
        """State of each version that the server knows, "AVAILABLE" when it answers.

        -> dict of int -> str
        """
        versions = self._ask("GET", self._path)["model_version_status"]
        return {int(version["version"]): version["state"] for version in versions}

    def close(self) -> None:
        """Lets go of the connection."""
        self._connection.close()

    def _ask(self, method: str, path: str, body: bytes | None = None) -> Any:
        headers = {} if body is None else {"Content-Type": "application/json"}
        try:
            code, contents = self._send(method, path, body, headers)
            answer = json_numbers.loads(contents)
        except TimeoutError:
            self.close()
            raise TimeoutError(
                f"{self.where}: no answer within {self._connection.timeout:g} s"
            ) from None
        except http.client.BadStatusLine as reason:
            self.close()
            if isinstance(reason, http.client.RemoteDisconnected):
                raise ConnectionError(
                    f"{self.where}: the server has closed the connection"
                ) from None
            raise ConnectionError(
                f"{self.where} does not speak HTTP. Is it the port for gRPC? Then the server is "
                f"grpc://{self._address}; over HTTP it listens at another port, by default "
                f"{_PORTS['http']}"
            ) from None
        except (OSError, http.client.HTTPException) as reason:
            self.close()
            raise ConnectionError(_unreachable(self.where, str(reason) or repr(reason))) from None
        except ValueError:
            raise Refused(
                code,
                f"{self.where} is no model server; one listens by default at port {_PORTS['http']}",
            ) from None
        if code != http.HTTPStatus.OK:
            raise Refused(code, answer.get("error", answer) if isinstance(answer, dict) else answer)
        return answer

    def _send(
        self, method: str, path: str, body: bytes | None, headers: Mapping[str, str]
    ) -> tuple[int, bytes]:
        is_fresh = self._connection.sock is None
        try:
            self._connection.request(method, path, body, headers)
            response = self._connection.getresponse()
        except (http.client.RemoteDisconnected, BrokenPipeError, ConnectionResetError):
            # A server may close what has been idle; a request changes nothing there,
            # and may be sent again.
            if is_fresh:
                raise
            self.close()
            return self._send(method, path, body, headers)
        return response.status, response.read()


class GrpcTransport:
    """One channel; arguments and methods are those of `RestTransport`,
    and any number of threads may share it.
    """

    def __init__(
        self, host: str, port: int, model: str, version: int | None, timeout_s: float
    ) -> None:
        try:
            import grpc  # here, so that REST needs neither gRPC nor TensorFlow
            from tensorflow_serving.apis import model_service_pb2_grpc, prediction_service_pb2_grpc
        except ImportError as reason:
            raise ValueError(
                "`server` must be http://HOST:PORT here, since gRPC needs what is not installed: "
                f"pip install grpcio tensorflow-serving-api. Received: "
                f"server=grpc://{host}:{port}: {reason}"
            ) from None

        self._address = _address(host, port)
        self.where = f"grpc://{self._address}"
        self._model, self._version, self._timeout_s = model, version, timeout_s
        # By default a client takes no more than 4 MB, 8,000 frames of 129 bins.
        sizes = [("grpc.max_receive_message_length", -1), ("grpc.max_send_message_length", -1)]
        self._channel = grpc.insecure_channel(self._address, options=sizes)
        self._predictions = prediction_service_pb2_grpc.PredictionServiceStub(self._channel)
        self._models = model_service_pb2_grpc.ModelServiceStub(self._channel)

    def predict(self, signature: str, inputs: Mapping[str, npt.ArrayLike]) -> dict[str, np.ndarray]:
        """As `RestTransport.predict`; the numbers come back with the types
        they have at the server.
        """
        import tensorflow as tf
        from tensorflow_serving.apis import predict_pb2

        request = predict_pb2.PredictRequest()
        self._name(request.model_spec)
        request.model_spec.signature_name = signature
        for name, value in inputs.items():
            request.inputs[name].CopyFrom(tf.make_tensor_proto(value))
        response = self._call(self._predictions.Predict, request)
        return {name: tf.make_ndarray(value) for name, value in response.outputs.items()}

    def input_sizes(self, signature: str) -> dict[str, tuple[int, ...]]:
        """As `RestTransport.input_sizes`."""
        from tensorflow_serving.apis import get_model_metadata_pb2

        request = get_model_metadata_pb2.GetModelMetadataRequest(metadata_field=["signature_def"])
        self._name(request.model_spec)
        told = get_model_metadata_pb2.SignatureDefMap()
        self._call(self._predictions.GetModelMetadata, request).metadata["signature_def"].Unpack(
            told
        )
        if signature not in told.signature_def:
            raise _no_signature(signature)
        return {
            name: tuple(dim.size for dim in info.tensor_shape.dim[1:])
            for name, info in told.signature_def[signature].inputs.items()
        }

    def status(self) -> dict[int, str]:
        """As `RestTransport.status`."""
        from tensorflow_serving.apis import get_model_status_pb2

        request = get_model_status_pb2.GetModelStatusRequest()
        self._name(request.model_spec)
        versions = self._call(self._models.GetModelStatus, request).model_version_status
        states = get_model_status_pb2.ModelVersionStatus.State
        return {version.version: states.Name(version.state) for version in versions}

    def close(self) -> None:
        """Lets go of the channel."""
        self._channel.close()

    def _name(self, spec: Any) -> None:
        spec.name = self._model
        if self._version is not None:
            spec.version.value = self._version

    def _call(self, method: Callable[..., Any], request: Any) -> Any:
        import grpc

        try:
            return method(request, timeout=self._timeout_s)
        except grpc.RpcError as error:
            code, details = error.code(), error.details()
        if code == grpc.StatusCode.DEADLINE_EXCEEDED:
            raise TimeoutError(f"{self.where}: no answer within {self._timeout_s:g} s")
        if code == grpc.StatusCode.UNAVAILABLE and "http1" in details:
            raise ConnectionError(
                f"{self.where} does not speak gRPC, but HTTP. Is it the port for REST? Then the "
                f"server is http://{self._address}; over gRPC it listens at another port, by "
                f"default {_PORTS['grpc']}"
            )
        if code == grpc.StatusCode.UNAVAILABLE:
            raise ConnectionError(_unreachable(self.where, details))
        raise Refused(code.name, details)


def _no_signature(name: str) -> Refused:
    return Refused("NOT_FOUND", f"the model has no signature {name}")


def _address(host: str, port: int) -> str:
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _unreachable(where: str, reason: str) -> str:
    if "refused" in reason:
        return (
            f"{where}: nothing listens there. Start a server, such as `neurovocal serve`, or give "
            f"the address of one ({reason})"
        )
    return f"{where} cannot be reached: is it the server's address? ({reason})"


def _to_json(value: npt.ArrayLike) -> Any:
    value = np.asarray(value)
    if value.dtype == object:
        if value.ndim > 1:
            return [_to_json(row) for row in value]
        return [{"b64": base64.b64encode(item).decode("ascii")} for item in value]
    return value


def _from_json(value: Any) -> np.ndarray:
    values = np.array(value)
    if values.dtype == object:
        flat = [base64.b64decode(item["b64"]) for item in values.ravel()]
        return np.array(flat, object).reshape(values.shape)
    return values.astype(np.float32) if values.dtype == np.float64 else values
