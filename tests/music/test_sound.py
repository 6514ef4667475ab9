"""Piano rolls as sound."""

import numpy as np
import pytest

from neurovocal_tf.music import sound

FRAME_S = 0.5


def roll_of(num_frames, *notes):
    roll = np.zeros((num_frames, 88), np.uint8)
    for note, first, last in notes:
        roll[first:last, note - 21] = 1
    return roll


@pytest.mark.parametrize("note, frequency_hz", [(69, 440.0), (57, 220.0), (60, 261.63)])
def test_a_key_sounds_at_its_frequency(note, frequency_hz):
    samples = sound.synthesise(roll_of(2, (note, 0, 2)), FRAME_S)
    spectrum = np.abs(np.fft.rfft(samples[: sound.SAMPLE_RATE]))
    # A second of sound: a bin a hertz.
    assert np.argmax(spectrum) == pytest.approx(frequency_hz, abs=1)


def test_sound_lasts_as_long_as_its_frames_and_a_release():
    samples = sound.synthesise(roll_of(4, (60, 1, 2)), FRAME_S)
    frame = sound.SAMPLE_RATE // 2
    assert len(samples) == pytest.approx(4 * frame + 0.08 * sound.SAMPLE_RATE, abs=2)
    loud = np.abs(samples) > 1e-6
    assert not loud[:frame].any() and loud[frame : 2 * frame].mean() > 0.9
    assert not loud[2 * frame + 2000 :].any()


def test_a_held_key_dies_away_and_a_struck_one_begins_again():
    held = np.abs(sound.synthesise(roll_of(3, (60, 0, 3)), FRAME_S))
    again = np.abs(sound.synthesise(roll_of(3, (60, 0, 1), (60, 2, 3)), FRAME_S))
    third = slice(sound.SAMPLE_RATE, sound.SAMPLE_RATE + 4000)
    assert again[third].max() > 2 * held[third].max()


def test_silence_and_no_frames_are_silent():
    assert not sound.synthesise(np.zeros((2, 88)), FRAME_S).any()
    assert not sound.synthesise(np.zeros((0, 88)), FRAME_S).any()
