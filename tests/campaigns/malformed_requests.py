"""Hostile requests by number, over REST and gRPC: malformed ones, which must each get their own
error code, and callers who leave or dawdle; none may harm the next good request.

    python tests/campaigns/malformed_requests.py /models/finch 2000

starts export/server.py on that folder, fires so many, while other connections dawdle and one asks
for the status, and prints how each ended, the longest that the status took, and the server's memory
before, after and a minute later. What ended otherwise than it must is a DEFECT; then it exits with
1.
"""

import collections
import os
import pathlib
import re
import subprocess
import sys
import threading
import time

import malformed_callers
import malformed_over_grpc
import malformed_over_rest
import numpy as np
from malformed_target import CLOSED, TIMEOUT_S, Target

from neurovocal_tf.server.limits import Limits

_BETWEEN_GOOD_ONES = 50
_PATIENCE_S = 0.1
_SLOW_S = 10.0
_KINDS = [
    *malformed_over_rest.KINDS,
    *malformed_over_grpc.KINDS,
    *malformed_over_grpc.NO_GRPC,
    *malformed_callers.KINDS,
]
_NUM_DAWDLERS = 200
_IDLE_S = 5.0
# Others use the machine, too; a process that one request stops stands still for longer.
_LONGEST_STATUS_S = 3.0
# What the first requests leave is kept for the next ones.
_WARM = 300
_MOST_GROWTH = 1.25


def fire(target, number, seed):
    """How the malformed request of this number ends:
    its kind, the code, and whether that is right.
    """
    rng = np.random.default_rng([seed, number])
    kind = _KINDS[number % len(_KINDS)]
    if kind in malformed_over_rest.KINDS:
        data, right = kind(target, rng)
        # What is cut short is told from what is slow by the end of the connection,
        # after which there is no answer.
        code, content = target.rest(data, _PATIENCE_S if CLOSED in right else TIMEOUT_S)
        is_right = code in right and b"root:" not in content and b"SavedModel" not in content[:20]
    elif kind in malformed_over_grpc.KINDS:
        method, message, right = kind(target, rng)
        code, _ = target.call(method, message)
        is_right = code in right
    elif kind in malformed_callers.KINDS:
        code, is_right = kind(target, rng)
    else:
        code = (
            CLOSED
            if b"HTTP/1.1 200" not in target.raw(target.grpc_port, kind(target, rng), _PATIENCE_S)
            else "answered"
        )
        is_right = code == CLOSED
    return kind.__name__, code, is_right


def tally(target, num_requests, seed=0):
    """How so many malformed requests ended, and whether good ones between them were answered
    as before all of them.

    Returns:
        Counter of "kind: code", of "DEFECT: ..." and of "good answers".
    """
    expected, ends = target.good_answers(), collections.Counter()
    assert (expected[0][0], expected[1][0]) == (200, "OK"), expected
    for number in range(num_requests):
        began = time.monotonic()
        try:
            kind, code, is_right = fire(target, number, seed)
        except TimeoutError:
            kind, code, is_right = "request", "no answer", False
        ends[f"{kind}: {code}" if is_right else f"DEFECT: {kind}, number {number}: {code}"] += 1
        if time.monotonic() - began > _SLOW_S:
            ends[f"DEFECT: {kind}, number {number} took {time.monotonic() - began:.0f} s"] += 1
        if number % _BETWEEN_GOOD_ONES == _BETWEEN_GOOD_ONES - 1 or number == num_requests - 1:
            ends[
                "good answers"
                if target.good_answers() == expected
                else f"DEFECT: the good request after number {number}"
            ] += 1
    return ends


class StatusTimes:
    """Asks for the status again and again; `longest_s` tells how long it took at most.

    Args:
        target: `malformed_target.Target`.
    """

    def __init__(self, target):
        self.longest_s = 0.0
        self._target, self._is_over = target, threading.Event()
        self._thread = threading.Thread(target=self._ask, daemon=True)
        self._thread.start()

    def close(self):
        """Ends it."""
        self._is_over.set()
        self._thread.join()

    def _ask(self):
        path = f"/v1/models/{self._target.model_name}"
        while not self._is_over.wait(0.02):
            began = time.monotonic()
            try:
                status, _ = self._target.rest(self._target.http(method="GET", path=path))
                took_s = time.monotonic() - began if status == 200 else float("inf")
            except OSError:
                took_s = float("inf")
            self.longest_s = max(self.longest_s, took_s)


def _resident_mb(process):
    status = pathlib.Path(f"/proc/{process.pid}/status")
    return (
        int(re.search(r"VmRSS:\s*(\d+)", status.read_text())[1]) / 1024
        if status.exists()
        else float("nan")
    )


def _campaign(target, process, num_requests):
    """Counter of how requests ended, and lines about the whole."""
    tally(target, _WARM)
    memory_mb = [_resident_mb(process)]
    dawdlers = malformed_callers.Dawdlers(target, _NUM_DAWDLERS)
    status = StatusTimes(target)
    ends = tally(target, num_requests, seed=1)
    status.close()
    memory_mb.append(_resident_mb(process))
    time.sleep(60)
    memory_mb.append(_resident_mb(process))
    num_there = dawdlers.num_still_there()
    dawdlers.close()
    told = [
        (
            f"{num_there} of {_NUM_DAWDLERS} connections that dawdle are still there",
            num_there == 0,
        ),
        (
            f"the status took {status.longest_s:.2f} s at most",
            status.longest_s < _LONGEST_STATUS_S,
        ),
        (
            "resident memory of the server: {:.0f} MB before, {:.0f} MB after, {:.0f} MB a minute "
            "later".format(*memory_mb),
            memory_mb[2] < _MOST_GROWTH * memory_mb[0],
        ),
    ]
    for line, is_right in told:
        if not is_right:
            ends[f"DEFECT: {line}"] += 1
    return ends, [line for line, _ in told]


def main(model_dir, num_requests):
    """Prints the tally; whether nothing in it is a defect."""
    server = pathlib.Path(__file__).resolve().parents[2] / "export" / "server.py"
    flags = [f"--model_dir={model_dir}", "--rest_port=0", "--grpc_port=0"]
    environment = os.environ | {"PYTHONPATH": str(server.parent.parent)}
    with subprocess.Popen(
        [sys.executable, str(server), *flags, f"--idle_timeout_s={_IDLE_S}"],
        stdout=subprocess.PIPE,
        text=True,
        env=environment,
    ) as process:
        try:
            ports = map(int, re.findall(r":(\d+)", process.stdout.readline()))
            target = Target(*ports, "neurovocal", Limits().max_request_bytes)
            ends, lines = _campaign(target, process, num_requests)
            target.close()
        finally:
            process.terminate()
    num_defects = sum(count for end, count in ends.items() if end.startswith("DEFECT"))
    for end, count in sorted(ends.items()):
        print(f"{count:6}  {end}")
    print(f"{num_requests} hostile requests of {len(_KINDS)} kinds, {num_defects} defects")
    print("\n".join(lines))
    return not num_defects


if __name__ == "__main__":
    sys.exit(0 if main(sys.argv[1], int(sys.argv[2])) else 1)
