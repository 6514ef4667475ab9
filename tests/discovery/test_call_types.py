"""Call types of tones, whose types are known."""

import dataclasses

import numpy as np
import pytest
import tones

from neurovocal_tf.discovery.call_types import fit_call_types


@pytest.fixture(scope="module")
def bird():
    return tones.bird()


def test_syllables_that_are_alike_are_of_one_type_whoever_sings_them(bird):
    types_of = fit_call_types(bird["real"])
    num_types, types = types_of(bird["real"])
    assert num_types == 3
    assert np.mean(types == num_types) <= 0.05
    again = types_of(bird["again"])[1]
    # Both birds sing the same three tones in turn.
    assert len(types) == len(again) and np.mean(types == again) >= 0.9


def test_syllables_unlike_any_real_one_are_of_no_type(bird):
    num_types, types = fit_call_types(bird["real"])(bird["stranger"])
    assert (types == num_types).all()


def test_perfect_copies_are_one_type_without_a_warning(bird, recwarn):
    def copies(array):
        return np.repeat(array[:1], 12, axis=0)

    names = ("durations_s", "gaps_s", "peak_frequencies_hz", "spectra_db")
    arrays = {name: copies(getattr(bird["real"], name)) for name in names}
    same = dataclasses.replace(bird["real"], num_syllables=12, follows=np.arange(12) > 0, **arrays)
    num_types, types = fit_call_types(same)(same)
    assert num_types == 1 and not types.any()
    assert not recwarn.list
