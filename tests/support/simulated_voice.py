"""A voice whose fundamental frequency is known: harmonics through the resonances of a throat."""

import numpy as np

SAMPLE_RATE = 8000
# Centre and bandwidth in Hz, of an a and of an i.
VOWELS = {
    "a": ((700, 80), (1220, 90), (2600, 120)),
    "i": ((300, 60), (2200, 100), (3000, 150)),
}


def say(f0_hz, vowel="a", rng=None, noise=0.003):
    """A vowel with the fundamental frequency `f0_hz` [N] at each sample, loudest at 0.5.  [N]"""
    phase = np.cumsum(f0_hz) / SAMPLE_RATE
    samples = np.zeros(len(f0_hz))
    for number in range(1, int(SAMPLE_RATE / 2 / np.min(f0_hz))):
        hz = number * f0_hz
        throat = np.where(hz < 0.45 * SAMPLE_RATE, 1 / number, 0.0).astype(complex)
        for centre, bandwidth in VOWELS[vowel]:
            pole = 2 * np.pi * (-bandwidth / 2 + 1j * centre)
            s = 2j * np.pi * hz
            throat *= np.abs(pole) ** 2 / ((s - pole) * (s - np.conj(pole)))
        samples += np.real(throat * np.exp(2j * np.pi * number * phase))
    samples *= 0.5 / np.abs(samples).max()
    return samples if rng is None else samples + noise * rng.normal(size=len(samples))


def glide(duration_s, middle_hz, slope_st_per_s=0.0):
    """A fundamental frequency that rises or falls evenly in semitones, Hz `[N]`."""
    times_s = np.arange(round(duration_s * SAMPLE_RATE)) / SAMPLE_RATE
    return middle_hz * 2 ** (slope_st_per_s * (times_s - duration_s / 2) / 12)


def silence(duration_s, rng, noise=0.003):
    """Background noise alone.  [N]"""
    return noise * rng.normal(size=round(duration_s * SAMPLE_RATE))
