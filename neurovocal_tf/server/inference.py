"""What both protocols ask for: bounded in number and in time, and counted."""

import asyncio
import concurrent.futures
import threading
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from types import TracebackType
from typing import Any, TypeVar

import grpc
import tensorflow as tf

from neurovocal_tf.server import refusals
from neurovocal_tf.server.limits import Limits
from neurovocal_tf.server.loaded_version import LoadedVersion
from neurovocal_tf.server.metrics import Metrics
from neurovocal_tf.server.versions import Versions, VersionStatus

Answer = TypeVar("Answer")


class Inference:
    """A model's versions, and the threads that ask them.

    Args:
        model_name: str.    versions: `versions.Versions`.
        limits: `limits.Limits`: how many requests are in work at once, and of how many bytes; more
            are refused.
    """

    def __init__(self, model_name: str, versions: Versions, limits: Limits) -> None:
        self.model_name = model_name
        self.versions = versions
        self.metrics = Metrics(model_name)
        self._limits = limits
        self._num_requests, self._num_bytes, self._lock = 0, 0, threading.Lock()
        # A request waits in its thread for its batch, so that there are as many
        # threads as requests.
        self._threads = concurrent.futures.ThreadPoolExecutor(
            limits.max_requests, thread_name_prefix="request"
        )

    def admit(self) -> "Ticket":
        """A `Ticket`, with which a request may use a thread.

        Raises:
            refusals.Refusal: there are too many.
        """
        with self._lock:
            if self._num_requests >= self._limits.max_requests:
                raise refusals.exhausted(f"There are {self._limits.max_requests} requests already.")
            self._num_requests += 1
        return Ticket(self._threads, self._reserve, self._leave)

    def lease(
        self, spec_name: str, version: int | None = None, label: str | None = None
    ) -> AbstractContextManager[tuple[int, LoadedVersion]]:
        """`Versions.lease` of the model of that name, if it is this one's."""
        if spec_name != self.model_name:
            asked = (
                f"Latest({spec_name})" if version is None else f"Specific({spec_name}, {version})"
            )
            raise refusals.not_found(f"Servable not found for request: {asked}")
        return self.versions.lease(spec_name, version, label)

    def statuses(
        self, spec_name: str, version: int | None = None, label: str | None = None
    ) -> dict[int, VersionStatus]:
        """Dict of version -> `VersionStatus`, of one version if it is given.

        Raises:
            refusals.Refusal: there is no such model, version or label.
        """
        if label is not None:
            with self.lease(spec_name, label=label) as (version, _):
                pass
        found = self.versions.statuses if spec_name == self.model_name else {}
        if version is not None:
            if version not in found:
                raise refusals.not_found(f"Could not find version {version} of model {spec_name}")
            return {version: found[version]}
        if not found:
            raise refusals.not_found(f"Could not find any versions of model {spec_name}")
        return found

    def close(self) -> None:
        """Waits for what is in work."""
        self._threads.shutdown()

    def _reserve(self, num_bytes: int) -> None:
        with self._lock:
            if self._num_bytes + num_bytes > self._limits.max_bytes_in_work:
                raise refusals.exhausted(
                    f"The requests in work have {self._num_bytes} bytes already, and at most "
                    f"{self._limits.max_bytes_in_work} are taken. Ask again soon"
                )
            self._num_bytes += num_bytes

    def _leave(self, num_bytes: int) -> None:
        with self._lock:
            self._num_requests -= 1
            self._num_bytes -= num_bytes


class Ticket:
    """The right of one request to a thread, to be used in a `with` block.

    Args:
        threads: `concurrent.futures.Executor`.
        reserve: called with bytes that the request takes; raises if they are too many.
        give_back: called once with all of these, when the thread is free for another request.
    """

    def __init__(
        self,
        threads: concurrent.futures.Executor,
        reserve: Callable[[int], object],
        give_back: Callable[[int], object],
    ) -> None:
        self._threads, self._reserve, self._give_back = threads, reserve, give_back
        self._num_bytes = 0
        self._is_wanted = True
        self._future: concurrent.futures.Future[Any] | None = None

    def __enter__(self) -> "Ticket":
        return self

    def __exit__(self, *error: object) -> None:
        # A caller who has left does not stop TensorFlow: the place is free when the work is done.
        self._is_wanted = False
        if self._future is None or self._future.cancel():
            self._give_back(self._num_bytes)
        else:
            self._future.add_done_callback(lambda _: self._give_back(self._num_bytes))

    def reserve(self, num_bytes: int) -> None:
        """Takes room for a request of so many bytes.

        Raises:
            refusals.Refusal: there is no room.
        """
        self._reserve(num_bytes)
        self._num_bytes += num_bytes

    async def run(
        self, work: Callable[[Callable[[], bool]], Answer], timeout_s: float | None
    ) -> Answer:
        """Awaits `work(is_wanted)` in a thread; `is_wanted()` tells whether the
        caller still waits for it.

        Raises:
            refusals.Refusal: what `work` raises, or that the time is up.
        """
        self._future = self._threads.submit(_letting_go, work, lambda: self._is_wanted)
        try:
            return await asyncio.wait_for(asyncio.wrap_future(self._future), timeout_s)
        except asyncio.TimeoutError:
            raise refusals.Refusal(
                grpc.StatusCode.DEADLINE_EXCEEDED, "Timed out waiting for the answer"
            ) from None
        except tf.errors.OpError as error:
            raise refusals.from_tensorflow(error) from error


def _letting_go(
    work: Callable[[Callable[[], bool]], Answer], is_wanted: Callable[[], bool]
) -> Answer:
    try:
        return work(is_wanted)
    except Exception as error:
        refusals.let_go(error)
        raise


class Measured:
    """A `with` block around a request, whose end and duration are counted."""

    def __init__(self, metrics: Metrics, api: str, entrypoint: str) -> None:
        self._metrics, self._api, self._entrypoint = metrics, api, entrypoint

    def __enter__(self) -> None:
        self._began = time.monotonic()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None
    ) -> None:
        self._metrics.count(
            self._api, self._entrypoint, _status(error), time.monotonic() - self._began
        )


def _status(error: BaseException | None) -> str:
    if isinstance(error, refusals.Refusal):
        return error.code.name
    return (
        "OK"
        if error is None
        else "CANCELLED"
        if isinstance(error, asyncio.CancelledError)
        else "INTERNAL"
    )
