"""The suite `growth` as a picture: every size on one pair of logarithmic axes,
and the recordings on another.
"""

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, NullLocator

from neurovocal_tf.plots import canvas

_COLOURS = {
    "frames": canvas.BLUE,
    "bins": canvas.VERMILLION,
    "hidden": canvas.PURPLE,
    "k": canvas.GREEN,
    "batch": canvas.ORANGE,
}
_NAMES = {
    "frames": "frames of a window",
    "bins": "frequency bins",
    "hidden": "hidden units",
    "k": "Gibbs steps",
    "batch": "windows of a batch",
}
_GREY = "#9aa0a6"
_FACTOR_TICKS = (0.5, 1, 2, 4)


def draw(comparisons, path):
    """Writes the picture, from the least disturbed round of each size.

    Args:
        comparisons: what `growth.measure` yields.    path: of the PNG.
    """
    figure = Figure(figsize=(12.0, 4.8), dpi=110, layout="constrained")
    steps, recordings = figure.subplots(1, 2, subplot_kw={"xscale": "log", "yscale": "log"})
    _draw_steps(steps, [results for results in comparisons if results[0].configuration in _NAMES])
    _draw_recordings(
        recordings,
        next(results for results in comparisons if results[0].configuration == "recordings"),
    )
    for axis in (steps, recordings):
        axis.xaxis.set_minor_locator(NullLocator())
        axis.yaxis.set_major_formatter(FuncFormatter(lambda y, _: f"{y:g}"))
        axis.spines[["top", "right"]].set_visible(False)
        axis.grid(color="#e8eaed", linewidth=0.8)
        axis.set_axisbelow(True)
    figure.get_layout_engine().set(w_pad=0.12)
    canvas.save_figure(figure, path)


def _draw_steps(axis, comparisons):
    ends = []
    for results in comparisons:
        name = results[0].configuration
        sizes = np.array([float(result.variant.name) for result in results])
        times_ms = np.array([1e3 * np.min(result.times_s) for result in results])
        factors = sizes / sizes[1]
        slope = np.polyfit(np.log(sizes), np.log(times_ms), 1)[0]
        label = f"{_NAMES[name]}, {sizes[0]:g} to {sizes[-1]:g}: slope {slope:.2f}"
        axis.plot(
            factors, times_ms, "o-", color=_COLOURS[name], label=label, linewidth=2, markersize=5
        )
        ends.append(times_ms)
    middle = np.median([times[1] for times in ends])
    ends = np.array(_FACTOR_TICKS[:1] + _FACTOR_TICKS[-1:])
    axis.plot(ends, middle * ends, "--", color=_GREY, linewidth=1.2, label="proportional", zorder=1)
    axis.set(
        xlabel="size, of the default's",
        ylabel="training step, ms",
        title="A training step with each of its sizes",
    )
    axis.set_xticks(_FACTOR_TICKS, [f"{factor:g}" for factor in _FACTOR_TICKS])
    # Half a power of ten is all that a step's time covers: more labels than those of its powers.
    axis.yaxis.set_minor_formatter(
        FuncFormatter(lambda y, _: f"{y:g}" if f"{y:e}"[0] in "25" else "")
    )
    axis.legend(frameon=False, fontsize=9)


def _draw_recordings(axis, results):
    numbers = np.array([float(result.variant.name) for result in results])
    times_s = np.array([np.median(result.times_s) for result in results])
    memory_mb = np.array([result.peak_memory_mb for result in results])
    slope = np.polyfit(np.log(numbers), np.log(times_s), 1)[0]
    axis.plot(
        numbers,
        times_s,
        "o-",
        color="#1f6f8b",
        linewidth=2,
        markersize=5,
        label=f"time of an epoch's data, s: slope {slope:.2f}",
    )
    axis.plot(
        numbers,
        memory_mb,
        "s-",
        color="#e07a1f",
        linewidth=2,
        markersize=5,
        label="memory of the process, MB, nothing cached",
    )
    axis.plot(
        numbers,
        times_s[-1] * numbers / numbers[-1],
        "--",
        color=_GREY,
        linewidth=1.2,
        label="proportional",
        zorder=1,
    )
    axis.set(
        xlabel="recordings of 6 s",
        ylabel="s or MB",
        title="Reading, segmenting and transforming recordings",
    )
    axis.set_ylim(top=10 * memory_mb.max())
    axis.legend(frameon=False, fontsize=9, loc="upper left")
    axis.set_xticks(numbers, [f"{number:g}" for number in numbers])
