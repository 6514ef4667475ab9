"""Everything a run needs to go on, in one file."""

import math
import os

import numpy as np
import pytest
import tensorflow as tf
from random_models import fresh_model

from neurovocal_tf.runs import checkpoint
from neurovocal_tf.runs.checkpoint import BestWeights
from neurovocal_tf.training.optimizers import GuardedAdam


def compiled_model(seed=0, num_hidden=3):
    model = fresh_model(num_visible=4, num_hidden=num_hidden, num_recurrent=2, seed=seed)
    optimizer = GuardedAdam(use_ema=True)
    optimizer.build(model.trainable_variables)
    model.compile(optimizer=optimizer)
    return model


@pytest.fixture(scope="module")
def model():
    """A model whose optimiser has taken a step, so that no variable is what a fresh one holds."""
    model = compiled_model()
    model.optimizer.apply(
        [tf.ones_like(v) * (i + 1) for i, v in enumerate(model.trainable_variables)],
        model.trainable_variables,
    )
    model.cd_steps.assign(5)
    model.num_train_steps.assign(77)
    return model


def best_of(model):
    best = BestWeights()
    best.offer([np.asarray(variable) + 1 for variable in model.variables], 0.1 + 0.2, 2, 15, 1 / 3)
    return best


def test_a_checkpoint_gives_everything_back_bit_for_bit(model, tmp_path):
    path, history = (
        str(tmp_path / "checkpoint.npz"),
        [{"epoch": 1, "val_one_step_error": 1 / 3, "learning_rate": 1e-3}],
    )
    checkpoint.save(path, model, 3, best_of(model), history)
    assert os.listdir(tmp_path) == ["checkpoint.npz"]
    restored, best = compiled_model(seed=9), BestWeights()
    assert checkpoint.restore(path, restored, best) == (3, history)
    for ours, theirs in (
        (restored.variables, model.variables),
        (restored.optimizer.variables, model.optimizer.variables),
    ):
        for one, other in zip(ours, theirs, strict=True):
            np.testing.assert_array_equal(np.asarray(one), np.asarray(other))
    assert best.figures() == {
        "epoch": 2,
        "cd_steps": 15,
        "song_distance": 1 / 3,
        "error": 0.1 + 0.2,
    }
    singer = fresh_model(num_visible=4, num_hidden=3, num_recurrent=2)
    assert checkpoint.load_best(path, singer) == 2
    for one, other, array in zip(singer.variables, model.variables, best.weights, strict=True):
        np.testing.assert_array_equal(np.asarray(one), np.asarray(other) + 1)
        np.testing.assert_array_equal(array, np.asarray(other) + 1)


def test_a_checkpoint_of_another_model_is_refused_and_nothing_is_changed(model, tmp_path):
    path = str(tmp_path / "checkpoint.npz")
    checkpoint.save(path, model, 3, best_of(model), [])
    other, best = compiled_model(num_hidden=5), BestWeights()
    before = [np.asarray(variable).copy() for variable in other.variables]
    for load in (
        lambda: checkpoint.restore(path, other, best),
        lambda: checkpoint.load_best(path, other),
    ):
        with pytest.raises(
            ValueError, match="checkpoint.npz holds another model than its config.json describes"
        ):
            load()
    for variable, array in zip(other.variables, before, strict=True):
        np.testing.assert_array_equal(np.asarray(variable), array)


def test_a_file_that_is_no_checkpoint_is_named(model, tmp_path):
    path = tmp_path / "checkpoint.npz"
    with pytest.raises(ValueError, match=f"There is no checkpoint: {path}"):
        checkpoint.load_best(str(path), model)
    checkpoint.save(str(path), model, 3, best_of(model), [])
    whole = path.read_bytes()
    for content in (b"", b"text", whole[: len(whole) // 2]):
        path.write_bytes(content)
        with pytest.raises(ValueError, match=f"{path} is not a checkpoint"):
            checkpoint.load_best(str(path), model)


def test_a_run_stopped_before_its_first_epoch_has_nothing_to_sing_with_but_goes_on(model, tmp_path):
    path = str(tmp_path / "checkpoint.npz")
    checkpoint.save(path, model, 0, BestWeights(), [])
    with pytest.raises(
        ValueError, match="There are no trained weights yet: .*Train for an epoch at least"
    ):
        checkpoint.load_best(path, model)
    assert checkpoint.restore(path, compiled_model(), BestWeights()) == (0, [])


def test_a_save_that_fails_leaves_the_checkpoint_before_it(model, tmp_path, monkeypatch):
    path = str(tmp_path / "checkpoint.npz")
    checkpoint.save(path, model, 3, best_of(model), [])

    def disk_is_full(file, **arrays):
        with open(file, "wb") as half:
            half.write(b"PK")
        raise OSError("disk is full")

    monkeypatch.setattr(np, "savez", disk_is_full)
    with pytest.raises(OSError, match="disk is full"):
        checkpoint.save(path, model, 4, best_of(model), [])
    assert os.listdir(tmp_path) == ["checkpoint.npz"]
    assert checkpoint.restore(path, compiled_model(), BestWeights())[0] == 3


def test_the_best_weights_are_those_of_the_smallest_finite_error_among_the_most_gibbs_steps():
    best = BestWeights()
    offers = [
        (math.nan, 5),
        (math.inf, 5),
        (3.0, 1),
        (4.0, 1),
        (2.0, 1),
        (2.0, 1),
        (math.nan, 9),
        (8.0, 5),
        (1.0, 1),
        (-math.inf, 5),
        (7.0, 5),
    ]
    taken = [
        best.offer([np.array([i])], error, i, cd_steps)
        for i, (error, cd_steps) in enumerate(offers, start=1)
    ]
    # The first, for want of others; the first finite one; a smaller one; one of more steps;
    # a smaller one of those.
    assert [i for i, is_taken in enumerate(taken, start=1) if is_taken] == [1, 3, 5, 8, 11]
    assert (best.error, best.epoch, best.cd_steps, best.weights[0].tolist()) == (7.0, 11, 5, [11])


def test_the_best_weights_are_a_copy():
    best, weights = BestWeights(), np.zeros(2)
    best.offer([weights], 1.0, 1, 15)
    weights += 1
    assert best.weights[0].tolist() == [0, 0]


def test_weights_of_more_gibbs_steps_are_better_whatever_their_error():
    best = BestWeights()
    taken = [
        best.offer([np.array([i])], error, i, steps)
        for i, (error, steps) in enumerate([(1.0, 1), (3.0, 5), (2.0, 1), (2.5, 5)], 1)
    ]
    assert taken == [True, True, False, True]
    assert (best.epoch, best.error, best.cd_steps) == (4, 2.5, 5)


def test_of_the_epochs_with_the_most_gibbs_steps_that_of_the_nearest_songs_is_best():
    best = BestWeights()
    offers = [
        (1.0, 5, 0.1),
        (2.0, 9, math.nan),  # of more steps, and not asked to sing
        (3.0, 9, 0.8),
        (1.5, 9, math.nan),
        (2.5, 9, math.inf),  # sang nothing
        (2.5, 9, 0.9),
        (4.0, 9, 0.7),
        (3.9, 9, 0.7),
        (math.nan, 9, 0.1),
    ]
    taken = [
        best.offer([np.array([i])], error, i, steps, distance)
        for i, (error, steps, distance) in enumerate(offers, start=1)
    ]
    assert [i for i, is_taken in enumerate(taken, start=1) if is_taken] == [1, 2, 3, 7, 8]
    assert best.figures() == {"epoch": 8, "cd_steps": 9, "song_distance": 0.7, "error": 3.9}
