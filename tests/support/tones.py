"""Songs of tones, whose syllables are known."""

import numpy as np

from neurovocal_tf.config import Config
from neurovocal_tf.discovery.syllables import song_statistics

SAMPLE_RATE = 16_000


def song(syllables, rng, tail_s=0.3):
    """A song of (gap before it in s, duration in s, frequency in Hz) tones over faint noise."""
    parts = []
    for gap_s, duration_s, frequency_hz in syllables:
        parts.append(np.zeros(round(gap_s * SAMPLE_RATE)))
        times = np.arange(round(duration_s * SAMPLE_RATE)) / SAMPLE_RATE
        parts.append(0.3 * np.sin(2 * np.pi * frequency_hz * times))
    samples = np.concatenate([*parts, np.zeros(round(tail_s * SAMPLE_RATE))])
    # The envelope of tones is the only thing the detector should see.
    return (samples + 0.02 * rng.normal(size=samples.size)).astype(np.float32), SAMPLE_RATE


def random_song(rng, tones, order, count=40):
    """Tones (duration in s, frequency in Hz) in the given order, each a little different."""
    syllables = []
    for i in range(count):
        duration_s, frequency_hz = tones[order[i % len(order)]]
        syllables.append(
            (
                0.06 + 0.01 * rng.random(),
                duration_s * rng.uniform(0.95, 1.05),
                frequency_hz * rng.uniform(0.99, 1.01),
            )
        )
    return song(syllables, rng)


def bird():
    """Statistics of three tones, sung in one order, again, backwards, by a bird that knows only one
    of them, and of a stranger's tone.
    """
    three = [(0.05, 1200.0), (0.09, 2500.0), (0.07, 4500.0)]
    rng = np.random.default_rng(3)

    def statistics(order, tones=three, songs=2):
        return song_statistics([random_song(rng, tones, order) for _ in range(songs)], Config())

    return {
        "real": statistics((0, 1, 2)),
        "again": statistics((0, 1, 2)),
        "backwards": statistics((2, 1, 0)),
        "one_type": statistics((1,)),
        "stranger": statistics((0,), tones=[(0.15, 7000.0)]),
    }
