"""What is usual of calls: how often a usual one is called unusual, and that odd ones are."""

import numpy as np
import pytest

from neurovocal_tf.model import usual_calls

NAMES = ("score", "surprise", "duration")


def calls(rng, counts):
    """Scores of calls of types that differ in middle and spread, the first with heavy tails."""
    types = np.repeat(np.arange(len(counts)), counts)
    values = rng.normal(size=(len(types), 3)) * (1 + types[:, None]) + 5 * types[:, None]
    values[:, 0] += np.exp(rng.normal(size=len(types)))
    values[:, 2] = np.exp(values[:, 2])
    return values, types


@pytest.mark.parametrize("counts", [(400, 200, 60), (60, 30, 4), (30,)])
def test_no_more_usual_calls_are_called_unusual_than_the_rate_says(rng, counts):
    found, rate, total = 0, 0.0, 0
    for _ in range(12):
        usual = usual_calls.calibrate(*calls(rng, counts), len(counts), NAMES)
        values, types = calls(rng, counts)
        found += int(usual.judge(values, types).is_unusual.numpy().sum())
        total += len(types)
        rate = usual.rate
    # A share of so many calls, and of what is usual from so few samples, within four deviations.
    slack = 4 * np.sqrt(rate * (1 / total + 1 / (12 * sum(counts))))
    assert found / total <= rate + slack


def test_an_odd_call_is_named_by_the_score_that_is_odd(rng):
    values, types = calls(rng, (200, 100))
    usual = usual_calls.calibrate(values, types, 2, NAMES)
    odd = usual.middles[1] + usual.spreads[1] * np.array(
        [[12, 0, 0], [0, 9, 0], [0, -9, 0], [0, 0, -9]]
    )
    odd[:, 2] = np.exp(odd[:, 2])
    judged = usual.judge(odd, np.ones(4, int))
    assert judged.is_unusual.numpy().all()
    assert judged.fired.numpy().tolist() == [0, 1, 1, 2]
    # None of 300 held-out calls is so far out.
    np.testing.assert_allclose(judged.p, 1 / 301)
    # A call that is foreseen better than all others is not unusual for that.
    better = odd[:1] - np.array([[24, 0, 0]]) * usual.spreads[1]
    better = usual.judge(better, [1])
    assert not better.is_unusual.numpy().any() and better.p_values.numpy()[0, 0] <= 2 / 301


def test_held_out_calls_are_judged_by_the_others(rng):
    values, types = calls(rng, (40, 25))
    usual = usual_calls.calibrate(values, types, 2, NAMES)
    judged = usual.judge_held_out()
    for place in (0, 50):
        others = np.arange(65) != place
        alone = usual_calls.calibrate(values[others], types[others], 2, NAMES)
        expected = alone.judge(values[[place]], types[[place]])
        # What all types share is learned from all 65, or from 64.
        np.testing.assert_allclose(judged.z[place], expected.z[0], rtol=0.1, atol=0.05)
    # Ranks among the others, each once; nothing counts against the rest.
    ranks, total = np.sort(judged.p), judged.total.numpy()
    num_counting = int((total > 0).sum())
    assert 5 < num_counting < 65
    np.testing.assert_allclose(ranks[:num_counting], np.arange(1, num_counting + 1) / 65)
    np.testing.assert_allclose(ranks[num_counting:], 1)


def test_a_distance_counts_twice_and_by_the_calls_of_all_types(rng):
    values = np.exp(np.repeat([[1.0], [3.0]], 100, axis=0) + rng.normal(size=(200, 1)))
    usual = usual_calls.calibrate(values, np.repeat([0, 1], 100), 2, ("distance",))
    np.testing.assert_allclose(usual.middles[0], usual.middles[1])
    judged = usual.judge(np.exp([[2.0], [5.0]]), [0, 1])
    np.testing.assert_allclose(judged.total, 2 * judged.z[:, 0])
    assert judged.total.numpy()[0] < judged.total.numpy()[1]


def test_of_few_or_equal_calls_nothing_is_said_that_nobody_knows(rng):
    values, types = calls(rng, (12, 7))
    usual = usual_calls.calibrate(values, types, 2, NAMES)
    assert usual.rate == 0 and not usual.judge(values * 100, types).is_unusual.numpy().any()
    alike = usual_calls.calibrate(np.ones((30, 3)), np.zeros(30, int), 3, NAMES)
    assert usual_calls.calibrate(*calls(rng, (30, 5)), 2, NAMES).is_pooled.tolist() == [False, True]
    judged = alike.judge(np.ones((2, 3)), [0, 2])
    assert np.isfinite(judged.z).all() and not judged.is_unusual.numpy().any()
