"""TensorFlow Serving's REST API, and the page at /.
https://www.tensorflow.org/tfx/serving/api_rest
"""

import asyncio
import contextlib
import json
import logging
import os
import re
import threading
from collections.abc import Callable, Iterator
from typing import Any

import grpc
import numpy as np
from aiohttp import HttpVersion11, http_exceptions, web

from neurovocal_tf.server import heaps, json_tensors, origins, page_policy, protos, refusals
from neurovocal_tf.server.inference import Inference, Measured
from neurovocal_tf.server.limits import Limits

_LOG = logging.getLogger(__name__)
_METRICS = "/monitoring/prometheus/metrics"
_WHICH = r"(?:/versions/(?P<version>[0-9]+)|/labels/(?P<label>[^/:]+))?"
_PREDICT = re.compile(
    rf"/v1/models/(?P<name>[^/:]+){_WHICH}:(?P<method>predict|classify|regress)", re.IGNORECASE
)
_STATUS = re.compile(
    rf"/v1/models(?:/(?P<name>[^/:]+))?{_WHICH}(?P<metadata>/metadata)?", re.IGNORECASE
)
_LARGEST_VERSION = 2**63 - 1
# What a number takes in JSON.
_BYTES_PER_NUMBER = 20
_LARGE_BYTES = 1 << 18


class RestApi:
    """What is answered over HTTP.

    Args:
        inference: `inference.Inference`.    limits: `limits.Limits`.
        page: path of the file at /.    hosts: `origins.KnownHosts`, by which it is asked.
    """

    def __init__(
        self,
        inference: Inference,
        limits: Limits,
        page: str | os.PathLike[str],
        hosts: origins.KnownHosts,
    ) -> None:
        self._inference = inference
        self._limits = limits
        self._page = page
        self._hosts = hosts
        self._parsing_large = threading.Lock()

    def application(self) -> web.Application:
        """The `aiohttp.web.Application`."""
        application = web.Application(client_max_size=self._limits.max_request_bytes)
        application.router.add_route("*", "/{path:.*}", self._answer)
        application.on_response_prepare.append(_add_headers)
        return application

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        try:
            self._check_origin(request)
            return await self._dispatch(request)
        except refusals.Refusal as refusal:
            refusals.let_go(refusal)
            return _json(json_tensors.error(refusal.message), refusal.http_status)
        except Exception:
            _LOG.exception("%s %s", request.method, request.path)
            return _json(json_tensors.error("The server is at fault; its log says where."), 500)

    def _check_origin(self, request: web.Request) -> None:
        hosts = request.headers.getall("Host", [])
        # No browser leaves it out, and HTTP/1.0 need not have it.
        if len(hosts) > 1 or (not hosts and request.version >= HttpVersion11):
            raise refusals.invalid(f"`Host` must be given once. Received: {len(hosts)} times")
        # The target of a request to a proxy, http://HOST/PATH, counts more than the header.
        target = [request.host] if request.raw_path[:1] not in ("/", "*") else []
        for host in (*hosts, *target):
            self._hosts.check(host, "Host")
        for origin in request.headers.getall("Origin", []):
            self._hosts.check_origin(origin)

    async def _dispatch(self, request: web.Request) -> web.StreamResponse:
        path, is_read = request.path, request.method in ("GET", "HEAD")
        if path in ("/", _METRICS) and not is_read:
            raise refusals.Refusal(
                grpc.StatusCode.INVALID_ARGUMENT,
                f"{path} can only be read. Received: {request.method}",
                405,
            )
        if path == "/":
            return self._static_page()
        if path == _METRICS:
            return web.Response(
                text=self._inference.metrics.page(self._inference.versions.layouts),
                content_type="text/plain",
            )
        if not path.lower().startswith("/v1/"):
            raise refusals.not_found(
                f"Not found: {path}. The API is under /v1/models/{self._inference.model_name}"
            )
        if request.method == "POST" and (match := _PREDICT.fullmatch(path)):
            return _json(await self._predict(request, match))
        if is_read and (match := _STATUS.fullmatch(path)):
            return _json(
                json.dumps(
                    self._metadata(match) if match["metadata"] else self._status(match), indent=1
                ).encode()
            )
        raise refusals.invalid(f"Malformed request: {request.method} {path}")

    def _static_page(self) -> web.Response:
        try:
            with open(self._page, "rb") as file:
                contents = file.read()
        except OSError:
            raise refusals.not_found(
                f"There is no page: {os.path.basename(self._page)} is not where it should be. The "
                "API is under /v1/."
            ) from None
        headers = {
            "Cache-Control": "no-cache",
            "Content-Security-Policy": page_policy.policy(contents),
        }
        return web.Response(
            body=contents, content_type="text/html", charset="utf-8", headers=headers
        )

    def _status(self, match: re.Match[str]) -> dict[str, Any]:
        return protos.as_json(protos.status_response(self._inference.statuses(**_asked(match))))

    def _metadata(self, match: re.Match[str]) -> dict[str, Any]:
        with self._inference.lease(**_asked(match)) as (version, loaded):
            return protos.metadata_json(match["name"], version, loaded.signatures)

    async def _predict(self, request: web.Request, match: re.Match[str]) -> bytes:
        loop = asyncio.get_running_loop()
        deadline = loop.time() + self._limits.rest_timeout_s
        with (
            Measured(self._inference.metrics, "Predict", "REST"),
            self._inference.admit() as ticket,
        ):
            asked = _asked(match)
            if match["method"].lower() != "predict":
                raise refusals.invalid(
                    f"Every signature of this model is one for predict. Received: {match['method']}"
                )
            origins.check_content_type(request.headers)
            ticket.reserve(self._largest_body(request))
            body = await self._body(request)
            return await ticket.run(
                lambda is_wanted: self._compute(body, asked, is_wanted), deadline - loop.time()
            )

    def _compute(self, body: bytes, asked: dict[str, Any], is_wanted: Callable[[], bool]) -> bytes:
        with self._inference.lease(**asked) as (_, loaded):
            with self._one_large_at_a_time(body):
                name, inputs, in_rows = json_tensors.request(body, loaded.signatures, self._limits)
            outputs = loaded.predict(name, inputs, is_wanted)
        num_bytes = sum(map(_bytes_as_json, outputs.values()))
        if num_bytes > self._limits.max_response_bytes:
            raise refusals.exhausted(
                f"The answer has about {num_bytes} bytes as JSON, more than "
                f"{self._limits.max_response_bytes}: ask for fewer rows at once, or over gRPC"
            )
        return json_tensors.answer(outputs, in_rows) if is_wanted() else b""

    @contextlib.contextmanager
    def _one_large_at_a_time(self, body: bytes) -> Iterator[None]:
        """A block in which a body is parsed: what it becomes takes many times as much memory."""
        if len(body) <= _LARGE_BYTES:
            yield
            return
        with self._parsing_large, heaps.without_search_for_circles():
            yield

    def _largest_body(self, request: web.Request) -> int:
        """Bytes that a request's body may have; those in pieces or squeezed do not say it."""
        length, limit = request.content_length, self._limits.max_request_bytes
        if length is not None and length > limit:
            raise self._too_large()
        return limit if length is None or "Content-Encoding" in request.headers else length

    def _too_large(self) -> refusals.Refusal:
        return refusals.Refusal(
            grpc.StatusCode.RESOURCE_EXHAUSTED,
            f"The request has more than {self._limits.max_request_bytes} bytes",
            413,
        )

    async def _body(self, request: web.Request) -> bytes:
        try:
            return await asyncio.wait_for(request.read(), self._limits.body_timeout_s)
        except web.HTTPRequestEntityTooLarge:
            raise self._too_large() from None
        except asyncio.TimeoutError:
            raise refusals.Refusal(
                grpc.StatusCode.DEADLINE_EXCEEDED, "Timed out waiting for the request's body", 408
            ) from None
        except (web.RequestPayloadError, http_exceptions.HttpProcessingError) as error:
            raise refusals.invalid(f"The request's body cannot be read: {error}") from None
        except ConnectionError:
            raise refusals.cancelled() from None


def _asked(match: re.Match[str]) -> dict[str, Any]:
    """Which model a path asks for, as `Inference.lease` takes it."""
    if match["name"] is None:
        raise refusals.invalid("Missing model name in request.")
    version = match["version"]
    if version is not None and int(version) > _LARGEST_VERSION:
        raise refusals.invalid(f"Failed to convert version: {version} to numeric.")
    return {
        "spec_name": match["name"],
        "version": None if version is None else int(version),
        "label": match["label"],
    }


def _bytes_as_json(array: np.ndarray) -> int:
    if array.dtype == object:
        return protos.num_bytes(array) * 4 // 3
    return _BYTES_PER_NUMBER * array.size


async def _add_headers(_: web.Request, response: web.StreamResponse) -> None:
    for name, value in origins.HEADERS.items():
        if name not in response.headers or name == "Server":
            response.headers[name] = value


def _json(body: bytes, status: int = 200) -> web.Response:
    return web.Response(body=body, status=status, content_type="application/json")
