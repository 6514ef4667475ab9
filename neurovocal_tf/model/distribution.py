"""What one copy of a model has to know of the others, where `tf.distribute` trains several on parts
of one batch. It calls them replicas, which in `rbm.tempering` are those of one frame's machine.
"""

from collections.abc import Sequence

import tensorflow as tf


def are_several() -> bool:
    """Whether the strategy in whose scope this is asked has more than one copy."""
    return tf.distribute.get_strategy().num_replicas_in_sync > 1


def first_row(num_rows: int | tf.Tensor) -> int | tf.Tensor:
    """The place of this copy's first row in the batch of all, of which each copy has `num_rows`."""
    if not are_several():
        return 0
    return tf.distribute.get_replica_context().replica_id_in_sync_group * num_rows


def totals(values: Sequence[tf.Tensor]) -> list[tf.Tensor]:
    """Sums of scalars over all copies, known to each of them; they travel together."""
    if not are_several():
        return list(values)
    together = tf.distribute.get_replica_context().all_reduce(
        tf.distribute.ReduceOp.SUM, tf.stack(values)
    )
    return tf.unstack(together, num=len(values))


def for_keras(figure: tf.Tensor) -> tf.Tensor:
    """A figure as Keras takes it of a step: of several workers it means over their rows
    (keras#20585), and a scalar has none.
    """
    is_of_workers = isinstance(
        tf.distribute.get_strategy(), tf.distribute.MultiWorkerMirroredStrategy
    )
    return tf.reshape(figure, [1]) if is_of_workers and are_several() else figure
