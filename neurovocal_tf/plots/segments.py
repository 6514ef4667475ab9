"""Pictures of segments: over the spectrogram, on the detector's trace,
beside the truth, and in histograms.
"""

import math
from collections.abc import Iterator, Sequence
from typing import Protocol

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import LogLocator, MaxNLocator, NullFormatter

from neurovocal_tf.plots import canvas


class Overview(Protocol):
    """What `segment_figures` draws of a recording, see `segmentation.overview.Overview`."""

    @property
    def column_s(self) -> float: ...
    @property
    def max_hz(self) -> float: ...
    @property
    def decibels(self) -> np.ndarray: ...
    @property
    def trace_db(self) -> np.ndarray: ...
    @property
    def level_db(self) -> np.ndarray: ...


_FOUND, _TRUE, _LEVEL = canvas.SKY_BLUE, canvas.ORANGE, canvas.VERMILLION
# What is dropped, by its reason: told apart by lightness alone, too.
_DROPPED = {
    "too short": "#dadce0",
    "too long": "#5f6368",
    "alone": canvas.PURPLE,
    "unlike a call": canvas.GREEN,
}
Dropped = tuple[float, float, str]
_WIDTH_IN = 14.0
# A short recording is shown so that syllables have shapes,
# a long one so that ten minutes fit on a page.
_SHORT_S, _SHORT_ROW_S, _LONG_ROW_S = 40.0, 10.0, 60.0
_SHORT_ROW_IN, _LONG_ROW_IN = 3.2, 2.3
_COLUMNS_IN_ROW = 1250
_ROWS_ON_PAGE = 10
_BAR = 0.06


def column_s(duration_s: float) -> float:
    """Seconds of one column of the picture of a recording so long."""
    return _row_s(duration_s) / _COLUMNS_IN_ROW


def segment_figures(
    overview: Overview,
    found: npt.ArrayLike,
    true: npt.ArrayLike | None,
    title: str,
    dropped: Sequence[Dropped] = (),
) -> Iterator[Figure]:
    """Pages of rows, each row a spectrogram with the segments over it and the trace with
    its threshold below.

    Args:
        overview: object with `column_s`, `max_hz`, `decibels` `[C, V]`,
            `trace_db` and `level_db` `[C]`.
        found: `[S, 2]`, seconds.    true: `[S', 2]`, seconds, or None.    title: str.
        dropped: onsets, offsets in seconds and reasons of what was loud enough and is no segment.

    Yields: `Figure`, each of at most ten rows as long as one another, of up to ten seconds, or up
        to a minute for recordings of more than forty seconds.
    """
    duration_s = len(overview.decibels) * overview.column_s
    row_s = _row_s(duration_s)
    limits = canvas.decibel_limits(overview.decibels[:: max(len(overview.decibels) // 5000, 1)])
    starts = np.arange(round(duration_s / row_s)) * row_s
    for first in range(0, len(starts), _ROWS_ON_PAGE):
        page = starts[first : first + _ROWS_ON_PAGE]
        yield _page(overview, found, true, dropped, title, page, row_s, limits)


def histograms_figure(
    durations_s: npt.ArrayLike, gaps_s: npt.ArrayLike, peak_frequencies_hz: npt.ArrayLike
) -> Figure:
    """Histograms of segments: durations, gaps between neighbours, peak frequencies;
    logarithmic in time.  -> `Figure`
    """
    figure = canvas.empty_figure(_WIDTH_IN, 3.6)
    series = (
        ("segment", "duration", "ms", durations_s, 1e3, True),
        ("gap", "gap", "ms", gaps_s, 1e3, True),
        ("segment", "peak frequency", "kHz", peak_frequencies_hz, 1e-3, False),
    )
    for axis, (counted, name, unit, values, factor, is_log) in zip(
        figure.subplots(1, 3), series, strict=True
    ):
        values = np.asarray(values) * factor
        values = values[values > 0] if is_log else values
        axis.set_xlabel(f"{name} ({unit})")
        axis.spines[["top", "right"]].set_visible(False)
        if not len(values):
            canvas.say_empty(axis, f"no {counted}s")
            continue
        low, high = values.min(), values.max()
        if high < 1.5 * low:
            # Values that hardly differ stand in the middle rather than at an edge.
            low, high = low / 1.5, high * 1.5
        axis.hist(
            values,
            np.geomspace(low, high, 41) if is_log else np.linspace(low, high, 41),
            color=_FOUND,
        )
        axis.axvline(np.median(values), color=_LEVEL, linewidth=1)
        axis.set_ylabel(f"number of {counted}s")
        axis.yaxis.set_major_locator(MaxNLocator(5, integer=True))
        several = "s" * (len(values) != 1)
        axis.set_title(
            f"{len(values):,} {counted}{several}, median {np.median(values):.3g} {unit}",
            loc="left",
            fontsize=10,
        )
        if is_log:
            axis.set_xscale("log")
            # Powers of ten are for other quantities, and ticks must not run into each other.
            decades = np.log10(high / low)
            digits = range(1, 10) if decades <= 1 else (1, 2, 5) if decades <= 2 else (1, 3)
            locator = LogLocator(subs=digits if decades <= 4 else (1,), numticks=20)
            axis.xaxis.set_major_locator(locator)
            axis.xaxis.set_major_formatter("{x:g}")
            axis.xaxis.set_minor_formatter(NullFormatter())
    return figure


def _page(
    overview: Overview,
    found: npt.ArrayLike,
    true: npt.ArrayLike | None,
    dropped: Sequence[Dropped],
    title: str,
    starts: np.ndarray,
    row_s: float,
    limits: tuple[float, float],
) -> Figure:
    figure = canvas.empty_figure(
        _WIDTH_IN, (_SHORT_ROW_IN if row_s <= _SHORT_ROW_S else _LONG_ROW_IN) * len(starts) + 0.5
    )
    axes = figure.subplots(2 * len(starts), 1, squeeze=False, height_ratios=[3, 1.2] * len(starts))[
        :, 0
    ]
    trace = overview.trace_db[np.isfinite(overview.trace_db)]
    trace_limits = np.percentile(trace, 0.5) - 2, max(trace.max(), overview.level_db.max()) + 2
    for sounds, loudness, start in zip(axes[::2], axes[1::2], starts, strict=True):
        first = round(start / overview.column_s)
        last = first + max(round(row_s / overview.column_s), 1)
        _draw_spectrogram(sounds, overview, first, last, limits)
        _draw_segments(sounds, found, 1 - _BAR, _FOUND, start, row_s)
        if true is not None:
            _draw_segments(sounds, true, 1 - 2 * _BAR, _TRUE, start, row_s)
        for reason, colour in _DROPPED.items():
            spans = [(onset, offset) for onset, offset, why in dropped if why == reason]
            _draw_segments(sounds, spans, 0.0, colour, start, row_s)
        _draw_trace(loudness, overview, first, last, trace_limits)
        _shade(loudness, found, start, row_s)
        for axis in (sounds, loudness):
            axis.set_xlim(start, start + row_s)
            axis.xaxis.set_major_locator(MaxNLocator(13, steps=[1, 2, 5, 10]))
    canvas.title_above(figure, title)
    _explain(axes[0], true, {why for *_, why in dropped})
    axes[-1].set_xlabel("time (s)")
    return figure


def _draw_spectrogram(
    axis: Axes, overview: Overview, first: int, last: int, limits: tuple[float, float]
) -> None:
    part = overview.decibels[first:last]
    begin = first * overview.column_s
    extent = (begin, begin + len(part) * overview.column_s, 0, overview.max_hz / 1000)
    axis.imshow(
        part.T,
        aspect="auto",
        origin="lower",
        extent=extent,
        cmap="magma",
        vmin=limits[0],
        vmax=limits[1],
        interpolation="nearest",
    )
    axis.set_ylabel(canvas.frequency_label(overview.max_hz))
    axis.tick_params(labelbottom=False)


def _draw_segments(
    axis: Axes, segments: npt.ArrayLike, bottom: float, colour: str, start: float, row_s: float
) -> None:
    """Bars along the upper edge, and where there is room for them lines at the boundaries."""
    shown = _shown(segments, start, row_s)
    bars = [(onset, offset - onset) for onset, offset in shown]
    axis.broken_barh(
        bars,
        (bottom, _BAR),
        facecolors=colour,
        edgecolors="none",
        transform=axis.get_xaxis_transform(),
    )
    if row_s <= _SHORT_ROW_S and colour == _FOUND:
        axis.vlines(
            shown.ravel(),
            0,
            1 - 2 * _BAR,
            colors=colour,
            linewidth=0.6,
            alpha=0.8,
            transform=axis.get_xaxis_transform(),
        )


def _draw_trace(
    axis: Axes, overview: Overview, first: int, last: int, limits: tuple[float, float]
) -> None:
    trace = overview.trace_db[first:last]
    times = (first + np.arange(len(trace)) + 0.5) * overview.column_s
    axis.plot(times, trace, color="#202124", linewidth=0.6)
    axis.plot(times, overview.level_db[first:last], color=_LEVEL, linewidth=0.9)
    axis.set_ylim(*limits)
    axis.set_ylabel("level (dB)")
    axis.spines[["top", "right"]].set_visible(False)


def _shade(axis: Axes, segments: npt.ArrayLike, start: float, row_s: float) -> None:
    bars = [(onset, offset - onset) for onset, offset in _shown(segments, start, row_s)]
    axis.broken_barh(
        bars,
        (0, 1),
        facecolors=_FOUND,
        alpha=0.3,
        edgecolors="none",
        transform=axis.get_xaxis_transform(),
    )


def _shown(segments: npt.ArrayLike, start: float, row_s: float) -> np.ndarray:
    segments = np.asarray(segments, np.float64).reshape(-1, 2)
    return segments[(segments[:, 1] > start) & (segments[:, 0] < start + row_s)]


def _explain(axis: Axes, true: npt.ArrayLike | None, reasons: set[str]) -> None:
    shown = [
        Patch(color=_FOUND, label="found"),
        *([] if true is None else [Patch(color=_TRUE, label="truth")]),
        *(
            Patch(color=colour, label=f"dropped, {reason}")
            for reason, colour in _DROPPED.items()
            if reason in reasons
        ),
        Line2D([], [], color=_LEVEL, label="threshold"),
    ]
    canvas.legend_above(axis, shown)


def _row_s(duration_s: float) -> float:
    longest = _SHORT_ROW_S if duration_s <= _SHORT_S else _LONG_ROW_S
    return duration_s / max(math.ceil(duration_s / longest - 1e-3), 1)
