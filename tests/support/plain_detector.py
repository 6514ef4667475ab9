"""The detector in plain loops, a sample and a segment at a time: what the fast one must find."""

import math

import numpy as np
import scipy.signal


def envelope(samples, length):
    """Mean of |x| over a centred window, one window at a time, ends reflected."""
    half = length // 2
    padded = np.pad(np.abs(samples.astype(np.float64)), half, mode="reflect")
    return np.array([padded[i : i + length].sum() / length for i in range(len(samples))])


def detect(samples, sample_rate, config, envelope=envelope, cell_s=5.0):
    """The published detector on samples without a band-pass, one sample and one segment at a time:
    a list of (onset, offset).
    """
    if not len(samples):
        return []
    per_ms = sample_rate / 1000
    length = int(config.smoothing_ms * per_ms)
    # Rounded to what a trace is kept in, and then as exact as can be.
    loudness = (
        envelope(samples, length if length % 2 else length + 1)
        .astype(np.float32)
        .astype(np.float64)
    )
    levels = threshold_levels(loudness, sample_rate, config, cell_s)
    ends = levels * 10 ** (-config.hysteresis_db / 20)
    if config.offset_below_peak_db:
        half = max(round(config.echo_ms * per_ms / 2), 1)
        held = [max(loudness[max(i - 2 * half, 0) : i + 1]) for i in range(len(loudness))]
        ends = np.maximum(ends, np.array(held) * 10 ** (-config.offset_below_peak_db / 20))
    runs, onset = [], None
    for i, value in enumerate([*loudness, -1.0]):
        if onset is None and i < len(ends) and value >= ends[i]:
            onset = i
        if onset is not None and (i == len(ends) or value < ends[i]):
            if any(loudness[onset:i] >= levels[onset:i]):
                runs.append((onset, i))
            onset = None
    if runs[:1] == [(0, len(samples))]:
        return []
    joined = []
    for onset, offset in runs:
        if joined and onset - joined[-1][1] < config.min_gap_ms * per_ms:
            joined[-1] = (joined[-1][0], offset)
        else:
            joined.append((onset, offset))
    longest = config.max_length_ms * per_ms
    if config.split_depth_db:
        with np.errstate(divide="ignore", invalid="ignore"):
            decibels = 20 * np.log10(np.maximum(loudness / levels, 1e-9))
        joined = [part for a, b in joined for part in split(a, b, decibels, longest, config)]
    kept = [(a, b) for a, b in joined if config.min_length_ms * per_ms < b - a < longest]
    groups = []
    for onset, offset in kept:
        if groups and onset - groups[-1][-1][1] <= config.group_gap_s * sample_rate:
            groups[-1].append((onset, offset))
        else:
            groups.append([(onset, offset)])
    return [s for group in groups if len(group) >= config.min_group_segments for s in group]


def threshold_levels(loudness, sample_rate, config, cell_s):
    """The level of each value of an envelope."""
    if config.threshold_method == "noise_mode":
        return noise_mode_levels(loudness, sample_rate, config, cell_s)
    if config.threshold_method == "percentile":
        level = max(np.percentile(loudness, config.threshold), 1e-6 * loudness.max())
    elif config.threshold_method == "noise_floor":
        level = max(
            config.threshold * np.percentile(audible(loudness), config.noise_floor_percentile),
            1e-6 * loudness.max(),
        )
        if 1 - len(audible(loudness)) / len(loudness) > config.noise_floor_percentile / 100:
            level = min(level, loudness.max() / 2)
    else:
        # Silence is no sound, even where all is to count.
        level = max(config.threshold, np.finfo(np.float32).tiny)
    return np.full(len(loudness), level)


def noise_mode_levels(loudness, sample_rate, config, cell_s):
    """So far over the most frequent level of each pair of cells, drawn straight in between."""
    step = max(round(sample_rate * cell_s / 20), 1)
    cell = 20 * step
    bins = [quarter_decibel(value) for value in loudness]
    if max(bins) == 0:
        return np.zeros(len(loudness))
    over_noise, over_silence = [], []
    for begin in range(0, max(len(bins) - cell, 1), cell):
        window = bins[begin : begin + 2 * cell]
        loudest = max(window)
        heard = [b for b in window if b > max(loudest - 480, 0)]
        if not heard:
            over_noise.append(np.nan)
            over_silence.append(np.nan)
            continue
        mode, spread = mode_and_spread(heard)
        level = decibel(mode) + config.threshold + config.noise_spreads * min(spread, 6.0)
        is_silent = len(heard) < 0.9 * len(window) and decibel(mode) > decibel(loudest + 1) - 20
        over_noise.append(np.nan if is_silent else level)
        faint = decibel(sorted(heard)[max(math.ceil(0.1 * len(heard)), 1) - 1]) + config.threshold
        over_silence.append(min(faint, decibel(loudest + 1) - 6) if is_silent else level)
    known = np.array(over_silence if np.all(np.isnan(over_noise)) else over_noise)
    have = np.flatnonzero(~np.isnan(known))
    known = np.interp(np.arange(len(known)), have, known[have])
    known = 10 ** (np.maximum(known, decibel(max(bins) + 1) - 120) / 20)
    middles = [(i // step + 0.5) / 20 - 1 for i in range(len(loudness))]
    return np.interp(middles, np.arange(len(known)), known)


def quarter_decibel(value):
    """Which quarter of a decibel from -300 dB on the number is in whose lower bits are cut off."""
    if not value:
        return 0
    cut = np.frombuffer(b"\0\0" + np.float32(value).tobytes()[2:], np.float32)[0]
    return int(np.clip((20 * np.log10(np.float64(cut)) + 300) // 0.25, 0, 1999)) if cut else 0


def decibel(quarter):
    return -300 + (quarter + 0.5) * 0.25


def mode_and_spread(bins):
    """The lowest peak of the histogram of some quarters of a decibel that is parted from the
    highest and has a tenth of all below it, and how far two thirds of what is below it reach.
    """
    counts = np.bincount(bins, minlength=2000)

    def smooth(i):
        return sum((6 - abs(d)) * counts[i + d] for d in range(-5, 6) if 0 <= i + d < 2000)

    heights = [smooth(i) for i in range(2000)]
    highest = heights.index(max(heights))
    mode = highest
    for i in range(highest):
        if (
            heights[i]
            and heights[i] == max(heights[max(i - 12, 0) : i + 13])
            and sum(counts[: i + 13]) >= 0.1 * len(bins)
            and min(heights[i : highest + 1]) < 0.5 * heights[i]
        ):
            mode = i
            break
    below, reach = counts[: mode + 1][::-1], 0
    while sum(below[: reach + 1]) < 0.6827 * sum(below):
        reach += 1
    return mode, (reach + 0.5) * 0.25


def split(onset, offset, decibels, longest, config):
    """A segment cut at its deepest dips, as long as there is one and it is too long."""
    step = max(int(longest / 500), 1)
    first, last = onset // step, -(-offset // step)
    if offset - onset < longest or (last - first) * step > 200 * longest:
        return [(onset, offset)]
    values = [
        max(decibels[i * step : min((i + 1) * step, len(decibels))]) for i in range(first, last)
    ]

    def cuts(begin, end):
        part = values[begin:end]
        sides = [min(max(part[: i + 1]), max(part[i:])) for i in range(len(part))]
        depths = [side - v if side >= 0 else 0.0 for side, v in zip(sides, part)]
        deepest = max(depths, default=0)
        if end - begin < longest / step or deepest < config.split_depth_db:
            return []
        dip = begin + depths.index(deepest)
        return [*cuts(begin, dip), dip, *cuts(dip, end)]

    places = [min((first + i) * step + step // 2, offset) for i in cuts(0, len(values))]
    return list(zip([onset, *places], [*places, offset]))


def audible(values):
    """Those that are not a millionth of the largest,
    which is rounded down to a float32 with 16 bits of zeros.
    """
    limit = np.frombuffer(b"\0\0" + np.float32(1e-6 * values.max()).tobytes()[2:], np.float32)[0]
    return values[values >= limit]


def contrast(samples, sample_rate, config):
    """Largest power over the bins of the band, each over its own floor and averaged with its
    neighbours, one window at a time.
    """
    n_fft, hop = config.contrast_n_fft, config.contrast_n_fft // 4
    half = int(config.smoothing_ms * sample_rate / hop / 1000) // 2
    padded = np.pad(samples.astype(np.float64), n_fft // 2 + half * hop, mode="reflect")
    window = scipy.signal.get_window("hann", n_fft)
    frames = [padded[i * hop : i * hop + n_fft] for i in range(-(-len(samples) // hop) + 2 * half)]
    power = np.array(
        [np.abs(np.fft.rfft((frame - frame.mean()) * window)) ** 2 for frame in frames]
    )
    power = np.array(
        [power[i : i + 2 * half + 1].mean(axis=0) for i in range(len(frames) - 2 * half)]
    )
    frequencies = np.fft.rfftfreq(n_fft, 1 / sample_rate)
    power = power[
        :, (frequencies >= config.low_hz) & (frequencies <= (config.high_hz or sample_rate))
    ]
    over_floor = power / np.percentile(power, config.noise_floor_percentile, axis=0)
    bins = min(max(int(config.contrast_bandwidth_hz / frequencies[1]), 1), power.shape[1])
    return np.array(
        [max(row[i : i + bins].mean() for i in range(len(row) - bins + 1)) for row in over_floor]
    )
