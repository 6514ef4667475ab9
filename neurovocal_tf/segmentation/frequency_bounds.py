"""The band that each segment of a recording occupies, of recordings of any length."""

from collections.abc import Iterable

import numpy as np

from neurovocal_tf.config import Config, SpectrogramConfig
from neurovocal_tf.segmentation.band import in_band_or_all
from neurovocal_tf.segmentation.segment_spectra import segment_power


def bounds_in_recording_hz(
    blocks: Iterable[np.ndarray],
    sample_rate: float,
    onsets_s: np.ndarray,
    offsets_s: np.ndarray,
    config: Config,
) -> np.ndarray:
    """The band of each segment of a recording that is given in seconds, within the detector's band.

    Args:
        blocks: iterable of float `[n]`, the recording's samples; not begun without a segment.
        sample_rate: Hz.    onsets_s, offsets_s: `[S]`, seconds.    config: `Config`.

    Returns: as `frequency_bounds_hz`.
    """
    return frequency_bounds_hz(
        blocks if len(onsets_s) else (),
        sample_rate,
        np.round(onsets_s * sample_rate),
        np.round(offsets_s * sample_rate),
        config.spectrogram,
        low_hz=config.segmentation.low_hz,
        high_hz=config.segmentation.high_hz,
    )


def frequency_bounds_hz(
    blocks: Iterable[np.ndarray],
    sample_rate: float,
    onsets: np.ndarray,
    offsets: np.ndarray,
    config: SpectrogramConfig,
    share: float = 0.9,
    low_hz: float = 0.0,
    high_hz: float = 0.0,
) -> np.ndarray:
    """The band with the middle `share` of each segment's power:
    for 0.9, what Raven calls Frequency 5% and Frequency 95%.

    Measured in the windows of `spectrogram.power_spectrogram`. Bounds are edges of bins, so that a
    pure tone has a band too; a silent segment has the whole band.

    Args:
        blocks, sample_rate, onsets, offsets, config: as for `segment_spectra.segment_power`.
        share: above 0, up to 1.
        low_hz, high_hz: only bins between them count, 0 being no limit;
            all count where there is none between.

    Returns: NumPy float64 `[S, 2]`, Hz, low and high.
    """
    if not 0 < share <= 1:
        raise ValueError(f"`share` must be above 0, and at most 1. Received: share={share}")
    power, frequencies = segment_power(
        blocks, sample_rate, onsets, offsets, config, ("tukey", 0.25)
    )
    band = in_band_or_all(frequencies, low_hz, high_hz)
    below = np.cumsum(np.where(band, power, 0.0), axis=-1)
    targets = below[:, -1:] * ((1 - share) / 2, (1 + share) / 2)
    # A bin without power cannot be the lowest, even of all the power there is.
    low = np.argmax((below >= targets[:, :1]) & (below > 0), axis=-1)
    high = np.argmax(below >= targets[:, 1:], axis=-1)
    bins = np.where(
        below[:, -1:] > 0, np.stack([low, high], axis=-1), np.flatnonzero(band)[[0, -1]]
    )
    edges = (bins + (-0.5, 0.5)) * frequencies[1]
    return np.clip(edges, 0.0, sample_rate / 2)
