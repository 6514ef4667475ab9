"""Pictures of songs: arrays in, matplotlib `Figure` out."""

import math
from collections.abc import Sequence
from typing import Protocol

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.image import AxesImage
from matplotlib.ticker import FuncFormatter, MaxNLocator

from neurovocal_tf.plots import canvas


class Syllables(Protocol):
    """What `statistics_figure` draws of some songs, see `evaluation.song_measures.Sung`."""

    @property
    def durations_s(self) -> np.ndarray: ...
    @property
    def gaps_s(self) -> np.ndarray: ...
    @property
    def centroids_hz(self) -> np.ndarray: ...
    @property
    def peak_frequencies_hz(self) -> np.ndarray: ...


_COLOUR_MAP = "magma"
_ROW_S, _ROW_FRAMES, _MAX_ROWS = 3.0, 700, 24


def song_figure(
    decibels: npt.ArrayLike,
    frame_s: float,
    max_hz: float,
    title: str,
    waveform: npt.ArrayLike | None = None,
    sample_rate: float | None = None,
    limits: tuple[float, float] | None = None,
) -> Figure:
    """One song on as many rows as it needs, all under one colour scale.

    Args:
        decibels: `[L, V]`, dB; NaN stays blank.
        frame_s: seconds from one frame to the next.
        max_hz: frequency of the last bin.
        title: str.
        waveform: `[N]`, drawn above each row of the spectrogram, or None.
        sample_rate: of the waveform, Hz.
        limits: (low, high) of the colours, dB; None: `canvas.decibel_limits`.
    Returns: `Figure`.
    """
    decibels = np.asarray(decibels)
    num_frames = max(len(decibels), 1)
    # Rows of one length: a remainder of a few frames would be a row of its own.
    num_rows = min(
        max(math.ceil(num_frames / _ROW_FRAMES), math.ceil(num_frames * frame_s / _ROW_S)),
        _MAX_ROWS,
    )
    row_frames = math.ceil(num_frames / num_rows)
    rows = [decibels[start : start + row_frames] for start in range(0, num_frames, row_frames)]
    limits = limits or canvas.decibel_limits(decibels)
    with_wave = waveform is not None and sample_rate is not None
    figure = canvas.rows_figure(1.75 + 0.5 * with_wave, len(rows), title)
    heights = ([1, 3.5] if with_wave else [1]) * len(rows)
    places = figure.subplots(len(heights), 1, squeeze=False, height_ratios=heights)[:, 0]
    row_s = row_frames * frame_s
    for index, (axis, row) in enumerate(zip(places[with_wave :: 1 + with_wave], rows, strict=True)):
        image = _draw_spectrogram(axis, row, index * row_s, row_s, frame_s, max_hz, limits)
    if waveform is not None and sample_rate is not None:
        _draw_waveform(places[::2], canvas.finite(waveform), sample_rate, row_s)
    places[-1].set_xlabel("time (s)")
    _colour_bar(figure, image, places)
    return figure


def comparison_figure(
    real: Sequence[np.ndarray],
    generated: Sequence[np.ndarray],
    frame_s: float | None,
    max_hz: float | None,
    limits: tuple[float, float] | None = None,
) -> Figure:
    """Real songs above generated ones, a row each, on the same scales of time,
    frequency and colour.

    Args:
        real, generated: lists of `[L, V]`, dB; together at least one.
        frame_s: seconds from one frame to the next;
            None: what is drawn is no sound, and axes count frames and units.
        max_hz: frequency of the last bin, or None.
        limits: (low, high) of the colours, dB; None: `canvas.decibel_limits` of the real songs, of
            the generated if there are none.
    Returns: `Figure`.
    """
    songs = [("real", canvas.REAL, s) for s in real] + [
        ("generated", canvas.GENERATED, s) for s in generated
    ]
    if not songs:
        raise ValueError(
            "`real` and `generated` must hold at least one song together. Received: none"
        )
    limits = limits or canvas.decibel_limits(*(real or generated))
    row_s = max(max(len(s) for _, _, s in songs), 1) * (frame_s or 1)
    figure = canvas.rows_figure(1.5, len(songs))
    axes = figure.subplots(len(songs), 1, squeeze=False, sharex=True)[:, 0]
    for axis, (name, colour, decibels) in zip(axes, songs, strict=True):
        image = _draw_spectrogram(axis, np.asarray(decibels), 0.0, row_s, frame_s, max_hz, limits)
        axis.set_title(
            name, loc="left", fontsize=10, color=colour, fontweight="bold", pad=3, parse_math=False
        )
    axes[-1].set_xlabel(canvas.time_label(frame_s))
    _colour_bar(figure, image, axes, "dB" if frame_s else "value")
    return figure


def statistics_figure(real: Syllables, generated: Syllables) -> Figure:
    """Durations, gaps, spectral centroids and peak frequencies of real and generated syllables, as
    shares of each.

    Args:
        real, generated: objects with arrays `durations_s`, `gaps_s`, `centroids_hz` and
            `peak_frequencies_hz`, as `song_measures.Sung`.
    Returns: `Figure`.
    """
    figure = canvas.rows_figure(3.2, 1)
    names = (
        ("durations_s", "syllable duration (ms)", 1e3),
        ("gaps_s", "gap (ms)", 1e3),
        ("centroids_hz", "spectral centroid (kHz)", 1e-3),
        ("peak_frequencies_hz", "peak frequency (kHz)", 1e-3),
    )
    axes = figure.subplots(1, len(names))
    for axis, (name, label, factor) in zip(axes, names, strict=True):
        counted = "gaps" if name == "gaps_s" else "syllables"
        samples = [np.asarray(getattr(s, name), np.float64) * factor for s in (real, generated)]
        samples = [s[np.isfinite(s)] for s in samples]
        if not any(map(len, samples)):
            canvas.say_empty(axis, f"no {counted}")
            axis.set_xlabel(label)
            continue
        edges = _edges(np.concatenate(samples))
        for values, colour, who in zip(
            samples, (canvas.REAL, canvas.GENERATED), ("real", "generated"), strict=True
        ):
            _histogram(axis, values, edges, colour, f"{who} ({len(values)})")
        beyond = max(values.max(initial=0.0) for values in samples) > edges[-1]
        axis.set_xlabel(label + "\nthe last bar has all that is beyond" * bool(beyond))
        axis.set_ylabel(f"share of the {counted}")
        axis.set_xlim(0.0, edges[-1])
        axis.set_ylim(bottom=0.0)
        axis.yaxis.set_major_formatter(FuncFormatter(lambda share, _: f"{100 * share:g} %"))
        axis.spines[["top", "right"]].set_visible(False)
        canvas.legend_above(axis, axis.get_legend_handles_labels()[0])
    return figure


def _draw_spectrogram(
    axis: Axes,
    decibels: np.ndarray,
    start_s: float,
    row_s: float,
    frame_s: float | None,
    max_hz: float | None,
    limits: tuple[float, float],
) -> AxesImage:
    """Draws frames [L, V] on axes that reach from start_s over row_s; returns the image."""
    stop_s = start_s + max(len(decibels), 1) * (frame_s or 1)
    top = canvas.axis_top(max_hz, decibels.shape[1])
    extent = (start_s, stop_s, 0.0, top)
    image = axis.imshow(
        canvas.drawable(decibels.T),
        origin="lower",
        aspect="auto",
        extent=extent,
        cmap=_COLOUR_MAP,
        vmin=limits[0],
        vmax=limits[1],
    )
    axis.set_xlim(start_s, start_s + row_s)
    axis.set_ylim(0.0, top)
    axis.set_ylabel(canvas.frequency_label(max_hz), fontsize=9)
    axis.yaxis.set_major_locator(MaxNLocator(4))
    axis.tick_params(labelsize=9)
    # What lies after the song's end is paper, not an empty plot.
    axis.spines[:].set_visible(False)
    return image


def _draw_waveform(
    axes: np.ndarray, waveform: np.ndarray, sample_rate: float, row_s: float
) -> None:
    """Draws samples [N] over the rows, under one scale, as extremes of stretches:
    more points than pixels are only slow.
    """
    loudest = max(float(np.abs(waveform).max(initial=0.0)), 1e-12)
    edges = np.round(np.arange(len(axes) + 1) * row_s * sample_rate).astype(int)
    for axis, start, stop in zip(axes, edges[:-1], edges[1:], strict=True):
        samples = waveform[start:stop]
        step = max((stop - start) // 2000, 1)
        stretches = samples[: len(samples) // step * step].reshape(-1, step)
        times = (start + (np.arange(len(stretches)) + 0.5) * step) / sample_rate
        if len(stretches):
            axis.fill_between(
                times,
                stretches.min(axis=1),
                stretches.max(axis=1),
                color=canvas.REAL,
                linewidth=0.4,
            )
        axis.set_xlim(start / sample_rate, start / sample_rate + row_s)
        axis.set_ylim(-loudest, loudest)
        axis.set_axis_off()


def _colour_bar(figure: Figure, image: AxesImage, axes: np.ndarray, label: str = "dB") -> None:
    figure.colorbar(
        image,
        ax=axes,
        label=label,
        pad=0.01,
        fraction=0.02,
        aspect=30 if len(axes) > 1 else 12,
        extend="both",
    )


def _edges(values: np.ndarray) -> np.ndarray:
    """About thirty bins from zero, each as wide as a multiple of the values' own grid:
    frequencies lie on FFT bins.
    """
    values = np.unique(values)
    if not values.size or values[-1] <= 0:
        return np.linspace(0.0, 1.0, 31)
    top = np.percentile(values, 99)
    grid = np.diff(values).min() if values.size > 1 else top / 15
    width = max(round(top / 30 / grid), 1) * grid
    return np.arange(min(np.ceil(top / width), 1000) + 2) * width - grid / 2


def _histogram(axis: Axes, values: np.ndarray, edges: np.ndarray, colour: str, label: str) -> None:
    weights = np.full(len(values), 1.0 / max(len(values), 1))
    clipped, bounds = np.minimum(values, edges[-1]), edges.tolist()
    axis.hist(clipped, bounds, weights=weights, histtype="stepfilled", color=colour, alpha=0.25)
    axis.hist(
        clipped, bounds, weights=weights, histtype="step", color=colour, linewidth=1.5, label=label
    )
