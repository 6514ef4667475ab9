"""The threshold: the level of a detector's trace at which a vocalization begins."""

import numpy as np

from neurovocal_tf.config import SegmentationConfig
from neurovocal_tf.segmentation import noise_level
from neurovocal_tf.segmentation.drift import Drift, filled
from neurovocal_tf.segmentation.noise_level import SILENCE_DB
from neurovocal_tf.segmentation.percentiles import percentile
from neurovocal_tf.segmentation.traces import Trace

# Silence is no sound, and a level is what others are divided by.
SMALLEST_LEVEL = float(np.finfo(np.float32).tiny)
# What varies more than that is no noise, but song without a pause.
MOST_SPREAD_DB = 6.0
# Where all that is known of is calls in digital silence, a low percentile of what is heard is how
# faint a call is, and half of the loudest is not too much.
FAINT_PERCENT = 10.0
HALF_DB = 6.0


def threshold(trace: Trace, config: SegmentationConfig) -> Drift:
    """The level by `threshold_method` and `threshold`, in the unit of the trace.

    absolute: the trace of a sound of that amplitude. percentile: that percentile of the trace.
    noise_floor: so far over a percentile of the trace. noise_mode: so many dB, and some standard
    deviations of the noise, over the noise's most frequent level in ten seconds around.

    Never lower than 120 dB below the loudest moment, and what is as faint has no part in the noise:
    digital silence, with which recorders fill up, is not how loud a room is.
    """
    if config.threshold_method == "absolute":
        return Drift(np.array([max(trace.of_amplitude(config.threshold), SMALLEST_LEVEL)]))
    if config.threshold_method == "noise_mode":
        return _over_mode(trace, config)
    if config.threshold_method == "noise_floor":
        level, maximum = trace.over_floor(config.threshold)
    else:
        level, maximum, _ = (column[0] for column in percentile(trace.pages, config.threshold))
    least = float(maximum) * 10 ** (-SILENCE_DB / trace.decibels_per_decade)
    return Drift(np.array([max(float(level), least)]))


def _over_mode(trace: Trace, config: SegmentationConfig) -> Drift:
    drift = Drift(np.zeros(1), trace.step)
    cells = noise_level.cells(trace.pages, drift.cell_length, trace.decibels_per_decade)
    levels, loudest = [], -np.inf
    for counts in noise_level.windows(cells):
        levels.append(_levels_db(counts, config))
        loudest = max(loudest, noise_level.loudest_db(counts))
    if loudest == -np.inf:
        return drift
    over_noise, over_silence = np.array(levels).T
    known = over_silence if np.isnan(over_noise).all() else over_noise
    decibels = np.maximum(filled(known), loudest - trace.artefacts_db)
    return Drift(10 ** (decibels / trace.decibels_per_decade), trace.step)


def _levels_db(counts: np.ndarray, config: SegmentationConfig) -> tuple[float, float]:
    """dB of a window with a histogram [1, NUM_BINS]: over its noise, NaN if that is digital
    silence, and over that silence, NaN if there is nothing else.
    """
    heard = noise_level.without_silence(counts)
    mode, spread = noise_level.mode_and_spread(heard[0])
    level = mode + config.threshold + config.noise_spreads * min(spread, MOST_SPREAD_DB)
    if noise_level.is_silence(counts[0], heard[0], mode):
        faint = noise_level.percentiles_db(heard, FAINT_PERCENT)[0] + config.threshold
        return np.nan, min(faint, noise_level.loudest_db(heard) - HALF_DB)
    return level, level
