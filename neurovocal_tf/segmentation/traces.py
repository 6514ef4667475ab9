"""Samples -> how much is sounding, moment by moment:
the trace on which segmentation sets its threshold (`thresholds` says which).

A recording is cut into pages on a fixed grid from its start, each with as much of its neighbours as
the arithmetic looks at, and every number is computed within one page. So the trace depends on the
samples alone: not on the blocks in which they came, nor on whether the recording was ever in memory
as a whole.
"""

from collections.abc import Callable, Iterable, Iterator

import numpy as np
import scipy.fft
import scipy.signal

from neurovocal_tf.config import SegmentationConfig
from neurovocal_tf.segmentation import noise_level
from neurovocal_tf.segmentation.band import in_band
from neurovocal_tf.segmentation.band_pass import STOPBAND_DB, band_pass_taps, filtered
from neurovocal_tf.segmentation.drift import Drift, filled, step_length
from neurovocal_tf.segmentation.noise_level import SILENCE_DB
from neurovocal_tf.segmentation.percentiles import Replayed, percentile

# Blocks of a recording, float `[n]` each and in order, the same at every call.
BlocksOf = Callable[[], Iterable[np.ndarray]]

_ENVELOPE_PAGE = 2**16
_CONTRAST_PAGE = 2**18


class Trace:
    """How much is sounding, moment by moment: what is common to all detectors.

    Args:
        blocks_of: () -> iterator of float32 `[n]`, the recording's samples, the same at every call.
        sample_rate: Hz.    config: `SegmentationConfig`.

    Attributes:
        hop: samples from one value to the next.    step: values for which a level is held.
        decibels_per_decade: dB of a factor of 10 of the trace: 20 of an amplitude, 10 of a power.
        artefacts_db: what lies so far below the loudest moment may come of the arithmetic.
        pages: float32 `[n, 1]`, not negative, iterable again and again.
    """

    hop: int
    step: int
    decibels_per_decade: float
    artefacts_db: float
    pages: Iterable[np.ndarray]

    def over_floor(self, threshold: float) -> tuple[float, float]:
        """The level, so far over the noise floor, and the loudest moment."""
        raise NotImplementedError

    def of_amplitude(self, amplitude: float) -> float:
        """The trace of a sound of that amplitude."""
        raise NotImplementedError


class EnvelopeTrace(Trace):
    """Running mean of |x| over `smoothing_ms`, centred, ends mirrored, behind the band-pass; one
    value a sample, full scale 1.
    """

    hop, decibels_per_decade = 1, 20.0

    def __init__(self, blocks_of: BlocksOf, sample_rate: float, config: SegmentationConfig) -> None:
        self._config = config
        self._taps = band_pass_taps(sample_rate, config.low_hz, config.high_hz)
        # Beside a loud call the filter itself rings so far below it.
        self.artefacts_db = SILENCE_DB if self._taps is None else STOPBAND_DB
        self.step = step_length(sample_rate)
        self._length = smoothing_length(sample_rate, config.smoothing_ms)
        context = self._length // 2 + (0 if self._taps is None else len(self._taps) // 2)
        page_length = _page_length(_ENVELOPE_PAGE, context, 1)
        self.pages = Replayed(lambda: map(self._of_page, pages(blocks_of(), page_length, context)))

    def _of_page(self, page_and_first: tuple[np.ndarray, float]) -> np.ndarray:
        page, first = page_and_first
        if self._taps is not None:
            # A constant must come out as exactly zero, not as the filter's rounding.
            page = filtered(page - first, self._taps)
            if self._config.low_hz <= 0:
                page += first
        return running_mean(np.abs(page), self._length).astype(np.float32)[:, np.newaxis]

    def over_floor(self, threshold: float) -> tuple[float, float]:
        percent = self._config.noise_floor_percentile
        floor, maximum, silent = (
            x[0]
            for x in percentile(self.pages, percent, 10 ** (-SILENCE_DB / self.decibels_per_decade))
        )
        least = 0.0 if self._taps is None else maximum * 10 ** (-self.artefacts_db / 20)
        # Where nothing but silence lies between the calls,
        # what was taken for the floor may be a call.
        return max(
            min(threshold * floor, maximum / 2 if silent > percent / 100 else np.inf), least
        ), maximum

    def of_amplitude(self, amplitude: float) -> float:
        return amplitude


class ContrastTrace(Trace):
    """Spectral contrast: largest power over the bins in the band,
    each over that bin's own noise floor; one value a hop.

    Power of Hann windows of `contrast_n_fft` samples, a quarter of that apart, centred, ends
    mirrored, averaged over `smoothing_ms`. The floor of a bin is its `noise_floor_percentile`, so
    that hum, hiss and the microphone's response cancel: that of the whole recording, or for a
    threshold over the noise's mode that of ten seconds around; with an absolute threshold it is the
    power of a sine of full scale. What is over the floor may be divided by what the neighbouring
    bins have over theirs (`without_background`), and is averaged over the bins within
    `contrast_bandwidth_hz`: a fricative that adds as much as the noise to each of thirty bins is
    beyond doubt in all together.

    Raises: ValueError if no bin lies in the band.
    """

    decibels_per_decade, artefacts_db = 10.0, SILENCE_DB

    def __init__(self, blocks_of: BlocksOf, sample_rate: float, config: SegmentationConfig) -> None:
        self._config, self._n_fft = config, config.contrast_n_fft
        self.hop = self._n_fft // 4
        self.step = step_length(sample_rate / self.hop)
        self._num_averaged = smoothing_length(sample_rate / self.hop, config.smoothing_ms)
        self._band = band(sample_rate, config)
        self._window = scipy.signal.get_window("hann", self._n_fft).astype(np.float32)
        self._context = self._n_fft // 2 + self._num_averaged // 2 * self.hop
        page_length = _page_length(_CONTRAST_PAGE, self._context, self.hop)
        power = Replayed(
            lambda: map(self._power_of_page, pages(blocks_of(), page_length, self._context))
        )
        self._num_bins = bins_averaged(sample_rate, config)
        self._num_bands = background_bands(sample_rate, config)
        floor = self._floor(power)
        self.pages = Replayed(lambda: self._largest_over(floor, power))

    def _power_of_page(self, page_and_first: tuple[np.ndarray, float]) -> np.ndarray:
        page, first = page_and_first
        num_values = -(-(len(page) - 2 * self._context) // self.hop)
        # As above: a constant has no power at all.
        windows = np.lib.stride_tricks.sliding_window_view(
            (page - first).astype(np.float32), self._n_fft
        )[:: self.hop]
        windows = windows[: num_values + self._num_averaged - 1]
        spectrum = scipy.fft.rfft((windows - windows.mean(axis=1, keepdims=True)) * self._window)[
            :, self._band
        ]
        power = np.square(spectrum.real) + np.square(spectrum.imag)
        return (
            running_mean(power, self._num_averaged).astype(np.float32)
            if self._num_averaged > 1
            else power
        )

    def _floor(self, power: Replayed) -> Drift:
        """Power of each bin's floor, [W, C] or [1, 1]."""
        if self._config.threshold_method == "absolute":
            return Drift(np.full((1, 1), np.square(np.sum(self._window) / 2)))
        silence, percent = 10 ** (-SILENCE_DB / 10), self._config.noise_floor_percentile
        if self._config.threshold_method == "noise_mode":
            floors, loudest = self._floors_of_windows(power, percent)
        else:
            floors, maximum, _ = percentile(power, percent, silence)
            loudest = maximum.max()
        lowest = max(loudest * np.float32(silence), np.finfo(np.float32).tiny)
        return Drift(np.maximum(np.atleast_2d(floors), lowest), self.step)

    def _floors_of_windows(self, power: Replayed, percent: float) -> tuple[np.ndarray, float]:
        cells = noise_level.cells(power, Drift(np.zeros(1), self.step).cell_length, 10.0)
        floors, loudest = [], -np.inf
        for counts in noise_level.windows(cells):
            floors.append(noise_level.floors_db(counts, percent))
            loudest = max(loudest, noise_level.loudest_db(counts))
        return 10 ** (filled(np.stack(floors)) / 10), 10 ** (loudest / 10)

    def _largest_over(self, floor: Drift, power: Replayed) -> Iterator[np.ndarray]:
        first = 0
        for page in power:
            over_floor = page / floor.of_values(first, len(page)).astype(np.float32)
            if self._num_bands:
                over_floor = without_background(over_floor, self._num_bands)
            yield _largest(over_floor, self._num_bins)
            first += len(page)

    def over_floor(self, threshold: float) -> tuple[float, float]:
        return 10 ** (threshold / 10), 0.0

    def of_amplitude(self, amplitude: float) -> float:
        return amplitude**2


def without_background(over_floor: np.ndarray, num_bands: int) -> np.ndarray:
    """What stands out of its neighbours in frequency: squeals, rustling and clicks are in all of
    them at once, a whistle in a few.

    Each bin is divided by the median of the bins around it, where that is above the noise floor;
    medians are those of so many equal bands, drawn straight in dB between their middles.

    Args:
        over_floor: float32 `[n, C]`, power over each bin's floor.    num_bands: 1 to C.

    Returns: float32 `[n, C]`.
    """
    edges, weights = bands_of(over_floor.shape[1], num_bands)
    medians = np.stack(
        [
            np.median(over_floor[:, begin:end], axis=1)
            for begin, end in zip(edges[:-1], edges[1:], strict=True)
        ],
        axis=1,
    )
    # Below its floor a bin is noise, and dividing by less would only raise that.
    return over_floor / np.exp(np.log(np.maximum(medians, 1)) @ weights)


def bands_of(num_bins: int, num_bands: int) -> tuple[np.ndarray, np.ndarray]:
    """Edges of equal bands, int `[B + 1]`, and how a straight line between the bands' middles gives
    each bin's value from theirs, float32 `[B, C]`.
    """
    edges = np.linspace(0, num_bins, num_bands + 1).astype(int)
    middles = (edges[1:] + edges[:-1] - 1) / 2
    lines = [np.interp(np.arange(num_bins), middles, of_band) for of_band in np.eye(num_bands)]
    return edges, np.asarray(lines, np.float32)


def _largest(over_floor: np.ndarray, num_bins: int) -> np.ndarray:
    """The largest mean of `num_bins` neighbours.  float32 [n, C] -> [n, 1]"""
    if num_bins > 1:
        over_floor = running_mean(over_floor.T, num_bins).T.astype(np.float32)
    return over_floor.max(axis=1, keepdims=True)


TRACES: dict[str, Callable[[BlocksOf, float, SegmentationConfig], Trace]] = {
    "envelope": EnvelopeTrace,
    "contrast": ContrastTrace,
}


def smoothing_length(sample_rate: float, smoothing_ms: float) -> int:
    """Samples in the running mean: int(smoothing_ms), made odd so that it has a centre."""
    return int(smoothing_ms * sample_rate / 1000) | 1


def running_mean(values: np.ndarray, length: int) -> np.ndarray:
    """Mean of `length` neighbours that are all there.

    [N + length - 1, ...] -> [N, ...], values not negative, float64
    """
    # Without the leading zero the first window would have nothing to be subtracted from.
    sums = np.zeros((len(values) + 1, *values.shape[1:]))
    np.cumsum(values, axis=0, out=sums[1:])
    means = sums[length:] - sums[:-length]
    # A difference of prefix sums may fall a rounding below zero, where the mean of silence is zero.
    np.maximum(means, 0.0, out=means)
    means /= length
    return means


def pages(
    blocks: Iterable[np.ndarray], page_length: int, context: int
) -> Iterator[tuple[np.ndarray, float]]:
    """Cuts a recording into pages that overlap.

    Args:
        blocks: iterator of float `[n]`, the samples in order.
        page_length: samples of a page, but for the last, which holds what is left.
        context: samples added on both sides, those of the neighbours; beyond the ends the recording
            is mirrored, as often as a short one needs.

    Yields: float64 `[page_length + 2 context]`, and the recording's first sample. Silence of one
        sample stands for none at all.
    """
    waiting, first = np.zeros(0), None
    for is_last, block in _with_last(blocks):
        waiting = (
            np.concatenate([waiting, block]) if len(waiting) else np.asarray(block, np.float64)
        )
        if first is None and (is_last or len(waiting) > context):
            # In memory as a whole, or longer than what is mirrored.
            waiting = waiting if len(waiting) else np.zeros(1)
            first = waiting[0]
            waiting = np.concatenate(
                [waiting[_mirror(np.arange(-context, 0), len(waiting))], waiting]
            )
        if is_last:
            # What waits begins `context` samples before the first that is still to be given out:
            # enough to mirror all of it.
            waiting = np.concatenate([waiting, waiting[-context - 1 : -1][::-1]])
        start = 0
        while first is not None and len(waiting) - start >= page_length + 2 * context + (
            not is_last
        ):
            yield waiting[start : start + page_length + 2 * context], first
            start += page_length
        waiting = waiting[start:]
    if first is not None and len(waiting) > 2 * context:
        yield waiting, first


def _with_last(blocks: Iterable[np.ndarray]) -> Iterator[tuple[bool, np.ndarray]]:
    """(whether it is the last, block) of each block, and an empty one where there is none."""
    previous = None
    for block in blocks:
        if previous is not None:
            yield False, previous
        previous = block
    yield True, np.zeros(0) if previous is None else previous


def _mirror(index: np.ndarray, num_samples: int) -> np.ndarray:
    period = max(2 * (num_samples - 1), 1)
    index = np.mod(index, period)
    return np.minimum(index, period - index)


def _page_length(shortest: int, context: int, hop: int) -> int:
    """Samples of a page: long against its context, and whole hops."""
    length = max(shortest, 4 * context)
    return -(-length // hop) * hop


def band(sample_rate: float, config: SegmentationConfig) -> slice:
    """The slice of the contrast's bins that lie in the detector's band.

    Raises ValueError if none does.
    """
    frequencies = np.arange(config.contrast_n_fft // 2 + 1) * (sample_rate / config.contrast_n_fft)
    inside = np.flatnonzero(in_band(frequencies, config.low_hz, config.high_hz))
    if not len(inside):
        raise ValueError(
            "`low_hz` and `high_hz` must hold a bin of the spectrum, "
            f"{sample_rate / config.contrast_n_fft:g} Hz apart up to {sample_rate / 2:g} Hz. "
            f"Received: low_hz={config.low_hz:g}, high_hz={config.high_hz:g}"
        )
    return slice(inside[0], inside[-1] + 1)


def bins_averaged(sample_rate: float, config: SegmentationConfig) -> int:
    """How many neighbouring bins the contrast averages:
    those within `contrast_bandwidth_hz`, at most all of the band.
    """
    inside = band(sample_rate, config)
    return min(
        max(int(config.contrast_bandwidth_hz * config.contrast_n_fft / sample_rate), 1),
        inside.stop - inside.start,
    )


def background_bands(sample_rate: float, config: SegmentationConfig) -> int:
    """Into how many bands `without_background` parts the band; 0: it takes nothing away."""
    if not config.contrast_background_hz:
        return 0
    inside = band(sample_rate, config)
    num_bins = inside.stop - inside.start
    width_hz = num_bins * sample_rate / config.contrast_n_fft
    # Of fewer than three bins the median is no background.
    return max(min(round(width_hz / config.contrast_background_hz), num_bins // 3), 1)
