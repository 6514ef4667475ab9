"""Whether ports are free to listen at, found out without listening."""

import errno
import os
import socket

_IN_THE_WAY = (errno.EADDRINUSE, errno.EACCES)


def check(host: str, **ports: int) -> None:
    """Binds to ports and lets go of them at once.

    Listening while a version is still loading would keep callers waiting whom a refused connection
    tells to come back later.

    Args:
        host: name or address.
        ports: by what they are called in a message; 0 is any that is free.

    Raises:
        ValueError: two are the same.    OSError: one is taken, or there is no such host.
    """
    given = {name: port for name, port in ports.items() if port}
    if len(set(given.values())) < len(given):
        raise ValueError(
            f"{', '.join(f'`{name}`' for name in ports)} must be different. Received: {ports}"
        )
    for name, port in given.items():
        for family, kind, protocol, _, address in socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        ):
            try:
                with socket.socket(family, kind, protocol) as probe:
                    # As servers do: the connections of one that has just ended are in nobody's way.
                    probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                    probe.bind(address)
            except OSError as error:
                # Such as a name with an IPv6 address where there is no IPv6:
                # the server listens at the others.
                if error.errno not in _IN_THE_WAY:
                    continue
                reason = os.strerror(error.errno)
                raise OSError(
                    f"`{name}` must be free at {host}. Received: {name}={port}: {reason}"
                ) from error
