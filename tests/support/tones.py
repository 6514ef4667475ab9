"""Songs of tones, whose syllables are known."""

import numpy as np

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
