"""What a page shows and plays of a sound: pictures of a byte a place, and 16-bit samples."""

import numpy as np

from neurovocal_tf.discovery import features
from neurovocal_tf.discovery.fitted_file import Fitted
from neurovocal_tf.pages import html

_RANGE_DB = 50.0


class Sounds:
    """Sounds for a page, as long as they keep within so many bytes together."""

    def __init__(self, most_bytes: int) -> None:
        self._left = most_bytes

    def of(self, samples: np.ndarray, rate: int) -> dict[str, object]:
        """`sound` and `rate` of samples `[N]` at a rate in Hz; nothing where there is no room."""
        if 2 * len(samples) > self._left:
            return {}
        self._left -= 2 * len(samples)
        return {"sound": html.base64_text(pcm(samples)), "rate": rate}


def picture(
    samples: np.ndarray, centres: np.ndarray, fitted: Fitted, most_bins: int
) -> dict[str, object]:
    """A spectrogram over the background, by the recipe of fitted call types.

    Args:
        samples: `[N]`, at the rate of `fitted`.    centres: of the windows, in samples `[L]`.
        fitted: `Fitted`.    most_bins: of the picture; the largest of neighbours is taken.

    Returns: dict: `picture`, its `columns` and `bins`, and `hz` of the lowest and highest bin.
    """
    rate, recipe = fitted.sample_rate, fitted.recipe
    n_fft, bins = recipe.n_fft(rate), recipe.bins(rate)
    levels = features.decibels(samples, centres, n_fft) - fitted.background
    drawn = pooled(levels[:, bins], most_bins)
    return {
        "picture": html.base64_text(grey(drawn)),
        "columns": len(drawn),
        "bins": drawn.shape[1],
        "hz": [round(float(bins[end] * rate / n_fft)) for end in (0, -1)],
    }


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
