"""The syllables of songs in memory, as the detector finds them: lengths, gaps, pitches, and what
call types are told by.
"""

import dataclasses
import math
from collections.abc import Iterable

import numpy as np

from neurovocal_tf.config import Config, SegmentationConfig
from neurovocal_tf.discovery import features
from neurovocal_tf.segmentation.detector import detect
from neurovocal_tf.segmentation.segment_spectra import peak_frequencies_hz


@dataclasses.dataclass(frozen=True)
class SongStatistics:
    """The syllables of some songs. Medians and rates of nothing are NaN.

    Attributes:
        num_syllables: S, segments that the detector found, without its buffer.
        syllables_per_s: S over the songs' whole length.
        durations_s: `[S]`. gaps_s: `[G]`, from a syllable's offset to the next onset within a bout.
        peak_frequencies_hz: `[S]`, as `segment_spectra.peak_frequencies_hz` within
            the detector's band.
        measured: float16 `[S, C, F]`, see `features.measure`; None where no background was given.
        follows: bool `[S]`, whether a syllable continues the bout of the one before it; G are true.
    """

    num_syllables: int
    syllables_per_s: float
    median_duration_s: float
    median_gap_s: float
    median_peak_frequency_hz: float
    durations_s: np.ndarray
    gaps_s: np.ndarray
    peak_frequencies_hz: np.ndarray
    measured: np.ndarray | None
    follows: np.ndarray


def frame_recipe(config: Config, sample_rate: float) -> features.Recipe:
    """How syllables are measured beside a model: in windows as long as its frames'."""
    return features.Recipe(
        window_ms=1000 * config.spectrogram.n_fft / sample_rate, low_hz=config.segmentation.low_hz
    )


def song_statistics(
    songs: Iterable[tuple[np.ndarray, int]], config: Config, background: np.ndarray | None = None
) -> SongStatistics:
    """Statistics of the syllables that the detector finds in songs.

    Args:
        songs: iterable of (samples `[N]` float, sample_rate in Hz, the same for all); taken one at
            a time.
        config: `Config`; its `segmentation`, `spectrogram` and `bout_gap_s` count.
        background: see `features.background_of`, with `frame_recipe`; None: what call types need is
            not measured.
    Returns: `SongStatistics`.
    """
    # The buffer is context for a spectrogram, not part of the vocalization.
    detector = dataclasses.replace(config.segmentation, buffer_ms=0.0)
    found, measured = [_no_syllables()], []
    total_s = 0.0
    for samples, sample_rate in songs:
        samples = np.asarray(samples, np.float32)
        total_s += len(samples) / sample_rate
        found.append(_syllables(samples, sample_rate, detector, config))
        if background is not None:
            spans_s = np.stack(found[-1][:2], axis=1)
            recipe = frame_recipe(config, sample_rate)
            cut = ((samples, 0) for _ in spans_s)
            measured.append(features.measure_cut(cut, spans_s, background, recipe, sample_rate))
    onsets, offsets, peaks, firsts = (np.concatenate(parts) for parts in zip(*found, strict=True))
    gaps = np.append(0.0, onsets[1:] - offsets[:-1])[: len(onsets)]
    follows = ~firsts & (gaps < config.data.bout_gap_s)
    return SongStatistics(
        num_syllables=len(onsets),
        syllables_per_s=len(onsets) / total_s if total_s else math.nan,
        median_duration_s=_median(offsets - onsets),
        median_gap_s=_median(gaps[follows]),
        median_peak_frequency_hz=_median(peaks),
        durations_s=offsets - onsets,
        gaps_s=gaps[follows],
        peak_frequencies_hz=peaks,
        measured=np.concatenate(measured) if measured else None,
        follows=follows,
    )


def _no_syllables() -> tuple[np.ndarray, ...]:
    return np.empty(0), np.empty(0), np.empty(0), np.empty(0, bool)


def _syllables(
    samples: np.ndarray, sample_rate: int, detector: SegmentationConfig, config: Config
) -> tuple[np.ndarray, ...]:
    """One song's onsets_s, offsets_s, peak_frequencies_hz and which is its first, each [S]."""
    onsets, offsets, _ = detect(samples, sample_rate, detector)
    if not len(onsets):
        return _no_syllables()
    edges_hz = detector.low_hz, detector.high_hz
    peaks = peak_frequencies_hz(
        [samples], sample_rate, onsets, offsets, config.spectrogram, *edges_hz
    )
    return onsets / sample_rate, offsets / sample_rate, peaks, np.arange(len(onsets)) == 0


def _median(values: np.ndarray) -> float:
    return float(np.median(values)) if len(values) else math.nan
