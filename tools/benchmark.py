r"""Measures how fast the package is on this machine,
beside what the machine can do and beside the same model of others.

    python tools/benchmark.py --suite=train,generate,segment,startup --json=benchmark.json
    python tools/benchmark.py --suite=growth --seconds=5 --figure=growth.png

Everything in one comparison runs in turn, round after round, so that whatever else the machine does
disturbs all alike. Ratios are taken within a round. PyTorch takes part where it is installed.
Operations count products of matrices alone.

    python tools/benchmark.py --suite=encoders

measures what the options of the encoder cost, and

    python tools/benchmark.py --suite=serve --soak_minutes=10
    python tools/benchmark.py --suite=serve --server=grpc://HOST:8500

an export with fresh weights behind export/server.py, or how many callers a server at that address
carries while 99 of 100 calls take less than a second, and

    python tools/benchmark.py --suite=scale --json=scale.json

computes what several workers exchange in a step of training, and the efficiency that follows for 2
to 64 of them, from the time of a step on this machine; all are run only when they are asked for.
"""

import importlib
import os
import sys

from absl import flags

from neurovocal_tf import flags as setting_flags

_SUITES = ("train", "generate", "segment", "startup", "encoders", "growth", "serve", "scale")
_ONLY_WHEN_ASKED = ("encoders", "growth", "serve", "scale")

_SUITE = flags.DEFINE_list(
    "suite",
    [name for name in _SUITES if name not in _ONLY_WHEN_ASKED],
    f"Which suites to run, of {', '.join(_SUITES)}.",
)
_SECONDS = flags.DEFINE_float(
    "seconds",
    30.0,
    "Time for each comparison, first calls and compilation left out.",
    lower_bound=0.0,
)
_PEERS = flags.DEFINE_bool(
    "peers", True, "Measure the same model in plain Keras and in PyTorch too."
)
_FIGURE = setting_flags.define_path(
    "figure", None, "File for the picture of the suite growth, PNG."
)
_SOAK_MINUTES = flags.DEFINE_float(
    "soak_minutes", 10.0, "Of the suite serve: time under load; 0: none.", lower_bound=0.0
)
_SERVER = flags.DEFINE_string(
    "server",
    None,
    "Of the suite serve: http://HOST:PORT or grpc://HOST:PORT of a server to call in the place of "
    "one that is started. For some minutes it gets as many calls as it answers.",
)
_MODEL = flags.DEFINE_string("model", "neurovocal", "Name of the model of --server.")
_JSON = setting_flags.define_path("json", None, "File for all figures.")


def main(argv):
    # PyTorch's idle threads would otherwise spin, and take their core from whatever is timed
    # next, themselves included.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    from benchmarks import growth_figure, report, timing  # here, so that --help needs no TensorFlow

    from neurovocal_tf import files

    unknown = sorted(set(_SUITE.value) - set(_SUITES))
    if unknown or not _SUITE.value:
        raise ValueError(
            f"`suite` must be among {', '.join(_SUITES)}. Received: suite={','.join(_SUITE.value)}"
        )
    for name, path in (("json", _JSON.value), ("figure", _FIGURE.value)):
        if path and not os.path.isdir(os.path.dirname(os.path.abspath(path))):
            raise ValueError(
                f"`{name}` must be a file in a folder that exists. Received: {name}={path}"
            )
    if _FIGURE.value and "growth" not in _SUITE.value:
        raise ValueError(
            f"`figure` must go with --suite=growth. Received: suite={','.join(_SUITE.value)}"
        )
    if _SERVER.value and _SUITE.value != ["serve"]:
        raise ValueError(
            f"`server` must go with --suite=serve alone. Received: suite={','.join(_SUITE.value)}"
        )
    options = timing.Options(
        _SECONDS.value, _PEERS.value, _SOAK_MINUTES.value, _SERVER.value, _MODEL.value
    )
    results = []
    for name in _SUITE.value:
        suite, comparisons = importlib.import_module(f"benchmarks.{name}"), []
        for comparison in suite.measure(options):
            sys.stdout.write(report.table(comparison) + "\n")
            sys.stdout.flush()
            comparisons.append(comparison)
            results += comparison
        if name == "growth" and _FIGURE.value:
            growth_figure.draw(comparisons, _FIGURE.value)
    if _JSON.value:
        files.write_json(_JSON.value, report.figures(results))


if __name__ == "__main__":
    setting_flags.run(main)
