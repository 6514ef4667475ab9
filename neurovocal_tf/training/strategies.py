"""One training by one process, by the devices of a machine, or by several workers: what differs is
here.

All replicas hold the same weights and work on rows of their own of one batch; gradients are summed.
The chief alone has the run folder. It hands its checkpoint to the others before the first step, who
go on from it as it does.
"""

import contextlib
import dataclasses
from collections.abc import Iterator, Sequence

import numpy as np
import tensorflow as tf

from neurovocal_tf import greeting
from neurovocal_tf.config import Config
from neurovocal_tf.data.shares import WHOLE, Place
from neurovocal_tf.training.cores import num_parts
from neurovocal_tf.training.time_limit import ended_after
from neurovocal_tf.training.workers import Cluster

# TensorFlow's cluster stands within seconds, or waits for a worker that has gone without end.
_LONGEST_START_S = 120.0
# What is left of a connection to a worker that has gone: a collective ends with one of these.
_GONE = (
    tf.errors.UnavailableError,
    tf.errors.AbortedError,
    tf.errors.DeadlineExceededError,
    tf.errors.CancelledError,
    tf.errors.InternalError,
)
_OF_A_CLUSTER = ("ollective", "oordination", "grpc", "GRPC", "/job:", "heartbeat", "Socket closed")


@dataclasses.dataclass(frozen=True)
class Replicas:
    """Who trains.

    Attributes:
        place: the rows of a batch that this process takes.
        strategy: TensorFlow's; None: one process with one device.
    """

    place: Place = WHOLE
    strategy: tf.distribute.Strategy | None = None

    @property
    def are_several(self) -> bool:
        """Whether a model has to be built in `scope`, and its data to go through `distributed`."""
        return self.strategy is not None

    @property
    def is_chief(self) -> bool:
        """Whether this process surveys and writes."""
        return self.place.index == 0

    def scope(self) -> contextlib.AbstractContextManager[object]:
        """The block in which a model is built and compiled."""
        return self.strategy.scope() if self.strategy else contextlib.nullcontext()

    def distributed(self, dataset: tf.data.Dataset) -> tf.data.Dataset:
        """A dataset of the batches of this process' replicas as Keras takes it."""
        if self.strategy is None:
            return dataset
        return self.strategy.distribute_datasets_from_function(lambda context: dataset)

    def wait_for_all(self) -> None:
        """Returns when every worker has come here."""
        if self.place.count > 1:
            self._sum(np.zeros(1, np.int32))

    def hand_out(self, paths: Sequence[str]) -> None:
        """Gives files of the chief to the other workers, which `take` as many."""
        if self.place.count > 1:
            for path in paths:
                with open(path, "rb") as file:
                    self._exchange(file.read())

    def take(self, paths: Sequence[str]) -> None:
        """Writes the files that the chief `hand_out`s."""
        for path in paths:
            with open(path, "wb") as file:
                file.write(self._exchange(b""))

    def _exchange(self, text):
        """The chief's bytes, in all workers: a sum to which the others add nothing."""
        length = int(self._sum(np.array([len(text)], np.int32))[0])
        words = np.frombuffer(text.ljust(length + -length % 4, b"\0"), np.int32)
        return self._sum(words if self.is_chief else np.zeros_like(words)).tobytes()[:length]

    def _sum(self, numbers):
        values = self.strategy.experimental_distribute_values_from_function(
            # One of a worker's replicas speaks for it.
            lambda context: tf.constant(
                numbers
                if context.replica_id_in_sync_group % self.place.num_replicas == 0
                else np.zeros_like(numbers)
            )
        )
        return self.strategy.reduce(tf.distribute.ReduceOp.SUM, values, axis=None).numpy()

    @contextlib.contextmanager
    def told_of_each_other(self) -> Iterator[None]:
        """What another worker's end does to this one is told in one line.

        Raises ValueError in the place of the errors of TensorFlow's cluster.
        """
        try:
            yield
        except _GONE as error:
            lines = [
                line
                for line in str(error).splitlines()
                if any(word in line for word in _OF_A_CLUSTER)
            ]
            if self.place.count == 1 or not lines:
                raise
            raise ValueError(
                "Another worker has gone, and what trained together has ended: start all of them "
                f"again, and the run goes on from its checkpoint. TensorFlow: {lines[0][:200]}"
            ) from error


#: One process with one device.
ALONE = Replicas()


def of_this_machine(config: Config) -> Replicas:
    """The GPUs of this machine; where there is none its processors, which are one device unless
    `tf.config` has parted them.

    Raises ValueError for fewer than two, or where they cannot share a batch.
    """
    devices = tf.config.list_logical_devices("GPU") or tf.config.list_logical_devices("CPU")
    if len(devices) < 2:
        raise ValueError(
            "`strategy` must be none on a machine with fewer than two GPUs; all cores of a "
            f"processor work in any case. Received: strategy=mirrored, and {devices[0].name}"
        )
    num_parts(config, len(devices))  # which says where they cannot
    # NCCL serves GPUs alone.
    summed = None if devices[0].device_type == "GPU" else tf.distribute.ReductionToOneDevice()
    strategy = tf.distribute.MirroredStrategy(
        [device.name for device in devices], cross_device_ops=summed
    )
    return Replicas(Place(num_replicas=len(devices)), strategy)


def of_workers(config: Config, cluster: Cluster) -> Replicas:
    """The workers of a cluster, each with its GPUs, or its processor.

    For a process that has computed nothing with TensorFlow, when all workers have called in, see
    `workers.call_roll`.

    Raises ValueError where TensorFlow cannot start its cluster; ends the process where one of the
    workers has gone since.
    """
    if len(cluster.names) == 1:
        return of_this_machine(config) if num_local_replicas() > 1 else ALONE
    with (
        ended_after(
            _LONGEST_START_S,
            f"TensorFlow's cluster of {', '.join(cluster.names)} does not stand after "
            f"{_LONGEST_START_S:g} s. Has one of them ended? Start all of them again.",
        ),
        greeting.left_out() if greeting.is_unwanted() else contextlib.nullcontext(),
    ):
        try:
            strategy = tf.distribute.MultiWorkerMirroredStrategy()
        except tf.errors.OpError as error:
            raise ValueError(
                f"{cluster.names[cluster.index]} cannot start its part of TensorFlow's cluster: "
                f"{str(error).splitlines()[0]}. Start all workers again."
            ) from error
    return Replicas(Place(cluster.index, len(cluster.names), num_local_replicas()), strategy)


def num_local_replicas() -> int:
    """Replicas that this process has among workers."""
    return max(len(tf.config.list_physical_devices("GPU")), 1)
