"""The labels along time that a model knows: in texts, as cues of frames, and how long they last."""

import json

import numpy as np
import pytest
import tensorflow as tf

from neurovocal_tf.labels import (
    CUE_SIZE,
    NO_LABELS,
    NUM_QUANTILES,
    DurationStatistics,
    Labels,
    cues_of,
    runs_of,
)

SYLLABLES = Labels.of(["i", "a", "b", "", "unknown", "a"])
WORDS = Labels.of(["one", "seven", "a few"])


def cues(spans, num_frames):
    numbers, firsts, lasts = np.array(spans, np.int32).reshape(-1, 3).T
    return cues_of(numbers, firsts, lasts, tf.constant(num_frames)).numpy()


def by_counting(spans, num_frames):
    """The same frame by frame, in plain Python."""
    owner = np.full(num_frames, -1)
    for place, (_, first, last) in enumerate(spans):
        owner[first:] = -1
        owner[first:last] = place
    told = []
    for t in range(num_frames):
        begin, end = t, t + 1
        while begin > 0 and owner[begin - 1] == owner[t]:
            begin -= 1
        while end < num_frames and owner[end] == owner[t]:
            end += 1
        later = [number for number, first, _ in spans if first > t]
        label = spans[owner[t]][0] if owner[t] >= 0 else 1
        told.append((label, later[0] if later else 1, t - begin, end - t))
    return np.array(told, np.int32).reshape(-1, CUE_SIZE)


@pytest.mark.parametrize(
    "spans",
    [
        [],
        [(2, 0, 12)],
        [(2, 2, 5), (3, 5, 7), (2, 9, 11)],
        [(0, 1, 3), (4, 3, 12)],
        [(2, 0, 6), (3, 4, 8)],
    ],
)
def test_a_frame_is_told_its_label_the_next_one_and_where_in_its_span_it_lies(spans):
    np.testing.assert_array_equal(cues(spans, 12), by_counting(spans, 12))


def test_spans_beyond_a_sequence_and_of_no_frames_tell_nothing():
    inside = [(2, 2, 5)]
    np.testing.assert_array_equal(
        cues([(3, -4, 0), *inside, (4, 7, 7), (5, 12, 20)], 12), cues(inside, 12)
    )
    assert cues([(2, 0, 3)], 0).shape == (0, CUE_SIZE)


def test_a_text_is_of_characters_where_every_label_is_one_else_of_words():
    assert SYLLABLES.known == ("a", "b", "i")
    assert SYLLABLES.numbers_in("iia b") == (4, 4, 2, 3)
    assert WORDS.numbers_in(" seven  one a_few") == (4, 3, 2)
    assert SYLLABLES.number("x") == WORDS.number("") == 0


@pytest.mark.parametrize(
    "labels, text, told",
    [
        (SYLLABLES, "abx", "labels that the model has learned: a b i. .*text=abx, and x is none"),
        (WORDS, "one two", "a_few one seven. .*and two is none"),
        (WORDS, " ", "`text` must have one label at least. Received: none"),
        (NO_LABELS, "a", "`text` must be left out: this model has learned no labels"),
    ],
)
def test_a_text_that_cannot_be_sung_is_told_in_a_line(labels, text, told):
    with pytest.raises(ValueError, match=told) as error:
        labels.numbers_in(text)
    assert "\n" not in str(error.value)


def test_durations_are_quantiles_of_what_was_heard_and_gaps_know_their_neighbours():
    statistics = DurationStatistics()
    for length in range(1, 1 + NUM_QUANTILES):
        # Of a: 1 to 32 frames; three frames before the first label, two after the last.
        spans = [(2, 3, 3 + length), (3, 10 + length, 14 + length)]
        statistics.update(cues(spans, 16 + length))
    statistics.update(np.zeros((9, CUE_SIZE), np.int32))
    known = statistics.of(SYLLABLES)
    assert known.durations[0] == tuple(range(1, 1 + NUM_QUANTILES))
    assert set(known.durations[1]) == {4}
    # Of i nothing was heard: it lasts as the others do.
    assert 4 in known.durations[2] and len(set(known.durations[2])) > 3
    rows, places = known.gap_rows()

    def gap(a, b):
        return set(rows[places[a, b]].tolist())

    assert gap(1, 2) == gap(1, 3) == {3} and gap(3, 1) == gap(4, 1) == {2}
    assert gap(2, 3) == gap(2, 4) == gap(4, 4) == {7}
    assert Labels.from_json(json.loads(json.dumps(known.to_json()))) == known
    assert runs_of(cues([(2, 3, 5)], 6)) == [(1, 0, 3), (2, 3, 5), (1, 5, 6)]
