"""Texts in requests: what is sung of each, when, and what cannot be sung."""

from unittest import mock

import numpy as np
import pytest
import tensorflow as tf
from random_models import fresh_model
from wire import Wire

from neurovocal_tf import Client
from neurovocal_tf.annotations import matching
from neurovocal_tf.audio.spectrogram import FrameScale
from neurovocal_tf.client import transports
from neurovocal_tf.conditions import Conditions
from neurovocal_tf.generation import songs
from neurovocal_tf.labels import NUM_QUANTILES, Labels
from neurovocal_tf.model import sung_text
from neurovocal_tf.runs.trained import Trained, build_model
from neurovocal_tf.serving.endpoints import Endpoints
from neurovocal_tf.serving.warmup import requests
from neurovocal_tf.status import Status

DURATIONS = {
    "durations": [list(range(1, 1 + NUM_QUANTILES))] + [[3] * NUM_QUANTILES] * 2,
    "gaps": [
        [1, 0, [2] * NUM_QUANTILES],
        [0, 0, [1] * NUM_QUANTILES],
        [0, 1, [4] * NUM_QUANTILES],
        [3, 4, [0] * NUM_QUANTILES],
    ],
}
WORDS = Labels.from_json({"known": ["of", "one", "two"], **DURATIONS})
SYLLABLES = Labels.from_json({"known": ["a", "b", "\u00e9"], **DURATIONS})


@pytest.fixture(scope="module")
def endpoints(tiny_config):
    config = tiny_config.replace(num_gibbs_steps=1, guidance=1.5, n_fft=32, hop_length=16)
    model = build_model(config, None, Conditions.of({"voice": ["x"]}), WORDS)
    rng = np.random.default_rng(2)
    for weight in model.trainable_variables:
        weight.assign(rng.normal(size=weight.shape) / np.sqrt(weight.shape[0]))
    return Endpoints(Trained(model, config, FrameScale(), 16_000, 0), 40)


def sung(endpoints, texts, seeds):
    found = endpoints.generate_text(
        tf.constant(texts),
        tf.constant(seeds, tf.int64),
        tf.ones([len(texts)]),
        tf.constant([["voice=x"]] * len(texts)),
        tf.zeros([len(texts), 1], tf.int32),
    )
    return {name: value.numpy() for name, value in found.items()}


def test_each_row_is_sung_in_its_own_time_whatever_is_beside_it(endpoints):
    texts = ["one two two", "", "of of of of of of", "one three", "two", "one two two"]
    together = sung(endpoints, texts, [5, 1, 9, 3, 7, 6])
    told = [0, Status.NO_TEXT, Status.TOO_LONG, Status.UNKNOWN_LABEL, 0, 0]
    assert together["status"].tolist() == told
    # Two frames before, three of each, gaps of none and of one, four after.
    assert together["lengths"].tolist() == [16, 0, 0, 0, 9, 16]
    assert together["num_labels"].tolist() == [3, 0, 0, 0, 1, 3]
    assert together["labels"][0].tolist() == [b"one", b"two", b"two"]
    onsets, offsets = together["onsets"][0], together["offsets"][0]
    np.testing.assert_array_equal(onsets, np.array([2, 5, 9]) * 16 + 8)
    np.testing.assert_array_equal(offsets - onsets, 48)
    for row in (0, 4, 5):
        alone = sung(endpoints, texts[row : row + 1], [[5, 1, 9, 3, 7, 6][row]])
        length = int(alone["lengths"][0])
        for name in ("spectrogram", "waveform"):
            size = {"spectrogram": length, "waveform": int(alone["num_samples"][0])}[name]
            np.testing.assert_array_equal(alone[name][0], together[name][row, :size])
    assert not np.array_equal(together["spectrogram"][0], together["spectrogram"][5])
    song = next(songs.generate_songs(endpoints.singer, [5], None, 1.0, None, (1,), (3, 4, 4)))
    np.testing.assert_array_equal(song.decibels, together["spectrogram"][0, :16])
    assert song.labels[1] == (onsets[1] / 16_000, offsets[1] / 16_000, "two")


def test_what_a_song_sings_stands_beside_it_as_annotations(endpoints, tmp_path):
    song = next(songs.generate_songs(endpoints.singer, [5], 20, 1.0, None, (1,), (3, 4)))
    assert len(song.decibels) == 20
    songs.write_song(tmp_path / "song_5", song, endpoints.singer)
    path = str(tmp_path / "song_5.wav")
    found = matching.match(tmp_path / "song_5.csv", [path]).of[path]
    for (onset, offset, label), read in zip(song.labels, found, strict=True):
        assert (read.label, read.onset_s) == (label, pytest.approx(onset, abs=1e-6))
        assert read.offset_s == pytest.approx(offset, abs=1e-6)
    # Of two labels at 2 to 5 and 5 to 8 frames, of which only so many sound.
    for num_frames, count in ((8, 2), (6, 2), (5, 1), (2, 0)):
        cut = next(songs.generate_songs(endpoints.singer, [5], num_frames, 1.0, None, (1,), (3, 4)))
        assert cut.labels[:1] == song.labels[:count][:1] and len(cut.labels) == count
        assert all(offset <= (num_frames * 16 + 8) / 16_000 for _, offset, _ in cut.labels)
    endpoints.singer.max_frames, before = 8, endpoints.singer.max_frames
    with pytest.raises(ValueError, match="`text` must be of 8 frames at most. Received: one of "):
        next(songs.generate_songs(endpoints.singer, [5], None, 1.0, None, (1,), (3, 4)))
    endpoints.singer.max_frames = before


def test_a_client_asks_for_a_text_and_is_told_what_became_of_it(endpoints):
    with mock.patch.object(transports, "connect", lambda *_: Wire(endpoints)):
        client = Client(condition="voice=x")
    answer = client.generate_text("one two", 5)
    expected = sung(endpoints, ["one two"], [5])
    np.testing.assert_array_equal(answer["waveform"], expected["waveform"][0])
    assert answer["labels"].tolist() == ["one", "two"]
    np.testing.assert_array_equal(answer["offsets"], expected["offsets"][0])
    with pytest.raises(ValueError, match="could not answer: a text with a label that the model"):
        client.generate_text("nine", 5)


def test_a_songs_durations_follow_from_its_seed_alone_and_are_those_that_were_heard():
    numbers = tf.constant([2] * 200, tf.int32)
    first, again, other = (
        sung_text.drawn(WORDS, numbers, tf.constant(seed, tf.int64)) for seed in (3, 3, 4)
    )
    np.testing.assert_array_equal(first.lasts, again.lasts)
    durations = (first.lasts - first.firsts).numpy()
    assert (durations != (other.lasts - other.firsts).numpy()).mean() > 0.8
    # Of 200 uniform draws the mean lies within four of its standard errors.
    spread = np.arange(1, NUM_QUANTILES + 1).std() / np.sqrt(200)
    assert abs(durations.mean() - (NUM_QUANTILES + 1) / 2) < 4 * spread
    assert set((first.firsts[1:] - first.lasts[:-1]).numpy().tolist()) == {1}
    assert first.num_frames == first.lasts[-1] + 4
    # A text that goes on begins as it did.
    longer = sung_text.drawn(WORDS, tf.constant([2] * 201), tf.constant(3, tf.int64))
    np.testing.assert_array_equal(longer.lasts[:200], first.lasts)
    cues = first.cues(first.num_frames + 5).numpy()
    assert cues[-1].tolist() == [0, 0, 0, 0] and cues[-2].tolist()[:2] == [1, 1]


@pytest.mark.parametrize(
    "labels, text",
    [(WORDS, " two  one of "), (WORDS, ""), (SYLLABLES, "ba\u00e9 b"), (SYLLABLES, " \u00e9")],
)
def test_a_graph_reads_texts_as_python_does(labels, text):
    found = sung_text.numbers_in(labels, tf.constant(text), 9).numpy().tolist()
    assert found == (list(labels.numbers_in(text)) if text else [])
    strange = sung_text.numbers_in(labels, tf.constant("a zz"), 9)
    assert 0 in strange.numpy().tolist()
    assert sung_text.numbers_in(labels, tf.constant(text), 1).shape[0] == min(len(found), 1)


def test_a_server_is_warmed_up_with_a_label(endpoints):
    assert dict(requests(endpoints, (2,)))["generate_text"]["text"].tolist() == [b"of"] * 2


def test_a_model_without_labels_has_no_such_signature(tiny_config):
    model = fresh_model(17, 3, 3)
    config = tiny_config.replace(n_fft=32, hop_length=16)
    found = Endpoints(Trained(model, config, FrameScale(), 16_000, 0), 8)
    assert "generate_text" not in found.signatures
