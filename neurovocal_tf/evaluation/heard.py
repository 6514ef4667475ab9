"""Songs as they are heard by one bird's measure: syllables found, placed among the real ones, and
given the real ones' types.
"""

import dataclasses
import math
from collections.abc import Sequence

import numpy as np
from sklearn.decomposition import PCA
from threadpoolctl import threadpool_limits

from neurovocal_tf.config import Config
from neurovocal_tf.discovery import call_types
from neurovocal_tf.discovery.syllables import FrameDetector, Syllables
from neurovocal_tf.evaluation.song_measures import BREAK_S, Sung

_NUM_COMPONENTS = 20


class NotMeasurable(ValueError):
    """Why songs cannot be measured, in words for people."""


@dataclasses.dataclass(frozen=True, eq=False)
class Songs:
    """Pieces of song as spectrograms `[L, V]`, dB, and of which recording each is: what is of one
    recording stays together when recordings are drawn.
    """

    pieces: Sequence[np.ndarray]
    recordings: Sequence[int]

    @classmethod
    def apart(cls, pieces: Sequence[np.ndarray]) -> "Songs":
        """Pieces of which each stands for a recording."""
        return cls(pieces, range(len(pieces)))

    def __len__(self) -> int:
        return len(self.pieces)


@dataclasses.dataclass(frozen=True, eq=False)
class Heard:
    """What was heard in some songs.

    Attributes:
        songs: `Songs`.    syllables: `Syllables`.
        types: int `[S]`, below `num_types`.    vectors: `[S, D]`.
        levels_db: of each piece, `[L]`, see `FrameDetector.levels_db`.
        threshold_db: where quiet frames end.
        changes: of each piece, the mean change of its frames, dB `[L - 1]`.
    """

    songs: Songs
    syllables: Syllables
    types: np.ndarray
    num_types: int
    vectors: np.ndarray
    levels_db: list[np.ndarray]
    threshold_db: float
    changes: list[np.ndarray]

    def __len__(self) -> int:
        return len(self.syllables)

    def per_piece(self) -> np.ndarray:
        """Syllables of each piece, int `[P]`."""
        return np.bincount(self.syllables.pieces, minlength=len(self.songs))

    def some(self, is_chosen: np.ndarray, most: int, rng: np.random.Generator) -> Sung:
        """What is compared of some pieces: whole ones in random order, the last of them cut, with
        so many syllables together, or all there are. Syllables a second are of all the pieces.

        Args:
            is_chosen: bool `[P]`.    most: int.    rng: of the order, and of where the last is cut.
        """
        chosen = np.flatnonzero(is_chosen)
        edges = np.searchsorted(self.syllables.pieces, np.arange(len(self.songs) + 1))
        pieces, taken, left = [], [np.zeros(0, int)], most
        for piece in rng.permutation(chosen):
            first, last = edges[piece], edges[piece + 1]
            if last - first > left:
                first += rng.integers(last - first - left + 1)
                last = first + left
            pieces.append(piece)
            taken.append(np.arange(first, last))
            left -= last - first
            if not left:
                break
        # Of those taken they would be too many: pieces with more syllables end the search sooner.
        per_s = self._per_s(self.per_piece()[chosen].sum(), chosen)
        return self._sung(np.sort(np.array(pieces, int)), np.sort(np.concatenate(taken)), per_s)

    def part(self, first: float, last: float, pieces: np.ndarray) -> Sung:
        """What is compared of a part of some pieces.

        Args:
            first, last: shares of a piece's length, from 0 to 1.    pieces: int `[N]`.
        """
        found = self.syllables
        places = found.onsets / np.maximum(found.num_frames[found.pieces], 1)
        is_in = (places >= first) & (places < last) & np.isin(found.pieces, pieces)
        syllables = np.flatnonzero(is_in)
        per_s = self._per_s(len(syllables), pieces, last - first)
        return self._sung(pieces, syllables, per_s, first, last)

    def of(self, is_chosen: np.ndarray) -> Sung:
        """What is compared of some pieces, bool `[P]`."""
        return self.part(0.0, 1.0, np.flatnonzero(is_chosen))

    def all(self) -> Sung:
        """What is compared of all of it."""
        return self.of(np.ones(len(self.songs), bool))

    def longest_silence_s(self) -> float:
        """The longest time without a syllable within a piece."""
        longest = 0
        for piece, num_frames in enumerate(self.syllables.num_frames):
            own = self.syllables.pieces == piece
            edges = (
                np.concatenate([[0], self.syllables.offsets[own]]),
                np.concatenate([self.syllables.onsets[own], [num_frames]]),
            )
            longest = max(longest, int(np.max(edges[1] - edges[0], initial=0)))
        return longest * self.syllables.frame_s

    def _per_s(self, num_syllables: int, pieces: np.ndarray, share: float = 1.0) -> float:
        """Of syllables in a share of some pieces' length; NaN where that is nothing."""
        seconds = float(self.syllables.num_frames[pieces].sum()) * self.syllables.frame_s * share
        return num_syllables / seconds if seconds else math.nan

    def _sung(
        self,
        pieces: np.ndarray,
        syllables: np.ndarray,
        syllables_per_s: float,
        first: float = 0.0,
        last: float = 1.0,
    ) -> Sung:
        """Of some pieces, between some shares of their length, and of some syllables in them."""
        found = self.syllables
        gaps = found.silences_s[syllables]
        quiet, loud = self._changes(pieces, first, last)
        return Sung(
            tuple(self._sequence(syllables[found.pieces[syllables] == p]) for p in pieces),
            self.num_types,
            self.types[syllables],
            self.vectors[syllables],
            found.durations_s[syllables],
            gaps[gaps <= BREAK_S],
            found.centroids_hz[syllables],
            found.peak_frequencies_hz[syllables],
            np.concatenate([np.zeros(0), *(found.slopes_hz_per_s[one] for one in syllables)]),
            syllables_per_s,
            quiet,
            loud,
        )

    def _sequence(self, syllables: np.ndarray) -> np.ndarray:
        """Types of a piece's syllables, with a break before each that follows a long silence."""
        is_late = self.syllables.silences_s[syllables[1:]] > BREAK_S
        return np.insert(self.types[syllables], np.flatnonzero(is_late) + 1, self.num_types)

    def _changes(self, pieces: np.ndarray, first: float, last: float) -> tuple[float, float]:
        quiet, loud = [], []
        for piece in pieces:
            size = len(self.changes[piece])
            some = slice(math.floor(first * size), math.ceil(last * size))
            is_loud = self.levels_db[piece] >= self.threshold_db
            both, neither = is_loud[1:] & is_loud[:-1], ~(is_loud[1:] | is_loud[:-1])
            loud.append(self.changes[piece][some][both[some]])
            quiet.append(self.changes[piece][some][neither[some]])
        means = [np.concatenate(parts) if parts else np.zeros(0) for parts in (quiet, loud)]
        quiet_mean, loud_mean = (float(part.mean()) if len(part) else math.nan for part in means)
        return quiet_mean, loud_mean


class Listener:
    """Hears songs by the measure of some recordings: their background, the principal components of
    their syllables and their call types.

    Args:
        songs: `Songs` of the recordings, of one frame at least together.    sample_rate: Hz.
        config: `Config`, whose segmentation and spectrogram count.    seed: int.

    Raises: NotMeasurable if no syllable is found in them.
    """

    def __init__(self, songs: Songs, sample_rate: float, config: Config, seed: int = 0) -> None:
        self.detector = FrameDetector.fitted(songs.pieces, sample_rate, config)
        syllables = self.detector.find(songs.pieces)
        if not len(syllables):
            raise NotMeasurable("no syllable is found in the recordings' spectrograms")
        points = syllables.points
        fitted_to = call_types.sample(len(points), seed)
        self._types = call_types.fit(points[fitted_to], seed)
        size = min(_NUM_COMPONENTS, max(len(fitted_to) - 1, 1), points.shape[1])
        with threadpool_limits(1), np.errstate(invalid="ignore"):
            self._projection = PCA(size, random_state=seed).fit(points[fitted_to])
        logarithms = np.log(syllables.durations_s)
        self._mean_log = float(logarithms.mean())
        # No finer than by a frame, or syllables that are all as long would make others endless.
        resolution = math.log1p(syllables.frame_s / float(np.median(syllables.durations_s)))
        # Of a vector's components the duration is one as important as the others on average.
        spread = math.sqrt(float(self._projection.explained_variance_.mean()))
        self._per_log = spread / max(float(logarithms.std()), resolution)
        #: `Heard` in the recordings themselves.
        self.recordings = self._heard(songs, syllables, points)

    @property
    def num_types(self) -> int:
        """K, call types of the recordings."""
        return len(self._types.names)

    @property
    def type_names(self) -> tuple[str, ...]:
        """A, B and so on, the most frequent first."""
        return self._types.names

    def hear(self, songs: Songs) -> Heard:
        """What is heard in other songs."""
        syllables = self.detector.find(songs.pieces)
        return self._heard(songs, syllables, syllables.points)

    def _heard(self, songs: Songs, syllables: Syllables, points: np.ndarray) -> Heard:
        types = np.zeros(0, int)
        vectors = np.zeros((0, len(self._projection.components_) + 1))
        if len(syllables):
            # All alike, so that the same songs are the same: one of the fitted syllables is its own
            # neighbour too.
            types = self._types.assign(self._types.project(points)).types
            logarithms = np.log(syllables.durations_s) - self._mean_log
            vectors = np.column_stack(
                [self._projection.transform(points), logarithms * self._per_log]
            )
        bins = self.detector.is_in_band
        return Heard(
            songs,
            syllables,
            types,
            self.num_types,
            vectors,
            [self.detector.levels_db(piece) for piece in songs.pieces],
            self.detector.threshold_db,
            [np.abs(np.diff(piece[:, bins], axis=0)).mean(axis=1) for piece in songs.pieces],
        )
