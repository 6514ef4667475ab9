"""The settings of the detector, which finds vocalizations in a recording."""

import dataclasses

from neurovocal_tf.settings import setting


@dataclasses.dataclass(frozen=True)
class SegmentationConfig:
    """How vocalizations are found in a recording."""

    detector: str = setting(
        "envelope",
        "The curve that is compared with the threshold. envelope: the smoothed amplitude in the "
        "band. contrast: the power of the frequency bin that stands out most from its own noise "
        "floor, for calls that are faint beside hum and hiss.",
        choices=("envelope", "contrast"),
    )
    threshold_method: str = setting(
        "noise_mode",
        "What the number in --threshold means. noise_mode: dB over the noise, which is the most "
        "frequent level of the curve in ten seconds around, and --noise_spreads over that: it "
        "needs no tuning from room to room. noise_floor: a factor over a percentile of the "
        "envelope, or dB over the noise floor of each bin with --detector=contrast. percentile: a "
        "percentile of the curve. absolute: an amplitude, full scale being 1.",
        choices=("noise_mode", "noise_floor", "percentile", "absolute"),
    )
    threshold: float = setting(
        7.0,
        "How loud a sound must be to count: dB over the noise, or what else --threshold_method "
        "says (a factor, a percentile from 0 to 100, an amplitude).",
        low=0.0,
    )
    noise_spreads: float = setting(
        1.0,
        "How many standard deviations of the noise's level --threshold_method=noise_mode adds to "
        "--threshold: where the background fluctuates, more is needed to stand out of it.",
        low=0.0,
        high=10.0,
    )
    noise_floor_percentile: float = setting(
        10.0,
        "The percentile of the envelope, or of the power in each bin, that is taken as the noise "
        "floor.",
        low=0.0,
        high=100.0,
    )
    hysteresis_db: float = setting(
        0.0,
        "A segment begins and ends where the curve is this many dB below the threshold. 0: at the "
        "threshold.",
        low=0.0,
        high=120.0,
    )
    contrast_n_fft: int = setting(
        256,
        "Samples in a window of --detector=contrast. Windows begin a quarter of this length apart.",
        low=16,
        high=16_384,
    )
    contrast_bandwidth_hz: float = setting(
        0.0,
        "--detector=contrast takes the mean of neighbouring bins over this many Hz. 0: each bin "
        "alone, which is best for whistles. Some hundred Hz find rustling sounds, which are spread "
        "over many bins and stand out in none.",
        low=0.0,
    )
    contrast_background_hz: float = setting(
        0.0,
        "--detector=contrast divides each bin by the median of the bins around it, over so many "
        "Hz: whistles stand out of it; squeals, rustling and clicks, which fill them all, do not. "
        "0: none.",
        low=0.0,
    )
    low_hz: float = setting(
        500.0,
        "Lower edge in Hz of the band in which vocalizations are looked for. 0: none.",
        low=0.0,
    )
    high_hz: float = setting(
        10_000.0,
        "Upper edge in Hz of that band. It is lowered where the sample rate is too low for it. 0: "
        "none.",
        low=0.0,
    )
    smoothing_ms: float = setting(
        4.0,
        "Length in ms of the running mean that smooths the envelope, or the power of each bin.",
        low=0.0,
        high=1000.0,
    )
    offset_below_peak_db: float = setting(
        0.0,
        "What is this many dB below a louder moment in the --echo_ms before it is its echo: a "
        "segment ends there, and none begins. 0: nothing is taken for an echo.",
        low=0.0,
        high=120.0,
    )
    echo_ms: float = setting(
        20.0, "How long echoes last, in ms, for --offset_below_peak_db.", low=0.0, high=1000.0
    )
    min_gap_ms: float = setting(
        5.0, "Segments less than this many ms apart are joined (published as `spacing`).", low=0.0
    )
    min_length_ms: float = setting(15.0, "Segments must be longer than this many ms.", low=0.0)
    max_length_ms: float = setting(500.0, "Segments must be shorter than this many ms.", low=0.0)
    split_depth_db: float = setting(
        10.0,
        "What is too long is cut at its deepest dips, until the pieces are short enough; a dip "
        "must be this many dB below both its sides. 0: it is dropped as it is.",
        low=0.0,
        high=120.0,
    )
    min_group_segments: int = setting(
        1,
        "Segments with fewer than this many in a row are dropped: song comes in groups, noises of "
        "the cage come one by one. 1: none are.",
        low=1,
    )
    group_gap_s: float = setting(
        0.3, "Segments further apart than this many seconds are not in one row.", low=0.0
    )
    buffer_ms: float = setting(
        5.0,
        "Time in ms that a model is given before and after each segment, within the recording. "
        "Tables and pictures tell the sound's own onsets and offsets.",
        low=0.0,
    )
