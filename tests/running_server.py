"""A model server in a thread of this process."""

import asyncio
import contextlib
import threading
import typing

from neurovocal_tf.server.model_server import ModelServer


class Ports(typing.NamedTuple):
    """Where a server listens, at 127.0.0.1."""

    rest: int
    grpc: int


@contextlib.contextmanager
def running(versions, model_name, page="", limits=None):
    """A `ModelServer` while the block runs; the versions stay the caller's to close.  -> `Ports`"""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()

    def wait_for(coroutine):
        return asyncio.run_coroutine_threadsafe(coroutine, loop).result(timeout=60)

    async def make():
        return ModelServer(versions, model_name, page, limits)

    server = wait_for(make())
    try:
        yield Ports(*wait_for(server.start("127.0.0.1", 0, 0)))
    finally:
        wait_for(server.stop())
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()
