"""What a page shows and plays of a sound: pictures of a byte a place, and 16-bit samples."""

import numpy as np

_RANGE_DB = 50.0


def pooled(levels: np.ndarray, most_bins: int) -> np.ndarray:
    """The largest of neighbouring bins, so that no more than so many are left.  [L, V] -> [L, B]"""
    width = -(-levels.shape[1] // most_bins)
    padded = np.pad(levels, ((0, 0), (0, -levels.shape[1] % width)), mode="edge")
    return padded.reshape(len(levels), -1, width).max(axis=2)


def grey(levels: np.ndarray) -> bytes:
    """Pictures `[..., L, B]`, each in its own range, of 50 dB at most where levels are dB."""
    own = tuple(range(levels.ndim - 2, levels.ndim))
    high = levels.max(axis=own, keepdims=True)
    low = np.maximum(levels.min(axis=own, keepdims=True), high - _RANGE_DB)
    shares = (np.clip(levels, low, high) - low) / np.maximum(high - low, 1e-6)
    return np.rint(255 * shares).astype(np.uint8).tobytes()


def pcm(samples: np.ndarray) -> bytes:
    """16-bit samples, the loudest at full scale."""
    around = samples - samples.mean() if len(samples) else samples
    loudest = max(float(np.abs(around).max(initial=0.0)), 1e-9)
    return np.rint(around / loudest * 32767).astype("<i2").tobytes()
