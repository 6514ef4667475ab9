"""Songs in the course of a training decide which weights are kept."""

import math
import types

import numpy as np
import pytest

from neurovocal_tf.evaluation import song_measures
from neurovocal_tf.generation.singer import Singer
from neurovocal_tf.labels import NO_LABELS
from neurovocal_tf.runs.run_folder import RunFolder
from neurovocal_tf.runs.trained import load_trained
from neurovocal_tf.training import song_check, trainer
from neurovocal_tf.training.phases import Phases


@pytest.mark.parametrize(
    "num_checks, num_epochs, expected",
    [
        (5, 85, [73, 76, 79, 82, 85]),
        (1, 85, [85]),
        (0, 85, []),
        (20, 85, list(range(71, 86))),
        (3, 60, [54, 57, 60]),
        (5, 2, [1, 2]),
    ],
)
def test_the_epochs_that_sing_are_spread_over_those_with_the_most_gibbs_steps(
    num_checks, num_epochs, expected
):
    assert (
        song_check.epochs_to_check(num_checks, Phases((5, 10, 20), (50, 20, 15)), num_epochs)
        == expected
    )


@pytest.fixture(scope="module")
def trained(trained_run):
    return load_trained(trained_run)


class KnownSinger:
    """Stands for the singer of a model whose songs are known."""

    def __init__(self, trained, songs):
        self.config, self.sample_rate = trained.config, trained.sample_rate
        self.songs = songs
        self.model = types.SimpleNamespace(
            optimizer=types.SimpleNamespace(use_ema=False),
            labels=NO_LABELS,
        )


def checked(monkeypatch, singer, recordings, epochs, epoch):
    def generate_frames(singer, seeds, num_frames, condition, texts):
        assert len(set(seeds)) == 16 and min(seeds) > 2**31  # no seed that a flag can name
        assert condition is None and texts is None
        return enumerate(singer.songs)

    monkeypatch.setattr(song_check.songs, "generate_frames", generate_frames)
    callback = song_check.SongCheck(singer, recordings, epochs)
    callback.set_model(singer.model)
    logs = {}
    callback.on_epoch_end(epoch, logs)
    assert math.isnan(logs["baseline_song_distance"]) or not math.isnan(logs["song_distance"])
    return logs["song_distance"]


@pytest.fixture(scope="module")
def recordings(trained, trained_run):
    return RunFolder(trained_run).data().parts_in(trained.config).training


def test_a_model_that_sings_the_recordings_is_at_no_distance_and_a_silent_one_at_an_infinite_one(
    monkeypatch, trained, recordings
):
    frames = [np.asarray(frames) for frames, _, _ in recordings.numbered_sequences()]
    same = KnownSinger(trained, frames)
    assert checked(monkeypatch, same, recordings, [1, 3], epoch=2) == 0.0
    assert math.isnan(checked(monkeypatch, same, recordings, [1, 3], epoch=1))
    silent = KnownSinger(trained, [np.full_like(frames[0], -60.0)])
    assert checked(monkeypatch, silent, recordings, [1], epoch=0) == math.inf


def test_only_the_first_minutes_of_many_recordings_are_heard(monkeypatch, trained, recordings):
    heard = []

    def listener(songs, sample_rate, config):
        heard.extend(map(len, songs.pieces))
        raise song_check.NotMeasurable("no syllable is found")

    monkeypatch.setattr(song_check, "Listener", listener)
    monkeypatch.setattr(song_check, "_HEARD_S", 3.0)
    checked(monkeypatch, KnownSinger(trained, []), recordings, [1], epoch=0)
    num_frames = 3.0 * trained.sample_rate / trained.config.spectrogram.hop_length
    assert sum(heard[:-1]) < num_frames <= sum(heard)


def test_a_training_keeps_the_epoch_whose_songs_are_nearest(
    monkeypatch, tiny_config, simulated_recordings, tmp_path, quick_training
):
    # The halves of the recordings come first.
    distances = iter([0.125, 0.5, 0.25])
    monkeypatch.setattr(song_measures, "song_distance", lambda real, generated: next(distances))
    monkeypatch.setattr(song_check, "_MOST_SONG_FRAMES", 60)
    config = tiny_config.replace(
        num_song_checks=2,
        cd_steps=(1, 2),
        epochs_per_rate=(1, 3),
        learning_rates=(1e-3, 3e-4),
        batch_size=64,
    )
    # As a user names it: relative to where they are.
    monkeypatch.chdir(simulated_recordings.parent)
    said = []
    result = trainer.train(config, simulated_recordings.name, tmp_path, said.append, pictures=False)
    assert (result["epoch"], result["song_distance"]) == (4, 0.25)
    columns = np.genfromtxt(tmp_path / "history.csv", delimiter=",", names=True)
    np.testing.assert_array_equal(columns["song_distance"], [math.nan, math.nan, 0.5, 0.25])
    np.testing.assert_array_equal(
        columns["baseline_song_distance"], [math.nan, math.nan, 0.125, 0.125]
    )
    assert columns["kept_epoch"][2:].tolist() == [3, 4]
    assert any(line.startswith("epoch 4 is kept: songs 0.25 from the recordings") for line in said)
    story = (tmp_path / "story.txt").read_text(encoding="utf-8").splitlines()
    assert said[-len(story) :] == story and "(3: 0.50, 4: 0.25)" in story[1]


def test_segments_without_their_gaps_are_not_compared_with_whole_recordings(
    tiny_config, simulated_recordings, tmp_path, quick_training
):
    config = tiny_config.replace(num_song_checks=2, sequence="packed", epochs=1)
    assert "song_distance" not in trainer.train(
        config, simulated_recordings, tmp_path, pictures=False
    )


def test_the_singer_of_a_model_in_training_sings_with_the_weights_it_has_now(trained):
    singer = Singer(trained)
    song = next(iter(song_check.songs.generate_songs(singer, [1 << 40], 20))).decibels
    bv = np.array(trained.model.conditional_rbm.bv)
    trained.model.conditional_rbm.bv.assign(bv + 5.0)
    try:
        other = next(iter(song_check.songs.generate_songs(singer, [1 << 40], 20))).decibels
    finally:
        trained.model.conditional_rbm.bv.assign(bv)
    assert other.mean() > song.mean() + 1.0
