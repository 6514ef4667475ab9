"""Keys, chords, steps and repeats of pieces made by hand."""

import numpy as np
import pytest

from neurovocal_tf.music import harmony

C_MAJOR, A_MINOR = (0, 2, 4, 5, 7, 9, 11), (9, 11, 0, 2, 4, 5, 8)


def roll_of(*chords):
    """Piano roll of frames, each a list of MIDI notes."""
    roll = np.zeros((len(chords), harmony.NUM_KEYS), np.uint8)
    for frame, notes in enumerate(chords):
        roll[frame, np.array(notes, int) - harmony.LOWEST_KEY] = 1
    return roll


def scale(*pitch_classes, tonic):
    """A scale that ends on its tonic and stays there, as tunes do."""
    notes = [60 + pitch_class for pitch_class in pitch_classes]
    return roll_of(*[[note] for note in notes], [60 + tonic], [60 + tonic], [60 + (tonic + 7) % 12])


def test_a_scale_of_c_major_is_in_c_major_and_one_of_a_minor_in_a_minor():
    assert harmony.key_of(scale(*C_MAJOR, tonic=0)).name == "C major"
    assert harmony.key_of(scale(*A_MINOR, tonic=9)).name == "A minor"


@pytest.mark.parametrize("semitones", range(1, 12))
def test_a_transposed_piece_moves_its_key_and_keeps_its_chords(semitones):
    piece = scale(*C_MAJOR, tonic=0)
    moved = np.roll(piece, semitones, axis=1)
    assert harmony.key_of(moved).tonic == semitones and harmony.key_of(moved).is_major
    assert harmony.key_of(moved).fit == pytest.approx(harmony.key_of(piece).fit)
    assert harmony.chords(moved) == harmony.chords(piece)


def test_silence_and_a_cluster_of_all_pitch_classes_have_no_key():
    assert harmony.key_of(np.zeros((4, 88))) is None
    assert harmony.key_of(roll_of(range(60, 72))) is None
    assert harmony.chords(np.zeros((1, 88))) == [frozenset()]


def test_the_lowest_key_is_an_a_and_an_octave_is_the_same_pitch_class():
    low, high = roll_of([21]), roll_of([33])
    assert np.flatnonzero(harmony.pitch_classes(low)[0]).tolist() == [9]
    np.testing.assert_array_equal(harmony.pitch_classes(low), harmony.pitch_classes(high))


@pytest.mark.parametrize(
    "notes, expected",
    [
        ((60, 64, 67), True),
        ((64, 67, 72), True),
        ((57, 60, 64, 69), True),
        ((55, 59, 62, 65), True),
        ((60, 61, 62), False),
        ((60, 67), False),
        ((60, 64, 67, 74), False),
    ],
)
def test_triads_and_sevenths_are_told_in_any_position(notes, expected):
    assert harmony.is_triad_or_seventh(frozenset(note % 12 for note in notes)) is expected


def test_voices_step_between_sounding_frames_alone():
    roll = roll_of([48, 60], [50, 64], [], [43, 65], [43, 64])
    assert harmony.steps_of_voice(roll, highest=True) == [4, -1]
    assert harmony.steps_of_voice(roll, highest=False) == [2, 0]


def test_changes_leave_out_what_is_held():
    assert harmony.changes("aabba") == [("a", "b"), ("b", "a")]


def test_a_tune_that_comes_twice_repeats_and_a_held_chord_does_not():
    tune = [[60], [62], [64], [65], [67]]
    # Passages at 5 and 6 are those at 0 and 1.
    assert harmony.repeats(roll_of(*tune, *tune)) == pytest.approx(2 / 7)
    assert harmony.repeats(roll_of(*tune, [69], [71], [72])) == 0
    assert np.isnan(harmony.repeats(roll_of(*[[60]] * 9)))


def test_probabilities_count_as_on_above_one_half():
    piece = scale(*C_MAJOR, tonic=0)
    assert harmony.chords(piece * 0.6 + 0.1) == harmony.chords(piece)
