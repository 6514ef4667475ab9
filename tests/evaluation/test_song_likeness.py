import dataclasses
import math

import hypothesis
import hypothesis.extra.numpy
import hypothesis.strategies as st
import numpy as np
import pytest
import reference
import soundfile

from neurovocal_tf.config import Config
from neurovocal_tf.evaluation import baselines, song_likeness

SAMPLE_RATE = 16_000
# A boundary moves outwards by half the detector's running mean, 2 ms, and by what its band-pass rings beyond a sudden tone.
BOUNDARY_S = 0.0025


def _autoregressive(rng, lengths, num_visible=5, level=-60.0):
    """Frames [L, V] that follow a known VAR(2) around `level`, and its two matrices."""
    first = 0.5 * np.eye(num_visible) + 0.1 * rng.normal(size=(num_visible, num_visible))
    second = -0.3 * np.eye(num_visible)
    sequences = []
    for length in lengths:
        frames = rng.normal(size=(length + 50, num_visible))
        for t in range(2, len(frames)):
            frames[t] += frames[t - 1] @ first + frames[t - 2] @ second
        sequences.append(frames[50:] + level)
    return sequences, (first, second)


def _fit(sequences, order=2):
    statistics = baselines.BaselineStatistics(order)
    for frames in sequences:
        statistics.update(frames)
    return statistics.fit()


def test_mean_and_previous_frame_predict_what_their_names_say(rng):
    sequences, _ = _autoregressive(rng, (30, 7, 1))
    fitted = _fit(sequences)
    mean = np.concatenate(sequences).mean(axis=0)
    frames = sequences[1]
    np.testing.assert_allclose(fitted["mean"].one_step_predictions(frames), np.tile(mean, (7, 1)), rtol=1e-12)
    np.testing.assert_allclose(fitted["previous_frame"].one_step_predictions(frames), np.vstack([mean, frames[:-1]]), rtol=1e-12)


@pytest.mark.parametrize("order", [1, 2, 3])
def test_ridge_var_equals_least_squares_on_augmented_rows(rng, order):
    sequences, _ = _autoregressive(rng, (80, 2, 41, 0, 1, 3))
    var = _fit(sequences, order)[f"ridge_var{order}"]
    expected = reference.var_predictions([s for s in sequences if len(s)], order, var.ridge, sequences[2])
    # The normal equations square a condition number of about 10: float64 leaves far more digits than asked here.
    np.testing.assert_allclose(var.one_step_predictions(sequences[2]), expected, rtol=1e-9)


def test_ridge_var_finds_the_matrices_that_made_the_data(rng):
    sequences, matrices = _autoregressive(rng, (4000, 4000))
    var = _fit(sequences)["ridge_var2"]
    # The standard error of a coefficient is at most 1 / sqrt(8000) = 0.011 here; 50 of them stay below 5 of these.
    np.testing.assert_allclose(var.coefficients, matrices, atol=0.055)
    assert var.ridge < 0.1


def test_the_ridge_is_large_where_history_says_nothing(rng):
    noise = [rng.normal(size=(60, 20)) for _ in range(2)]
    assert _fit(noise)["ridge_var2"].ridge == max(baselines._RIDGES)


def test_a_level_far_from_zero_costs_no_digits(rng):
    sequences, _ = _autoregressive(rng, (200, 100), level=0.0)
    shifted = [s + 2.0**20 for s in sequences]
    near, far = _fit(sequences)["ridge_var2"], _fit(shifted)["ridge_var2"]
    # Frames of 2^20 hold 2^-33 of absolute precision; unshifted moments would lose all of 2^40 * 2^-52.
    np.testing.assert_allclose(far.coefficients, near.coefficients, atol=1e-7)


def test_baselines_do_not_depend_on_the_blocks_of_a_long_sequence(rng, monkeypatch):
    sequences, _ = _autoregressive(rng, (100,))
    whole = _fit(sequences)["ridge_var2"]
    monkeypatch.setattr(baselines, "_BLOCK_FRAMES", 7)
    np.testing.assert_allclose(_fit(sequences)["ridge_var2"].coefficients, whole.coefficients, rtol=1e-9, atol=1e-12)


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
    sequences, _ = _autoregressive(rng, lengths)
    for baseline in _fit(sequences).values():
        assert np.isfinite(baseline.one_step_predictions(rng.normal(size=(4, 5)))).all()


def test_without_any_history_ridge_var_predicts_the_mean(rng):
    sequences, _ = _autoregressive(rng, (1, 2))
    fitted = _fit(sequences)
    np.testing.assert_allclose(
        fitted["ridge_var2"].one_step_predictions(sequences[1]), fitted["mean"].one_step_predictions(sequences[1]), rtol=1e-12
    )


def test_constant_frames_are_predicted_exactly():
    frames = np.full((40, 3), -70.1)
    for baseline in _fit([frames]).values():
        np.testing.assert_allclose(baseline.one_step_predictions(frames), frames, rtol=1e-12)


def test_predictions_of_a_batch_are_those_of_its_rows(rng):
    sequences, _ = _autoregressive(rng, (60,))
    windows = rng.normal(size=(3, 9, 5))
    for baseline in _fit(sequences).values():
        for row, frames in zip(baseline.one_step_predictions(windows), windows, strict=True):
            np.testing.assert_allclose(row, baseline.one_step_predictions(frames), rtol=1e-12)


@hypothesis.given(
    hypothesis.extra.numpy.arrays(np.float64, st.tuples(st.integers(1, 12), st.just(3)), elements=st.floats(-100, 100)), st.integers(0, 11)
)
@hypothesis.settings(max_examples=25, deadline=None)
def test_no_prediction_depends_on_its_own_frame_or_a_later_one(frames, t):
    t = min(t, len(frames) - 1)
    fitted = _fit(_autoregressive(np.random.default_rng(1), (60,), num_visible=3)[0])
    changed = frames.copy()
    changed[t:] += 17.0
    for baseline in fitted.values():
        np.testing.assert_array_equal(baseline.one_step_predictions(frames)[: t + 1], baseline.one_step_predictions(changed)[: t + 1])


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


def test_one_step_error_equals_a_loop_over_masked_frames(rng):
    actual, predicted = rng.normal(size=(2, 3, 6, 4))
    mask = rng.random((3, 6)) < 0.6
    expected = reference.root_mean_square_error(actual, predicted, mask)
    assert song_likeness.one_step_error_db(actual, predicted, mask) == pytest.approx(expected, rel=1e-12)


def test_one_step_error_ignores_what_the_padding_holds(rng):
    actual, predicted = rng.normal(size=(2, 3, 6, 4))
    mask = np.arange(6) < np.array([[6], [2], [0]])
    expected = song_likeness.one_step_error_db(actual, predicted, mask)
    actual[~mask], predicted[~mask] = np.nan, np.inf
    assert song_likeness.one_step_error_db(actual, predicted, mask) == expected
    assert math.isnan(song_likeness.one_step_error_db(actual, predicted, np.zeros((3, 6))))


def test_the_table_takes_all_errors_on_the_same_frames_of_all_batches(rng):
    sequences, _ = _autoregressive(rng, (90, 40))
    fitted = _fit(sequences[:1])
    frames = sequences[1].reshape(4, 10, 5)
    mask = np.arange(10) < np.array([[10], [3], [0], [7]])
    padded = np.where(mask[..., None], frames, np.nan)
    batches = [(padded[:2], mask[:2]), (padded[2:], mask[2:])]
    predictors = {name: baseline.one_step_predictions for name, baseline in fitted.items()}
    errors = song_likeness.one_step_errors(batches, {"too high": lambda f: np.asarray(f, np.float32) + 2} | predictors)
    assert errors["too high"] == pytest.approx(2.0, rel=1e-6)
    assert set(errors) == {"too high", "mean", "previous_frame", "ridge_var2"}
    for name, baseline in fitted.items():
        expected = song_likeness.one_step_error_db(frames, baseline.one_step_predictions(frames), mask)
        assert errors[name] == pytest.approx(expected, rel=1e-12)


def _song(syllables, rng, tail_s=0.3):
    """A song of (gap before it in s, duration in s, frequency in Hz) tones over faint noise."""
    parts = []
    for gap_s, duration_s, frequency_hz in syllables:
        parts.append(np.zeros(round(gap_s * SAMPLE_RATE)))
        times = np.arange(round(duration_s * SAMPLE_RATE)) / SAMPLE_RATE
        parts.append(0.3 * np.sin(2 * np.pi * frequency_hz * times))
    samples = np.concatenate([*parts, np.zeros(round(tail_s * SAMPLE_RATE))])
    # The envelope of tones is the only thing the detector should see.
    return (samples + 0.02 * rng.normal(size=samples.size)).astype(np.float32), SAMPLE_RATE


def _random_song(rng, kinds, order, count=40):
    """Tones of the kinds (duration in s, frequency in Hz) in the given order, each a little different."""
    syllables = []
    for i in range(count):
        duration_s, frequency_hz = kinds[order[i % len(order)]]
        syllables.append((0.06 + 0.01 * rng.random(), duration_s * rng.uniform(0.95, 1.05), frequency_hz * rng.uniform(0.97, 1.03)))
    return _song(syllables, rng)


def test_tones_give_back_their_durations_gaps_and_pitches(rng):
    syllables = [(0.3, 0.05, 1000.0), (0.08, 0.1, 3000.0), (0.12, 0.07, 5000.0), (0.9, 0.06, 2000.0)]
    samples, _ = song = _song(syllables, rng)
    found = song_likeness.song_statistics([song], Config())
    assert found.num_syllables == 4
    assert found.syllables_per_s == pytest.approx(4 * SAMPLE_RATE / len(samples))
    np.testing.assert_allclose(found.durations_s, [0.05, 0.1, 0.07, 0.06], atol=2 * BOUNDARY_S)
    # The last gap parts two bouts.
    np.testing.assert_allclose(found.gaps_s, [0.08, 0.12], atol=2 * BOUNDARY_S)
    assert found.follows.tolist() == [False, True, True, False]
    # A peak is the nearest bin.
    np.testing.assert_allclose(found.peak_frequencies_hz, [1000, 3000, 5000, 2000], atol=SAMPLE_RATE / 256 / 2)
    assert found.spectra_db.shape == (4, 4, 129)
    assert found.spectra_db.max() == 0.0
    assert found.spectra_db.min() == pytest.approx(-30.0)


def test_medians_are_of_all_songs_and_no_gap_spans_two(rng):
    songs = [_song([(0.3, 0.05, 1000.0), (0.1, 0.05, 1000.0)], rng, tail_s=0.01), _song([(0.01, 0.08, 4000.0)], rng)]
    found = song_likeness.song_statistics(iter(songs), Config())
    assert found.num_syllables == 3
    assert len(found.gaps_s) == 1
    assert found.follows.tolist() == [False, True, False]
    assert found.median_gap_s == found.gaps_s[0]
    assert found.median_duration_s == np.median(found.durations_s)
    assert found.median_peak_frequency_hz == np.median(found.peak_frequencies_hz)


def test_loud_hum_below_the_band_is_no_syllables_peak(rng):
    samples, _ = _song([(0.3, 0.08, 2500.0)], rng)
    hum = np.sin(2 * np.pi * 120 * np.arange(len(samples)) / SAMPLE_RATE)
    found = song_likeness.song_statistics([(samples + hum.astype(np.float32), SAMPLE_RATE)], Config())
    assert found.median_peak_frequency_hz == pytest.approx(2500, abs=SAMPLE_RATE / 256 / 2)


@pytest.mark.parametrize("samples", [np.zeros(0), np.zeros(10), np.zeros(8000)])
def test_silence_has_no_syllables_and_no_medians(samples):
    found = song_likeness.song_statistics([(samples, SAMPLE_RATE)], Config())
    assert found.num_syllables == 0
    assert math.isnan(found.median_duration_s) and math.isnan(found.median_gap_s) and math.isnan(found.median_peak_frequency_hz)
    assert math.isnan(song_likeness.compare_songs(found, found)["num_kinds_real"])


def test_no_song_at_all_is_no_error():
    assert math.isnan(song_likeness.song_statistics([], Config()).syllables_per_s)


@pytest.fixture(scope="module")
def bird():
    """Statistics of three kinds of tones, sung in one order, in another, and by a bird that knows only one of them."""
    kinds = [(0.05, 1200.0), (0.09, 2500.0), (0.07, 4500.0)]
    rng = np.random.default_rng(3)

    def statistics(order, kinds=kinds, songs=2):
        return song_likeness.song_statistics([_random_song(rng, kinds, order) for _ in range(songs)], Config())

    return {
        "real": statistics((0, 1, 2)),
        "again": statistics((0, 1, 2)),
        "backwards": statistics((2, 1, 0)),
        "one_kind": statistics((1,)),
        "stranger": statistics((0,), kinds=[(0.15, 7000.0)]),
    }


def test_kinds_of_syllable_are_counted_and_visited(bird):
    again = song_likeness.syllable_kinds(bird["real"], bird["again"])
    assert (again["num_kinds_real"], again["num_kinds_generated"]) == (3, 3)
    assert again["share_unfamiliar"] <= 0.05
    assert song_likeness.syllable_kinds(bird["real"], bird["one_kind"])["num_kinds_generated"] == 1


def test_syllables_unlike_any_real_one_belong_to_no_kind(bird):
    stranger = song_likeness.syllable_kinds(bird["real"], bird["stranger"])
    assert stranger["num_kinds_generated"] == 0
    assert stranger["share_unfamiliar"] == 1.0
    assert stranger["transition_divergence_nats"] == pytest.approx(math.log(2))


def test_transition_divergence_tells_the_order_of_the_same_syllables(bird):
    assert song_likeness.syllable_kinds(bird["real"], bird["again"])["transition_divergence_nats"] < 0.1
    assert song_likeness.syllable_kinds(bird["real"], bird["backwards"])["transition_divergence_nats"] > 0.5


def test_transition_divergence_is_the_jensen_shannon_divergence(rng):
    counts = rng.integers(0, 9, size=(2, 4, 4)).astype(float)
    p, q = (c.ravel() / c.sum() for c in counts)
    assert song_likeness._divergence(*counts) == pytest.approx(reference.jensen_shannon_nats(p, q), rel=1e-9)


def test_pairs_of_kinds_are_counted_within_bouts_only():
    counts = song_likeness._pairs(np.array([0, 1, 0, 1, 2]), np.array([False, True, False, True, True]), 3)
    assert counts.tolist() == [[0, 2, 0], [0, 0, 1], [0, 0, 0]]


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
    assert table["ratio_median_peak_frequency"] == table["generated_median_peak_frequency_hz"] / table["real_median_peak_frequency_hz"]
    assert table["ratio_median_duration"] > 1.5
    assert table["ks_peak_frequency"] == 1.0
    assert table["generated_num_syllables"] == bird["stranger"].num_syllables


def test_comparison_is_the_same_every_time(bird):
    assert song_likeness.compare_songs(bird["real"], bird["again"]) == song_likeness.compare_songs(bird["real"], bird["again"])


def test_perfect_copies_are_one_kind_without_a_warning(bird, recwarn):
    def copies(array):
        return np.repeat(array[:1], 12, axis=0)

    names = ("durations_s", "gaps_s", "peak_frequencies_hz", "spectra_db")
    arrays = {name: copies(getattr(bird["real"], name)) for name in names}
    same = dataclasses.replace(bird["real"], num_syllables=12, follows=np.arange(12) > 0, **arrays)
    kinds = song_likeness.syllable_kinds(same, same)
    assert (kinds["num_kinds_real"], kinds["num_kinds_generated"], kinds["share_unfamiliar"]) == (1, 1, 0.0)
    assert not recwarn.list


def test_two_halves_of_one_finchs_songs_are_alike_and_songs_played_backwards_are_not(shared_recordings):
    files = sorted((shared_recordings / "bengalese_finch_gy6or6").glob("*.wav"))
    songs = [soundfile.read(file, dtype="float32") for file in files]
    half, other, backwards = (
        song_likeness.song_statistics(chosen, Config())
        for chosen in (songs[::2], songs[1::2], [(samples[::-1], sample_rate) for samples, sample_rate in songs[1::2]])
    )
    alike, unlike = song_likeness.compare_songs(half, other), song_likeness.compare_songs(half, backwards)
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
    return song_likeness.SongStatistics(len(durations_s), rate, *medians, *arrays, np.empty(0), np.empty(0, bool))


def test_the_distance_of_songs_adds_rate_distributions_and_medians():
    durations, gaps, peaks = np.linspace(0.02, 0.1, 20), np.linspace(0.01, 0.1, 19), np.linspace(1e3, 4e3, 20)
    real = songs_of(6.0, durations, gaps, peaks)
    assert song_likeness.song_distance(real, real) == 0.0
    # Twice or half as many in the same time are as far.
    assert song_likeness.song_distance(real, songs_of(12.0, durations, gaps, peaks)) == pytest.approx(math.log(2))
    assert song_likeness.song_distance(real, songs_of(3.0, durations, gaps, peaks)) == pytest.approx(math.log(2))
    # A quarter of the durations beyond all real ones, their median as it was; every gap longer than any real one.
    longer = np.where(np.arange(20) >= 15, 1.0, durations)
    assert song_likeness.song_distance(real, songs_of(6.0, longer, gaps, peaks)) == pytest.approx(0.25)
    assert song_likeness.song_distance(real, songs_of(6.0, durations, gaps + 1, peaks)) == pytest.approx(1.0 + math.log(1.055 / 0.055))


@pytest.mark.parametrize("count", [0, 9])
def test_songs_of_too_few_syllables_are_at_an_infinite_distance(count):
    values = np.linspace(0.01, 0.1, 30)
    real, few = songs_of(6.0, values, values, values), songs_of(1.0, values[:count], values[: max(count - 1, 0)], values[:count])
    assert song_likeness.song_distance(real, few) == song_likeness.song_distance(few, real) == math.inf
