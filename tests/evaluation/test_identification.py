"""Who sings in held-out recordings, by a model whose answers are known."""

import types

import numpy as np
import pytest
from random_models import fresh_model

from neurovocal_tf.conditions import Conditions
from neurovocal_tf.evaluation import identification

BIRDS = Conditions.of({"individual": ["ada", "bob", "cid"]})
# Where each bird's frames lie, the unknown's first.
PLACES = np.array([[0.0, 0.0], [3.0, 0.0], [0.0, 3.0], [-3.0, 0.0]], np.float32)


@pytest.fixture(scope="module")
def model():
    model = fresh_model(2, 3, 3, conditions=BIRDS)
    for weight in model.trainable_variables:
        weight.assign(0.0 * weight)
    model.encoder.tables[0].assign(PLACES)
    Wuv = np.zeros(model.conditional_rbm.Wuv.shape, np.float32)
    Wuv[:2] = np.eye(2)
    model.conditional_rbm.Wuv.assign(Wuv)
    return model


class Recordings:
    """Stands for recordings of birds by their numbers."""

    conditions = BIRDS

    def __init__(self, birds):
        self.birds = birds

    def __len__(self):
        return len(self.birds)

    def condition_of(self, index):
        return (self.birds[index],)


class Heard:
    """Stands for what is heard: recordings of pieces, pieces of syllables and their places."""

    def __init__(self, recordings, pieces, vectors):
        self.songs = types.SimpleNamespace(recordings=recordings)
        count = len(pieces)
        self.syllables = types.SimpleNamespace(
            pieces=np.array(pieces), onsets=np.full(count, 2), offsets=np.full(count, 7)
        )
        self.vectors = np.array(vectors)

    def __len__(self):
        return len(self.vectors)


def sequences(birds, numbers, frames):
    songs = types.SimpleNamespace(recordings=numbers)
    return identification.Sequences(frames, Recordings(birds), songs)


@pytest.fixture(scope="module")
def training(model):
    rng = np.random.default_rng(1)
    birds = [1, 2, 3]
    frames = [PLACES[bird] + 0.5 * rng.normal(size=(60, 2)) for bird in birds]
    return sequences(birds, [0, 1, 2], frames)


def test_recordings_are_given_to_whom_their_frames_are_likeliest_under(model, training, rng):
    birds = [1, 2, 3, 0, 3, 2]
    # The last is labelled as bob's, and sounds like cid; the second in two sequences.
    sound = [1, 2, 2, 3, 1, 3, 3]
    numbers = [0, 1, 1, 2, 3, 4, 5]
    frames = [PLACES[bird] + 0.5 * rng.normal(size=(9, 2)) for bird in sound]
    # One syllable each, in the training recordings, and in those held out.
    listener = types.SimpleNamespace(
        recordings=Heard([0, 1, 2], [0, 1, 2], [[1.0], [2.0], [3.0]]),
        hear=lambda songs: Heard(numbers, [0, 1, 2, 3, 5], [[1.1], [2.1], [2.0], [0.0], [3.1]]),
    )
    figures = identification.who_sings(model, sequences(birds, numbers, frames), training, listener)
    assert figures == {
        "who_individual_share": 4 / 5,
        "who_individual_share_nearest": 3 / 5,
        "who_individual_share_commonest": 2 / 5,
        "who_individual_recordings": 5,
        "who_individual_share_call": 1.0,
        "who_individual_share_call_nearest": 4 / 5,
        "who_individual_calls": 5,
        "who_individual_ada_as_ada": 1,
        "who_individual_bob_as_bob": 1,
        "who_individual_bob_as_cid": 1,
        "who_individual_cid_as_cid": 2,
        "who_individual_call_ada_as_ada": 1,
        "who_individual_call_bob_as_bob": 2,
        "who_individual_call_cid_as_cid": 2,
    }
    table = identification.as_table(figures, BIRDS).splitlines()
    assert table[0].startswith("individual of 5 held-out recordings: 0.800 told rightly; nearest")
    assert table[2].split() == ["ada", "bob", "cid", "(recordings,", "told", "to", "be)"]
    assert [row.split() for row in table[3:6]] == [
        ["ada", "1", "0", "0"],
        ["bob", "0", "1", "1"],
        ["cid", "0", "0", "2"],
    ]
    assert "(single syllables, told to be)" in table[6] and len(table) == 10
    few = identification.who_sings(model, sequences([1], [0], frames[:1]), training, None)
    assert few == {} and identification.as_table(few, BIRDS) == ""


def test_errors_that_go_together_are_weighed_as_such(model, rng):
    # Both bins move together, far more than birds differ.
    def sung(bird):
        together = rng.normal(size=(9, 1)) * [8.0, 16.0]
        return PLACES[bird] + together + 0.3 * rng.normal(size=(9, 2))

    birds = [1, 2] * 20
    numbers = list(range(len(birds)))
    training, held_out = (sequences(birds, numbers, [sung(b) for b in birds]) for _ in range(2))
    figures = identification.who_sings(model, held_out, training, None)
    assert figures["who_individual_share"] == 1.0
    # As if they were independent, some are mistaken for one another.
    squares = [
        [np.sum((frames - PLACES[bird]) ** 2) for bird in (1, 2, 3)] for frames in held_out.frames
    ]
    assert np.mean(1 + np.argmin(squares, axis=1) == birds) < 0.9


def test_ten_recordings_together_are_told_more_surely_than_one(model, training, rng):
    birds = [1] * 23 + [2] * 9 + [3] * 10
    frames = [PLACES[bird] + 12 * rng.normal(size=(9, 2)) for bird in birds]
    figures = identification.who_sings(
        model, sequences(birds, list(range(len(birds))), frames), training, None
    )
    # What is left of ada's, and all of bob's, are no ten.
    assert figures["who_individual_tens"] == 3
    assert figures["who_individual_share"] < 0.95 and figures["who_individual_share_ten"] == 1.0
    assert "tens of recordings, 3 of them: 1.000 told rightly" in identification.as_table(
        figures, BIRDS
    )
