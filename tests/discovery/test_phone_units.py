"""Units of what is said are the same for every voice, whose names alone are known."""

import itertools

import numpy as np
import pytest
import scipy.signal
import simulated_voice

from neurovocal_tf.discovery import phone_units

RATE = simulated_voice.SAMPLE_RATE
VOICES = {"ada": 210.0, "bob": 110.0, "eve": 160.0}


def power_of(samples):
    """As the model hears it: 32 ms, every 16."""
    return scipy.signal.spectrogram(samples, RATE, ("tukey", 0.25), 256, 128)[2].T


def said(hz, vowels, rng):
    parts = [simulated_voice.say(simulated_voice.glide(0.25, hz), v, rng) for v in vowels]
    return phone_units.measure(power_of(np.concatenate(parts)), RATE)


@pytest.fixture(scope="module")
def heard():
    rng = np.random.default_rng(0)
    return [
        (voice, vowels, said(hz * 2 ** (rng.normal() / 12), vowels, rng))
        for voice, hz in VOICES.items()
        for vowels in ("ai", "ia", "aia", "iai")
    ]


@pytest.fixture(scope="module")
def units(heard):
    voices, _, measured = zip(*heard, strict=True)
    return phone_units.fit(measured, voices, num_units=4)


def told(units, measured, voice=None):
    """The unit in the middle of each vowel."""
    found = units.units_of(measured, voice)
    return [int(found[round((part + 0.5) * 0.25 * RATE / 128)]) for part in range(len(found) // 15)]


def test_a_vowel_is_the_same_units_whoever_says_it_and_another_vowel_others(heard, units):
    of = {"a": set(), "i": set()}
    for voice, vowels, measured in heard:
        for vowel, unit in zip(vowels, told(units, measured, voice), strict=True):
            of[vowel].add(unit)
    assert not of["a"] & of["i"]


def test_whose_a_recording_is_need_not_be_told(heard, units):
    for voice, _, measured in heard:
        assert told(units, measured) == told(units, measured, voice)


def test_units_do_not_depend_on_loudness_and_silence_is_none():
    rng = np.random.default_rng(1)
    loud = np.concatenate([np.zeros(2048), simulated_voice.say(np.full(2048, 150.0), "a", rng)])
    units = phone_units.fit([phone_units.measure(power_of(loud), RATE)], [""], 3)
    soft = phone_units.measure(power_of(0.01 * loud), RATE)
    found = units.units_of(soft)
    np.testing.assert_array_equal(found, units.units_of(phone_units.measure(power_of(loud), RATE)))
    # A window that has only zeros.
    assert set(found[:14]) == {-1} and (found[17:] >= 0).all()
    assert phone_units.runs_of(found)[0][0] >= 14
    nothing = phone_units.measure(np.zeros((5, 129)), RATE)
    assert units.units_of(nothing).tolist() == [-1] * 5 and phone_units.runs_of(found[:14]) == []
    with pytest.raises(ValueError, match="must not be units where no recording sounds"):
        phone_units.fit([nothing], ["ada"])


def test_the_path_is_the_cheapest_of_all(rng):
    costs = rng.uniform(0, 3, (5, 3))

    def price(path):
        return costs[np.arange(5), path].sum() + 1.3 * np.sum(np.diff(path) != 0)

    best = min(map(np.array, itertools.product(range(3), repeat=5)), key=price)
    np.testing.assert_array_equal(phone_units.cheapest_path(costs, 1.3), best)


def test_runs_leave_out_silence():
    found = np.array([-1, 2, 2, -1, -1, 2, 0, 0])
    assert phone_units.runs_of(found) == [(1, 3, 2), (5, 6, 2), (6, 8, 0)]


def test_units_are_kept_in_a_file_and_what_is_none_is_told_in_a_line(heard, units, tmp_path):
    path = tmp_path / phone_units.FILE_NAME
    phone_units.save(path, units)
    kept = phone_units.load(path)
    assert kept.names == units.names and kept.voices == tuple(sorted(VOICES))
    np.testing.assert_array_equal(kept.units_of(heard[0][2]), units.units_of(heard[0][2]))
    path.write_bytes(path.read_bytes()[:200])
    with pytest.raises(ValueError, match=r"phone_units.npz holds no units .*") as error:
        phone_units.load(path)
    assert "\n" not in str(error.value)
    with pytest.raises(ValueError, match="holds no units"):
        phone_units.load(tmp_path / "none.npz")
