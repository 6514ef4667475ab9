"""Malformed requests by number, over REST and gRPC: each must get its own error code, and none may
harm the next good request.

    python tests/campaigns/malformed_requests.py /models/finch 5000

starts export/server.py on that folder, fires so many, and prints how each ended. What ended
otherwise than it must is a DEFECT.
"""

import collections
import os
import pathlib
import re
import subprocess
import sys
import time

import malformed_over_grpc
import malformed_over_rest
import numpy as np
from malformed_target import CLOSED, TIMEOUT_S, Target

_BETWEEN_GOOD_ONES = 50
_PATIENCE_S = 0.1
_SLOW_S = 10.0
_KINDS = [*malformed_over_rest.KINDS, *malformed_over_grpc.KINDS, *malformed_over_grpc.NO_GRPC]


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


def _resident_mb(process):
    status = pathlib.Path(f"/proc/{process.pid}/status")
    return (
        int(re.search(r"VmRSS:\s*(\d+)", status.read_text())[1]) / 1024
        if status.exists()
        else float("nan")
    )


def main(model_dir, num_requests):
    max_request_mb = 1
    server = pathlib.Path(__file__).resolve().parents[2] / "export" / "server.py"
    flags = [
        f"--model_dir={model_dir}",
        "--rest_port=0",
        "--grpc_port=0",
        f"--max_request_mb={max_request_mb}",
    ]
    environment = os.environ | {"PYTHONPATH": str(server.parent.parent)}
    with subprocess.Popen(
        [sys.executable, str(server), *flags], stdout=subprocess.PIPE, text=True, env=environment
    ) as process:
        try:
            line = process.stdout.readline()
            target = Target(
                *map(int, re.findall(r":(\d+)", line)), "neurovocal", max_request_mb * 2**20
            )
            tally(target, 200)
            before = _resident_mb(process)
            ends = tally(target, num_requests, seed=1)
            after = _resident_mb(process)
            target.close()
        finally:
            process.terminate()
    for end, count in sorted(ends.items()):
        print(f"{count:6}  {end}")
    print(
        f"{num_requests} malformed requests, "
        f"{sum(count for end, count in ends.items() if end.startswith('DEFECT'))} ended wrong"
    )
    print(
        f"resident memory of the server: {before:.0f} MB after the first 200, {after:.0f} MB after "
        "all"
    )


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
