"""Conditions in requests: by name or by number, each row its own, whatever is beside it."""

import numpy as np
import pytest
import tensorflow as tf

from neurovocal_tf.audio.spectrogram import FrameScale
from neurovocal_tf.conditions import Conditions
from neurovocal_tf.runs.trained import Trained, build_model
from neurovocal_tf.serving.endpoints import Endpoints
from neurovocal_tf.serving.told_conditions import blends_of_rows, numbers_of_rows
from neurovocal_tf.serving.warmup import requests
from neurovocal_tf.status import Status

BIRDS = Conditions.of({"individual": ["a", "b"], "context": ["alone"]})


@pytest.fixture(scope="module")
def endpoints(tiny_config):
    config = tiny_config.replace(num_gibbs_steps=1, n_fft=32, hop_length=16)
    model, rng = build_model(config, None, BIRDS), np.random.default_rng(2)
    for weight in model.trainable_variables:
        weight.assign(rng.normal(size=weight.shape) / np.sqrt(weight.shape[0]))
    return Endpoints(Trained(model, config, FrameScale(), 16_000, 0), 8)


def test_texts_and_places_say_the_same_and_nothing_is_unknown():
    texts = [["", ""], ["context=alone", "individual=b"], ["", ""], ["individual=unknown", ""]]
    places = [[0, 0], [0, 0], [2, 3], [0, 0]]
    numbers, is_known = numbers_of_rows(BIRDS, tf.constant(texts), tf.constant(places))
    np.testing.assert_array_equal(numbers, [[0, 0], [2, 1], [2, 1], [0, 0]])
    assert is_known.numpy().all()


@pytest.mark.parametrize(
    "texts, places",
    [
        (["individual=c", ""], [0, 0]),
        (["b", ""], [0, 0]),
        (["", ""], [4, 0]),
        (["", ""], [-1, 0]),
        (["individual=a", "individual=b"], [0, 0]),
        (["individual=a", ""], [2, 0]),
        (["individual=a", "individual=unknown"], [0, 0]),
    ],
)
def test_what_is_not_known_or_said_twice_is_told(texts, places):
    _, is_known = numbers_of_rows(BIRDS, tf.constant([texts]), tf.constant([places]))
    assert not is_known.numpy()


def test_values_of_a_condition_are_mixed_by_their_shares_and_one_alone_is_itself():
    texts = [
        ["individual=a", "individual=b", "context=alone"],
        ["individual=b", "", ""],
        ["context=alone", "individual=b", "individual=unknown"],
        ["", "", ""],
        ["individual=b", "", "individual=a"],
    ]
    places = [[0, 0, 0], [0, 0, 3], [0, 0, 0], [2, 0, 0], [0, 0, 0]]
    shares = [[0.25, 0.75, 0], [1, 0, 1], [0, 0.4, 0.6], [0, 0, 0], [0, 0, 1]]
    asked = map(tf.constant, (texts, places, shares, [3] * 5))
    numbers, mixed, is_known = blends_of_rows(BIRDS, *asked)
    # Of a, b and alone, in the order of the texts.
    assert BIRDS.texts[1:] == ("individual=a", "individual=b", "context=alone")
    np.testing.assert_array_equal(numbers, [[0, 1], [2, 1], [0, 1], [2, 0], [0, 0]])
    expected = [[0.25, 0.75, 0], [0, 0, 0], [0, 0.4, 0], [0, 0, 0], [1, 0, 0]]
    np.testing.assert_array_equal(mixed, np.array(expected, np.float32))
    assert is_known.numpy().all()


@pytest.mark.parametrize(
    "texts, places, shares",
    [
        (["individual=a", "individual=b"], [0, 0], [0.5, 0.6]),
        (["individual=a", "individual=b"], [0, 0], [0, 0]),
        (["individual=a", "individual=b"], [0, 0], [2, -1]),
        (["individual=a", ""], [0, 0], [float("nan"), 0]),
        (["individual=a", ""], [0, 0], [0.5, 0]),
        (["individual=a", ""], [0, 0], [0.5, 0.5]),
        (["individual=a", "individual=c"], [0, 0], [0.5, 0.5]),
        (["individual=a", ""], [2, 0], [0.5, 0.5]),
    ],
)
def test_shares_that_are_none_are_told(texts, places, shares):
    asked = (tf.constant([row]) for row in (texts, places, np.array(shares, np.float32), 2))
    _, mixed, is_known = blends_of_rows(BIRDS, *asked)
    assert not is_known.numpy() and np.isfinite(mixed).all()


@pytest.mark.parametrize("num_named, is_good", [(1, True), (2, False), (3, False), (-1, False)])
def test_what_a_row_is_filled_up_with_in_a_batch_says_nothing(num_named, is_good):
    filled = ([["individual=b", "individual=b"]], [[0, 0]], np.ones((1, 2), np.float32))
    numbers, mixed, is_known = blends_of_rows(BIRDS, *map(tf.constant, (*filled, [num_named])))
    assert is_known.numpy().tolist() == [is_good]
    if is_good:
        np.testing.assert_array_equal(numbers, [[2, 0]])
        assert not mixed.numpy().any()


def song(endpoints, texts, seeds=None):
    count = len(texts)
    seeds = [3] * count if seeds is None else seeds
    found = endpoints.generate(
        tf.constant(seeds, tf.int64),
        tf.fill([count], 6),
        tf.ones([count]),
        tf.constant(texts),
        tf.zeros([count, 2], tf.int32),
    )
    return {name: value.numpy() for name, value in found.items()}


def test_songs_of_different_conditions_are_bit_for_bit_those_of_each_alone(endpoints):
    texts = [
        ["individual=a", ""],
        ["", ""],
        ["individual=z", ""],
        ["context=alone", "individual=a"],
    ]
    together = song(endpoints, texts)
    assert together["status"].tolist() == [0, 0, Status.UNKNOWN_CONDITION, 0]
    assert together["lengths"].tolist() == [6, 6, 0, 6]
    for row in (0, 1, 3):
        alone = song(endpoints, texts[row : row + 1])
        for name in ("spectrogram", "state"):
            np.testing.assert_array_equal(alone[name][0], together[name][row])
    assert len({row.tobytes() for row in together["spectrogram"]}) == 4
    known = np.asarray(endpoints.model.encoder.tables[0][1])
    for row in (0, 3):
        np.testing.assert_array_equal(together["state"][row, : known.size], known)


def test_a_spectrogram_is_read_under_each_rows_condition(endpoints, rng):
    shape = 3, 5, endpoints.model.num_visible
    frames = np.repeat(rng.uniform(-60, 0, shape[1:])[np.newaxis], 3, axis=0).astype(np.float32)
    places = tf.constant([[1, 0], [0, 0], [2, 0]])
    texts, lengths = tf.fill([3, 2], ""), tf.fill([3], 5)
    found = endpoints.encode(tf.constant(frames), lengths, texts, places)
    alone = endpoints.encode(*(x[2:] for x in (tf.constant(frames), lengths, texts, places)))
    np.testing.assert_array_equal(found["state"][2:], alone["state"])
    assert len({row.tobytes() for row in found["state"].numpy()}) == 3
    bad = endpoints.encode(tf.constant(frames), lengths, tf.fill([3, 2], "x"), places)
    assert bad["status"].numpy().tolist() == [Status.UNKNOWN_CONDITION] * 3


def test_what_warms_a_server_up_says_nothing_of_conditions(endpoints):
    asked = dict(requests(endpoints, (2,)))
    assert asked["score_audio"]["condition"].tolist() == [[b"", b""]] * 2
    assert "condition" not in asked["generate_continue"]
    np.testing.assert_array_equal(asked["generate"]["condition_number"], np.zeros((2, 2)))
