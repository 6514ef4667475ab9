"""MIDI files to piano rolls and back, by mido, which comes with the extra `music`.

A piano roll is a row of zeros and ones for each frame, a column for each key of a piano, MIDI notes
21 to 108 [L, 88]. A key is on in a frame if it sounds an eighth of a frame after its beginning: on
the beat, with some patience for hands that are late. So notes that lie between two beats are left
out, and notes that are struck again at once become one.
"""

import dataclasses
import importlib.util
import math
import os
from collections.abc import Iterator
from typing import Any

import numpy as np

from neurovocal_tf import files
from neurovocal_tf.music.harmony import LOWEST_KEY, NUM_KEYS, is_on

ENDINGS = (".mid", ".midi")
_PATIENCE = 0.125
_TICKS_A_BEAT, _VELOCITY = 480, 80
_SECONDS_A_BEAT = 60 / 100
_DRUMS = 9
# A damaged file may tell of a note that ends in a hundred years.
_MOST_FRAMES = 200_000
# What a file's tempo is made of: microseconds a beat, 24 bit.
_LONGEST_FRAME_S = 16.0


@dataclasses.dataclass(frozen=True, eq=False)
class Piece:
    """A piece as a piano roll: `roll` uint8 [L, 88]; of `num_notes` notes `num_between` lie between
    two frames and `num_beyond` beyond a piano's keys, and are left out.
    """

    roll: np.ndarray
    num_notes: int
    num_between: int
    num_beyond: int


def is_midi(path: str | os.PathLike[str]) -> bool:
    """Whether a path is that of a MIDI file, by its ending."""
    return os.fspath(path).lower().endswith(ENDINGS)


def is_installed() -> bool:
    """Whether mido is there."""
    return importlib.util.find_spec("mido") is not None


def check_installed() -> None:
    """Raises ValueError where mido is not installed."""
    _mido()


def seconds_of_frame(frame_beats: float, frame_s: float) -> float:
    """How long a frame sounds: `frame_s`, or where that is 0, at 100 quarter notes a minute."""
    return frame_s or frame_beats * _SECONDS_A_BEAT


def read(path: str | os.PathLike[str], frame_beats: float = 1.0, frame_s: float = 0.0) -> Piece:
    """A MIDI file as a piano roll, without its drums.

    Args:
        path: of a file of type 0 or 1.
        frame_beats: quarter notes from one frame to the next.
        frame_s: seconds instead, by the file's tempi; 0: `frame_beats`.

    Raises:
        ValueError: mido is not installed, or the file is damaged, silent, of type 2, or longer than
            200,000 frames. The message is the reason alone.
    """
    mido = _mido()
    try:
        midi = mido.MidiFile(os.fspath(path))
        notes, end = _notes(midi, frame_beats, frame_s)
    # mido meets damage as EOFError, OSError, KeyError, IndexError and errors of its own.
    except Exception as error:
        what = " ".join(str(error).split()) or type(error).__name__
        raise ValueError(f"is no MIDI file that can be read ({what})") from None
    if not notes:
        raise ValueError("has no notes")
    num_frames = math.ceil(max(end, max(off for _, _, off in notes)) - _PATIENCE)
    if num_frames > _MOST_FRAMES:
        raise ValueError(f"is longer than {_MOST_FRAMES} frames")
    roll = np.zeros((max(num_frames, 1), NUM_KEYS), np.uint8)
    between = beyond = 0
    for key, on, off in notes:
        first, last = (max(math.ceil(time - _PATIENCE), 0) for time in (on, off))
        is_key = 0 <= key - LOWEST_KEY < NUM_KEYS
        beyond += not is_key
        between += is_key and first == last
        if is_key:
            roll[first:last, key - LOWEST_KEY] = 1
    return Piece(roll, len(notes), between, beyond)


def write(
    path: str | os.PathLike[str], roll: np.ndarray, frame_s: float, frame_beats: float = 1.0
) -> None:
    """Writes a piano roll as a MIDI file of one track; a key that stays on is one note.

    Args:
        path: of the file.    roll: zeros and ones `[L, 88]`.
        frame_s: seconds of a frame, at most 16 a quarter note.
        frame_beats: quarter notes of a frame; in notation.

    Raises ValueError where mido is not installed.
    """
    mido = _mido()
    ticks = max(round(_TICKS_A_BEAT * frame_beats), 1)
    beat_s = min(frame_s * _TICKS_A_BEAT / ticks, _LONGEST_FRAME_S)
    midi = mido.MidiFile(type=0, ticks_per_beat=_TICKS_A_BEAT)
    track = mido.MidiTrack([mido.MetaMessage("set_tempo", tempo=round(1e6 * beat_s))])
    now = 0
    for frame, key, goes_on in _switches(roll):
        name = "note_on" if goes_on else "note_off"
        delta, now = frame * ticks - now, frame * ticks
        track.append(mido.Message(name, note=LOWEST_KEY + key, velocity=_VELOCITY, time=delta))
    track.append(mido.MetaMessage("end_of_track", time=len(roll) * ticks - now))
    midi.tracks.append(track)
    with files.replacing(path) as temporary:
        midi.save(temporary)


def _switches(roll: np.ndarray) -> Iterator[tuple[int, int, bool]]:
    """(frame, key, whether on) of every change, in order, what goes off first."""
    keys = np.pad(is_on(roll).astype(np.int8), ((1, 1), (0, 0)))
    frames, changed = np.nonzero(np.diff(keys, axis=0))
    goes_on = np.diff(keys, axis=0)[frames, changed] > 0
    order = np.lexsort((changed, goes_on, frames))
    return zip(
        frames[order].tolist(), changed[order].tolist(), goes_on[order].tolist(), strict=True
    )


def _notes(
    midi: Any, frame_beats: float, frame_s: float
) -> tuple[list[tuple[int, float, float]], float]:
    """List of (MIDI note, on, off), in frames, and the file's end."""
    if midi.type == 2:
        raise ValueError("of type 2: its tracks are no parts of one piece")
    if frame_s:
        deltas, frame = ((message, message.time) for message in midi), frame_s
    else:
        if midi.ticks_per_beat <= 0:
            raise ValueError("it counts seconds and no beats: --frame_s=0.5 reads such")
        merged = _mido().merge_tracks(midi.tracks)
        deltas, frame = (
            ((message, message.time / midi.ticks_per_beat) for message in merged),
            frame_beats,
        )
    notes: list[tuple[int, float, float]] = []
    sounding: dict[tuple[int, int], float] = {}
    now = 0.0
    for message, delta in deltas:
        now += delta / frame
        if message.type not in ("note_on", "note_off") or message.channel == _DRUMS:
            continue
        voice = message.channel, message.note
        # Whoever strikes a key again has let it go.
        if voice in sounding:
            notes.append((message.note, sounding.pop(voice), now))
        if message.type == "note_on" and message.velocity:
            sounding[voice] = now
    notes += [(note, on, now) for (_, note), on in sounding.items()]
    return notes, now


def _mido() -> Any:
    try:
        import mido
    except ImportError:
        raise ValueError(
            "MIDI needs mido, which is not installed: pip install mido, or neurovocal_tf[music]"
        ) from None
    return mido
