"""What a training run shows."""

import time

import numpy as np
import tensorflow as tf
from random_models import fresh_model

from neurovocal_tf.training.progress import Progress


def waiting_of(delay_s, num_batches=4):
    """(seconds said to have been waited in an epoch, the last epoch's line) of a training whose
    data take `delay_s` a batch.
    """

    def batches():
        for _ in range(num_batches):
            time.sleep(delay_s)
            yield np.zeros((2, 3, 4), np.float32), np.ones((2, 3), np.float32), np.ones(2, bool)

    model = fresh_model(4, 3, 2)
    model.compile(optimizer="sgd")
    signature = tf.TensorSpec([2, 3, 4]), tf.TensorSpec([2, 3]), tf.TensorSpec([2], tf.bool)
    data = tf.data.Dataset.from_generator(batches, output_signature=signature)
    data = data.apply(tf.data.experimental.assert_cardinality(num_batches))
    progress = Progress(2, num_batches)
    model.fit(data, validation_data=data, epochs=2, verbose=0, callbacks=[progress], shuffle=False)
    return progress._waited_s, progress._last


def test_an_epoch_tells_how_long_it_waited_for_data():
    waited_s, line = waiting_of(0.2)
    # Of the first batch's delay a part passes before it is asked for; data that lie ready are
    # waited for on a busy machine alone.
    assert waited_s > 3 * 0.2
    assert waiting_of(0.0)[0] < waited_s / 2
    assert line.endswith(f" s, {waited_s:.1f} s of it waiting for data")


def test_nothing_of_a_step_is_computed_before_the_clock_is_read():
    model = fresh_model(4, 3, 2)
    model.compile(optimizer="sgd")
    signature = tf.TensorSpec([2, 3, 4]), tf.TensorSpec([2, 3]), tf.TensorSpec([2], tf.bool)
    graph = tf.function(model.train_step).get_concrete_function(signature).graph
    loops = [op for op in graph.get_operations() if "While" in op.type]
    assert loops
    for op in loops:
        assert "Timestamp" in {one.type for one in ancestors(op)}


def ancestors(op):
    """The operations that must have run before one."""
    found, waiting = set(), [op]
    while waiting:
        one = waiting.pop()
        for before in [each.op for each in one.inputs] + list(one.control_inputs):
            if before not in found:
                found.add(before)
                waiting.append(before)
    return found
