"""Songs beside songs: each fault that songs can have is seen by its own measure."""

import dataclasses
import math

import numpy as np
import pytest
import scipy.ndimage
import soundfile
import sung_birds

from neurovocal_tf.audio import spectrogram
from neurovocal_tf.config import Config
from neurovocal_tf.evaluation import (
    frame_chain,
    song_drift,
    song_likeness,
    song_measures,
    song_table,
    song_windows,
)
from neurovocal_tf.evaluation.heard import Listener, NotMeasurable, Songs
from neurovocal_tf.evaluation.song_likeness import BETTER_THAN_VQ3, LIKE_HALVES, NEITHER

RATE = sung_birds.SAMPLE_RATE
NUM_SONGS = 12


@pytest.fixture(scope="module", autouse=True)
def few_draws():
    """As many as tell the worst of halves, few codes and windows, and no forests, which take
    longest; the linear test has its own.
    """
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(song_likeness, "NUM_DRAWS", 3)
        patch.setattr(frame_chain, "_NUM_CODES", 40)
        patch.setattr(song_windows, "_MOST_WINDOWS", 8)
        for name in ("forest_accuracy", "linear_accuracy"):
            patch.setitem(song_measures.MEASURES, name, lambda real, songs: 0.5)
        yield


@pytest.fixture(scope="module")
def recordings():
    return sung_birds.Bird(seed=1).songs(NUM_SONGS)


@pytest.fixture(scope="module")
def same_bird():
    return sung_birds.Bird(seed=2).songs(NUM_SONGS)


@pytest.fixture(scope="module")
def listener(recordings):
    return Listener(recordings, RATE, sung_birds.CONFIG)


@pytest.fixture(scope="module")
def figures(listener, same_bird):
    """Of the same bird's other songs, beside further ones of it."""
    return figures_of(listener, same_bird, sung_birds.Bird(seed=5).songs(NUM_SONGS))


def figures_of(listener, songs, held_out=None):
    return song_likeness.song_likeness(listener, songs, held_out).figures


def changed(songs, change):
    return Songs.apart([change(piece) for piece in songs.pieces])


def is_worse(name, figures):
    return song_likeness.verdict(name, figures) in (BETTER_THAN_VQ3, NEITHER)


def shuffled(songs):
    rng = np.random.default_rng(0)
    orders = [tuple(rng.permutation(4)) for _ in range(NUM_SONGS)]
    one_each = [
        sung_birds.Bird(seed=10 + n, order=order).songs(1).pieces[0]
        for n, order in enumerate(orders)
    ]
    return Songs.apart(one_each)


def of_specks(piece):
    """Its frames moved up and down, each by itself: what is loud is no line any more."""
    moves = np.random.default_rng(0).integers(-4, 5, len(piece))
    return np.stack([np.roll(frame, move) for frame, move in zip(piece, moves, strict=True)])


CONTROLS = {
    "shuffled": (
        shuffled,
        {"transition_divergence_bits", "bigram_nats"},
        {"frechet", "ks_duration"},
    ),
    "blurred": (
        lambda songs: changed(songs, lambda x: scipy.ndimage.uniform_filter1d(x, 5, axis=0)),
        {"change_loud_ratio", "change_quiet_ratio", "frechet"},
        {"transition_divergence_bits"},
    ),
    "pitch shifted": (
        lambda songs: changed(songs, lambda x: np.roll(x, 2, axis=1)),
        {"ks_centroid", "ks_peak_frequency", "frechet", "coverage"},
        {"rate_ratio", "ks_gap"},
    ),
    "broken into specks": (
        lambda songs: changed(songs, of_specks),
        {"ks_slope", "change_loud_ratio"},
        {"rate_ratio", "ks_duration"},
    ),
    "half as many types": (
        lambda songs: sung_birds.Bird(seed=3, order=(0, 1)).songs(NUM_SONGS, 8),
        {"effective_types_ratio", "coverage", "recall"},
        set(),
    ),
    "stretched": (
        lambda songs: changed(songs, lambda x: np.repeat(x, 2, axis=0)),
        {"ks_duration", "ks_gap", "rate_ratio"},
        {"ks_centroid"},
    ),
    "another bird": (
        lambda songs: sung_birds.Bird(
            seed=4, sweeps=((60, 12, 9), (12, 60, 9), (36, 36, 22), (16, 16, 9))
        ).songs(NUM_SONGS),
        {"share_unlike", "nearest_window_ratio"},
        set(),
    ),
}


@pytest.mark.parametrize("name", CONTROLS)
def test_a_fault_is_seen_by_its_own_measure(name, listener, same_bird):
    change, seen_by, not_by = CONTROLS[name]
    figures = figures_of(listener, change(same_bird))
    for measure in seen_by:
        assert is_worse(measure, figures), measure
    for measure in not_by:
        assert song_measures.badness(measure, figures[f"song_{measure}"]) < 0.15, measure


def test_the_birds_own_other_songs_are_like_its_halves_and_held_out_ones_too(figures):
    said = [song_likeness.verdict(name, figures) for name in song_measures.MEASURES]
    assert said.count(LIKE_HALVES) >= len(said) - 4
    assert figures["song_share_copied"] == figures["song_share_repeated"] == 0.0
    for name in song_measures.MEASURES:
        assert math.isfinite(figures[f"song_{name}_held_out"]), name
        assert math.isfinite(figures[f"song_{name}_vq3"]), name
    assert (figures["real_num_types"], figures["generated_num_types"]) == (4, 4)
    assert figures["real_num_syllables"] == figures["generated_num_syllables"] == 16 * NUM_SONGS
    assert figures["song_last_third_quiet_spread_db"] < 0.5


def test_copies_are_called_copies_even_where_a_recording_is_there_twice(recordings, same_bird):
    listener = Listener(
        Songs.apart([*recordings.pieces, recordings.pieces[0]]), RATE, sung_birds.CONFIG
    )
    copied = Songs.apart([*recordings.pieces[:6], *same_bird.pieces[:6]])
    figures = figures_of(listener, copied)
    assert figures["song_share_copied"] == pytest.approx(0.5, abs=0.1)
    assert figures["song_share_copied_null_worst"] > 0.0


def test_one_song_again_and_again_is_called_alike(listener, same_bird):
    again = Songs.apart([same_bird.pieces[0]] * NUM_SONGS)
    figures = figures_of(listener, again)
    assert figures["song_share_repeated"] == 1.0
    assert "the songs are all alike: 100 %" in song_table.as_table(figures)


def test_bands_that_build_up_are_a_drift(listener, same_bird):
    def drifting(piece):
        grown = np.linspace(0, 12, len(piece))[:, None] * (np.arange(piece.shape[1]) % 4 == 0)
        return np.maximum(piece, sung_birds.BACKGROUND_DB + grown)

    heard = listener.hear(changed(same_bird, drifting))
    figures = song_drift.drift(listener.recordings, heard)
    first, last = (figures[f"song_{third}_third_quiet_spread_db"] for third in ("first", "last"))
    assert last > first + 2.0 > figures["song_first_third_quiet_spread_db_real"] + 2.0


def test_figures_are_the_same_every_time(listener, same_bird, figures):
    again = figures_of(listener, same_bird, sung_birds.Bird(seed=5).songs(NUM_SONGS))
    assert again == figures


def test_silent_songs_have_a_null_and_a_reason_and_no_figures(listener):
    rng = np.random.default_rng(0)
    figures = figures_of(listener, Songs.apart([sung_birds.silence(rng, 300)] * 3))
    assert figures["generated_num_syllables"] == 0
    assert math.isnan(figures["song_frechet"]) and math.isfinite(figures["song_frechet_null"])
    table = song_table.as_table(figures)
    assert "the songs have 0 syllables" in table and "nan" not in table
    assert figures["song_longest_silence_s"] == pytest.approx(300 * sung_birds.FRAME_S)


@pytest.mark.parametrize("count", [0, 9])
def test_songs_of_too_few_syllables_are_at_an_infinite_distance(listener, same_bird, count):
    real, songs = listener.recordings.all(), listener.hear(same_bird)
    few = songs.some(np.ones(NUM_SONGS, bool), count, np.random.default_rng(0))
    assert song_measures.song_distance(real, few) == math.inf
    assert song_measures.song_distance(few, real) == math.inf


def test_the_distance_of_songs_sees_their_order(listener, recordings, same_bird):
    real = listener.recordings.all()
    apart = [
        song_measures.song_distance(real, listener.hear(songs).all())
        for songs in (recordings, same_bird, shuffled(same_bird))
    ]
    assert apart[0] == 0.0
    # What is in another order has the same rate, durations, gaps and pitches.
    assert apart[2] > apart[1] + 0.2 and apart[1] < 0.3


def test_long_recordings_are_cut_to_as_many_syllables_and_lose_none_of_their_rate(
    listener, same_bird
):
    long = listener.hear(Songs.apart([np.concatenate(same_bird.pieces)]))
    some = long.some(np.ones(1, bool), 20, np.random.default_rng(0))
    (sequence,) = some.sequences
    assert len(some) == len(some.vectors) == np.sum(sequence < some.num_types) == 20
    assert some.syllables_per_s == long.all().syllables_per_s


def test_syllables_all_as_long_make_others_no_farther_than_by_frames():
    rng = np.random.default_rng(0)

    def songs(num_frames):
        parts = [np.roll(sung_birds.silence(rng, num_frames), 1) for _ in range(24)]
        for part in parts:
            part[:, rng.integers(10, 50)] = sung_birds.LOUD_DB
        gaps = [sung_birds.silence(rng, 40) for _ in parts]
        return Songs.apart([np.concatenate([*sum(zip(gaps, parts), ()), gaps[0]])])

    listener = Listener(songs(12), RATE, sung_birds.CONFIG)
    spread = math.sqrt(listener.recordings.vectors[:, :-1].var(axis=0).mean())
    longer = listener.hear(songs(13)).vectors[:, -1]
    assert 0 < np.abs(longer).max() < 2 * spread


def test_a_type_that_is_rare_in_the_recordings_is_sung_if_half_as_often(listener):
    real = listener.recordings
    rare = dataclasses.replace(real, types=np.where(np.arange(len(real)) < 4, 1, 0))
    half, hardly = (
        dataclasses.replace(real, types=np.where(np.arange(len(real)) < count, 1, 0))
        for count in (2, 1)
    )
    assert [song_likeness._num_types_sung(rare, sung) for sung in (rare, half, hardly)] == [2, 2, 1]


def test_a_column_of_fewer_syllables_is_named(figures):
    assert figures["held_out_num_syllables"] == 16 * NUM_SONGS
    assert not list(song_table.warnings(figures | {"generated_num_songs": 30}))[1:]
    for count, told in (
        (38, "unsure: the held-out recordings have 38"),
        (4, "not defined: the he"),
    ):
        lines = list(song_table.warnings(figures | {"held_out_num_syllables": count}))
        assert lines[-1].startswith(told)


@pytest.mark.parametrize("silent", [0, 1])
def test_one_recording_has_no_halves_and_the_table_says_why(recordings, same_bird, silent):
    """Another without a syllable makes no halves either."""
    rng = np.random.default_rng(0)
    pieces = [recordings.pieces[0], *[sung_birds.silence(rng, 300)] * silent]
    figures = figures_of(Listener(Songs.apart(pieces), RATE, sung_birds.CONFIG), same_bird)
    assert math.isnan(figures["song_frechet_null"]) and math.isfinite(figures["song_frechet"])
    table = song_table.as_table(figures)
    assert "there is one training recording" in table and "nan" not in table


def test_recordings_without_a_syllable_are_refused():
    rng = np.random.default_rng(0)
    silent = Songs.apart([sung_birds.silence(rng, 300)])
    with pytest.raises(NotMeasurable, match="no syllable"):
        Listener(silent, RATE, sung_birds.CONFIG)


def test_the_table_fits_eighty_columns(figures):
    table = song_table.as_table(figures)
    assert max(map(len, table.splitlines())) <= 80
    assert set(song_table.NAMES) == {*song_likeness.NAMES}


def test_halves_of_a_finchs_songs_are_in_one_order_and_songs_played_backwards_in_another(
    shared_recordings,
):
    config = Config.preset("songbird")
    pieces = []
    for file in sorted((shared_recordings / "bengalese_finch_gy6or6").glob("*.wav"))[:8]:
        samples, rate = soundfile.read(file, dtype="float32")
        power = spectrogram.power_spectrogram(samples, rate, config.spectrogram)
        pieces.append(10 * np.log10(np.asarray(power) + 1e-12))
    listener = Listener(Songs.apart(pieces[::2]), rate, config)
    real = listener.recordings.all()
    others, backwards = (
        listener.hear(Songs.apart(some)).all()
        for some in (pieces[1::2], [piece[::-1] for piece in pieces[1::2]])
    )
    # Eleven types are labelled.
    assert 8 <= listener.num_types <= 14
    for measure, alike, unlike in (
        ("transition_divergence_bits", 0.15, 0.5),
        ("share_unlike", 0.05, 0.1),
        ("frechet", 0.1, 0.2),
    ):
        measured = song_measures.MEASURES[measure]
        assert measured(real, others) < alike < unlike < measured(real, backwards), measure
