"""Moving averages of the weights: what they are of, and who sees them."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from averaging import averages_of, model_with_averages, weights_of
from stepping import assert_close, assert_equal, draw, make_variables, run, tiny_model

from neurovocal_tf.training.averages import AveragedValidation, averaged_weights, swap_averages
from neurovocal_tf.training.optimizers import GuardedAdam, GuardedRMSprop


@pytest.mark.parametrize("kind", [GuardedRMSprop, GuardedAdam])
def test_averages_are_the_moving_average_of_the_weights_from_their_initial_values(kind, rng):
    values, batches = draw(rng, 3)
    variables, optimizer = make_variables(values), kind(0.1, use_ema=True, ema_momentum=0.5)
    expected = list(values)
    for batch in batches:
        weights = run(optimizer, variables, [batch])
        expected = [0.5 * e + 0.5 * w for e, w in zip(expected, weights)]
    with averaged_weights(optimizer, variables):
        assert_close([np.array(v) for v in variables], expected)
    assert_equal([np.array(v) for v in variables], weights)


def test_averages_start_at_the_weights_even_if_the_first_trace_builds_the_optimizer(rng):
    values, batches = draw(rng, 2)
    variables, optimizer = make_variables(values), GuardedAdam(0.1, use_ema=True, ema_momentum=1.0)
    run(optimizer, variables, batches, jit_compile=False)
    with averaged_weights(optimizer, variables):
        assert_equal([np.array(v) for v in variables], values)


def test_swapping_twice_changes_nothing_and_an_error_in_the_context_swaps_back(rng):
    values, batches = draw(rng, 2)
    variables, optimizer = make_variables(values), GuardedAdam(0.1, use_ema=True)
    run(optimizer, variables, batches)
    before = [np.array(v) for v in (*variables, *optimizer.variables)]
    swap_averages(optimizer, variables)
    assert any((np.array(v) != b).any() for v, b in zip(variables, before))
    swap_averages(optimizer, variables)
    assert_equal([np.array(v) for v in (*variables, *optimizer.variables)], before)
    with pytest.raises(KeyboardInterrupt), averaged_weights(optimizer, variables):
        raise KeyboardInterrupt
    assert_equal([np.array(v) for v in (*variables, *optimizer.variables)], before)


def test_without_averages_the_context_changes_nothing(rng):
    values, batches = draw(rng, 1)
    variables, optimizer = make_variables(values), GuardedAdam(0.1)
    weights = run(optimizer, variables, batches)
    with averaged_weights(optimizer, variables):
        assert_equal([np.array(v) for v in variables], weights)


def test_averages_are_those_of_constrained_weights(rng):
    constraint = keras.constraints.NonNeg()
    with keras.name_scope("conditional_rbm"):
        variable = keras.Variable(np.full(3, 0.01, np.float32), name="log_sigma")
    variable.constraint = constraint
    optimizer = GuardedAdam(0.1, use_ema=True, ema_momentum=0.0)
    optimizer.apply([tf.ones(3)], [variable])
    with averaged_weights(optimizer, [variable]):
        assert_equal([np.array(variable)], [np.zeros(3)])


def test_fit_ends_with_the_weights_as_trained(rng):
    """Keras would put the averages in their place, and a resumed run would go on from them."""
    x, y = rng.normal(size=(8, 3)).astype(np.float32), rng.normal(size=(8, 1)).astype(np.float32)
    plain, averaged = tiny_model(GuardedAdam(0.1)), tiny_model(GuardedAdam(0.1, use_ema=True))
    for model in (plain, averaged):
        model.fit(x, y, epochs=2, batch_size=8, verbose=0)
    assert_equal(averaged.get_weights(), plain.get_weights())


def test_validation_sees_the_averages_and_training_goes_on_with_the_weights():
    averaging_model = model_with_averages()
    weights, averages = weights_of(averaging_model), averages_of(averaging_model)
    assert not np.array_equal(weights[0], averages[0])
    validation = AveragedValidation()
    validation.set_model(averaging_model)
    validation.on_test_begin()
    np.testing.assert_array_equal(weights_of(averaging_model)[0], averages[0])
    validation.on_test_end()
    for found, expected in (
        (weights_of(averaging_model), weights),
        (averages_of(averaging_model), averages),
    ):
        for one, other in zip(found, expected, strict=True):
            np.testing.assert_array_equal(one, other)
