"""Piano rolls to MIDI and back, and what becomes of files that others have written."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from neurovocal_tf.music import midi

mido = pytest.importorskip("mido", reason="mido, of the extra music, is not installed")

ROLLS = arrays.arrays(
    np.uint8,
    st.tuples(st.integers(1, 12), st.just(88)),
    elements=st.integers(0, 1),
    fill=st.just(0),
)


def written(path, *notes, ticks_per_beat=480, tempi=((0, 500_000),), channel=0):
    """A file of notes (note, on, off) in ticks, and tempi (tick, microseconds a beat)."""
    events = [(tick, mido.MetaMessage("set_tempo", tempo=tempo)) for tick, tempo in tempi]
    for note, on, off in notes:
        events.append((on, mido.Message("note_on", note=note, channel=channel)))
        events.append((off, mido.Message("note_on", note=note, velocity=0, channel=channel)))
    file, now = mido.MidiFile(ticks_per_beat=ticks_per_beat), 0
    file.tracks.append(mido.MidiTrack())
    for tick, message in sorted(events, key=lambda event: event[0]):
        file.tracks[0].append(message.copy(time=tick - now))
        now = tick
    file.save(path)
    return path


@pytest.fixture(scope="module")
def rolls(tmp_path_factory):
    return tmp_path_factory.mktemp("rolls")


@given(ROLLS, st.sampled_from([0.25, 1 / 3, 0.5, 1.0, 2.0]), st.floats(0.05, 4.0))
@settings(max_examples=25, deadline=None)
def test_a_piano_roll_comes_back_from_midi_as_it_was(rolls, roll, beats, frame_s):
    path = rolls / "roll.mid"
    midi.write(path, roll, frame_s, beats)
    if not roll.any():
        with pytest.raises(ValueError, match="has no notes"):
            midi.read(path, beats)
        return
    for piece in (midi.read(path, frame_beats=beats), midi.read(path, frame_s=frame_s)):
        np.testing.assert_array_equal(piece.roll, roll)
        assert (piece.num_between, piece.num_beyond) == (0, 0)


def test_notes_count_where_they_sound_on_the_beat(tmp_path):
    late, short, between, held = (60, 50, 480), (62, 0, 100), (64, 600, 900), (65, 480, 1440)
    piece = midi.read(written(tmp_path / "a.mid", late, short, between, held))
    on = [np.flatnonzero(frame).tolist() for frame in piece.roll]
    assert on == [[39, 41], [44], [44]]
    assert (piece.num_notes, piece.num_between, piece.num_beyond) == (4, 1, 0)
    assert midi.read(tmp_path / "a.mid", frame_beats=0.5).num_between == 0


def test_seconds_follow_the_tempo_and_beats_do_not(tmp_path):
    # The second beat is three times as long as the first.
    path = written(
        tmp_path / "a.mid", (60, 0, 480), (62, 480, 960), tempi=((0, 500_000), (480, 1_500_000))
    )
    by_beats, by_time = (midi.read(path, **frame).roll for frame in ({}, {"frame_s": 0.5}))
    assert by_beats[:, 39].tolist() == [1, 0] and by_time[:, 39].tolist() == [1, 0, 0, 0]
    assert by_beats[:, 41].tolist() == [0, 1] and by_time[:, 41].tolist() == [0, 1, 1, 1]


def test_drums_are_left_out_and_notes_beyond_the_piano_counted(tmp_path):
    with pytest.raises(ValueError, match="has no notes"):
        midi.read(written(tmp_path / "drums.mid", (40, 0, 480), channel=9))
    piece = midi.read(written(tmp_path / "low.mid", (10, 0, 480), (60, 0, 480)))
    assert piece.num_beyond == 1 and piece.roll.sum() == 1


def test_a_note_that_nobody_ends_lasts_to_the_end_and_one_struck_again_ends_there(tmp_path):
    file = mido.MidiFile()
    file.tracks.append(
        mido.MidiTrack(
            [
                mido.Message("note_on", note=60),
                mido.Message("note_on", note=60, time=480),
                mido.MetaMessage("end_of_track", time=960),
            ]
        )
    )
    file.save(tmp_path / "a.mid")
    piece = midi.read(tmp_path / "a.mid")
    assert piece.roll[:, 39].tolist() == [1, 1, 1] and piece.num_notes == 2


@pytest.mark.parametrize(
    "spoil",
    [
        lambda content: b"",
        lambda content: b"RIFF and no MIDI",
        lambda content: content[: len(content) // 2],
        lambda content: content.replace(b"MTrk", b"MTrx"),
    ],
    ids=["empty", "something else", "cut off", "no track"],
)
def test_damage_is_a_reason_in_one_line(spoil, tmp_path):
    path = written(tmp_path / "a.mid", (60, 0, 480), (62, 480, 960))
    path.write_bytes(spoil(path.read_bytes()))
    with pytest.raises(ValueError) as refused:
        midi.read(path)
    assert "\n" not in str(refused.value) and "()" not in str(refused.value)


def test_a_note_of_a_hundred_years_takes_no_memory(tmp_path):
    path = written(tmp_path / "a.mid", (60, 0, 200_000_000), ticks_per_beat=1)
    with pytest.raises(ValueError, match="is longer than 200000 frames"):
        midi.read(path)


def test_a_frame_of_beats_sounds_at_a_hundred_a_minute():
    assert midi.seconds_of_frame(0.5, 0.0) == pytest.approx(0.3)
    assert midi.seconds_of_frame(0.5, 0.2) == 0.2
