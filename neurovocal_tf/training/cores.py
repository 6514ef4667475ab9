"""How a batch and its parts share the cores of a machine."""

import tensorflow as tf

from neurovocal_tf.config import Config
from neurovocal_tf.processors import num_cores

# Fewer rows would not be worth the weights that each of their products reads.
_SMALLEST_PART = 4


def num_parts(config: Config, num_replicas: int = 1) -> int:
    """Parts that a replica's rows of a batch are worked on in: as configured, or one a core, of at
    least `_SMALLEST_PART` rows; beside a GPU one.

    Raises ValueError where a batch cannot be shared out so.
    """
    wanted = (config.execution.parallel_parts or 1) * num_replicas
    if config.data.batch_size % wanted:
        raise ValueError(
            f"`batch_size` must be a multiple of {wanted}: {num_replicas} replicas share a batch, "
            f"each in `parallel_parts`. Received: batch_size={config.data.batch_size}, "
            f"parallel_parts={config.execution.parallel_parts}"
        )
    if config.execution.parallel_parts:
        return config.execution.parallel_parts
    if len(tf.config.list_physical_devices()) > 1:
        return 1
    batch_size = config.data.batch_size // num_replicas
    numbers = range(1, min(num_cores(), batch_size // _SMALLEST_PART) + 1)
    return max((number for number in numbers if batch_size % number == 0), default=1)


def share_out_cores(config: Config, num_replicas: int = 1) -> None:
    """Leaves each part of a batch its share of the cores: one part's products would otherwise push
    the other parts off theirs.

    For a process whose work is training, before TensorFlow has computed anything;
    afterwards it raises RuntimeError.
    """
    tf.config.threading.set_intra_op_parallelism_threads(
        max(num_cores() // num_parts(config, num_replicas), 1)
    )
