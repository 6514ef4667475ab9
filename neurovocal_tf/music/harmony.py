"""Keys, chords, steps and repeats of piano rolls, zeros and ones [L, 88], MIDI notes 21 to 108."""

import dataclasses
from collections.abc import Hashable, Sequence

import numpy as np

LOWEST_KEY, NUM_KEYS = 21, 88
NAMES = ("C", "C#", "D", "Eb", "E", "F", "F#", "G", "Ab", "A", "Bb", "B")
# How well each pitch class fits a key, from its tonic on: probe-tone ratings (Krumhansl & Kessler,
# 1982; Krumhansl, Cognitive Foundations of Musical Pitch, 1990, p. 30).
_PROFILES = np.array(
    [
        (6.35, 2.23, 3.48, 2.33, 4.38, 4.09, 2.52, 5.19, 2.39, 3.66, 2.29, 2.88),
        (6.33, 2.68, 3.52, 5.38, 2.60, 3.53, 2.54, 4.75, 3.98, 2.69, 3.34, 3.17),
    ]
)
_DEVIATIONS = _PROFILES - _PROFILES.mean(axis=1, keepdims=True)
# [24, 12], the twelve major keys and the twelve minor ones, each of mean 0 and norm 1.
_KEYS = np.stack(
    [
        np.roll(deviation / np.linalg.norm(deviation), tonic)
        for deviation in _DEVIATIONS
        for tonic in range(12)
    ]
)
# Major, and harmonic and natural minor together.
_SCALES = ((0, 2, 4, 5, 7, 9, 11), (0, 2, 3, 5, 7, 8, 10, 11))
# Chords on any root: major, minor, diminished and augmented triads; dominant, major, minor, half
# and fully diminished sevenths.
_TRIADS = ((0, 4, 7), (0, 3, 7), (0, 3, 6), (0, 4, 8))
_SEVENTHS = ((0, 4, 7, 10), (0, 4, 7, 11), (0, 3, 7, 10), (0, 3, 6, 10), (0, 3, 6, 9))
_REPEAT_FRAMES = 4


@dataclasses.dataclass(frozen=True)
class Key:
    """A key: `tonic`, a pitch class from C = 0 on; `is_major`; and its `fit`, the correlation of
    what sounds with its profile, -1 to 1.
    """

    tonic: int
    is_major: bool
    fit: float

    @property
    def name(self) -> str:
        """Such as "C major"."""
        return f"{NAMES[self.tonic]} {'major' if self.is_major else 'minor'}"

    @property
    def scale(self) -> frozenset[int]:
        """The pitch classes that belong to it; in minor, of the harmonic and the natural scale."""
        steps = _SCALES[0 if self.is_major else 1]
        return frozenset((self.tonic + step) % 12 for step in steps)


def is_on(roll: np.ndarray) -> np.ndarray:
    """Which keys are on, of zeros and ones or of their probabilities.  -> bool, any shape"""
    return np.asarray(roll) > 0.5


def pitch_classes(roll: np.ndarray) -> np.ndarray:
    """Which pitch classes sound in each frame.  [L, 88] -> bool [L, 12], from C on"""
    keys = is_on(roll)
    folded = np.zeros((len(keys), 12), bool)
    for key in range(keys.shape[1]):
        folded[:, (LOWEST_KEY + key) % 12] |= keys[:, key]
    return folded


def key_of(roll: np.ndarray) -> Key | None:
    """The key of a whole piece: of the 24, the one whose profile of Krumhansl and Kessler
    correlates most with how long each pitch class sounds.

    [L, 88] -> `Key`, None of silence and of all alike
    """
    keys = is_on(roll)
    durations = np.zeros(12)
    np.add.at(durations, (LOWEST_KEY + np.arange(keys.shape[1])) % 12, keys.sum(axis=0))
    durations -= durations.mean()
    norm = np.linalg.norm(durations)
    if not norm:
        return None
    fits = _KEYS @ durations / norm
    best = int(np.argmax(fits))
    return Key(best % 12, best < 12, float(fits[best]))


def chords(roll: np.ndarray) -> list[frozenset[int]]:
    """The chord of each frame, a set of pitch classes from the piece's tonic on, so that pieces in
    different keys compare; empty for a rest.  [L, 88] -> list of L
    """
    key = key_of(roll)
    tonic = 0 if key is None else key.tonic
    return [
        frozenset(((np.flatnonzero(frame) - tonic) % 12).tolist()) for frame in pitch_classes(roll)
    ]


def changes(symbols: Sequence[Hashable]) -> list[tuple[Hashable, Hashable]]:
    """Each symbol that differs from the one before it, with that one."""
    return [(before, after) for before, after in zip(symbols, symbols[1:]) if before != after]


def is_triad_or_seventh(chord: frozenset[int]) -> bool:
    """Whether pitch classes are a triad, or a seventh chord, in any position."""
    return any(
        chord == frozenset((root + step) % 12 for step in steps)
        for root in chord
        for steps in _TRIADS + _SEVENTHS
    )


def steps_of_voice(roll: np.ndarray, highest: bool) -> list[int]:
    """Semitones from each frame to the next of the highest voice, or of the lowest; none to and
    from rests.  [L, 88] -> list of ints
    """
    keys = is_on(roll)
    lines = keys.shape[1] - 1 - keys[:, ::-1].argmax(axis=1) if highest else keys.argmax(axis=1)
    sounding = keys.any(axis=1)
    both = sounding[1:] & sounding[:-1]
    return np.diff(lines)[both].tolist()


def repeats(roll: np.ndarray) -> float:
    """Share of the passages of four frames that have been heard before in the piece, of those in
    which something changes.  [L, 88] -> 0 to 1, NaN where there is none
    """
    passages = passages_of(roll)
    seen: set[bytes] = set()
    num_repeats = 0
    for passage in passages:
        num_repeats += passage in seen
        seen.add(passage)
    return num_repeats / len(passages) if passages else float("nan")


def passages_of(roll: np.ndarray) -> list[bytes]:
    """All passages of four frames in which something changes, as bytes that are the same for the
    same passage.
    """
    packed = np.packbits(is_on(roll), axis=1)
    return [
        packed[start : start + _REPEAT_FRAMES].tobytes()
        for start in range(len(packed) - _REPEAT_FRAMES + 1)
        if (packed[start : start + _REPEAT_FRAMES] != packed[start]).any()
    ]
