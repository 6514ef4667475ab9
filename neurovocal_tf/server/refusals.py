"""Why a request is not answered: one error for both protocols,
with the codes that TensorFlow Serving gives.
"""

import re
import traceback
from typing import TYPE_CHECKING

import grpc

if TYPE_CHECKING:
    import tensorflow as tf

# tensorflow_serving/model_servers/http_server.cc
_HTTP_STATUS = {
    grpc.StatusCode.CANCELLED: 499,
    grpc.StatusCode.INVALID_ARGUMENT: 400,
    grpc.StatusCode.DEADLINE_EXCEEDED: 504,
    grpc.StatusCode.NOT_FOUND: 404,
    grpc.StatusCode.ALREADY_EXISTS: 409,
    grpc.StatusCode.PERMISSION_DENIED: 403,
    grpc.StatusCode.RESOURCE_EXHAUSTED: 429,
    grpc.StatusCode.FAILED_PRECONDITION: 400,
    grpc.StatusCode.ABORTED: 409,
    grpc.StatusCode.OUT_OF_RANGE: 400,
    grpc.StatusCode.UNIMPLEMENTED: 501,
    grpc.StatusCode.UNAVAILABLE: 503,
    grpc.StatusCode.UNAUTHENTICATED: 401,
}
_BY_NUMBER = {code.value[0]: code for code in grpc.StatusCode}
_LONGEST_MESSAGE = 1_000
_PLACES = re.compile(r"Graph execution error|Detected at node|Node:|\s*\[\[")


class Refusal(Exception):
    """A request that gets an error for an answer.

    Args:
        code: `grpc.StatusCode`.
        message: str; cut to a thousand characters, since it may quote the request.
        http_status: int; default: what TensorFlow Serving makes of the code,
            500 where it has no better one.
    """

    def __init__(self, code: grpc.StatusCode, message: str, http_status: int | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.http_status = http_status or _HTTP_STATUS.get(code, 500)
        self.message = (
            message if len(message) <= _LONGEST_MESSAGE else message[:_LONGEST_MESSAGE] + "..."
        )


def invalid(message: str) -> Refusal:
    """A `Refusal` of what can never be answered."""
    return Refusal(grpc.StatusCode.INVALID_ARGUMENT, message)


def not_found(message: str) -> Refusal:
    """A `Refusal` of what is not there."""
    return Refusal(grpc.StatusCode.NOT_FOUND, message)


def exhausted(message: str) -> Refusal:
    """A `Refusal` of what is too much."""
    return Refusal(grpc.StatusCode.RESOURCE_EXHAUSTED, message)


def cancelled() -> Refusal:
    """A `Refusal` that nobody reads."""
    return Refusal(grpc.StatusCode.CANCELLED, "The caller is gone")


def let_go(error: BaseException | None) -> None:
    """Empties the frames that an error has come through: they would keep what they held, such as a
    request's body and all that it became, until Python looks for circles.
    """
    while error is not None:
        traceback.clear_frames(error.__traceback__)
        error = error.__context__


def from_tensorflow(error: "tf.errors.OpError") -> Refusal:
    """The `Refusal` that an error of TensorFlow amounts to.

    Args:
        error: `tf.errors.OpError`.
    """
    # Without the lines that say where in the graph.
    lines = [
        line for line in error.message.splitlines() if line.strip() and not _PLACES.match(line)
    ]
    return Refusal(
        _BY_NUMBER.get(error.error_code, grpc.StatusCode.UNKNOWN),
        lines[0] if lines else error.message,
    )
