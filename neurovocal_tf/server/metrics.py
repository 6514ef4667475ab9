"""What a model server tells Prometheus: how many requests ended how, and how long they took."""

import bisect
import collections
import itertools
import threading
from collections.abc import Iterator, Mapping

# Upper ends in microseconds; those of TensorFlow Serving grow by 1.8 from 10.
_BUCKETS = tuple(round(10 * 1.8**i, 3) for i in range(33))


class Metrics:
    """Counts requests; its names are those of TensorFlow Serving.

    Args:
        model_name: str.
    """

    def __init__(self, model_name: str) -> None:
        self._model_name = model_name
        self._lock = threading.Lock()
        self._num_requests: collections.Counter[str] = collections.Counter()
        self._latencies: dict[tuple[str, str], list[int]] = collections.defaultdict(
            lambda: [0] * (len(_BUCKETS) + 1)
        )
        self._latency_sums: dict[tuple[str, str], float] = collections.defaultdict(float)

    def count(self, api: str, entrypoint: str, status: str, duration_s: float) -> None:
        """Adds a request.

        Args:
            api: "Predict", say.    entrypoint: "GRPC" or "REST".    status: name of its code.
            duration_s: how long it took.
        """
        micros = duration_s * 1e6
        with self._lock:
            self._num_requests[status] += 1
            if status == "OK":
                self._latencies[api, entrypoint][bisect.bisect_left(_BUCKETS, micros)] += 1
                self._latency_sums[api, entrypoint] += micros

    def page(self, layouts: Mapping[int, int]) -> str:
        """All of it as text, in Prometheus' exposition format 0.0.4; `layouts` as in `Versions`."""
        with self._lock:
            return (
                "\n".join(
                    [*self._count_lines(), *self._latency_lines(), *self._layout_lines(layouts)]
                )
                + "\n"
            )

    def _count_lines(self) -> Iterator[str]:
        name = ":tensorflow:serving:request_count"
        yield f"# TYPE {name} counter"
        for status, number in sorted(self._num_requests.items()):
            yield f'{name}{{model_name="{self._model_name}",status="{status}"}} {number}'

    def _latency_lines(self) -> Iterator[str]:
        name = ":tensorflow:serving:request_latency"
        yield f"# TYPE {name} histogram"
        for (api, entrypoint), counts in sorted(self._latencies.items()):
            labels = f'model_name="{self._model_name}",API="{api}",entrypoint="{entrypoint}"'
            for end, number in zip([*_BUCKETS, "+Inf"], itertools.accumulate(counts), strict=True):
                yield f'{name}_bucket{{{labels},le="{end}"}} {number}'
            yield f"{name}_sum{{{labels}}} {self._latency_sums[api, entrypoint]:.6g}"
            yield f"{name}_count{{{labels}}} {sum(counts)}"

    def _layout_lines(self, layouts: Mapping[int, int]) -> Iterator[str]:
        name = ":neurovocal:song_layout"
        yield f"# TYPE {name} gauge"
        for version, layout in layouts.items():
            yield f'{name}{{model_name="{self._model_name}",version="{version}"}} {layout}'
