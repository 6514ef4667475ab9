r"""A small local server for trying an export out.

For production use tensorflow/serving: see export/serving/ and BUILD.md in the repository.

    neurovocal serve --model_dir=/models/finch
    curl -d '{"instances": [{"seed": 1, "num_frames": 250, "temperature": 1.0}]}' \
        localhost:8501/v1/models/neurovocal:predict

Speaks as TensorFlow Serving does: gRPC Predict, GetModelMetadata, GetModelStatus and health; REST
predict, metadata, status, and /monitoring/prometheus/metrics. http://localhost:8501/ is a page to
try the model. Requests are batched by TensorFlow's own scheduler, as the version's
batching_params.pbtxt says. A version that appears under --model_dir is loaded, warmed up, and takes
over; the one before it is unloaded when its requests are answered. Like TensorFlow Serving it
listens as soon as a version is loaded, and not before. There is neither encryption nor a password:
it listens to this machine alone, unless --host says otherwise. Over HTTP it answers those who ask
for localhost, for the address that it listens at, or for one of --allowed_hosts, which a server
behind a proxy needs. Ctrl-C ends it.
"""

import asyncio
import importlib.metadata
import logging
import os
import shlex
import signal
import sys

from absl import flags
from packaging.requirements import Requirement

from neurovocal_tf import flags as setting_flags
from neurovocal_tf import processors
from neurovocal_tf.server import heaps, ports

_MODEL_DIR = setting_flags.define_path(
    "model_dir",
    None,
    "Folder of versions that `neurovocal export` has written.",
    required=True,
)
_MODEL_NAME = flags.DEFINE_string("model_name", "neurovocal", "Name of the model in requests.")
_HOST = flags.DEFINE_string(
    "host", "127.0.0.1", "Address to listen at; 0.0.0.0 for all, which lets anyone in."
)
_ALLOWED_HOSTS = flags.DEFINE_list(
    "allowed_hosts",
    [],
    "Names beside localhost by which the server is asked over HTTP, such as that of a proxy before "
    "it, birds.example.org; * for any.",
)
_REST_PORT = flags.DEFINE_integer(
    "rest_port",
    8501,
    "Port for REST and the page; 0 for a free one.",
    lower_bound=0,
    upper_bound=65_535,
)
_GRPC_PORT = flags.DEFINE_integer(
    "grpc_port", 8500, "Port for gRPC; 0 for a free one.", lower_bound=0, upper_bound=65_535
)
_NUM_VERSIONS = flags.DEFINE_integer(
    "num_versions", 1, "How many of the newest versions are served.", lower_bound=1, upper_bound=100
)
_VERSION_LABELS = flags.DEFINE_list(
    "version_labels", [], "Labels of versions, such as stable=1,canary=2."
)
_POLL_S = flags.DEFINE_float(
    "poll_s", 1.0, "Seconds between two looks for new versions.", lower_bound=0.05
)
_BATCH_THREADS = flags.DEFINE_integer(
    "num_batch_threads",
    processors.num_cores(),
    "Batches that are computed at once; 0 for no batching.",
    lower_bound=0,
    upper_bound=1_000,
)
_MAX_REQUESTS = flags.DEFINE_integer(
    "max_requests",
    256,
    "Requests in work at once; more are refused.",
    lower_bound=1,
    upper_bound=10_000,
)
_MAX_REQUEST_MB = flags.DEFINE_float(
    "max_request_mb",
    16.0,
    "Size of the largest request in MB; with it go the number of values in one, 131,072 for each "
    "MB, and the MB of all that are in work, 32 times as many.",
    lower_bound=0.001,
    upper_bound=1_000,
)
_MAX_RESPONSE_MB = flags.DEFINE_float(
    "max_response_mb",
    128.0,
    "Size of the largest answer in MB.",
    lower_bound=0.001,
    upper_bound=1_000,
)
_REST_TIMEOUT_S = flags.DEFINE_float(
    "rest_timeout_s", 30.0, "Seconds until a request over REST is given up.", lower_bound=0.001
)
_IDLE_TIMEOUT_S = flags.DEFINE_float(
    "idle_timeout_s",
    30.0,
    "Seconds until a connection without a request is closed.",
    lower_bound=0.1,
)

# To trim takes 20 to 80 ms of a thread.
_TRIM_S = 20.0


def main(argv: list[str]) -> int | None:
    # Before the long way to a first version.
    labels = _labels(_VERSION_LABELS.value)
    os.listdir(_MODEL_DIR.value)
    ports.check(_HOST.value, rest_port=_REST_PORT.value, grpc_port=_GRPC_PORT.value)
    # here, so that --help needs no TensorFlow
    try:
        from neurovocal_tf.server.model_server import ModelServer
    except ImportError as error:
        raise ValueError(
            "The server needs what the extra `serve` brings: python -m pip install "
            f"{shlex.join(_of_the_extra())} ({error})"
        ) from None
    from neurovocal_tf.server import page_policy
    from neurovocal_tf.server.limits import Limits
    from neurovocal_tf.server.origins import KnownHosts
    from neurovocal_tf.server.versions import Versions

    server_log = logging.getLogger("neurovocal_tf.server")
    server_log.setLevel(logging.INFO)
    server_log.addHandler(logging.StreamHandler(sys.stderr))
    server_log.propagate = False
    # TensorFlow would warn of its own reader of records.
    logging.getLogger("tensorflow").setLevel(logging.ERROR)
    limits = Limits(
        max_requests=_MAX_REQUESTS.value,
        max_request_bytes=int(_MAX_REQUEST_MB.value * 2**20),
        max_response_bytes=int(_MAX_RESPONSE_MB.value * 2**20),
        rest_timeout_s=_REST_TIMEOUT_S.value,
        body_timeout_s=min(_IDLE_TIMEOUT_S.value, _REST_TIMEOUT_S.value),
        idle_timeout_s=_IDLE_TIMEOUT_S.value,
    )
    heaps.trim_every(_TRIM_S)
    versions = Versions(_MODEL_DIR.value, _NUM_VERSIONS.value, _BATCH_THREADS.value, labels)
    try:
        versions.refresh()
        if not versions.is_available:
            raise ValueError(
                "`model_dir` must hold a version that loads, a folder whose name is a number. "
                f"Received: model_dir={_MODEL_DIR.value}: {versions.faults() or _no_version()}"
            )
        versions.watch(_POLL_S.value)
        hosts = KnownHosts(_HOST.value, _ALLOWED_HOSTS.value)
        asyncio.run(
            _serve(ModelServer(versions, _MODEL_NAME.value, page_policy.PAGE, limits, hosts))
        )
    finally:
        versions.close()


def _of_the_extra():
    """What to tell pip: the requirements of the extra, wherever the package is installed."""
    try:
        required = importlib.metadata.requires("neurovocal_tf") or ()
    except importlib.metadata.PackageNotFoundError:
        required = ()
    found = [
        f"{asked.name}{asked.specifier}"
        for asked in map(Requirement, required)
        # Some are for other versions of Python.
        if asked.marker
        and asked.marker.evaluate({"extra": "serve"})
        and not asked.marker.evaluate({"extra": ""})
    ]
    return found or [".[serve]"]


async def _serve(server):
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    try:
        rest_port, grpc_port = await server.start(_HOST.value, _REST_PORT.value, _GRPC_PORT.value)
        print(
            f"REST at http://{_HOST.value}:{rest_port}/v1/models/{_MODEL_NAME.value}, gRPC at "
            f"{_HOST.value}:{grpc_port}",
            flush=True,
        )
        await stop.wait()
    finally:
        await server.stop()


def _no_version():
    if os.path.exists(os.path.join(_MODEL_DIR.value, "saved_model.pb")):
        return "it is a version itself: give the folder that it is in"
    return "there is none; `neurovocal export --export_dir=...` writes one"


def _labels(pairs):
    labels = dict(pair.partition("=")[::2] for pair in pairs)
    for label, version in labels.items():
        if not label or not version.isdecimal():
            raise ValueError(
                "`version_labels` must be of the form label=version. "
                f"Received: version_labels={','.join(pairs)}"
            )
    return {label: int(version) for label, version in labels.items()}
