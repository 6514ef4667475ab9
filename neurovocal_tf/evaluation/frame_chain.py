"""Songs of a simple model that needs no training to speak of: frames become one of 400 codes, and
codes follow each other as they did in the recordings, by the three before.

What such a chain does as well, no recurrent network is needed for.
"""

from collections import defaultdict
from collections.abc import Sequence

import numpy as np
from sklearn.cluster import KMeans
from threadpoolctl import threadpool_limits

_NUM_CODES, _ORDER = 400, 3
# More move the centres by less than their frames are apart.
_MOST_ITERATIONS = 20


class FrameChain:
    """A chain of order 3 over 400 codes of frames, sung as the codes' centres.

    Args:
        pieces: spectrograms `[L, V]`, dB, of one frame at least together.    seed: int.
    """

    def __init__(self, pieces: Sequence[np.ndarray], seed: int = 0) -> None:
        frames = np.concatenate(pieces)
        # Of recordings that hold next to nothing there may be fewer frames that differ.
        some = frames[:: max(len(frames) // (10 * _NUM_CODES), 1)]
        with threadpool_limits(1):
            codes = KMeans(
                min(_NUM_CODES, len(np.unique(some, axis=0))),
                init="random",
                n_init=1,
                max_iter=_MOST_ITERATIONS,
                random_state=seed,
            ).fit(frames)
            self._sequences = [codes.predict(piece).tolist() for piece in pieces if len(piece)]
        self._centres = codes.cluster_centers_
        self._next: dict[tuple[int, ...], list[int]] = defaultdict(list)
        for sequence in self._sequences:
            for place, code in enumerate(sequence):
                for order in range(min(place, _ORDER) + 1):
                    self._next[tuple(sequence[place - order : place])].append(code)

    def sing(self, num_pieces: int, num_frames: int, seed: int = 0) -> list[np.ndarray]:
        """Pieces `[num_frames, V]`, dB, that begin as the recordings do."""
        rng = np.random.default_rng(seed)
        return [self._centres[self._codes(num_frames, rng)] for _ in range(num_pieces)]

    def _codes(self, num_frames: int, rng: np.random.Generator) -> list[int]:
        first = self._sequences[int(rng.integers(len(self._sequences)))]
        codes = first[: min(_ORDER, num_frames)]
        while len(codes) < num_frames:
            # What was only heard at the end of a recording has no code after it.
            after = next(
                self._next[context]
                for order in range(min(_ORDER, len(codes)), -1, -1)
                if (context := tuple(codes[len(codes) - order :])) in self._next
            )
            codes.append(after[int(rng.integers(len(after)))])
        return codes
