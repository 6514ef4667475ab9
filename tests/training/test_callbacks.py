"""Which epoch's weights a run keeps, and whether there is room for them."""

import shutil

import numpy as np
import pytest
import tensorflow as tf
from averaging import averages_of, model_with_averages, weights_of
from histories import history_of
from random_models import fresh_model

from neurovocal_tf.runs import checkpoint
from neurovocal_tf.runs.checkpoint import BestWeights
from neurovocal_tf.runs.run_folder import RunFolder
from neurovocal_tf.training.callbacks import RoomForWeights, RunRecord


def test_the_best_weights_are_the_averages_of_the_epoch_with_the_smallest_validation_error(
    tmp_path,
):
    averaging_model = model_with_averages()
    folder, best, history = RunFolder(tmp_path), BestWeights(), []
    found = []
    record = RunRecord(
        folder, best, history, {"mean": 9.0}, "dB", find_noise=lambda: found.append(len(history))
    )
    record.set_model(averaging_model)
    record.on_train_begin()
    averages, weights = {}, None
    for epoch, error in enumerate([2.0, 1.0, np.nan, 3.0]):
        variables = averaging_model.trainable_variables
        averaging_model.optimizer.apply(
            [tf.ones_like(variable) for variable in variables], variables
        )
        averages[epoch + 1], weights = averages_of(averaging_model), weights_of(averaging_model)
        record.on_epoch_begin(epoch)
        record.on_epoch_end(epoch, {"val_one_step_error": error})
    record.on_train_end()
    assert (best.epoch, best.error) == (2, 1.0)
    # Of the weights that were the best so far, and of no others.
    assert found == [1, 2]
    assert [row["baseline_mean"] for row in history_of(tmp_path)] == [9.0] * 4

    singer = fresh_model(num_visible=3, num_hidden=2, num_recurrent=2)
    assert checkpoint.load_best(folder.checkpoint, singer) == 2
    for one, other in zip(weights_of(singer), averages[2], strict=True):
        np.testing.assert_array_equal(one, other)
    # Training itself goes on with the weights, not with their averages.
    checkpoint.restore(folder.checkpoint, averaging_model, BestWeights())
    for one, other in zip(weights_of(averaging_model), weights, strict=True):
        np.testing.assert_array_equal(one, other)


def test_a_disk_without_room_for_the_weights_is_told_before_they_are_written(tmp_path, monkeypatch):
    room = RoomForWeights(str(tmp_path))
    room.set_model(fresh_model(4, 3, 3))
    room.on_epoch_end(0)
    usage = shutil.disk_usage(tmp_path)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage._replace(free=2**20))
    with pytest.raises(OSError, match="No space left on device"):
        room.on_epoch_end(1)
