"""How much a caller may ask for."""

import dataclasses

# Arrays have up to 16 dimensions, in a list of rows, in a row, in the request.
_DEEPEST_JSON = 20
# A number that says something takes as much in JSON, or more.
_BYTES_PER_JSON_VALUE = 8
_FEWEST_JSON_VALUES = 10_000
_LARGEST_REQUESTS_AT_ONCE = 32


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
        max_json_depth: int, of arrays and objects in a request.
    """

    max_requests: int = 256
    max_request_bytes: int = 16 * 2**20
    max_response_bytes: int = 128 * 2**20
    rest_timeout_s: float = 30.0
    body_timeout_s: float = 20.0
    idle_timeout_s: float = 30.0
    max_json_depth: int = _DEEPEST_JSON

    @property
    def max_json_values(self) -> int:
        """int, numbers, strings, names, arrays and objects in a request: each of them may take
        seventy bytes once it is parsed, and three before.
        """
        return max(self.max_request_bytes // _BYTES_PER_JSON_VALUE, _FEWEST_JSON_VALUES)

    @property
    def max_bytes_in_work(self) -> int:
        """int, of all requests that are in work at once."""
        return _LARGEST_REQUESTS_AT_ONCE * self.max_request_bytes
