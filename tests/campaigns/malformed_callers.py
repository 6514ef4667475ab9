"""Callers who behave badly with requests that may be good: each kind takes the target and a
generator, and gives how it ended and whether that is right.
"""

import contextlib
import json
import socket
import threading
import time

from malformed_target import GOOD, PREDICT, TIMEOUT_S, choose

# How long others may wait for what nobody wants any more.
_HELD_UP_S = 5.0
_SONGS = ["generate", "generate_audio", "serving_default"]


def leaves_long_call(target, rng):
    """Goes away while songs are sung for it."""
    call = target.long_call(int(rng.integers(1, 9)), choose(rng, _SONGS))
    data = target.http(json.dumps(call).encode())
    with contextlib.ExitStack() as callers:
        for _ in range(rng.integers(1, 4)):
            connection = socket.create_connection(("127.0.0.1", target.rest_port), TIMEOUT_S)
            callers.enter_context(connection)
            connection.sendall(data)
        time.sleep(rng.uniform(0, 0.3))
    return _others_are_answered(target)


def cancels_long_call(target, rng):
    """Cancels a call over gRPC, or lets its deadline pass."""
    call = target.long_call(int(rng.integers(1, 9)), choose(rng, _SONGS))
    message = target.message(**call).SerializeToString()
    if rng.integers(2):
        target.leave(PREDICT, message, rng.uniform(0, 0.3))
    else:
        code, _ = target.call(PREDICT, message, timeout=rng.uniform(0.001, 0.3))
        # So small a model may have sung them all.
        if code not in ("DEADLINE_EXCEEDED", "OK"):
            return code, False
    return _others_are_answered(target)


def sends_slowly(target, rng):
    """Sends a good request in a few pieces, which is no fault."""
    data = target.http(json.dumps({"signature_name": "generate", "inputs": GOOD}).encode())
    places = sorted(rng.integers(0, len(data), 4))
    with socket.create_connection(("127.0.0.1", target.rest_port), TIMEOUT_S) as connection:
        for start, end in zip([0, *places], [*places, len(data)], strict=True):
            connection.sendall(data[start:end])
            time.sleep(rng.uniform(0, 0.02))
        code = connection.recv(12)[-3:].decode()
    return code, code == "200"


KINDS = [leaves_long_call, cancels_long_call, sends_slowly]


class Dawdlers:
    """Connections that send a byte of a request now and then, and never all of it.

    Args:
        target: `malformed_target.Target`.    number: int.
    """

    def __init__(self, target, number):
        starts = [b"", b"GET / HT", target.http(length=10**6), target.http().rstrip()[:-20]]
        self._connections = []
        for i in range(number):
            connection = socket.create_connection(("127.0.0.1", target.rest_port), TIMEOUT_S)
            connection.sendall(starts[i % len(starts)])
            self._connections.append(connection)
        self._is_over = threading.Event()
        self._thread = threading.Thread(target=self._drip, daemon=True)
        self._thread.start()

    def num_still_there(self):
        """How many of them the server has not turned away."""
        return len(self._connections)

    def close(self):
        """Ends them all."""
        self._is_over.set()
        self._thread.join()
        for connection in self._connections:
            connection.close()

    def _drip(self):
        while not self._is_over.wait(1.0):
            self._connections = [c for c in self._connections if _takes_more(c)]


def _takes_more(connection):
    try:
        connection.setblocking(False)
        # An answer, or the end.
        connection.recv(4096)
    except BlockingIOError:
        with contextlib.suppress(OSError):
            connection.sendall(b"x")
            return True
    except OSError:
        pass
    connection.close()
    return False


def _others_are_answered(target):
    began = time.monotonic()
    (status, _), (code, _) = target.good_answers()
    took_s = time.monotonic() - began
    is_right = (status, code) == (200, "OK") and took_s < _HELD_UP_S
    return "left" if is_right else f"others: {status}, {code} after {took_s:.1f} s", is_right
