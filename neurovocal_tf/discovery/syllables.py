"""The syllables of songs, found on their spectrograms in dB: recordings and what a model sings go
through the same code, and nothing between a model's frames and what is measured is lost by making
sound of them.

A frame's level is the mean over the detector's band of each bin's power over its background, which
is its 20th percentile in the recordings; where the detector looks for contrast, the mean over the
three neighbouring bins in which that is highest. A syllable is where the level reaches 16 dB, as
far as it stays over 10 dB; of loud recordings, whose calls hardly part at that, where it comes
within 23 dB of the level of the loudest twentieth of the frames. Against the labels of three birds
(both bounds within 10 ms) that has an F1 of 0.95, 0.88, with cage noise between the songs, and
0.93, and of a mouse 0.95.
"""

import dataclasses
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from neurovocal_tf.config import Config
from neurovocal_tf.discovery import features
from neurovocal_tf.segmentation.band import in_band_or_all
from neurovocal_tf.segmentation.columns import join_gaps
from neurovocal_tf.segmentation.detector import runs_above

_BACKGROUND_PERCENTILE = 20.0
_THRESHOLD_DB, _HYSTERESIS_DB = 16.0, 6.0
_LOUD_PERCENTILE, _UNDER_LOUD_DB = 95.0, 23.0
_BINS_OF_CONTRAST = 3


@dataclasses.dataclass(frozen=True, eq=False)
class Syllables:
    """The syllables of some pieces of song.

    Attributes:
        frame_s: seconds from one frame to the next.
        num_frames: int `[P]`, of each piece.
        pieces: int `[S]`, in which piece each syllable is.
        onsets, offsets: int `[S]`, frames of that piece, the offset exclusive.
        centroids_hz, peak_frequencies_hz: `[S]`, of the mean spectrum over the background.
        slopes_hz_per_s: of each, `[L - 1]`, how fast its loudest frequency moves, frame by frame.
        columns: float16 `[S, C, F]`, the spectrum in `C` columns from onset to offset, dB over the
            background as `features` measures it.
    """

    frame_s: float
    num_frames: np.ndarray
    pieces: np.ndarray
    onsets: np.ndarray
    offsets: np.ndarray
    centroids_hz: np.ndarray
    peak_frequencies_hz: np.ndarray
    slopes_hz_per_s: list[np.ndarray]
    columns: np.ndarray

    def __len__(self) -> int:
        return len(self.onsets)

    @property
    def durations_s(self) -> np.ndarray:
        """`[S]`."""
        return (self.offsets - self.onsets) * self.frame_s

    @property
    def follows(self) -> np.ndarray:
        """Whether the syllable before is of the same piece, bool `[S]`."""
        return np.diff(self.pieces, prepend=-1) == 0

    @property
    def silences_s(self) -> np.ndarray:
        """From the offset before to the onset, `[S]`; infinite at the first of a piece."""
        before = np.append(0, self.offsets[:-1])
        return np.where(self.follows, (self.onsets - before) * self.frame_s, np.inf)

    @property
    def points(self) -> np.ndarray:
        """Each as what is compared, float32 `[S, C * F]`, see `features.as_points`."""
        return features.as_points(self.columns, features.Recipe())


class _Syllable(NamedTuple):
    """What is measured of one, see `Syllables`."""

    columns: np.ndarray
    centroid_hz: float
    peak_frequency_hz: float
    slopes_hz_per_s: np.ndarray


@dataclasses.dataclass(frozen=True, eq=False)
class FrameDetector:
    """Finds syllables in spectrograms of one kind: of one bird, under one setting.

    Attributes:
        background_db: `[V]`, each bin's level in the background.
        bin_hz: `[V]`.    is_in_band: bool `[V]`.
        threshold_db: which the level must reach.
        frame_s: seconds from one frame to the next.
        of_contrast: whether the level is that of the highest bins alone.
        min_gap_s, min_length_s, max_length_s: as the settings of the detector.
    """

    background_db: np.ndarray
    bin_hz: np.ndarray
    is_in_band: np.ndarray
    threshold_db: float
    frame_s: float
    of_contrast: bool
    min_gap_s: float
    min_length_s: float
    max_length_s: float

    @classmethod
    def fitted(
        cls, pieces: Sequence[np.ndarray], sample_rate: float, config: Config
    ) -> "FrameDetector":
        """The detector for what is like some recordings.

        Args:
            pieces: their spectrograms `[L, V]`, dB, one frame at least together.
            sample_rate: Hz.
            config: `Config`, whose segmentation and spectrogram count.
        """
        detector = config.segmentation
        bin_hz = np.linspace(0.0, sample_rate / 2, pieces[0].shape[1])
        fitted = cls(
            np.percentile(np.concatenate(pieces), _BACKGROUND_PERCENTILE, axis=0),
            bin_hz,
            in_band_or_all(bin_hz, detector.low_hz, detector.high_hz),
            _THRESHOLD_DB,
            config.spectrogram.hop_length / sample_rate,
            detector.detector == "contrast",
            detector.min_gap_ms / 1000,
            detector.min_length_ms / 1000,
            detector.max_length_ms / 1000,
        )
        loud = np.percentile(
            np.concatenate([fitted.levels_db(piece) for piece in pieces]), _LOUD_PERCENTILE
        )
        threshold_db = max(_THRESHOLD_DB, float(loud) - _UNDER_LOUD_DB)
        return dataclasses.replace(fitted, threshold_db=threshold_db)

    def levels_db(self, decibels: np.ndarray) -> np.ndarray:
        """Level of each frame over the background.  [L, V] -> [L]"""
        over = 10 ** ((np.asarray(decibels, np.float64) - self.background_db) / 10)
        over = over[:, self.is_in_band]
        if not self.of_contrast:
            return 10 * np.log10(over.mean(axis=1))
        size = min(_BINS_OF_CONTRAST, over.shape[1])
        windows = np.lib.stride_tricks.sliding_window_view(over, size, axis=1)
        return 10 * np.log10(windows.mean(axis=2).max(axis=1))

    def spans(self, decibels: np.ndarray) -> np.ndarray:
        """Onsets and offsets of a piece's syllables in frames.  [L, V] -> int [S, 2]"""
        # A level below the background is none: runs are of numbers that are not negative.
        levels = np.maximum(self.levels_db(decibels), 0.0)
        release = np.array([self.threshold_db - _HYSTERESIS_DB])
        onsets, offsets, peaks = runs_above(levels, release, release)
        reach = peaks * release >= self.threshold_db
        onsets, offsets, _ = join_gaps(
            onsets[reach], offsets[reach], peaks[reach], self.min_gap_s / self.frame_s
        )
        lengths_s = (offsets - onsets) * self.frame_s
        kept = (lengths_s > self.min_length_s) & (lengths_s < self.max_length_s)
        return np.stack([onsets[kept], offsets[kept]], axis=1)

    def find(self, pieces: Sequence[np.ndarray]) -> Syllables:
        """The syllables of some pieces of song, spectrograms `[L, V]`, dB."""
        spans = [self.spans(piece) for piece in pieces]
        measured = [
            self._measured(piece, onset, offset)
            for piece, of_one in zip(pieces, spans, strict=True)
            for onset, offset in of_one
        ]
        num_bins = len(self._measured_bins)
        num_columns = features.Recipe().num_columns
        empty = np.zeros((0, num_columns, num_bins), np.float16)
        together = np.concatenate([np.zeros((0, 2), int), *spans])
        return Syllables(
            self.frame_s,
            np.array([len(piece) for piece in pieces], int),
            np.repeat(np.arange(len(pieces)), [len(of_one) for of_one in spans]),
            together[:, 0],
            together[:, 1],
            np.array([one.centroid_hz for one in measured]),
            np.array([one.peak_frequency_hz for one in measured]),
            [one.slopes_hz_per_s for one in measured],
            np.stack([one.columns for one in measured]) if measured else empty,
        )

    @property
    def _measured_bins(self) -> np.ndarray:
        return np.flatnonzero(self.is_in_band)

    def _measured(self, piece: np.ndarray, onset: int, offset: int) -> "_Syllable":
        bins = self._measured_bins
        levels = features.over_background(piece[onset:offset, bins], self.background_db[bins])
        power = np.mean(10 ** (piece[onset:offset, bins] / 10), axis=0)
        over = np.maximum(power - 10 ** (self.background_db[bins] / 10), 0.0)
        hz = self.bin_hz[bins]
        total = max(float(over.sum()), float(np.finfo(float).tiny))
        ridge_hz = hz[(piece[onset:offset, bins] - self.background_db[bins]).argmax(axis=1)]
        return _Syllable(
            features.stretched(levels, features.Recipe().num_columns).astype(np.float16),
            float(over @ hz) / total,
            float(hz[int(over.argmax())]),
            np.diff(ridge_hz) / self.frame_s,
        )
