"""A picture of a model's log-likelihood between its two sides, beside the baselines': figures in,
matplotlib `Figure` out.
"""

import re
import textwrap
from collections.abc import Mapping

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from neurovocal_tf.plots import canvas

_MODEL, _BASELINE = canvas.GENERATED, "#5f6368"
_STANDARD_ERRORS = 3
_TITLE_LETTERS = 100


def likelihood_figure(figures: Mapping[str, float], warning: str = "") -> Figure:
    """The model's bracket, three standard errors on either side,
    and a line for each baseline, in nats a frame.

    Args:
        figures: dict with `log_likelihood_ais_nats`, `log_likelihood_raise_nats`, their `_se_nats`,
            and any `baseline_*_log_likelihood_nats`.
        warning: what stands above it.
    Returns: `Figure`.
    """
    sides = [
        (figures[f"log_likelihood_{name}_nats"], figures[f"log_likelihood_{name}_se_nats"])
        for name in ("raise", "ais")
    ]
    found = (re.fullmatch(r"baseline_(.+)_log_likelihood_nats", name) for name in figures)
    baselines = sorted(
        (figures[match[0]], canvas.baseline_label(match[1])) for match in found if match
    )
    figure = canvas.empty_figure(9.0, 1.4 + 0.45 * len(baselines))
    axis = figure.add_subplot()
    middle = _middle([value for value, _ in (*baselines, *sides)])
    for row, (value, _) in enumerate(baselines):
        axis.plot(value, row, "o", color=_BASELINE)
        _annotate(axis, f"{value:.3f}", (value, value), row, middle, _BASELINE)
    row = len(baselines)
    axis.plot(
        [value for value, _ in sides],
        [row, row],
        color=_MODEL,
        linewidth=6,
        alpha=0.4,
        solid_capstyle="butt",
    )
    for (value, error), marker in zip(sides, (">", "<"), strict=True):
        axis.errorbar(
            value, row, xerr=_STANDARD_ERRORS * error, fmt=marker, color=_MODEL, capsize=3
        )
    (pessimistic, _), (optimistic, _) = sides
    ends = min(pessimistic, optimistic), max(pessimistic, optimistic)
    text = f"RAISE {pessimistic:.3f}, AIS {optimistic:.3f}"
    _annotate(axis, text, ends, row, middle, _MODEL)
    axis.set_yticks(range(row + 1), [*(name for _, name in baselines), "model"])
    axis.set_ylim(-0.6, row + 0.6)
    axis.margins(x=0.05)
    axis.set_xlabel(f"test log-likelihood (nats a frame), {_STANDARD_ERRORS} standard errors")
    axis.set_title(textwrap.fill(warning, _TITLE_LETTERS), fontsize=9, color="#b3261e", loc="left")
    axis.grid(axis="x", alpha=0.3, linewidth=0.6)
    axis.spines[["top", "right"]].set_visible(False)
    return figure


def _middle(values: list[float]) -> float:
    return (min(values) + max(values)) / 2


def _annotate(
    axis: Axes, text: str, ends: tuple[float, float], row: int, middle: float, colour: str
) -> None:
    """A label beside what reaches over `ends`, on the side where there is room for it."""
    is_left = sum(ends) / 2 > middle
    axis.annotate(
        text,
        (ends[0] if is_left else ends[1], row),
        (-10 if is_left else 10, 0),
        textcoords="offset points",
        va="center",
        ha="right" if is_left else "left",
        fontsize=9,
        color=colour,
    )
