"""Each measure of songs against its definition, by loops and by hand."""

import math

import numpy as np
import pytest
import scipy.linalg

from neurovocal_tf.evaluation import song_measures
from neurovocal_tf.evaluation.song_measures import MEASURES, Sung

NUM_TYPES = 3
BREAK = NUM_TYPES
NOTHING = np.zeros((0, 2))


def sung(vectors=NOTHING, sequences=(), **values):
    """Songs of which only what a measure reads is given."""
    types = np.concatenate([np.zeros(len(vectors), int), *sequences])
    of_syllables = ("durations_s", "gaps_s", "centroids_hz", "peak_frequencies_hz")
    told = dict.fromkeys((*of_syllables, "slopes_hz_per_s"), vectors)
    told |= dict.fromkeys(("syllables_per_s", "change_quiet", "change_loud"), math.nan)
    sequences = tuple(map(np.array, sequences))
    told |= {"types": types[types < NUM_TYPES], "vectors": vectors, "sequences": sequences}
    return Sung(num_types=NUM_TYPES, **(told | values))


@pytest.fixture
def pair(rng):
    """Forty real syllables and thirty sung ones, farther to one side and wider spread."""
    return sung(rng.normal(size=(40, 4))), sung(rng.normal(0.4, 1.3, size=(30, 4)))


def distances(one, other):
    return np.array([[math.dist(a, b) for b in other.vectors] for a in one.vectors])


def fifth_nearest(songs):
    """Of each syllable among the others."""
    return np.sort(distances(songs, songs), axis=1)[:, 5]


def test_orders_are_compared_by_what_follows_what_breaks_included():
    real = sung(sequences=[[0, 1, BREAK, 0, 1, 2], [2]])
    assert song_measures.transitions(real).tolist() == [
        [0, 2, 0, 0],
        [0, 0, 1, 1],
        [0, 0, 0, 0],
        [1, 0, 0, 0],
    ]
    songs = sung(sequences=[[0, 1], [0, 2]])
    expected = -(math.log(2.05 / 2.2) + math.log(0.05 / 2.2)) / 2
    assert song_measures.bigram_nats(real, songs) == pytest.approx(expected)
    # Half of all that is sung never follows in the recordings.
    shares = np.array([[0.4, 0.6, 0.0], [0.5, 0.0, 0.5]])
    entropies = [-(p[p > 0] * np.log2(p[p > 0])).sum() for p in (*shares, shares.mean(axis=0))]
    expected = entropies[2] - (entropies[0] + entropies[1]) / 2
    assert song_measures.transition_divergence_bits(real, songs) == pytest.approx(expected)
    assert math.isnan(song_measures.bigram_nats(real, sung(sequences=[[0]])))


def test_types_count_by_the_exponential_of_their_entropy():
    assert song_measures.effective_types(sung(sequences=[[0, 1, 2]])) == pytest.approx(3.0)
    three_to_one = sung(sequences=[[0, 0, BREAK, 0, 1]])
    expected = 4 / 3**0.75
    assert song_measures.effective_types(three_to_one) == pytest.approx(expected)
    ratio = MEASURES["effective_types_ratio"](sung(sequences=[[0, 1, 2]]), three_to_one)
    assert ratio == pytest.approx(expected / 3)


def test_a_frechet_distance_is_that_of_two_gaussians(pair):
    means, covariances = zip(
        *((s.vectors.mean(axis=0), np.cov(s.vectors.T)) for s in pair), strict=True
    )
    root = scipy.linalg.sqrtm(covariances[0] @ covariances[1])
    apart = math.dist(*means) ** 2 + np.trace(sum(covariances) - 2 * np.real(root))
    assert song_measures.frechet(*pair) == pytest.approx(apart / np.trace(covariances[0]))
    assert song_measures.frechet(pair[0], pair[0]) == pytest.approx(0.0, abs=1e-9)
    alike = sung(np.ones((9, 4)))
    assert math.isnan(song_measures.frechet(alike, pair[1]))


def test_coverage_and_recall_are_of_balls_to_the_fifth_neighbour(pair):
    real, songs = pair
    apart = distances(real, songs)
    covered = [(row <= radius).any() for row, radius in zip(apart, fifth_nearest(real))]
    assert song_measures.coverage(real, songs) == pytest.approx(np.mean(covered))
    recalled = (apart <= fifth_nearest(songs)).any(axis=1)
    assert song_measures.recall(real, songs) == pytest.approx(recalled.mean())
    assert 0 < np.mean(covered) < 1 and 0 < recalled.mean() < 1


def test_unlike_is_what_is_twice_as_far_as_real_ones_are_apart(pair):
    real, songs = pair
    usual = np.median(np.sort(distances(real, real), axis=1)[:, 1])
    unlike = distances(songs, real).min(axis=1) > 2 * usual
    assert song_measures.share_unlike(real, songs) == pytest.approx(unlike.mean())
    assert 0 < unlike.mean() < 1


def test_ratios_are_the_songs_over_the_recordings():
    real = sung(syllables_per_s=4.0, change_quiet=2.0, change_loud=3.0)
    songs = sung(syllables_per_s=5.0, change_quiet=1.0, change_loud=math.nan)
    assert MEASURES["rate_ratio"](real, songs) == 1.25
    assert MEASURES["change_quiet_ratio"](real, songs) == 0.5
    assert math.isnan(MEASURES["change_loud_ratio"](real, songs))


@pytest.mark.parametrize("test", [song_measures.linear_accuracy, song_measures.forest_accuracy])
def test_classifiers_tell_what_is_apart_and_guess_at_what_is_not(test, rng):
    real, same, other = (sung(rng.normal(mean, size=(60, 4))) for mean in (0.0, 0.0, 4.0))
    assert test(real, other) > 0.95 and abs(test(real, same) - 0.5) < 0.2
    # A share of each: many more of the one are no reason to guess it.
    assert abs(test(real, sung(rng.normal(size=(300, 4)))) - 0.5) < 0.2
    assert math.isnan(test(real, sung(rng.normal(size=(9, 4)))))
