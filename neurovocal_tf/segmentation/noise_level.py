"""How loud a background is and how much it varies, from the histogram of a trace's levels.

The noise of a room or a microphone keeps to a few decibels, calls range over many: so the lowest
peak of the histogram is the noise, whatever share of the time is song, and how far its lower flank
reaches tells how much the noise fluctuates by itself; the upper flank is where the calls are.

Histograms are counted in cells of five seconds on a grid from the recording's start, and two
neighbours make a window, so that a background may drift. All counts are whole numbers: what comes
out depends on the values alone, neither on pages nor on the order of sums.
"""

from collections.abc import Iterable, Iterator

import numpy as np

from neurovocal_tf.segmentation.percentiles import LOW_BITS, bits_of

BIN_DB = 0.25
_LOWEST_DB = -300.0
NUM_BINS = 2000
# What lies further than this below the loudest moment is silence, not noise;
# below 16-bit rounding, above that of the filter.
SILENCE_DB = 120.0
SILENCE_BINS = round(SILENCE_DB / BIN_DB)
# Half the width of the kernel that smooths a histogram, 1.5 dB, and of what a peak rises above.
KERNEL = np.array([1, 2, 3, 4, 5, 6, 5, 4, 3, 2, 1], np.int64)
PEAK_BINS = 12
# A peak lower than the highest is the noise if a tenth of the time is no louder,
# and if what parts the two is less than half as frequent as the peak itself.
LEAST_SHARE = 0.1
DEEPEST_VALLEY = 0.5
# Where so much is digital silence, and the rest is so near its loudest moment, the rest may be
# calls.
SILENT_SHARE = 0.1
NEAR_LOUDEST_DB = 20.0
# Of a normal distribution so much lies within one standard deviation.
WITHIN_ONE = 0.6827


def bins_of(decibels_per_decade: float) -> np.ndarray:
    """The bin of each float32 number that is not negative, by the upper half of its bits.

    int64 `[2 ** 15]`; zero has bin 0.
    """
    values = (np.arange(1 << (32 - LOW_BITS - 1), dtype=np.uint32) << LOW_BITS).view(np.float32)
    with np.errstate(divide="ignore", invalid="ignore"):
        decibels = decibels_per_decade * np.log10(values.astype(np.float64))
    # The last keys are infinity and no numbers at all.
    bins = np.where(np.isnan(decibels), np.inf, decibels) - _LOWEST_DB
    return np.clip(np.floor(bins / BIN_DB), 0, NUM_BINS - 1).astype(np.int64)


def decibels_of(bins: np.ndarray) -> np.ndarray:
    """The middle of bins, dB."""
    return _LOWEST_DB + (bins + 0.5) * BIN_DB


def cells(
    pages: Iterable[np.ndarray], cell_length: int, decibels_per_decade: float
) -> Iterator[np.ndarray]:
    """Histograms of each cell of the columns of some pages.

    Args:
        pages: iterable of float32 `[n, C]`, not negative.
        cell_length: values in a cell.    decibels_per_decade: see `traces.Trace`.

    Yields: int64 `[C, NUM_BINS]` of each cell, the last of which may be shorter.
    """
    table = bins_of(decibels_per_decade)
    counts, left = None, cell_length
    for page in pages:
        num_columns = page.shape[1]
        places = table[bits_of(page) >> LOW_BITS] + np.arange(num_columns) * NUM_BINS
        while len(places):
            part, places = places[:left], places[left:]
            counted = np.bincount(part.ravel(), minlength=num_columns * NUM_BINS)
            counts = counted if counts is None else counts + counted
            left -= len(part)
            if not left:
                yield counts.reshape(num_columns, NUM_BINS)
                counts, left = None, cell_length
    if counts is not None:
        yield counts.reshape(-1, NUM_BINS)


def windows(cells: Iterable[np.ndarray]) -> Iterator[np.ndarray]:
    """Sums of neighbouring cells: one less than cells, but one of a single cell."""
    before, num_windows = None, 0
    for counts in cells:
        if before is not None:
            num_windows += 1
            yield before + counts
        before = counts
    if before is not None and not num_windows:
        yield before


def without_silence(counts: np.ndarray) -> np.ndarray:
    """Histograms without what is silence beside the loudest of all columns.

    int64 `[C, NUM_BINS]` -> the same
    """
    loudest = _loudest_bin(counts)
    first = max(loudest + 1 - SILENCE_BINS, 1) if loudest else NUM_BINS
    return np.where(np.arange(NUM_BINS) >= first, counts, 0)


def loudest_db(counts: np.ndarray) -> float:
    """The loudest level of all columns, dB, minus infinity of nothing."""
    loudest = _loudest_bin(counts)
    return float(decibels_of(np.asarray(loudest + 1))) if loudest else -np.inf


def _loudest_bin(counts: np.ndarray) -> int:
    """0 of nothing but zeros."""
    return int(np.flatnonzero(np.append(True, counts[:, 1:].any(axis=0)))[-1])


def mode_and_spread(counts: np.ndarray) -> tuple[float, float]:
    """The noise's most frequent level, and its standard deviation below that.

    Args:
        counts: int64 `[NUM_BINS]`, without silence.

    Returns: dB, dB; NaN of an empty histogram.
    """
    total = counts.sum()
    if not total:
        return np.nan, np.nan
    smooth = np.convolve(counts, KERNEL, "same")
    highest = int(np.argmax(smooth))
    mode = next(_lower_peaks(counts, smooth, highest), highest)
    below = np.cumsum(counts[mode::-1])
    spread = int(np.searchsorted(below, WITHIN_ONE * below[-1]))
    return float(decibels_of(np.asarray(mode))), (spread + 0.5) * BIN_DB


def _lower_peaks(counts: np.ndarray, smooth: np.ndarray, highest: int) -> Iterator[int]:
    """Peaks below the highest that may be the noise, from the lowest up."""
    no_louder, total = np.cumsum(counts), counts.sum()
    # The least frequent between each bin and the highest peak.
    valley = np.minimum.accumulate(smooth[highest::-1])[::-1]
    for peak in np.flatnonzero(smooth[:highest]):
        around = smooth[max(peak - PEAK_BINS, 0) : peak + PEAK_BINS + 1]
        if (
            smooth[peak] == around.max()
            and no_louder[min(peak + PEAK_BINS, NUM_BINS - 1)] >= LEAST_SHARE * total
            and valley[peak] < DEEPEST_VALLEY * smooth[peak]
        ):
            yield int(peak)


def is_silence(counts: np.ndarray, heard: np.ndarray, level_db: float) -> bool:
    """Whether the background of a histogram is digital silence, and what is taken for the level of
    the noise may be that of calls.

    Args:
        counts, heard: int64 `[NUM_BINS]`, with and without silence.    level_db: dB.
    """
    loudest = loudest_db(heard[np.newaxis])
    return bool(
        heard.sum() < (1 - SILENT_SHARE) * counts.sum() and level_db > loudest - NEAR_LOUDEST_DB
    )


def floors_db(counts: np.ndarray, percent: float) -> np.ndarray:
    """The floor of each of some columns: a percentile of what is no silence.

    Args:
        counts: int64 `[C, NUM_BINS]`.    percent: 0 to 100.

    Returns: dB `[C]`; NaN where nothing is counted, and all of them where the background of the
        loudest column is digital silence.
    """
    heard = without_silence(counts)
    floors = percentiles_db(heard, percent)
    last_bins = NUM_BINS - np.argmax(heard[:, ::-1] > 0, axis=1)
    loudest = int(np.argmax(np.where(heard.any(axis=1), last_bins, -1)))
    if is_silence(counts[loudest], heard[loudest], floors[loudest]):
        return np.full_like(floors, np.nan)
    return floors


def percentiles_db(counts: np.ndarray, percent: float) -> np.ndarray:
    """The `percent`-th percentile of each histogram, dB `[C]`, NaN where nothing is counted."""
    below = np.cumsum(counts, axis=1)
    total = below[:, -1]
    sought = total * (percent / 100)
    bins = np.argmax(below >= np.maximum(sought, 1)[:, np.newaxis], axis=1)
    return np.where(total > 0, decibels_of(bins), np.nan)
