"""How far an utterance is from its speaker's others, beside plain statistics of SciPy's."""

import numpy as np
import pytest
import scipy.stats

from neurovocal_tf.discovery.norms import Norms


def test_one_word_of_one_speaker_is_beside_all_the_others(rng):
    values = rng.normal(5, 2, size=(12, 1))
    found = Norms(values, np.zeros(12, int), np.zeros(12, int)).own()
    others = np.delete(values, 3)
    z = (values[3, 0] - others.mean()) / others.std(ddof=1)
    assert found.z[3, 0] == pytest.approx(z)
    # A new value beside n old ones is Student's t with n - 1 degrees of freedom.
    p = 2 * scipy.stats.t.sf(abs(z) / np.sqrt(1 + 1 / 11), 10)
    assert found.p_values[3, 0] == pytest.approx(p)
    assert found.num_others[3, 0] == 11


def test_words_and_speakers_have_means_of_their_own_and_what_varies_is_shared(rng):
    words, speakers = np.tile(np.repeat(np.arange(3), 6), 2), np.repeat([0, 1], 18)
    values = rng.normal(size=(36, 1)) + 10 * words[:, None] + 100 * speakers[:, None]
    found = Norms(values, speakers, words).own()
    rest = [values[(speakers == 1) & (words == w) & (np.arange(36) != 20), 0] for w in range(3)]
    within = sum(np.square(own - own.mean()).sum() for own in rest)
    sd = np.sqrt(within / (17 - 3))
    assert found.z[20, 0] == pytest.approx((values[20, 0] - rest[0].mean()) / sd)


def test_p_values_are_even_and_intervals_hold_the_truth_as_often_as_they_say(rng):
    values = rng.normal(size=(4000, 1))
    speakers = np.repeat(np.arange(500), 8)
    norms = Norms(values, speakers, np.zeros(4000, int))
    found = norms.own()
    # 4,000 draws of a share: 3.5 standard errors.
    for level in (0.05, 0.5):
        error = 3.5 * np.sqrt(level * (1 - level) / 4000)
        assert np.mean(found.p_values < level) == pytest.approx(level, abs=error + 0.01)
        assert np.mean(found.p_above < level) == pytest.approx(level, abs=error + 0.01)
    is_within = (found.low <= values) & (values <= found.high)
    assert 0.93 < is_within.mean() < 0.985


def test_far_values_that_come_often_are_no_surprise(rng):
    values = rng.standard_t(4, size=(2000, 1))
    ones = np.zeros(2000, int)
    p_values = Norms(values, ones, ones).own().p_values
    assert (
        np.mean(p_values < 0.001)
        < 0.003
        < np.mean(2 * scipy.stats.norm.sf(np.abs(values / values.std())) < 0.001)
    )


def test_another_takes_the_place_of_one_that_does_not_count(rng):
    values = rng.normal(size=(9, 2))
    zeros = np.zeros(9, int)
    norms = Norms(values, zeros, zeros)
    changed = values.copy()
    changed[4] += 7
    expected = Norms(changed, zeros, zeros).own()
    found = norms.judge(changed[4:5], np.array([4]))
    np.testing.assert_allclose(found.z[0], expected.z[4])


def test_what_is_not_known_is_not_judged():
    values = np.array([[1.0, np.nan, 2.0], [2.0, np.nan, 2.0], [4.0, 1.0, 2.0], [3.0, 5.0, 2.0]])
    zeros = np.zeros(4, int)
    found = Norms(values, zeros, zeros).own()
    assert not np.isnan(found.z[:, 0]).any()
    # Too few have the second; the third is the same in all.
    assert np.isnan(found.z[:, 1:]).all() and np.isnan(found.low[:, 1:]).all()
    alone = Norms(values[:1], zeros[:1], zeros[:1]).own()
    assert np.isnan(alone.z).all() and np.isnan(alone.p_values).all()
