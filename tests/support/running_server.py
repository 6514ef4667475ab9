"""A model server in a thread of this process, and how to ask it."""

import asyncio
import contextlib
import http.client
import json
import threading
import typing

from neurovocal_tf.server.model_server import ModelServer


class Ports(typing.NamedTuple):
    """Where a server listens, at 127.0.0.1."""

    rest: int
    grpc: int


@contextlib.contextmanager
def running(versions, model_name, page="", limits=None, hosts=None):
    """A `ModelServer` while the block runs; the versions stay the caller's to close.  -> `Ports`"""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()

    def wait_for(coroutine):
        return asyncio.run_coroutine_threadsafe(coroutine, loop).result(timeout=60)

    async def make():
        return ModelServer(versions, model_name, page, limits, hosts)

    server = wait_for(make())
    try:
        yield Ports(*wait_for(server.start("127.0.0.1", 0, 0)))
    finally:
        wait_for(server.stop())
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


def ask(port, method, path, body=None, headers=()):
    """Status and content of an answer over REST; the body is bytes, or what becomes JSON."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    connection.request(
        method,
        path,
        body if body is None or isinstance(body, bytes) else json.dumps(body),
        dict(headers),
    )
    response = connection.getresponse()
    content = response.read()
    connection.close()
    is_json = response.getheader("Content-Type", "").startswith("application/json")
    return response.status, json.loads(content) if is_json else content
