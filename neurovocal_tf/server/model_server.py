"""The server: both protocols in one event loop."""

import logging
import os

import grpc
from aiohttp import web

from neurovocal_tf.server.grpc_services import MalformedMessages, add_services
from neurovocal_tf.server.inference import Inference
from neurovocal_tf.server.limits import Limits
from neurovocal_tf.server.origins import KnownHosts
from neurovocal_tf.server.rest import RestApi
from neurovocal_tf.server.versions import Versions

_SHUTDOWN_S = 5.0
_KEEPALIVE_MS = 60_000
_SPARE_CALLS = 32
# How long a caller whose request is refused may go on sending it.
_LINGERING_S = 1.0


class ModelServer:
    """A model over gRPC and REST, from `start` to `stop`.

    Args:
        versions: `versions.Versions`.    model_name: str.
        page: path of the file that is served at /.    limits: `limits.Limits`.
        hosts: `origins.KnownHosts`; default: the loopback names.
    """

    def __init__(
        self,
        versions: Versions,
        model_name: str,
        page: str | os.PathLike[str],
        limits: Limits | None = None,
        hosts: KnownHosts | None = None,
    ) -> None:
        limits = limits or Limits()
        self._limits = limits
        self._inference = Inference(model_name, versions, limits)
        self._rest = web.AppRunner(
            RestApi(self._inference, limits, page, hosts or KnownHosts()).application(),
            # A caller who is gone is no longer waited for.
            handler_cancellation=True,
            keepalive_timeout=limits.idle_timeout_s,
            lingering_time=_LINGERING_S,
            shutdown_timeout=_SHUTDOWN_S,
            access_log=None,
            logger=_silent_log(),
        )
        self._grpc: grpc.aio.Server | None = None

    async def start(self, host: str, rest_port: int, grpc_port: int) -> tuple[int, int]:
        """Listens.

        Args:
            host: name or address.    rest_port, grpc_port: 0 for any that is free.

        Returns:
            The two ports.

        Raises:
            OSError: a port is taken.
        """
        await self._rest.setup()
        await web.TCPSite(self._rest, host, rest_port).start()
        limits = self._limits
        options = {
            "grpc.max_receive_message_length": limits.max_request_bytes,
            "grpc.max_send_message_length": limits.max_response_bytes,
            "grpc.server_handshake_timeout_ms": int(limits.idle_timeout_s * 1e3),
            "grpc.max_connection_idle_ms": int(limits.idle_timeout_s * 1e3),
            # Who is gone without a word holds no call.
            "grpc.keepalive_time_ms": _KEEPALIVE_MS,
            "grpc.keepalive_timeout_ms": _KEEPALIVE_MS // 3,
            # Another process on the same port would get half of the requests.
            "grpc.so_reuseport": 0,
        }
        server = grpc.aio.server(
            interceptors=[MalformedMessages()],
            options=list(options.items()),
            # Before their messages are read. Those who ask for status and health come beside.
            maximum_concurrent_rpcs=limits.max_requests + _SPARE_CALLS,
        )
        self._grpc = server
        add_services(server, self._inference, limits)
        try:
            bound = server.add_insecure_port(
                f"[{host}]:{grpc_port}" if ":" in host else f"{host}:{grpc_port}"
            )
        except RuntimeError as error:
            raise OSError(f"gRPC cannot listen at {host}, port {grpc_port}: {error}") from error
        await server.start()
        return self._rest.addresses[0][1], bound

    async def stop(self) -> None:
        """Answers what is in work, and listens no more."""
        if self._grpc:
            await self._grpc.stop(_SHUTDOWN_S)
        await self._rest.cleanup()
        self._inference.close()


def _silent_log() -> logging.Logger:
    """What aiohttp logs to: a traceback for every request that is not HTTP.
    What goes wrong in this package `rest` logs.
    """
    # One of its own, which the process's other logs do not know,
    # and which no setting of theirs turns on.
    log = logging.Logger("neurovocal_tf.server.http")
    log.disabled = True
    return log
