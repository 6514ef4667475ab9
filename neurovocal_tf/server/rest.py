"""TensorFlow Serving's REST API, and the page at /.
https://www.tensorflow.org/tfx/serving/api_rest
"""

import asyncio
import json
import logging
import os
import re
from collections.abc import Callable
from typing import Any

import grpc
from aiohttp import http_exceptions, web

from neurovocal_tf.server import json_tensors, protos, refusals
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


class RestApi:
    """What is answered over HTTP.

    Args:
        inference: `inference.Inference`.    limits: `limits.Limits`.
        page: path of the file at /.
    """

    def __init__(self, inference: Inference, limits: Limits, page: str | os.PathLike[str]) -> None:
        self._inference = inference
        self._limits = limits
        self._page = page

    def application(self) -> web.Application:
        """The `aiohttp.web.Application`."""
        application = web.Application(client_max_size=self._limits.max_request_bytes)
        application.router.add_route("*", "/{path:.*}", self._answer)
        return application

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        try:
            return await self._dispatch(request)
        except refusals.Refusal as refusal:
            return _json(json_tensors.error(refusal.message), refusal.http_status)
        except Exception:
            _LOG.exception("%s %s", request.method, request.path)
            return _json(json_tensors.error("The server is at fault; its log says where."), 500)

    async def _dispatch(self, request: web.Request) -> web.StreamResponse:
        path = request.path
        if path in ("/", _METRICS) and request.method not in ("GET", "HEAD"):
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
        if request.method == "GET" and (match := _STATUS.fullmatch(path)):
            return _json(
                json.dumps(
                    self._metadata(match) if match["metadata"] else self._status(match), indent=1
                ).encode()
            )
        raise refusals.invalid(f"Malformed request: {request.method} {path}")

    def _static_page(self) -> web.FileResponse:
        if not os.path.isfile(self._page):
            raise refusals.not_found(
                f"There is no page: {os.path.basename(self._page)} is not where it should be. The "
                "API is under /v1/."
            )
        return web.FileResponse(
            self._page, headers={"Cache-Control": "no-cache", "X-Content-Type-Options": "nosniff"}
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
            body = await self._body(request)
            return await ticket.run(
                lambda is_wanted: self._compute(body, asked, is_wanted), deadline - loop.time()
            )

    def _compute(self, body: bytes, asked: dict[str, Any], is_wanted: Callable[[], bool]) -> bytes:
        document = json_tensors.parse(body)
        name = json_tensors.signature_name(document) or protos.DEFAULT_SIGNATURE
        with self._inference.lease(**asked) as (_, loaded):
            if name not in loaded.signatures:
                raise refusals.invalid(
                    f'Serving signature name: "{name}" not found in signature def'
                )
            inputs, in_rows = json_tensors.inputs(document, dict(loaded.signatures[name].inputs))
            outputs = loaded.predict(name, inputs, is_wanted)
        num_bytes = sum(_BYTES_PER_NUMBER * array.size for array in outputs.values())
        if num_bytes > self._limits.max_response_bytes:
            raise refusals.exhausted(
                f"The answer has about {num_bytes} bytes as JSON, more than "
                f"{self._limits.max_response_bytes}"
            )
        return json_tensors.answer(outputs, in_rows) if is_wanted() else b""

    async def _body(self, request: web.Request) -> bytes:
        limit = self._limits.max_request_bytes
        try:
            if (request.content_length or 0) > limit:
                raise web.HTTPRequestEntityTooLarge(limit)
            return await asyncio.wait_for(request.read(), self._limits.body_timeout_s)
        except web.HTTPRequestEntityTooLarge:
            raise refusals.Refusal(
                grpc.StatusCode.RESOURCE_EXHAUSTED, f"The request has more than {limit} bytes", 413
            ) from None
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


def _json(body: bytes, status: int = 200) -> web.Response:
    return web.Response(body=body, status=status, content_type="application/json")
