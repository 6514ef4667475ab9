"""Songs beside songs: how far they are apart, in numbers that can be told beforehand."""

import math

import numpy as np
import pytest
import soundfile
import tensorflow as tf
import tones

from neurovocal_tf.audio import spectrogram, synthesis
from neurovocal_tf.config import Config
from neurovocal_tf.data import simulated_song
from neurovocal_tf.discovery.syllables import SongStatistics, song_statistics
from neurovocal_tf.evaluation import song_likeness

SAMPLE_RATE = 16_000


@pytest.fixture(scope="module")
def bird():
    return tones.bird()


def test_call_types_are_counted_and_visited(bird):
    again = song_likeness.call_types(bird["real"], bird["again"])
    assert (again["num_kinds_real"], again["num_kinds_generated"]) == (3, 3)
    assert again["share_unfamiliar"] <= 0.05
    assert song_likeness.call_types(bird["real"], bird["one_type"])["num_kinds_generated"] == 1


def test_what_making_sound_of_a_spectrogram_does_to_a_song_makes_no_other_call_types_of_it():
    songs = [simulated_song.simulate_song(seed, 8.0) for seed in range(6)]
    heard = [(samples, SAMPLE_RATE) for samples, _ in songs]
    config = Config.preset("demo")
    remade = [
        (
            synthesis.griffin_lim(
                spectrogram.power_spectrogram(samples, rate, config.spectrogram)[tf.newaxis],
                rate,
                config.spectrogram,
                num_iterations=30,
            )[0].numpy(),
            rate,
        )
        for samples, rate in heard
    ]
    real, again = (song_statistics(chosen, config) for chosen in (heard, remade))
    found = song_likeness.call_types(real, again)
    assert found["num_kinds_generated"] == found["num_kinds_real"] >= 6
    # What few bounds move by a sample or two is farther than its type's own calls are.
    assert found["share_unfamiliar"] < 0.15


def test_syllables_unlike_any_real_one_belong_to_no_type(bird):
    stranger = song_likeness.call_types(bird["real"], bird["stranger"])
    assert stranger["num_kinds_generated"] == 0
    assert stranger["share_unfamiliar"] == 1.0
    assert stranger["transition_divergence_nats"] == pytest.approx(math.log(2))


def test_transition_divergence_tells_the_order_of_the_same_syllables(bird):
    assert song_likeness.call_types(bird["real"], bird["again"])["transition_divergence_nats"] < 0.1
    assert (
        song_likeness.call_types(bird["real"], bird["backwards"])["transition_divergence_nats"]
        > 0.5
    )


def test_without_syllables_there_is_nothing_to_compare():
    silent = song_statistics([(np.zeros(8000), tones.SAMPLE_RATE)], Config())
    assert math.isnan(song_likeness.compare_songs(silent, silent)["num_kinds_real"])


def test_a_bird_compared_with_itself_has_ratios_of_one_and_no_distance(bird):
    table = song_likeness.compare_songs(bird["real"], bird["real"])
    for key, value in table.items():
        if key.startswith("ratio_"):
            assert value == 1.0
        if key.startswith("ks_") or key == "transition_divergence_nats":
            assert value == pytest.approx(0.0, abs=1e-12)
    assert all(isinstance(value, (int, float)) for value in table.values())


def test_ratios_are_generated_over_real(bird):
    table = song_likeness.compare_songs(bird["real"], bird["stranger"])
    assert (
        table["ratio_median_peak_frequency"]
        == table["generated_median_peak_frequency_hz"] / table["real_median_peak_frequency_hz"]
    )
    assert table["ratio_median_duration"] > 1.5
    assert table["ks_peak_frequency"] == 1.0
    assert table["generated_num_syllables"] == bird["stranger"].num_syllables


def test_comparison_is_the_same_every_time(bird):
    assert song_likeness.compare_songs(bird["real"], bird["again"]) == song_likeness.compare_songs(
        bird["real"], bird["again"]
    )


def test_two_halves_of_one_finchs_songs_are_alike_and_songs_played_backwards_are_not(
    shared_recordings,
):
    files = sorted((shared_recordings / "bengalese_finch_gy6or6").glob("*.wav"))
    songs = [soundfile.read(file, dtype="float32") for file in files]
    half, other, backwards = (
        song_statistics(chosen, Config())
        for chosen in (
            songs[::2],
            songs[1::2],
            [(samples[::-1], sample_rate) for samples, sample_rate in songs[1::2]],
        )
    )
    alike, unlike = (
        song_likeness.compare_songs(half, other),
        song_likeness.compare_songs(half, backwards),
    )
    for key, ratio in alike.items():
        if key.startswith("ratio_"):
            assert 0.9 < ratio < 1.1, key
    # Eleven types are labelled; 0.02 nats between the halves were measured, 0.6 backwards.
    assert 9 <= alike["num_kinds_real"] <= 14
    assert alike["num_kinds_generated"] >= 9
    assert alike["share_unfamiliar"] < 0.03 < unlike["share_unfamiliar"]
    assert alike["transition_divergence_nats"] < 0.1 < 0.4 < unlike["transition_divergence_nats"]


def songs_of(rate, durations_s, gaps_s, peaks_hz):
    arrays = [np.asarray(values, float) for values in (durations_s, gaps_s, peaks_hz)]
    medians = [np.median(values) if len(values) else math.nan for values in arrays]
    return SongStatistics(len(durations_s), rate, *medians, *arrays, np.empty(0), np.empty(0, bool))


def test_the_distance_of_songs_adds_rate_distributions_and_medians():
    durations, gaps, peaks = (
        np.linspace(0.02, 0.1, 20),
        np.linspace(0.01, 0.1, 19),
        np.linspace(1e3, 4e3, 20),
    )
    real = songs_of(6.0, durations, gaps, peaks)
    assert song_likeness.song_distance(real, real) == 0.0
    # Twice or half as many in the same time are as far.
    assert song_likeness.song_distance(
        real, songs_of(12.0, durations, gaps, peaks)
    ) == pytest.approx(math.log(2))
    assert song_likeness.song_distance(
        real, songs_of(3.0, durations, gaps, peaks)
    ) == pytest.approx(math.log(2))
    # A quarter of the durations beyond all real ones, their median as it was;
    # every gap longer than any real one.
    longer = np.where(np.arange(20) >= 15, 1.0, durations)
    assert song_likeness.song_distance(real, songs_of(6.0, longer, gaps, peaks)) == pytest.approx(
        0.25
    )
    assert song_likeness.song_distance(
        real, songs_of(6.0, durations, gaps + 1, peaks)
    ) == pytest.approx(1.0 + math.log(1.055 / 0.055))


@pytest.mark.parametrize("count", [0, 9])
def test_songs_of_too_few_syllables_are_at_an_infinite_distance(count):
    values = np.linspace(0.01, 0.1, 30)
    real, few = (
        songs_of(6.0, values, values, values),
        songs_of(1.0, values[:count], values[: max(count - 1, 0)], values[:count]),
    )
    assert (
        song_likeness.song_distance(real, few) == song_likeness.song_distance(few, real) == math.inf
    )
