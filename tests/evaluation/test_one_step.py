"""One-step errors against a loop over masked frames."""

import math

import numpy as np
import pytest
import reference
from autoregressive_frames import autoregressive

from neurovocal_tf.evaluation.baselines import BaselineStatistics
from neurovocal_tf.evaluation.one_step import one_step_error, one_step_errors


def test_one_step_error_equals_a_loop_over_masked_frames(rng):
    actual, predicted = rng.normal(size=(2, 3, 6, 4))
    mask = rng.random((3, 6)) < 0.6
    expected = reference.root_mean_square_error(actual, predicted, mask)
    assert one_step_error(actual, predicted, mask) == pytest.approx(expected, rel=1e-12)


def test_one_step_error_ignores_what_the_padding_holds(rng):
    actual, predicted = rng.normal(size=(2, 3, 6, 4))
    mask = np.arange(6) < np.array([[6], [2], [0]])
    expected = one_step_error(actual, predicted, mask)
    actual[~mask], predicted[~mask] = np.nan, np.inf
    assert one_step_error(actual, predicted, mask) == expected
    assert math.isnan(one_step_error(actual, predicted, np.zeros((3, 6))))


def test_the_table_takes_all_errors_on_the_same_frames_of_all_batches(rng):
    sequences, _ = autoregressive(rng, (90, 40))
    statistics = BaselineStatistics()
    statistics.update(sequences[0])
    fitted = statistics.fit()
    frames = sequences[1].reshape(4, 10, 5)
    mask = np.arange(10) < np.array([[10], [3], [0], [7]])
    padded = np.where(mask[..., None], frames, np.nan)
    batches = [(padded[:2], mask[:2]), (padded[2:], mask[2:])]
    predictors = {name: baseline.one_step_predictions for name, baseline in fitted.items()}
    errors = one_step_errors(
        batches, {"too high": lambda f: np.asarray(f, np.float32) + 2} | predictors
    )
    assert errors["too high"] == pytest.approx(2.0, rel=1e-6)
    assert set(errors) == {"too high", "mean", "previous_frame", "ridge_var2"}
    for name, baseline in fitted.items():
        expected = one_step_error(frames, baseline.one_step_predictions(frames), mask)
        assert errors[name] == pytest.approx(expected, rel=1e-12)
