"""Calls in the order in which they were given: types by bout, and which recording each is of."""

import dataclasses
from collections.abc import Callable

import numpy as np


@dataclasses.dataclass(frozen=True)
class Bouts:
    """S calls in order, of K types, in B bouts of R recordings.

    Attributes:
        types: int `[S]`, from 0 to K - 1.    num_types: K.
        onsets_s, offsets_s: `[S]`, in each recording's own time.
        recordings: int `[S]`, from 0 to R - 1, in order.    num_recordings: R.
        follows: bool `[S]`, whether a call continues the bout of the one before it.
    """

    types: np.ndarray
    num_types: int
    onsets_s: np.ndarray
    offsets_s: np.ndarray
    recordings: np.ndarray
    num_recordings: int
    follows: np.ndarray

    @property
    def starts(self) -> np.ndarray:
        """Which calls begin a bout, int `[B]`."""
        return np.flatnonzero(~self.follows)

    @property
    def sequences(self) -> list[np.ndarray]:
        """The types of each bout."""
        return np.split(self.types, self.starts[1:]) if len(self.types) else []

    @property
    def gaps_s(self) -> np.ndarray:
        """From each call's offset to the next one's onset within a bout."""
        places = np.flatnonzero(self.follows)
        return self.onsets_s[places] - self.offsets_s[places - 1]

    def of_recordings(self, chosen: np.ndarray) -> "Bouts":
        """Those of some recordings, a bool `[R]`, which keep their numbers."""
        return self._part(chosen[self.recordings])

    def relabelled(self, types: np.ndarray, num_types: int | None = None) -> "Bouts":
        """The same calls with other types."""
        return dataclasses.replace(self, types=types, num_types=num_types or self.num_types)

    def by_recording(self, count: Callable[["Bouts"], np.ndarray]) -> np.ndarray:
        """What `count` makes of each recording, stacked, `[R, ...]`."""
        edges = np.searchsorted(self.recordings, np.arange(self.num_recordings + 1))
        return np.stack(
            [
                count(self._part(slice(first, last)))
                for first, last in zip(edges[:-1], edges[1:], strict=True)
            ]
        )

    def _part(self, chosen: np.ndarray | slice) -> "Bouts":
        return dataclasses.replace(
            self,
            types=self.types[chosen],
            onsets_s=self.onsets_s[chosen],
            offsets_s=self.offsets_s[chosen],
            recordings=self.recordings[chosen],
            follows=self.follows[chosen],
        )


def bouts_of(
    types: np.ndarray,
    num_types: int,
    spans_s: np.ndarray,
    recordings: np.ndarray,
    num_recordings: int,
    bout_gap_s: float,
) -> Bouts:
    """Calls as `Bouts`: one ends with its recording, or where nothing is heard for so long.

    Args:
        types: int `[S]`.    num_types: K.    spans_s: `[S, 2]`, in order within each recording.
        recordings: int `[S]`, not decreasing.    num_recordings: R.
        bout_gap_s: seconds.
    """
    onsets, offsets = spans_s[:, 0], spans_s[:, 1]
    follows = np.zeros(len(types), bool)
    follows[1:] = (recordings[1:] == recordings[:-1]) & (onsets[1:] - offsets[:-1] < bout_gap_s)
    return Bouts(types, num_types, onsets, offsets, recordings, num_recordings, follows)
