"""How much a caller may ask for."""

import dataclasses


@dataclasses.dataclass(frozen=True)
class Limits:
    """What is refused, or cut off, beyond it.

    Attributes:
        max_requests: in work at once.
        max_request_bytes, max_response_bytes: of one request and its answer.
        rest_timeout_s: for an answer over REST, 504 after that;
            over gRPC the caller sets a deadline.
        body_timeout_s: for the body of a request to come in, 408 after that.
        idle_timeout_s: for the head of a request to come in,
            and for a connection between two; closed after that.
    """

    max_requests: int = 256
    max_request_bytes: int = 32 * 2**20
    max_response_bytes: int = 256 * 2**20
    rest_timeout_s: float = 30.0
    body_timeout_s: float = 20.0
    idle_timeout_s: float = 30.0
