"""Which requests over HTTP are answered at all: those that no foreign page can have made a browser
send.

A browser is inside its user's network, and sends whatever any page tells it to. A page elsewhere
may have its own name lead to this machine (DNS rebinding): then `Host` is that name. Or it may send
to this server's own name: then `Origin` is the page's. Without being asked first a server gets such
requests only with the content types of a form, `text/plain` among them.
"""

import ipaddress
import re
import socket
from collections.abc import Collection, Mapping

import grpc

from neurovocal_tf.server.refusals import Refusal

_HOST = re.compile(r"(?P<name>\[[0-9a-fA-F:.]+\]|[^\s:/?#@\[\]]+)(?::[0-9]*)?")
_EVERYWHERE = ("", "0.0.0.0", "::")
_JSON = "application/json"
# What curl -d and Python's urllib say of any body.
_OF_NO_MEANING = ("", "application/x-www-form-urlencoded")
_SENT_BY_BROWSERS = ("Origin", "Referer", "Sec-Fetch-Site", "Sec-Fetch-Mode")

# For every answer. That a page of this server may do more, it says itself.
NOTHING_ALLOWED = "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
HEADERS = {
    "Content-Security-Policy": NOTHING_ALLOWED,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    # Rather than the versions of what it runs on.
    "Server": "neurovocal_tf",
}


class KnownHosts:
    """The names by which a server is asked.

    They are the loopback names; the address that it listens at; where that stands for all of the
    machine's, its host name and every IP address, since only a name can be made to lead elsewhere;
    and whatever is allowed beside.

    Args:
        host: name or address that it listens at.
        allowed: names beside, such as a proxy's; `*` for any.
    """

    def __init__(self, host: str = "127.0.0.1", allowed: Collection[str] = ()) -> None:
        self._is_everywhere = host in _EVERYWHERE
        own = [socket.gethostname()] if self._is_everywhere else [host]
        self._names = {_plain(name) for name in (*own, *allowed)}

    def check(self, sent: str, header: str) -> None:
        """Raises a `Refusal` of a host that is not among them.

        Args:
            sent: as in the header `Host`, with a port or without.    header: it came in.
        """
        match = _HOST.fullmatch(sent)
        if match is None:
            raise Refusal(
                grpc.StatusCode.INVALID_ARGUMENT,
                f"`{header}` must name a host. Received: {header}: {sent}",
            )
        name = _plain(match["name"])
        if "*" not in self._names and not self._is_known(name):
            raise Refusal(
                grpc.StatusCode.PERMISSION_DENIED,
                f"`{header}` must be a name that this server is known by, such as localhost. "
                f"Received: {header}: {sent}. If it is one, behind a proxy say, start the server "
                f"with --allowed_hosts={name}",
            )

    def check_origin(self, origin: str) -> None:
        """Raises a `Refusal` of a page that is not from one of these hosts.

        Args:
            origin: as in the header `Origin`.
        """
        scheme, _, host = origin.partition("://")
        if scheme not in ("http", "https"):
            raise Refusal(
                grpc.StatusCode.PERMISSION_DENIED,
                "`Origin` must be a page of this server: what other pages, files and extensions of "
                f"a browser ask is not answered. Received: Origin: {origin}",
            )
        self.check(host, "Origin")

    def _is_known(self, name: str) -> bool:
        if name in self._names or name == "localhost" or name.endswith(".localhost"):
            return True
        try:
            return ipaddress.ip_address(name).is_loopback or self._is_everywhere
        except ValueError:
            return False


def check_content_type(headers: Mapping[str, str]) -> None:
    """Raises a `Refusal` of a POST that is not said to be JSON.

    What curl -d says of every body, and no word at all, are taken for JSON of those who are no
    browser: TensorFlow Serving is asked so in its own documentation.
    """
    sent = headers.get("Content-Type", "")
    kind = sent.partition(";")[0].strip().lower()
    is_from_browser = any(name in headers for name in _SENT_BY_BROWSERS)
    if kind == _JSON or (kind in _OF_NO_MEANING and not is_from_browser):
        return
    raise Refusal(
        grpc.StatusCode.INVALID_ARGUMENT,
        f"`Content-Type` must be {_JSON}. Received: Content-Type: {sent or 'none'}. With curl: "
        f"-H 'Content-Type: {_JSON}'",
        415,
    )


def _plain(name: str) -> str:
    return name.lower().strip("[]").rstrip(".")
