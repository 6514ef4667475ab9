"""Pictures of songs, training and weights: arrays in, matplotlib `Figure` out, no display needed."""

import math

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator

from neurovocal_tf import files

_REAL, _GENERATED = "#1f6f8b", "#e07a1f"
_COLOUR_MAP = "magma"
_WIDTH_IN = 12.0
_ROW_S, _ROW_FRAMES, _MAX_ROWS = 3.0, 700, 24
# Much of a spectrogram is background, a few bins are clicks: neither should have colours of its own.
_LOW_PERCENTILE, _HIGH_PERCENTILE = 40.0, 99.8
_BASELINES = {
    "baseline_mean": ("mean", "#9aa0a6"),
    "baseline_previous_frame": ("previous frame", "#5f6368"),
    "baseline_ridge_var2": ("ridge VAR(2)", "#202124"),
}


def decibel_limits(*spectrograms):
    """Colour limits (low, high) in dB for arrays of any shape: percentiles 40 and 99.8 of the finite values, at least 1 dB apart."""
    finite = [np.asarray(s, np.float64).ravel() for s in spectrograms]
    finite = np.concatenate([s[np.isfinite(s)] for s in finite] or [np.zeros(0)])
    if not finite.size:
        return 0.0, 1.0
    low, high = np.percentile(finite, [_LOW_PERCENTILE, _HIGH_PERCENTILE])
    return float(low), float(max(high, low + 1.0))


def song_figure(decibels, frame_s, max_hz, title, waveform=None, sample_rate=None, limits=None):
    """One song on as many rows as it needs, all under one colour scale.

    Args:
        decibels: `[L, V]`, dB; NaN stays blank.
        frame_s: seconds from one frame to the next.
        max_hz: frequency of the last bin.
        title: str.
        waveform: `[N]`, drawn above each row of the spectrogram, or None.
        sample_rate: of the waveform, Hz.
        limits: (low, high) of the colours, dB; None: `decibel_limits`.
    Returns: `Figure`.
    """
    decibels = np.asarray(decibels)
    num_frames = max(len(decibels), 1)
    # Rows of one length: a remainder of a few frames would be a row of its own.
    num_rows = min(max(math.ceil(num_frames / _ROW_FRAMES), math.ceil(num_frames * frame_s / _ROW_S)), _MAX_ROWS)
    row_frames = math.ceil(num_frames / num_rows)
    rows = [decibels[start : start + row_frames] for start in range(0, num_frames, row_frames)]
    limits = limits or decibel_limits(decibels)
    with_wave = waveform is not None
    figure = _figure(1.75 + 0.5 * with_wave, len(rows), title)
    heights = ([1, 3.5] if with_wave else [1]) * len(rows)
    places = figure.subplots(len(heights), 1, squeeze=False, height_ratios=heights)[:, 0]
    row_s = row_frames * frame_s
    for index, (axis, row) in enumerate(zip(places[with_wave :: 1 + with_wave], rows, strict=True)):
        image = _draw_spectrogram(axis, row, index * row_s, row_s, frame_s, max_hz, limits)
    if with_wave:
        _draw_waveform(places[::2], _finite(waveform), sample_rate, row_s)
    places[-1].set_xlabel("time (s)")
    _colour_bar(figure, image, places)
    return figure


def comparison_figure(real, generated, frame_s, max_hz, limits=None):
    """Real songs above generated ones, a row each, on the same scales of time, frequency and colour.

    Args:
        real, generated: lists of `[L, V]`, dB; together at least one.
        frame_s: seconds from one frame to the next; None: what is drawn is no sound, and axes count frames and units.
        max_hz: frequency of the last bin, or None.
        limits: (low, high) of the colours, dB; None: `decibel_limits` of the real songs, of the generated if there are none.
    Returns: `Figure`.
    """
    songs = [("real", _REAL, s) for s in real] + [("generated", _GENERATED, s) for s in generated]
    if not songs:
        raise ValueError("`real` and `generated` must hold at least one song together. Received: none")
    limits = limits or decibel_limits(*(real or generated))
    row_s = max(max(len(s) for _, _, s in songs), 1) * (frame_s or 1)
    figure = _figure(1.5, len(songs))
    axes = figure.subplots(len(songs), 1, squeeze=False, sharex=True)[:, 0]
    for axis, (name, colour, decibels) in zip(axes, songs, strict=True):
        image = _draw_spectrogram(axis, np.asarray(decibels), 0.0, row_s, frame_s, max_hz, limits)
        axis.set_title(name, loc="left", fontsize=10, color=colour, fontweight="bold", pad=3)
    axes[-1].set_xlabel(_time_label(frame_s))
    _colour_bar(figure, image, axes, "dB" if frame_s else "value")
    return figure


def curves_figure(history, unit="dB"):
    """Training curves: one-step error beside its baselines, costs, learning rate and Gibbs steps; phases are shaded.

    Args:
        history: dict of lists, one number an epoch; any of `epoch`, `cd_cost`, `reconstruction_error`, `val_cd_cost`,
            `val_reconstruction_error`, `val_one_step_error`, `song_distance`, `baseline_*`, `learning_rate`, `cd_steps`. NaN and
            missing ones are left out.
        unit: str, of the errors.
    Returns: `Figure`.
    """
    series = {name: np.asarray(values, np.float64).ravel() for name, values in history.items()}
    longest = max((len(values) for values in series.values()), default=0)
    epochs = series.get("epoch", np.arange(1, longest + 1, dtype=np.float64))
    figure = _figure(2.5, 3)
    error, cost, schedule = figure.subplots(3, 1, sharex=True)
    for axis in (error, cost, schedule):
        _shade_phases(axis, epochs, series)
        axis.grid(alpha=0.3, linewidth=0.6)
        axis.spines[["top", "right"]].set_visible(False)
    _draw_errors(error, epochs, series, unit)
    _draw_costs(cost, epochs, series)
    _draw_schedule(schedule, epochs, series)
    schedule.set_xlabel("epoch")
    finite = epochs[np.isfinite(epochs)]
    if finite.size:
        margin = max(0.01 * np.ptp(finite), 0.5 if finite.size == 1 else 0.0)
        schedule.set_xlim(finite.min() - margin, finite.max() + margin)
    schedule.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1, steps=[1, 2, 5, 10]))
    figure.align_ylabels((error, cost, schedule))
    return figure


def filters_figure(W, max_hz, num=64):
    """The RBM's filters: the columns of W with the largest norms as spectra, sorted by the frequency of their peaks.

    Args:
        W: `[V, H]`.
        max_hz: frequency of the last bin; None: count units.
        num: int, how many at most.
    Returns: `Figure`.
    """
    W = _finite(W)
    chosen = W[:, np.argsort(-np.linalg.norm(W, axis=0), kind="stable")[:num]]
    chosen = chosen[:, np.argsort(np.argmax(np.abs(chosen), axis=0), kind="stable")]
    bound = np.percentile(np.abs(chosen), 99.5) if chosen.size else 0.0
    figure = _figure(4.5, 1)
    axis = figure.add_subplot()
    extent = (0.5, max(chosen.shape[1], 1) + 0.5, 0.0, _top(max_hz, len(W)))
    bound = bound or 1.0
    image = axis.imshow(
        _drawable(chosen), origin="lower", aspect="auto", extent=extent, cmap="RdBu_r", vmin=-bound, vmax=bound, interpolation="nearest"
    )
    axis.set_title(f"filters: {chosen.shape[1]} of {W.shape[1]} hidden units", loc="left", fontsize=11)
    axis.set_xlabel("hidden unit, by frequency of its largest weight")
    axis.set_ylabel("kHz" if max_hz else "visible unit")
    figure.colorbar(image, ax=axis, label="weight", pad=0.01, fraction=0.03, extend="both")
    return figure


def hidden_figure(hidden, frame_s):
    """Hidden activations over time, units in the order of their largest activation.

    Args:
        hidden: `[L, H]`, probabilities.
        frame_s: seconds from one frame to the next; None: count frames.
    Returns: `Figure`.
    """
    hidden = np.asarray(hidden, np.float64)
    if len(hidden):
        order = np.argsort(np.argmax(np.nan_to_num(hidden, nan=-np.inf), axis=0), kind="stable")
        hidden = hidden[:, order]
    figure = _figure(4.5, 1)
    axis = figure.add_subplot()
    extent = (0.0, max(len(hidden), 1) * (frame_s or 1), max(hidden.shape[1], 1) + 0.5, 0.5)
    image = axis.imshow(
        _drawable(hidden.T), origin="upper", aspect="auto", extent=extent, cmap="Greys", vmin=0.0, vmax=1.0, interpolation="nearest"
    )
    axis.set_title("hidden units", loc="left", fontsize=11)
    axis.set_xlabel(_time_label(frame_s))
    axis.set_ylabel("unit, by time of its peak")
    figure.colorbar(image, ax=axis, label="probability of being on", pad=0.01, fraction=0.03)
    return figure


def statistics_figure(real, generated):
    """Durations, gaps and peak frequencies of real and generated syllables, as shares of each.

    Args:
        real, generated: objects with arrays `durations_s`, `gaps_s`, `peak_frequencies_hz`, as `syllables.SongStatistics`.
    Returns: `Figure`.
    """
    figure = _figure(3.2, 1)
    names = (
        ("durations_s", "syllable duration (ms)", 1e3),
        ("gaps_s", "gap (ms)", 1e3),
        ("peak_frequencies_hz", "peak frequency (kHz)", 1e-3),
    )
    for axis, (name, label, factor) in zip(figure.subplots(1, len(names)), names, strict=True):
        samples = [np.asarray(getattr(s, name), np.float64) * factor for s in (real, generated)]
        samples = [s[np.isfinite(s)] for s in samples]
        edges = _edges(np.concatenate(samples))
        for values, colour, who in zip(samples, (_REAL, _GENERATED), ("real", "generated"), strict=True):
            _histogram(axis, values, edges, colour, f"{who} ({len(values)})")
        axis.set_xlabel(label)
        axis.set_xlim(0.0, edges[-1])
        axis.set_ylim(bottom=0.0)
        axis.yaxis.set_major_formatter(FuncFormatter(lambda share, _: f"{100 * share:g} %"))
        axis.spines[["top", "right"]].set_visible(False)
        axis.legend(frameon=False, fontsize=9)
    return figure


def save_figure(figure, path):
    """Writes a PNG to `path` under a temporary name first, so that a reader never sees half of it."""
    with files.replacing(path) as temporary:
        figure.savefig(temporary, format="png")


def figure_to_rgb(figure):
    """The figure's pixels, uint8 `[height, width, 3]`."""
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    return np.asarray(canvas.buffer_rgba())[..., :3].copy()


def _figure(row_in, num_rows, title=None):
    figure = Figure(figsize=(_WIDTH_IN, 0.6 + row_in * num_rows), dpi=100, layout="constrained")
    FigureCanvasAgg(figure)
    if title:
        figure.suptitle(title, x=0.01, ha="left", fontsize=12)
    return figure


def _draw_spectrogram(axis, decibels, start_s, row_s, frame_s, max_hz, limits):
    """Draws frames [L, V] on axes that reach from start_s over row_s; returns the image."""
    stop_s = start_s + max(len(decibels), 1) * (frame_s or 1)
    top = _top(max_hz, decibels.shape[1])
    extent = (start_s, stop_s, 0.0, top)
    image = axis.imshow(
        _drawable(decibels.T), origin="lower", aspect="auto", extent=extent, cmap=_COLOUR_MAP, vmin=limits[0], vmax=limits[1]
    )
    axis.set_xlim(start_s, start_s + row_s)
    axis.set_ylim(0.0, top)
    axis.set_ylabel("kHz" if max_hz else "unit")
    axis.yaxis.set_major_locator(MaxNLocator(4))
    axis.tick_params(labelsize=9)
    # What lies after the song's end is paper, not an empty plot.
    axis.spines[:].set_visible(False)
    return image


def _draw_waveform(axes, waveform, sample_rate, row_s):
    """Draws samples [N] over the rows, under one scale, as extremes of stretches: more points than pixels are only slow."""
    loudest = max(float(np.abs(waveform).max(initial=0.0)), 1e-12)
    edges = np.round(np.arange(len(axes) + 1) * row_s * sample_rate).astype(int)
    for axis, start, stop in zip(axes, edges[:-1], edges[1:], strict=True):
        samples = waveform[start:stop]
        step = max((stop - start) // 2000, 1)
        stretches = samples[: len(samples) // step * step].reshape(-1, step)
        times = (start + (np.arange(len(stretches)) + 0.5) * step) / sample_rate
        if len(stretches):
            axis.fill_between(times, stretches.min(axis=1), stretches.max(axis=1), color=_REAL, linewidth=0.4)
        axis.set_xlim(start / sample_rate, start / sample_rate + row_s)
        axis.set_ylim(-loudest, loudest)
        axis.set_axis_off()


def _finite(array):
    return np.nan_to_num(np.asarray(array, np.float64), posinf=0.0, neginf=0.0)


def _drawable(image):
    """What `imshow` can take: one blank pixel where there is nothing, and NaN or Inf blank."""
    image = np.ma.masked_invalid(np.asarray(image, np.float64))
    return image if image.size else np.ma.masked_all((1, 1))


def _colour_bar(figure, image, axes, label="dB"):
    figure.colorbar(image, ax=axes, label=label, pad=0.01, fraction=0.02, aspect=30 if len(axes) > 1 else 12, extend="both")


def _top(max_hz, num_visible):
    return max_hz / 1000.0 if max_hz else num_visible


def _time_label(frame_s):
    return "time (s)" if frame_s else "frame"


def _edges(values):
    """About thirty bins from zero, each as wide as a multiple of the values' own grid: frequencies lie on FFT bins."""
    values = np.unique(values)
    if not values.size or values[-1] <= 0:
        return np.linspace(0.0, 1.0, 31)
    top = np.percentile(values, 99)
    grid = np.diff(values).min() if values.size > 1 else top / 15
    width = max(round(top / 30 / grid), 1) * grid
    return np.arange(min(np.ceil(top / width), 1000) + 2) * width - grid / 2


def _histogram(axis, values, edges, colour, label):
    weights = np.full(len(values), 1.0 / max(len(values), 1))
    clipped = np.minimum(values, edges[-1])
    axis.hist(clipped, edges, weights=weights, histtype="stepfilled", color=colour, alpha=0.25)
    axis.hist(clipped, edges, weights=weights, histtype="step", color=colour, linewidth=1.5, label=label)


def _plot(axis, epochs, series, name, **style):
    """Draws one series where it is there and finite; returns whether it did."""
    values = series.get(name, np.zeros(0))
    count = min(len(values), len(epochs))
    kept = np.isfinite(values[:count]) & np.isfinite(epochs[:count])
    if kept.any():
        axis.plot(epochs[:count][kept], values[:count][kept], marker="o" if kept.sum() < 30 else None, markersize=3.5, **style)
    return bool(kept.any())


def _shade_phases(axis, epochs, series):
    """Bands behind the epochs that share a learning rate and a number of Gibbs steps, every second one darker."""
    settings = [series[name] for name in ("learning_rate", "cd_steps") if name in series]
    count = min([len(epochs), *map(len, settings)])
    if not settings or not count:
        return
    values = np.stack([setting[:count] for setting in settings])
    changes = np.flatnonzero(np.any(values[:, 1:] != values[:, :-1], axis=0)) + 1
    edges = [epochs[0] - 0.5, *((epochs[changes] + epochs[changes - 1]) / 2), epochs[count - 1] + 0.5]
    for start, stop in zip(edges[1:-1:2], edges[2::2], strict=False):
        axis.axvspan(start, stop, color="#000000", alpha=0.05, linewidth=0)


def _draw_errors(axis, epochs, series, unit):
    _plot(axis, epochs, series, "val_one_step_error", color=_GENERATED, linewidth=1.8, label="model, held out")
    for name, (label, colour) in _BASELINES.items():
        finite = series.get(name, np.zeros(0))
        finite = finite[np.isfinite(finite)]
        if finite.size:
            axis.axhline(finite[-1], color=colour, linestyle="--", linewidth=1.1)
            axis.annotate(
                f"{label} {finite[-1]:.2f}", (1.0, finite[-1]), (4, 0), xycoords=("axes fraction", "data"),
                textcoords="offset points", va="center", fontsize=9, color=colour,
            )  # fmt: skip
    axis.set_ylabel(f"one-step error ({unit})")
    axis.margins(y=0.12)
    mean = series.get("baseline_mean", np.zeros(0))
    if np.isfinite(mean[-1:]).all() and mean.size and mean[-1] > 0:
        # The first epochs of a fresh model may be far off, and are not what the curve is for.
        axis.set_ylim(top=min(axis.get_ylim()[1], 1.25 * mean[-1]))
    _legend(axis)
    _mark_songs(axis, epochs, series.get("song_distance", np.zeros(0)))


def _mark_songs(axis, epochs, distances):
    """Where the model sang, and how far its songs were from the real ones, along the lower edge."""
    for epoch, distance in zip(epochs, distances, strict=False):
        if np.isfinite(distance):
            axis.plot([epoch], [0.03], "^", color=_REAL, markersize=5, transform=axis.get_xaxis_transform())
            axis.annotate(
                f"{distance:.2f}", (epoch, 0.03), (0, 6), xycoords=axis.get_xaxis_transform(),
                textcoords="offset points", ha="center", fontsize=8, color=_REAL,
            )  # fmt: skip
    if np.isfinite(distances).any():
        axis.annotate("distance of songs", (0.01, 0.03), xycoords="axes fraction", va="center", fontsize=8, color=_REAL)


def _draw_costs(axis, epochs, series):
    twin = axis.twinx()
    for each, name, label, colour in (
        (axis, "cd_cost", "CD cost", _REAL),
        (twin, "reconstruction_error", "reconstruction error", _GENERATED),
    ):
        _plot(each, epochs, series, name, color=colour, linewidth=1.6, label=f"{label}, training")
        _plot(each, epochs, series, f"val_{name}", color=colour, linewidth=1.4, linestyle=":", label=f"{label}, held out")
        each.set_ylabel(label, color=colour)
        each.margins(y=0.12)
    _finish_twin(twin)
    _legend(axis, twin)


def _draw_schedule(axis, epochs, series):
    twin = axis.twinx()
    for each, name, label, colour in ((axis, "learning_rate", "learning rate", _REAL), (twin, "cd_steps", "Gibbs steps k", _GENERATED)):
        each.set_ylabel(label, color=colour)
        if _plot(each, epochs, series, name, color=colour, linewidth=1.6, drawstyle="steps-mid"):
            each.set_yscale("log")
            _label_values(each, series[name])
    _finish_twin(twin)


def _label_values(axis, values):
    """Ticks at the values themselves where they are few, as in a schedule of phases."""
    values = np.unique(values[np.isfinite(values) & (values > 0)])
    if 0 < values.size <= 8:
        axis.set_yticks(values, [f"{value:g}" for value in values])
        axis.minorticks_off()
        axis.set_ylim(values[0] / 1.4, values[-1] * 1.4)


def _finish_twin(axis):
    axis.spines["top"].set_visible(False)
    axis.yaxis.set_visible(bool(axis.lines))
    axis.spines["right"].set_visible(bool(axis.lines))


def _legend(axis, *others):
    handles = [handle for each in (axis, *others) for handle in each.get_legend_handles_labels()[0]]
    if handles:
        (others or (axis,))[-1].legend(handles=handles, frameon=False, fontsize=9, loc="upper right", ncols=len(handles))
