"""TensorFlow Serving's gRPC services: prediction_service.proto, model_service.proto, and the
standard health service.
"""

from collections.abc import Awaitable, Callable
from contextlib import AbstractContextManager
from typing import TypeVar

import grpc
from google.protobuf.message import DecodeError, Message
from grpc_health.v1 import health_pb2, health_pb2_grpc
from tensorflow_serving.apis import (
    get_model_metadata_pb2,
    get_model_status_pb2,
    model_service_pb2_grpc,
    predict_pb2,
    prediction_service_pb2_grpc,
)

from neurovocal_tf.server import message_shape, protos, refusals
from neurovocal_tf.server.inference import Inference, Measured
from neurovocal_tf.server.limits import Limits
from neurovocal_tf.server.loaded_version import LoadedVersion

Answer = TypeVar("Answer")

# A string of a tensor is a field each, and so is a size of its shape.
_MOST_FIELDS = 10_000
_SERVICES = ("tensorflow.serving.PredictionService", "tensorflow.serving.ModelService")


def add_services(server: grpc.aio.Server, inference: Inference, limits: Limits) -> None:
    """Adds all services to a `grpc.aio.Server`.

    Args:
        server: made with `interceptors=[MalformedMessages()]`.    inference: `inference.Inference`.
        limits: `limits.Limits`.
    """
    prediction_service_pb2_grpc.add_PredictionServiceServicer_to_server(
        _PredictionService(inference, limits), server
    )
    model_service_pb2_grpc.add_ModelServiceServicer_to_server(_ModelService(inference), server)
    health_pb2_grpc.add_HealthServicer_to_server(_Health(inference), server)


class MalformedMessages(grpc.aio.ServerInterceptor):
    """Answers bytes that are no message with INVALID_ARGUMENT, where gRPC would blame itself with
    INTERNAL, and does not parse those of very many fields.
    """

    async def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], Awaitable[grpc.RpcMethodHandler]],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> grpc.RpcMethodHandler:
        """The method's handler, with a parser that does not raise."""
        handler = await continuation(handler_call_details)
        if handler is None or not handler.unary_unary:
            return handler

        def parse(data: bytes) -> Message | refusals.Refusal:
            kind = handler.request_deserializer.__self__.DESCRIPTOR
            if message_shape.has_more_fields(data, kind, _MOST_FIELDS):
                return refusals.exhausted(
                    f"The request has more than {_MOST_FIELDS} fields: pack the numbers of a "
                    "tensor, or send fewer rows at once"
                )
            try:
                return handler.request_deserializer(data)
            except DecodeError:
                return refusals.invalid(
                    "The request is no message of the kind that this method takes"
                )

        async def answer(
            request: Message | refusals.Refusal, context: grpc.aio.ServicerContext
        ) -> Message:
            if isinstance(request, refusals.Refusal):
                await context.abort(request.code, request.message)
            return await handler.unary_unary(request, context)

        return grpc.unary_unary_rpc_method_handler(answer, parse, handler.response_serializer)


class _PredictionService(prediction_service_pb2_grpc.PredictionServiceServicer):
    def __init__(self, inference: Inference, limits: Limits) -> None:
        self._inference = inference
        self._limits = limits

    async def Predict(
        self, request: predict_pb2.PredictRequest, context: grpc.aio.ServicerContext
    ) -> predict_pb2.PredictResponse:
        async def predict() -> predict_pb2.PredictResponse:
            with (
                Measured(self._inference.metrics, "Predict", "GRPC"),
                self._inference.admit() as ticket,
            ):
                ticket.reserve(request.ByteSize())
                return await ticket.run(
                    lambda is_wanted: self._compute(request, is_wanted), context.time_remaining()
                )

        return await _or_abort(context, predict())

    async def GetModelMetadata(
        self,
        request: get_model_metadata_pb2.GetModelMetadataRequest,
        context: grpc.aio.ServicerContext,
    ) -> get_model_metadata_pb2.GetModelMetadataResponse:
        async def metadata() -> get_model_metadata_pb2.GetModelMetadataResponse:
            _check_spec(request)
            protos.check_metadata_fields(request.metadata_field)
            with self._lease(request) as (version, loaded):
                return protos.metadata_response(
                    self._inference.model_name, version, loaded.signatures
                )

        return await _or_abort(context, metadata())

    async def Classify(self, request: Message, context: grpc.aio.ServicerContext) -> None:
        await _only_predict(context)

    async def Regress(self, request: Message, context: grpc.aio.ServicerContext) -> None:
        await _only_predict(context)

    async def MultiInference(self, request: Message, context: grpc.aio.ServicerContext) -> None:
        await _only_predict(context)

    def _compute(
        self, request: predict_pb2.PredictRequest, is_wanted: Callable[[], bool]
    ) -> predict_pb2.PredictResponse:
        _check_spec(request)
        name = request.model_spec.signature_name or protos.DEFAULT_SIGNATURE
        with self._lease(request) as (version, loaded):
            protos.check_signature(name, loaded.signatures)
            signature = loaded.signatures[name]
            protos.check_filter(request.output_filter, signature)
            inputs = protos.arrays(request, signature, self._limits.max_request_bytes)
            outputs = loaded.predict(name, inputs, is_wanted)
        wanted = request.output_filter or outputs
        num_bytes = sum(protos.num_bytes(outputs[output]) for output in wanted)
        if num_bytes > self._limits.max_response_bytes:
            raise refusals.exhausted(
                f"The answer has about {num_bytes} bytes, more than "
                f"{self._limits.max_response_bytes}: ask for fewer rows at once, or for fewer "
                "outputs with output_filter"
            )
        response = predict_pb2.PredictResponse()
        response.model_spec.name, response.model_spec.signature_name = (
            self._inference.model_name,
            name,
        )
        response.model_spec.version.value = version
        for output, tensor in protos.tensors(outputs, request.output_filter).items():
            response.outputs[output].CopyFrom(tensor)
        return response

    def _lease(
        self, request: predict_pb2.PredictRequest | get_model_metadata_pb2.GetModelMetadataRequest
    ) -> AbstractContextManager[tuple[int, LoadedVersion]]:
        return self._inference.lease(
            request.model_spec.name, *protos.version_and_label(request.model_spec)
        )


class _ModelService(model_service_pb2_grpc.ModelServiceServicer):
    def __init__(self, inference: Inference) -> None:
        self._inference = inference

    async def GetModelStatus(
        self, request: get_model_status_pb2.GetModelStatusRequest, context: grpc.aio.ServicerContext
    ) -> get_model_status_pb2.GetModelStatusResponse:
        async def status() -> get_model_status_pb2.GetModelStatusResponse:
            _check_spec(request)
            spec = request.model_spec
            return protos.status_response(
                self._inference.statuses(spec.name, *protos.version_and_label(spec))
            )

        return await _or_abort(context, status())

    async def HandleReloadConfigRequest(
        self, request: Message, context: grpc.aio.ServicerContext
    ) -> None:
        await context.abort(
            grpc.StatusCode.UNIMPLEMENTED,
            "This server serves the one model that it was started with",
        )


class _Health(health_pb2_grpc.HealthServicer):
    def __init__(self, inference: Inference) -> None:
        self._inference = inference

    async def Check(
        self, request: health_pb2.HealthCheckRequest, context: grpc.aio.ServicerContext
    ) -> health_pb2.HealthCheckResponse:
        if request.service and request.service not in _SERVICES:
            await context.abort(grpc.StatusCode.NOT_FOUND, "Unknown service")
        is_serving = self._inference.versions.is_available
        statuses = health_pb2.HealthCheckResponse
        return health_pb2.HealthCheckResponse(
            status=statuses.SERVING if is_serving else statuses.NOT_SERVING
        )

    async def Watch(self, request: Message, context: grpc.aio.ServicerContext) -> None:
        await context.abort(grpc.StatusCode.UNIMPLEMENTED, "Ask with Check")


def _check_spec(request: Message) -> None:
    if not request.HasField("model_spec"):
        raise refusals.invalid("Missing ModelSpec")


async def _or_abort(context: grpc.aio.ServicerContext, answer: Awaitable[Answer]) -> Answer:
    try:
        return await answer
    except refusals.Refusal as refusal:
        refusals.let_go(refusal)
        return await context.abort(refusal.code, refusal.message)


async def _only_predict(context: grpc.aio.ServicerContext) -> None:
    await context.abort(
        grpc.StatusCode.INVALID_ARGUMENT, "Every signature of this model is one for Predict"
    )
