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
    "baseline_mean": ("mean", "#9aa0a6"),
    "baseline_previous_frame": ("previous frame", "#5f6368"),
    "baseline_ridge_var2": ("ridge VAR(2)", "#202124"),
}


def curves_figure(history: Mapping[str, Sequence[float]], unit: str = "dB") -> Figure:
    """Training curves: one-step error beside its baselines, costs,
    learning rate and Gibbs steps; phases are shaded.

    Args:
        history: dict of lists, one number an epoch; any of `epoch`, `cd_cost`,
            `reconstruction_error`, `val_cd_cost`, `val_reconstruction_error`, `val_one_step_error`,
            `song_distance`, `baseline_*`, `learning_rate`, `cd_steps`. NaN and missing ones are
            left out.
        unit: str, of the errors.
    Returns: `Figure`.
    """
    series = {name: np.asarray(values, np.float64).ravel() for name, values in history.items()}
    longest = max((len(values) for values in series.values()), default=0)
    epochs = series.get("epoch", np.arange(1, longest + 1, dtype=np.float64))
    figure = canvas.rows_figure(2.5, 3)
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
    axis.set_ylabel("kHz" if max_hz else "visible unit")
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
            marker="o" if kept.sum() < 30 else None,
            markersize=3.5,
            **style,
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
    for name, (label, colour) in _BASELINES.items():
        finite = series.get(name, np.zeros(0))
        finite = finite[np.isfinite(finite)]
        if finite.size:
            axis.axhline(finite[-1], color=colour, linestyle="--", linewidth=1.1)
            axis.annotate(
                f"{label} "
                f"{finite[-1]:.2f}", (1.0, finite[-1]), (4, 0), xycoords=("axes fraction", "data"),
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


def _mark_songs(axis: Axes, epochs: np.ndarray, distances: np.ndarray) -> None:
    """Where the model sang, and how far its songs were from the real ones, along the lower edge."""
    for epoch, distance in zip(epochs, distances, strict=False):
        if np.isfinite(distance):
            axis.plot(
                [epoch],
                [0.03],
                "^",
                color=canvas.REAL,
                markersize=5,
                transform=axis.get_xaxis_transform(),
            )
            axis.annotate(
                f"{distance:.2f}", (epoch, 0.03), (0, 6), xycoords=axis.get_xaxis_transform(),
                textcoords="offset points", ha="center", fontsize=8, color=canvas.REAL,
            )  # fmt: skip
    if np.isfinite(distances).any():
        axis.annotate(
            "distance of songs",
            (0.01, 0.03),
            xycoords="axes fraction",
            va="center",
            fontsize=8,
            color=canvas.REAL,
        )


def _draw_costs(axis: Axes, epochs: np.ndarray, series: Mapping[str, np.ndarray]) -> None:
    twin = axis.twinx()
    for each, name, label, colour in (
        (axis, "cd_cost", "CD cost", canvas.REAL),
        (twin, "reconstruction_error", "reconstruction error", canvas.GENERATED),
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
        each.set_ylabel(label, color=colour)
        each.margins(y=0.12)
    _finish_twin(twin)
    _legend(axis, twin)


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


def _legend(axis: Axes, *others: Axes) -> None:
    handles = [handle for each in (axis, *others) for handle in each.get_legend_handles_labels()[0]]
    if handles:
        (others or (axis,))[-1].legend(
            handles=handles, frameon=False, fontsize=9, loc="upper right", ncols=len(handles)
        )
