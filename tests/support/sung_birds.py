"""Songs of a bird whose syllables are known, as spectrograms: as a model sings, without a model."""

import dataclasses

import numpy as np

from neurovocal_tf.config import Config
from neurovocal_tf.evaluation.heard import Songs

SAMPLE_RATE, NUM_BINS = 16_000, 65
CONFIG = Config().replace(n_fft=128, hop_length=64)
FRAME_S = 64 / SAMPLE_RATE
BACKGROUND_DB, LOUD_DB = -50.0, -8.0
# First and last bin of a sweep, and its frames.
SWEEPS = ((12, 20, 14), (44, 28, 20), (56, 56, 10), (24, 48, 26))


@dataclasses.dataclass
class Bird:
    """Sings its sweeps in an order, a long silence after each round."""

    seed: int
    order: tuple[int, ...] = (0, 1, 2, 3)
    sweeps: tuple[tuple[int, int, int], ...] = SWEEPS

    def songs(self, num_songs: int, num_rounds: int = 4) -> Songs:
        """`Songs` of so many pieces."""
        rng = np.random.default_rng(self.seed)
        return Songs.apart([self._song(rng, num_rounds) for _ in range(num_songs)])

    def _song(self, rng, num_rounds):
        parts = [silence(rng, 20)]
        for _ in range(num_rounds):
            for kind in self.order:
                parts += [syllable(rng, *self.sweeps[kind]), silence(rng, rng.integers(12, 18))]
            parts.append(silence(rng, 80))
        return np.concatenate(parts)


def silence(rng, num_frames):
    """Noise of a room, [L, V]."""
    return BACKGROUND_DB + rng.normal(0, 1.5, (num_frames, NUM_BINS)).astype(np.float32)


def syllable(rng, first, last, num_frames):
    """A sweep of varying length, pitch and level, [L, V]."""
    num_frames = num_frames + int(rng.integers(-2, 3))
    bins = np.linspace(first, last, num_frames) + rng.normal(0, 0.4)
    level = LOUD_DB + rng.normal(0, 1.5)
    ridge = level - 3.0 * np.square(np.arange(NUM_BINS) - bins[:, None])
    quiet = silence(rng, num_frames)
    return np.maximum(ridge + rng.normal(0, 1.0, ridge.shape), quiet).astype(np.float32)
