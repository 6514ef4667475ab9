"""The workers of one training: who they are, as TF_CONFIG says, and a roll call before any of them
starts TensorFlow's own cluster, which would wait for a missing one without end.

The chief listens at its own address, the others tell it who they are and what they are about to do,
and each is answered with a go, or with one line that says why not.
"""

import contextlib
import dataclasses
import json
import re
import socket
import time
from collections.abc import Iterator, Mapping

_JOBS = ("chief", "worker")
_GREETING = "neurovocal roll call"
_MOST_BYTES = 2**24
_BETWEEN_TRIES_S = 0.5
# Of a caller that says nothing, such as a port scanner.
_PATIENCE_S = 5.0
# The chief answers at its own limit at the latest, and its clock began when it began.
_LATER_S = 30.0


@dataclasses.dataclass(frozen=True)
class Cluster:
    """All workers, and which of them this process is.

    Attributes:
        names: of all, such as "worker 1 (node7:2222)", the chief's first.
        addresses: host and port of each.    index: of this process among them.
    """

    names: tuple[str, ...]
    addresses: tuple[tuple[str, int], ...]
    index: int

    @property
    def is_chief(self) -> bool:
        """Whether this process is the one that surveys and writes."""
        return self.index == 0


def cluster_of(text: str | None) -> Cluster:
    """The cluster that the text of TF_CONFIG describes; without a chief, worker 0 is that.

    Raises ValueError where it describes none, or not this process.
    """
    if not text:
        raise _bad("be set where --strategy=workers trains", "none")
    try:
        values = json.loads(text)
    except ValueError as error:
        raise _bad("be JSON", f"{_shown(text)} ({error})") from None
    jobs = values.get("cluster") if isinstance(values, dict) else None
    task = values.get("task") if isinstance(values, dict) else None
    if not isinstance(jobs, dict) or not isinstance(task, dict) or not jobs:
        raise _bad('have a "cluster" of jobs and a "task"', _shown(text))
    if set(jobs) - set(_JOBS):
        job = min(set(jobs) - set(_JOBS))
        raise _bad(f"have the jobs {' and '.join(_JOBS)} alone in its cluster", f"a job {job!r}")
    places, addresses = [], []
    for job in _JOBS:
        listed = jobs.get(job, [])
        if not isinstance(listed, list):
            raise _bad("list the addresses of each job", f"{job}: {_shown(json.dumps(listed))}")
        for index, address in enumerate(listed):
            places.append((job, index))
            addresses.append(_address(address))
    if len(jobs.get("chief", [])) > 1:
        raise _bad("have one chief", str(len(jobs["chief"])))
    if len(set(addresses)) < len(addresses):
        twice = next(address for address in addresses if addresses.count(address) > 1)
        raise _bad("have an address of its own for each worker", f"{twice[0]}:{twice[1]} twice")
    mine = task.get("type"), task.get("index")
    if mine not in places:
        raise _bad(
            f"name a task that its cluster has: {', '.join(f'{job} {i}' for job, i in places)}",
            f"{mine[0]} {mine[1]}",
        )
    names = [
        f"{job} {i} ({host}:{port})"
        for (job, i), (host, port) in zip(places, addresses, strict=True)
    ]
    return Cluster(tuple(names), tuple(addresses), places.index(mine))


def call_roll(cluster: Cluster, doing: Mapping[str, str], wait_s: float) -> None:
    """Returns in every worker when all are there and about to do the same.

    Args:
        cluster: `Cluster`.    doing: what this one is about to do, by name, see `fingerprint.of`.
        wait_s: seconds in which all have to come.

    Raises:
        ValueError: one did not come in time, or differs, and then the same line in all that came;
            or the port of this one, which TensorFlow's server is to have, is taken.
    """
    if len(cluster.names) == 1:
        return
    doing = {"TF_CONFIG": ", ".join(cluster.names), **doing}
    deadline = time.monotonic() + wait_s
    with _listener(cluster) as listener:
        if cluster.is_chief:
            _be_asked(listener, cluster, doing, deadline, wait_s)
        else:
            _ask(cluster, doing, deadline + _LATER_S, wait_s)


def _listener(cluster):
    """A socket that listens at a worker's own port, at all addresses of the machine."""
    port, is_dual = cluster.addresses[cluster.index][1], socket.has_dualstack_ipv6()
    try:
        return socket.create_server(
            ("", port),
            family=socket.AF_INET6 if is_dual else socket.AF_INET,
            dualstack_ipv6=is_dual,
            backlog=len(cluster.names),
        )
    except OSError as error:
        raise ValueError(
            f"{cluster.names[cluster.index]} cannot listen at its port {port}: {error.strerror}. "
            "Does a run from before still have it?"
        ) from None


def _be_asked(listener, cluster, doing, deadline, wait_s):
    others = set(cluster.names[1:])
    with contextlib.ExitStack() as stack:
        callers: dict[str, tuple[socket.socket, Mapping[str, str]]] = {}
        # Until all of them are there, or one who is none of them.
        while callers.keys() < others and time.monotonic() < deadline:
            for name, told, caller in _calls(listener, deadline):
                stack.enter_context(caller)
                # One that was started again while it waited counts by its last call.
                callers[name] = caller, told
            callers = {name: call for name, call in callers.items() if _is_there(call[0])}
        why = _why_not(cluster, {name: told for name, (_, told) in callers.items()}, doing, wait_s)
        answer = json.dumps({"hello": _GREETING, "why_not": why}).encode() + b"\n"
        for caller, _ in callers.values():
            with contextlib.suppress(OSError):
                caller.sendall(answer)
        for caller, _ in callers.values():
            # They hang up first, so that the port is free at once for TensorFlow's server.
            with contextlib.suppress(OSError):
                caller.recv(1)
    if why:
        raise ValueError(_told(why))


def _calls(listener, deadline) -> Iterator[tuple[str, Mapping[str, str], socket.socket]]:
    """Who calls next, as (name, what it is about to do, its connection)."""
    listener.settimeout(max(min(deadline - time.monotonic(), 1.0), 0.01))
    try:
        caller, _ = listener.accept()
    except OSError:
        return
    try:
        said = _line(caller, _PATIENCE_S)
        yield str(said["name"]), dict(said["doing"]), caller
    except (OSError, ValueError, KeyError, TypeError):
        # Somebody else's business.
        caller.close()


def _is_there(caller):
    """Whether a caller that has nothing more to say still holds the line."""
    caller.setblocking(False)
    try:
        return caller.recv(1, socket.MSG_PEEK) != b""
    except BlockingIOError:
        return True
    except OSError:
        return False
    finally:
        caller.settimeout(_PATIENCE_S)


def _ask(cluster, doing, deadline, wait_s):
    said = {"hello": _GREETING, "name": cluster.names[cluster.index], "doing": dict(doing)}
    while time.monotonic() < deadline:
        try:
            with socket.create_connection(cluster.addresses[0], timeout=_PATIENCE_S) as chief:
                chief.sendall(json.dumps(said).encode() + b"\n")
                why = _line(chief, deadline - time.monotonic())["why_not"]
        except (OSError, ValueError, KeyError):
            # Not there yet; or a chief from before, whom TensorFlow answers for, is still there.
            time.sleep(_BETWEEN_TRIES_S)
            continue
        if why:
            raise ValueError(_told(why))
        return
    raise ValueError(_told(f"{cluster.names[0]} did not answer within {wait_s:g} s"))


def _line(connection, patience_s):
    """The next line of JSON; raises OSError or ValueError where none comes that belongs here."""
    deadline = time.monotonic() + patience_s
    received = b""
    while not received.endswith(b"\n"):
        left_s = deadline - time.monotonic()
        if left_s <= 0:
            raise TimeoutError("no line in time")
        connection.settimeout(left_s)
        more = connection.recv(2**16)
        received += more
        if not more or len(received) > _MOST_BYTES:
            raise ValueError("no line")
    said = json.loads(received)
    if not isinstance(said, dict) or said.get("hello") != _GREETING:
        raise ValueError("another protocol")
    return said


def _why_not(cluster, told, doing, wait_s):
    """Why the workers that came cannot begin together, by what each `told`; "" where they can."""
    others = cluster.names[1:]
    for name in sorted(told.keys() - set(others)):
        return f"{name} has called, and the TF_CONFIG of the chief has {', '.join(cluster.names)}"
    missing = [name for name in others if name not in told]
    if missing:
        return f"{', '.join(missing)} did not come within {wait_s:g} s"
    for name in others:
        theirs = told[name]
        for what in [*doing, *(set(theirs) - set(doing))]:
            if theirs.get(what) != doing.get(what):
                return (
                    f"{name} differs from the chief in {what}: "
                    f"{theirs.get(what, 'nothing')} for {doing.get(what, 'nothing')}"
                )
    return ""


def _told(why):
    return f"The workers cannot begin together: {why}. Start all of them alike, within this time."


def _address(address):
    match = (
        re.fullmatch(r"(?:\[([^\[\]\s]+)\]|([^\[\]\s/:]+)):(\d{1,5})", address)
        if isinstance(address, str)
        else None
    )
    if match is None or not 0 < int(match[3]) < 2**16:
        raise _bad("have addresses as host:port", _shown(json.dumps(address)))
    return match[1] or match[2], int(match[3])


def _shown(text):
    return text if len(text) <= 100 else f"{text[:100]}..."


def _bad(wanted, found):
    return ValueError(f"`TF_CONFIG` must {wanted}. Received: {found}")
