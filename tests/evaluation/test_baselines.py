"""The simple baselines against least squares, and what they do with little or bad data."""

import hypothesis
import hypothesis.extra.numpy
import hypothesis.strategies as st
import numpy as np
import pytest
import reference
from autoregressive_frames import autoregressive

from neurovocal_tf.evaluation import baselines
from neurovocal_tf.model import autoregression


def fit(sequences, order=2):
    statistics = baselines.BaselineStatistics(order)
    for frames in sequences:
        statistics.update(frames)
    return statistics.fit()


def test_mean_and_previous_frame_predict_what_their_names_say(rng):
    sequences, _ = autoregressive(rng, (30, 7, 1))
    fitted = fit(sequences)
    mean = np.concatenate(sequences).mean(axis=0)
    frames = sequences[1]
    np.testing.assert_allclose(
        fitted["mean"].one_step_predictions(frames), np.tile(mean, (7, 1)), rtol=1e-12
    )
    np.testing.assert_allclose(
        fitted["previous_frame"].one_step_predictions(frames),
        np.vstack([mean, frames[:-1]]),
        rtol=1e-12,
    )


@pytest.mark.parametrize("order", [1, 2, 3])
def test_ridge_var_equals_least_squares_on_augmented_rows(rng, order):
    sequences, _ = autoregressive(rng, (80, 2, 41, 0, 1, 3))
    var = fit(sequences, order)[f"ridge_var{order}"]
    expected = reference.var_predictions(
        [s for s in sequences if len(s)], order, var.ridge, sequences[2]
    )
    # The normal equations square a condition number of about 10:
    # float64 leaves far more digits than asked here.
    np.testing.assert_allclose(var.one_step_predictions(sequences[2]), expected, rtol=1e-9)


def test_ridge_var_finds_the_matrices_that_made_the_data(rng):
    sequences, matrices = autoregressive(rng, (4000, 4000))
    var = fit(sequences)["ridge_var2"]
    # The standard error of a coefficient is at most 1 / sqrt(8000) = 0.011 here;
    # 50 of them stay below 5 of these.
    np.testing.assert_allclose(var.coefficients, matrices, atol=0.055)
    assert var.ridge < 0.1


def test_the_ridge_is_large_where_history_says_nothing(rng):
    noise = [rng.normal(size=(60, 20)) for _ in range(2)]
    assert fit(noise)["ridge_var2"].ridge == max(autoregression._RIDGES)


def test_a_level_far_from_zero_costs_no_digits(rng):
    sequences, _ = autoregressive(rng, (200, 100), level=0.0)
    shifted = [s + 2.0**20 for s in sequences]
    near, far = fit(sequences)["ridge_var2"], fit(shifted)["ridge_var2"]
    # Frames of 2^20 hold 2^-33 of absolute precision;
    # unshifted moments would lose all of 2^40 * 2^-52.
    np.testing.assert_allclose(far.coefficients, near.coefficients, atol=1e-7)


def test_baselines_do_not_depend_on_the_blocks_of_a_long_sequence(rng, monkeypatch):
    sequences, _ = autoregressive(rng, (100,))
    whole = fit(sequences)["ridge_var2"]
    monkeypatch.setattr(autoregression, "_BLOCK_FRAMES", 7)
    np.testing.assert_allclose(
        fit(sequences)["ridge_var2"].coefficients, whole.coefficients, rtol=1e-9, atol=1e-12
    )


def test_memory_does_not_grow_with_the_recordings(rng):
    statistics = baselines.BaselineStatistics()

    def held():
        return sum(v.nbytes for v in vars(statistics).values() if isinstance(v, np.ndarray))

    statistics.update(rng.normal(size=(20, 6)))
    once = held()
    for _ in range(30):
        statistics.update(rng.normal(size=(50, 6)))
    assert held() == once


@pytest.mark.parametrize("lengths", [(1,), (2,), (1, 1, 2), (3,)])
def test_almost_no_training_frames_still_give_finite_predictions(rng, lengths):
    sequences, _ = autoregressive(rng, lengths)
    for baseline in fit(sequences).values():
        assert np.isfinite(baseline.one_step_predictions(rng.normal(size=(4, 5)))).all()


def test_without_any_history_ridge_var_predicts_the_mean(rng):
    sequences, _ = autoregressive(rng, (1, 2))
    fitted = fit(sequences)
    np.testing.assert_allclose(
        fitted["ridge_var2"].one_step_predictions(sequences[1]),
        fitted["mean"].one_step_predictions(sequences[1]),
        rtol=1e-12,
    )


def test_constant_frames_are_predicted_exactly():
    frames = np.full((40, 3), -70.1)
    for baseline in fit([frames]).values():
        np.testing.assert_allclose(baseline.one_step_predictions(frames), frames, rtol=1e-12)


def test_predictions_of_a_batch_are_those_of_its_rows(rng):
    sequences, _ = autoregressive(rng, (60,))
    windows = rng.normal(size=(3, 9, 5))
    for baseline in fit(sequences).values():
        for row, frames in zip(baseline.one_step_predictions(windows), windows, strict=True):
            np.testing.assert_allclose(row, baseline.one_step_predictions(frames), rtol=1e-12)


@hypothesis.given(
    hypothesis.extra.numpy.arrays(
        np.float64, st.tuples(st.integers(1, 12), st.just(3)), elements=st.floats(-100, 100)
    ),
    st.integers(0, 11),
)
@hypothesis.settings(max_examples=25, deadline=None)
def test_no_prediction_depends_on_its_own_frame_or_a_later_one(frames, t):
    t = min(t, len(frames) - 1)
    fitted = fit(autoregressive(np.random.default_rng(1), (60,), num_visible=3)[0])
    changed = frames.copy()
    changed[t:] += 17.0
    for baseline in fitted.values():
        np.testing.assert_array_equal(
            baseline.one_step_predictions(frames)[: t + 1],
            baseline.one_step_predictions(changed)[: t + 1],
        )


def test_bad_training_frames_are_refused_by_name(rng):
    statistics = baselines.BaselineStatistics()
    with pytest.raises(ValueError, match="at least one frame"):
        statistics.fit()
    with pytest.raises(ValueError, match="`frames` must be finite"):
        statistics.update(np.full((3, 2), np.nan))
    with pytest.raises(ValueError, match=r"`frames` must be \[L, V\]"):
        statistics.update(np.zeros(3))
    statistics.update(np.zeros((3, 2)))
    with pytest.raises(ValueError, match=r"`frames` must be \[L, V\]"):
        statistics.update(np.zeros((3, 4)))
    with pytest.raises(ValueError, match="`order` must be at least 1"):
        baselines.BaselineStatistics(0)
