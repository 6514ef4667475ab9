"""Half seconds of song beside all half seconds of the real ones: how near the nearest is, and
whether it is a copy.
"""

import dataclasses
import math

import numpy as np

_WINDOW_S = 0.5
_MOST_WINDOWS = 64
# Real windows hardly come so near to those of other recordings: the noise in them differs.
_COPY_FACTOR = 0.5


@dataclasses.dataclass(frozen=True, eq=False)
class Windows:
    """Some windows, and how far each is from the nearest of each piece of some material.

    Attributes:
        pieces: int `[W]`, where each window is from.
        distances: `[W, P]`, root mean square over frames and bins, dB; infinite where a piece is
            shorter than a window.
    """

    pieces: np.ndarray
    distances: np.ndarray

    def nearest(self, among: np.ndarray) -> np.ndarray:
        """Distance to the nearest in some of the pieces, bool `[W, P]` or `[P]` -> `[W]`."""
        return np.where(among, self.distances, np.inf).min(axis=1, initial=np.inf)


def window_frames(frame_s: float) -> int:
    """How many frames half a second is."""
    return max(round(_WINDOW_S / frame_s), 1)


def windows_beside(
    pieces: list[np.ndarray], places: np.ndarray, material: list[np.ndarray], length: int
) -> Windows:
    """Windows of some pieces, each beside every window of some material.

    Args:
        pieces, material: spectrograms `[L, V]`, dB.
        places: int `[N, 2]`, piece and frame where a window may begin; of those at which one fits
            some are taken, spread over all.
        length: frames of a window.
    """
    fits = [(piece, first) for piece, first in places if first + length <= len(pieces[piece])]
    some = np.linspace(0, len(fits) - 1, min(len(fits), _MOST_WINDOWS)).round().astype(int)
    chosen = [fits[index] for index in some]
    if not chosen:
        return Windows(np.zeros(0, int), np.zeros((0, len(material))))
    windows = np.stack(
        [np.asarray(pieces[piece][first : first + length], np.float32) for piece, first in chosen]
    )
    distances = np.full((len(chosen), len(material)), np.inf)
    for number, piece in enumerate(material):
        if len(piece) >= length:
            distances[:, number] = _nearest_offsets(windows, piece)
    return Windows(np.array([piece for piece, _ in chosen]), distances)


def nearness_ratio(songs: np.ndarray, real: np.ndarray) -> float:
    """Median distance of windows of songs to the nearest real one over that of real windows to the
    nearest of other recordings.  [W], [W'] -> number
    """
    songs, real = songs[np.isfinite(songs)], real[np.isfinite(real)]
    if not (len(songs) and len(real)) or not np.median(real) > 0:
        return math.nan
    return float(np.median(songs) / np.median(real))


def share_copied(songs: np.ndarray, real: np.ndarray) -> float:
    """Share of windows that are copies: nearer than half of the median distance of real ones to the
    nearest of other recordings, so that a recording that is there twice is no measure.
    [W], [W'] -> number
    """
    songs, real = songs[np.isfinite(songs)], real[np.isfinite(real)]
    if not (len(songs) and len(real)):
        return math.nan
    return float((songs < _COPY_FACTOR * np.median(real)).mean())


def _nearest_offsets(windows: np.ndarray, piece: np.ndarray) -> np.ndarray:
    """Distance of each window [W, T, V] to the nearest one of a piece [L, V], L >= T.  -> [W]

    sum_t |x_t - y_(o + t)|^2 is a sum along a diagonal of the frames' distances.
    """
    length, num_offsets = windows.shape[1], len(piece) - windows.shape[1] + 1
    piece = np.asarray(piece, np.float32)
    sums = np.zeros((len(windows), num_offsets), np.float32)
    squares = np.square(piece).sum(axis=1)
    for place in range(length):
        frames, stretch = windows[:, place], slice(place, place + num_offsets)
        sums += squares[stretch] - 2 * (frames @ piece[stretch].T)
    sums += np.square(windows).sum(axis=(1, 2))[:, None]
    return np.sqrt(np.maximum(sums.min(axis=1), 0.0) / (length * piece.shape[1]))
