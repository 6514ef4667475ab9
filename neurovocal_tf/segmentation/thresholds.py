"""The threshold: the level of a detector's trace at which a vocalization begins."""

from neurovocal_tf.config import SegmentationConfig
from neurovocal_tf.segmentation.percentiles import percentile
from neurovocal_tf.segmentation.traces import SILENCE_DB, Trace


def threshold_level(trace: Trace, config: SegmentationConfig) -> float:
    """The level by `threshold_method` and `threshold`, in the unit of the trace.

    absolute: the trace of a sound of that amplitude. noise_floor: so far over the trace's own noise
    floor. percentile: that percentile of the trace.

    Never lower than 120 dB below the loudest moment, and what is as faint has no part in the noise
    floor: digital silence, with which recorders fill up, is not how loud a room is.
    """
    if config.threshold_method == "absolute":
        return trace.of_amplitude(config.threshold)
    if config.threshold_method == "noise_floor":
        level, maximum = trace.over_floor(config.threshold)
    else:
        level, maximum, _ = (column[0] for column in percentile(trace.pages, config.threshold))
    return max(float(level), float(maximum) * 10 ** (-SILENCE_DB / trace.decibels_per_decade))
