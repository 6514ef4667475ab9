"""A song of any length from blocks of frames: how long the blocks are,
and sound that joins without clicks.

Nothing here but NumPy: a program that streams from a server needs no TensorFlow.
"""

import dataclasses
import itertools
from collections.abc import Callable, Iterator

import numpy as np
import numpy.typing as npt

# Small enough that the first is heard within 100 ms on one slow core.
FIRST_BLOCK_FRAMES = 16
DEFAULT_BLOCK_FRAMES = 256
# Beyond the frames that share samples with the one next to be heard.
# More of them do not bring the spectrum closer.
_MORE_FRAMES = 2
_FULL_SCALE = 32_768


def block_sizes(
    num_frames: int | None = None, block_frames: int = DEFAULT_BLOCK_FRAMES
) -> Iterator[int]:
    """Frames of each block: few at first, so that a listener does not wait, and twice as many each
    time up to `block_frames`.

    Args:
        num_frames: int, of the song; None: without end.    block_frames: int, of the longest block.

    Yields:
        int.
    """
    left = num_frames
    for doublings in itertools.count():
        size = min(FIRST_BLOCK_FRAMES << min(doublings, 20), block_frames)
        if left is not None:
            size = min(size, left)
            left -= size
        if not size:
            return
        yield size


@dataclasses.dataclass(frozen=True)
class Sound:
    """Samples float32 [N], and what they are: `sample_rate` in Hz, `hop_length` in samples."""

    samples: np.ndarray
    sample_rate: int
    hop_length: int


class JoinedSound:
    """The sound of blocks of frames, one after another, as of one spectrogram.

    Each block is made together with a few frames before it, whose samples are known, and its last
    frames are made once more with the next block: only what has frames on both sides is let out
    (Zhu, Beauregard, Wyse, 2007, doi 10.1109/TASL.2007.899236).

    Args:
        synthesise: called with frames `[L, V]` and known samples `[P]`, P may be 0; returns the
            `Sound` of the frames, as `griffin_lim` makes it.
    """

    def __init__(self, synthesise: Callable[[np.ndarray, np.ndarray], Sound]) -> None:
        self._synthesise = synthesise
        self._frames: np.ndarray | None = None
        self._known = np.zeros(0, np.float32)
        self._num_heard = 0

    def add(self, frames: np.ndarray, is_last: bool = False) -> Sound:
        """The samples that can be heard now: all but those of the last few frames,
        or all of them if the song ends here.

        Args:
            frames: `[L, V]`, L at least 1.    is_last: bool.

        Returns:
            `Sound`; its samples may be none.
        """
        if self._frames is not None:
            frames = np.concatenate([self._frames, frames])
        sound = self._synthesise(frames, self._known)
        hop, num_frames = sound.hop_length, len(frames)
        reach = _MORE_FRAMES + -(-2 * (frames.shape[1] - 1) // hop)
        # What is known must hold a whole window, or the phases could not go on from it.
        end = (num_frames - reach) * hop if num_frames >= 2 * reach else 0
        end = len(sound.samples) if is_last else end
        first_kept = max(num_frames - 2 * reach, 0)
        heard = sound.samples[self._num_heard : end]
        self._frames = frames[first_kept:]
        # The hop after what was heard is where the known samples give way to the next estimate.
        self._known = sound.samples[first_kept * hop : end + hop] if end else self._known
        self._num_heard = end - first_kept * hop
        return dataclasses.replace(sound, samples=heard)


def to_pcm(samples: npt.ArrayLike, gain: float = 1.0) -> tuple[bytes, int]:
    """16-bit little-endian samples as bytes, and how many of them were beyond full scale and are
    cut.  [N] -> (bytes, int)
    """
    steps = np.round(np.asarray(samples, np.float64) * gain * _FULL_SCALE)
    cut = np.clip(steps, -_FULL_SCALE, _FULL_SCALE - 1)
    return cut.astype("<i2").tobytes(), int(np.count_nonzero(np.abs(cut - steps) > 1))
