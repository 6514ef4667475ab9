"""What units tell of types: all of it, nothing of it, and no more than chance does."""

import numpy as np
import pytest
from sklearn.metrics import mutual_info_score

from neurovocal_tf.discovery import hidden_units

TYPES = np.tile([0, 1, 2, 3], 60)
RECORDINGS = np.repeat(np.arange(8), 30)


def test_a_unit_that_is_on_for_one_type_is_told_and_one_of_noise_is_not(rng):
    noise = rng.random((240, 20))
    of_one_type = np.where(TYPES == 2, 0.9, 0.1) + 0.01 * rng.random(240)
    of_all = TYPES + 0.01 * rng.random(240)
    told = hidden_units.tell(np.column_stack([of_one_type, of_all, noise]), TYPES, 4, RECORDINGS)
    # H(1/4) and H(4 types), less what chance has of eight levels.
    assert told.bits[0] == pytest.approx(0.811, abs=0.1)
    assert told.bits[1] == pytest.approx(2.0, abs=0.1)
    assert told.type_bits == pytest.approx(2.0)
    assert told.p_values[:2].tolist() == [0.01, 0.01]
    # Of twenty units of noise one in twenty families has any below .05.
    assert np.sum(told.p_values[2:] <= 0.05) <= 1
    assert told.bits[2:].max() < 0.1


def test_plain_mutual_information_is_that_of_levels(rng):
    values = rng.random((240, 3)) + 0.3 * TYPES[:, None]
    levels = hidden_units._levels(values)
    by_hand = [mutual_info_score(TYPES, levels[:, unit]) / np.log(2) for unit in range(3)]
    np.testing.assert_allclose(hidden_units._bits(levels, TYPES, 4), by_hand, rtol=1e-6)
    assert np.bincount(levels[:, 0]).tolist() == [30] * 8


def test_what_differs_from_recording_to_recording_alone_is_no_telling(rng):
    """A unit that follows the recording, where each recording has types of its own."""
    types = np.where(rng.random(240) < 0.9, RECORDINGS % 4, TYPES)
    unit = RECORDINGS + 0.1 * rng.random(240)
    told = hidden_units.tell(unit[:, None], types, 4, RECORDINGS)
    assert told.p_values[0] > 0.05 and told.bits[0] < 0.1


def test_means_are_by_type_and_of_absent_types_not_known(rng):
    means = rng.random((240, 2))
    told = hidden_units.tell(means, TYPES, 5, RECORDINGS)
    np.testing.assert_allclose(told.means[1], means[TYPES == 1].mean(axis=0))
    assert np.isnan(told.means[4]).all()


def test_units_that_never_change_tell_nothing():
    told = hidden_units.tell(np.full((240, 2), 0.5), TYPES, 4, RECORDINGS)
    assert told.bits.tolist() == [0.0, 0.0] and told.p_values.tolist() == [1.0, 1.0]


def test_the_calls_that_drive_a_unit_are_the_highest_of_several_recordings():
    peaks = np.array([[0.9], [0.8], [0.1], [0.7], [0.6]])
    recordings = np.array([0, 0, 1, 2, 2])
    assert hidden_units.best_calls(peaks, 0, recordings, 4).tolist() == [0, 3, 2, 1]
