"""Pictures of a training: curves, filters and hidden units; arrays in, matplotlib `Figure` out."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from neurovocal_tf.plots import canvas

_BASELINES = {
    "baseline_mean": "#80868b",
    "baseline_previous_frame": "#5f6368",
    "baseline_ridge_var2": "#202124",
}
_ROW_IN = 2.5
# Of a row's height, what a label beside it needs.
_LABEL_SHARE = 0.1


def curves_figure(history: Mapping[str, Sequence[float]], unit: str = "dB") -> Figure:
    """Training curves: one-step error beside its baselines, how far songs are from the recordings,
    costs, learning rate and Gibbs steps; phases are shaded.

    Args:
        history: dict of lists, one number an epoch; any of `epoch`, `cd_cost`,
            `reconstruction_error`, `val_cd_cost`, `val_reconstruction_error`, `val_one_step_error`,
            `song_distance`, `baseline_*`, `learning_rate`, `cd_steps`, `kept_epoch`. NaN and
            missing ones are left out.
        unit: str, of the errors.
    Returns: `Figure`.
    """
    series = {name: np.asarray(values, np.float64).ravel() for name, values in history.items()}
    longest = max((len(values) for values in series.values()), default=0)
    epochs = series.get("epoch", np.arange(1, longest + 1, dtype=np.float64))
    has_sung = not np.isnan(series.get("song_distance", np.full(1, np.nan))).all()
    figure = canvas.rows_figure(_ROW_IN, 4 if has_sung else 3)
    axes = figure.subplots(4 if has_sung else 3, 1, sharex=True)
    for axis in axes:
        _shade_phases(axis, epochs, series)
        axis.grid(alpha=0.3, linewidth=0.6)
        axis.spines[["top", "right"]].set_visible(False)
    _mark_kept(axes, series)
    _draw_errors(axes[0], epochs, series, unit)
    if has_sung:
        _draw_songs(axes[1], epochs, series)
    _draw_costs(axes[-2], epochs, series, unit)
    _draw_schedule(axes[-1], epochs, series)
    axes[-1].set_xlabel("epoch")
    finite = epochs[np.isfinite(epochs)]
    if finite.size:
        margin = max(0.01 * np.ptp(finite), 0.5)
        # There is no epoch 0 to have a tick.
        first = max(finite.min() - margin, 0.5) if finite.min() >= 1 else finite.min() - margin
        axes[-1].set_xlim(first, finite.max() + margin)
    axes[-1].xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1, steps=[1, 2, 5, 10]))
    figure.align_ylabels(axes)
    return figure


def filters_figure(W: npt.ArrayLike, max_hz: float | None, num: int = 64) -> Figure:
    """The RBM's filters: the columns of W with the largest norms as spectra, sorted by the
    frequency of their peaks.

    Args:
        W: `[V, H]`.
        max_hz: frequency of the last bin; None: count units.
        num: int, how many at most.
    Returns: `Figure`.
    """
    W = canvas.finite(W)
    chosen = W[:, np.argsort(-np.linalg.norm(W, axis=0), kind="stable")[:num]]
    chosen = chosen[:, np.argsort(np.argmax(np.abs(chosen), axis=0), kind="stable")]
    bound = np.percentile(np.abs(chosen), 99.5) if chosen.size else 0.0
    figure = canvas.rows_figure(4.5, 1)
    axis = figure.add_subplot()
    extent = (0.5, max(chosen.shape[1], 1) + 0.5, 0.0, canvas.axis_top(max_hz, len(W)))
    bound = bound or 1.0
    image = axis.imshow(
        canvas.drawable(chosen),
        origin="lower",
        aspect="auto",
        extent=extent,
        cmap="RdBu_r",
        vmin=-bound,
        vmax=bound,
        interpolation="nearest",
    )
    axis.set_title(
        f"filters: {chosen.shape[1]} of {W.shape[1]} hidden units", loc="left", fontsize=11
    )
    axis.set_xlabel("hidden unit, by frequency of its largest weight")
    axis.set_ylabel(canvas.frequency_label(max_hz))
    figure.colorbar(image, ax=axis, label="weight", pad=0.01, fraction=0.03, extend="both")
    return figure


def hidden_figure(hidden: npt.ArrayLike, frame_s: float | None) -> Figure:
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
    figure = canvas.rows_figure(4.5, 1)
    axis = figure.add_subplot()
    extent = (0.0, max(len(hidden), 1) * (frame_s or 1), max(hidden.shape[1], 1) + 0.5, 0.5)
    image = axis.imshow(
        canvas.drawable(hidden.T),
        origin="upper",
        aspect="auto",
        extent=extent,
        cmap="Greys",
        vmin=0.0,
        vmax=1.0,
        interpolation="nearest",
    )
    axis.set_title("hidden units", loc="left", fontsize=11)
    axis.set_xlabel(canvas.time_label(frame_s))
    axis.set_ylabel("unit, by time of its peak")
    figure.colorbar(image, ax=axis, label="probability of being on", pad=0.01, fraction=0.03)
    return figure


def _plot(
    axis: Axes, epochs: np.ndarray, series: Mapping[str, np.ndarray], name: str, **style: Any
) -> bool:
    """Draws one series where it is there and finite; returns whether it did."""
    values = series.get(name, np.zeros(0))
    count = min(len(values), len(epochs))
    kept = np.isfinite(values[:count]) & np.isfinite(epochs[:count])
    if kept.any():
        axis.plot(
            epochs[:count][kept],
            values[:count][kept],
            **{"marker": "o" if kept.sum() < 30 else None, "markersize": 3.5, **style},
        )
    return bool(kept.any())


def _shade_phases(axis: Axes, epochs: np.ndarray, series: Mapping[str, np.ndarray]) -> None:
    """Bands behind the epochs that share a learning rate and a number of Gibbs steps,
    every second one darker.
    """
    settings = [series[name] for name in ("learning_rate", "cd_steps") if name in series]
    count = min([len(epochs), *map(len, settings)])
    if not settings or not count:
        return
    values = np.stack([setting[:count] for setting in settings])
    changes = np.flatnonzero(np.any(values[:, 1:] != values[:, :-1], axis=0)) + 1
    edges = [
        epochs[0] - 0.5,
        *((epochs[changes] + epochs[changes - 1]) / 2),
        epochs[count - 1] + 0.5,
    ]
    for start, stop in zip(edges[1:-1:2], edges[2::2], strict=False):
        axis.axvspan(start, stop, color="#000000", alpha=0.05, linewidth=0)


def _draw_errors(
    axis: Axes, epochs: np.ndarray, series: Mapping[str, np.ndarray], unit: str
) -> None:
    _plot(
        axis,
        epochs,
        series,
        "val_one_step_error",
        color=canvas.GENERATED,
        linewidth=1.8,
        label="model, held out",
    )
    baselines = {
        name: values[np.isfinite(values)][-1]
        for name, values in series.items()
        if name in _BASELINES and np.isfinite(values).any()
    }
    errors = series.get("val_one_step_error", np.zeros(0))
    axis.set_ylabel(f"one-step error ({unit})" if unit else "one-step error")
    limits = _limits(errors[np.isfinite(errors)], baselines)
    if limits is not None:
        axis.set_ylim(*limits)
        _draw_baselines(axis, baselines, *limits)
    canvas.legend_above(axis, axis.get_legend_handles_labels()[0])


def _limits(errors: np.ndarray, baselines: Mapping[str, float]) -> tuple[float, float] | None:
    """Limits of the axis by the model's own line, and by the baselines that lie near it: the others
    would flatten it.
    """
    if not errors.size and not baselines:
        return None
    low, high = (errors.min(), errors.max()) if errors.size else (np.inf, -np.inf)
    wild = 1.25 * baselines.get("baseline_mean", np.inf)
    if low < wild < high:
        # The first epochs of a fresh model may be far off, and are not what the curve is for.
        high = wild
    span = max(high - low, 0.02 * abs(low)) if errors.size else np.inf
    near = [value for value in baselines.values() if low - span <= value <= high + span]
    low, high = min([low, *near]), max([high, *near])
    margin = 0.12 * (high - low) or 0.02 * abs(low) or 1.0
    return low - margin, high + margin


def _draw_baselines(axis: Axes, baselines: Mapping[str, float], low: float, high: float) -> None:
    """A line for each baseline within the limits, an arrow for one beyond, and labels beside."""
    labels, places = [], []
    for name, value in baselines.items():
        beyond = " ↑" if value > high else " ↓" if value < low else ""
        if not beyond:
            axis.axhline(value, color=_BASELINES[name], linestyle="--", linewidth=1.1)
        label = canvas.baseline_label(name.removeprefix("baseline_"))
        labels.append((f"{label} {value:.2f}{beyond}", _BASELINES[name]))
        # Those beyond keep their order among themselves.
        places.append(np.clip((value - low) / (high - low), -1e6, 1e6))
    spread = canvas.spread(
        np.clip(places, 0.0, 1.0) + 1e-9 * np.argsort(np.argsort(places)), _LABEL_SHARE
    )
    for (label, colour), place in zip(labels, spread, strict=True):
        axis.annotate(
            label,
            (1.0, place),
            (4, 0),
            xycoords="axes fraction",
            textcoords="offset points",
            va="center",
            fontsize=9,
            color=colour,
        )


def _draw_songs(axis: Axes, epochs: np.ndarray, series: Mapping[str, np.ndarray]) -> None:
    """How far songs were from the recordings at the epochs that sang, and how far halves of these
    are from each other.
    """
    distances = series["song_distance"][: len(epochs)]
    _plot(
        axis,
        epochs,
        series,
        "song_distance",
        marker="o",
        color=canvas.REAL,
        linewidth=1.2,
        label="songs from the recordings",
    )
    silent = epochs[: len(distances)][np.isposinf(distances)]
    if silent.size:
        axis.plot(
            silent,
            np.full(silent.size, 0.94),
            "x",
            color=canvas.REAL,
            transform=axis.get_xaxis_transform(),
            label="too few syllables to compare",
        )
    halves = series.get("baseline_song_distance", np.zeros(0))
    halves = halves[np.isfinite(halves)]
    finite = distances[np.isfinite(distances)]
    if halves.size:
        axis.axhline(
            halves[-1],
            color="#5f6368",
            linestyle="--",
            linewidth=1.1,
            label=f"one half of the recordings from the other, {halves[-1]:.2f}",
        )
    axis.set_ylim(0.0, 1.2 * max([*finite, *halves[-1:]], default=1.0) or 1.0)
    axis.set_ylabel("distance of songs")
    canvas.legend_above(axis, axis.get_legend_handles_labels()[0])


def _mark_kept(axes: Sequence[Axes], series: Mapping[str, np.ndarray]) -> None:
    """A line through all rows at the epoch whose weights are kept."""
    kept = series.get("kept_epoch", np.zeros(0))[-1:]
    for number, axis in enumerate(axes if kept.size else ()):
        # A legend leaves out what begins with an underscore.
        label = f"kept, epoch {kept[0]:g}" if number == 0 else "_"
        axis.axvline(kept[0], color=canvas.GREEN, linewidth=1.2, linestyle="-.", label=label)


def _draw_costs(
    axis: Axes, epochs: np.ndarray, series: Mapping[str, np.ndarray], unit: str
) -> None:
    twin = axis.twinx()
    for each, name, label, its_unit, colour in (
        (axis, "cd_cost", "CD cost", "nats", canvas.REAL),
        (twin, "reconstruction_error", "reconstruction error", unit, canvas.GENERATED),
    ):
        _plot(each, epochs, series, name, color=colour, linewidth=1.6, label=f"{label}, training")
        _plot(
            each,
            epochs,
            series,
            f"val_{name}",
            color=colour,
            linewidth=1.4,
            linestyle=":",
            label=f"{label}, held out",
        )
        each.set_ylabel(f"{label} ({its_unit})" if its_unit else label, color=colour, fontsize=9)
        each.margins(y=0.12)
    _finish_twin(twin)
    canvas.legend_above(
        axis, [handle for each in (axis, twin) for handle in each.get_legend_handles_labels()[0]]
    )


def _draw_schedule(axis: Axes, epochs: np.ndarray, series: Mapping[str, np.ndarray]) -> None:
    twin = axis.twinx()
    for each, name, label, colour in (
        (axis, "learning_rate", "learning rate", canvas.REAL),
        (twin, "cd_steps", "Gibbs steps k", canvas.GENERATED),
    ):
        each.set_ylabel(label, color=colour)
        if _plot(each, epochs, series, name, color=colour, linewidth=1.6, drawstyle="steps-mid"):
            each.set_yscale("log")
            _label_values(each, series[name])
    _finish_twin(twin)


def _label_values(axis: Axes, values: np.ndarray) -> None:
    """Ticks at the values themselves where they are few, as in a schedule of phases."""
    values = np.unique(values[np.isfinite(values) & (values > 0)])
    if 0 < values.size <= 8:
        axis.set_yticks(values, [f"{value:g}" for value in values])
        axis.minorticks_off()
        axis.set_ylim(values[0] / 1.4, values[-1] * 1.4)


def _finish_twin(axis: Axes) -> None:
    axis.spines["top"].set_visible(False)
    axis.yaxis.set_visible(bool(axis.lines))
    axis.spines["right"].set_visible(bool(axis.lines))
