"""What all pictures share: figures that need no display, what axes and images can take,
and PNG or SVG files of them.
"""

import os
from collections.abc import Sequence
from typing import Protocol

import matplotlib
import numpy as np
import numpy.typing as npt
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from neurovocal_tf import files

# Colours that those who do not tell red from green, or blue from yellow, tell apart, and all on
# paper: Okabe and Ito, 2008, https://jfly.uni-koeln.de/color/.
BLUE, VERMILLION, SKY_BLUE, ORANGE = "#0072b2", "#d55e00", "#56b4e9", "#e69f00"
GREEN, PURPLE, YELLOW = "#009e73", "#cc79a7", "#f0e442"
REAL, GENERATED = BLUE, VERMILLION
_WIDTH_IN, _DPI = 12.0, 100
_TITLE_LETTERS = 140
_BASELINES = {"ridge_var2": "ridge VAR(2)", "ar1": "AR(1)"}


class PictureSettings(Protocol):
    """How pictures are written, see `config_sections.ExecutionConfig`."""

    @property
    def picture_format(self) -> str: ...
    @property
    def picture_dpi(self) -> int: ...


# Much of a spectrogram is background, a few bins are clicks:
# neither should have colours of its own.
_LOW_PERCENTILE, _HIGH_PERCENTILE = 40.0, 99.8


def decibel_limits(*spectrograms: npt.ArrayLike) -> tuple[float, float]:
    """Colour limits (low, high) in dB for arrays of any shape: percentiles 40 and 99.8 of the
    finite values, at least 1 dB apart.
    """
    finite = [np.asarray(s, np.float64).ravel() for s in spectrograms]
    finite = np.concatenate([s[np.isfinite(s)] for s in finite] or [np.zeros(0)])
    if not finite.size:
        return 0.0, 1.0
    low, high = np.percentile(finite, [_LOW_PERCENTILE, _HIGH_PERCENTILE])
    return float(low), float(max(high, low + 1.0))


def picture_path(stem: str | os.PathLike[str], settings: PictureSettings) -> str:
    """Path of a picture: its name with the ending of the format."""
    return f"{os.fspath(stem)}.{settings.picture_format}"


def save_picture(figure: Figure, stem: str | os.PathLike[str], settings: PictureSettings) -> None:
    """Writes a picture as the settings have it to `picture_path`."""
    save_figure(figure, picture_path(stem, settings), settings.picture_dpi)


def save_figure(figure: Figure, path: str | os.PathLike[str], dpi: int | None = None) -> None:
    """Writes a PNG, or an SVG if `path` ends so, under a temporary name first,
    so that a reader never sees half of it.

    Args:
        figure: `Figure`.    path: of the file.
        dpi: pixels an inch, also of images in an SVG; None: the figure's own.
    """
    is_svg = os.fspath(path).endswith(".svg")
    # The same figure is the same file.
    told = {"format": "svg", "metadata": {"Date": None}} if is_svg else {"format": "png"}
    with (
        matplotlib.rc_context({"svg.hashsalt": "neurovocal_tf"}),
        files.replacing(path) as temporary,
    ):
        figure.savefig(temporary, dpi=dpi or "figure", **told)


def figure_to_rgb(figure: Figure) -> np.ndarray:
    """The figure's pixels, uint8 `[height, width, 3]`."""
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    return np.asarray(canvas.buffer_rgba())[..., :3].copy()


def empty_figure(width_in: float, height_in: float) -> Figure:
    """An empty `Figure` of so many inches with a canvas of its own,
    so that it can be drawn where there is no display.
    """
    figure = Figure(figsize=(width_in, height_in), dpi=_DPI, layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def rows_figure(row_in: float, num_rows: int, title: str | None = None) -> Figure:
    """An empty `Figure` for rows below each other.

    Args:
        row_in: height of a row in inches.    num_rows: int.    title: str above all rows, or None.
    """
    figure = empty_figure(_WIDTH_IN, 0.6 + row_in * num_rows)
    if title:
        title_above(figure, title)
    return figure


def title_above(figure: Figure, title: str) -> None:
    """A title above all rows, as it is: a $ in it begins no formula. The middle of a long one is
    left out.
    """
    if len(title) > _TITLE_LETTERS:
        half = _TITLE_LETTERS // 2
        title = f"{title[:half]}…{title[-half:]}"
    figure.suptitle(title, x=0.01, ha="left", fontsize=12, parse_math=False)


def legend_above(axis: Axes, handles: Sequence[Artist]) -> None:
    """A legend above the axes, where it covers nothing; none where there are no handles."""
    if handles:
        axis.legend(
            handles=handles,
            loc="lower right",
            bbox_to_anchor=(1.0, 1.0),
            ncols=len(handles),
            frameon=False,
            fontsize=9,
            borderaxespad=0.2,
        )


def say_empty(axis: Axes, text: str = "none") -> None:
    """Says in axes that there is nothing to draw, in the place of ticks of nothing."""
    axis.set_xticks([])
    axis.set_yticks([])
    axis.text(0.5, 0.5, text, transform=axis.transAxes, ha="center", va="center", color="#5f6368")


def spread(places: Sequence[float], gap: float) -> list[float]:
    """Places from 0 to 1 moved apart so far that labels do not cover each other, in their order.

    Args:
        places: of the labels.    gap: the least distance between two of them.
    """
    order = np.argsort(places, kind="stable")
    gap = min(gap, 1.0 / max(len(order) - 1, 1))
    moved = np.array(places, np.float64)[order]
    for index in range(1, len(moved)):
        moved[index] = max(moved[index], moved[index - 1] + gap)
    # What was pushed over the top goes back down.
    for index in reversed(range(len(moved))):
        moved[index] = min(moved[index], 1.0 - gap * (len(moved) - 1 - index))
    result = np.empty(len(moved))
    result[order] = moved
    return result.tolist()


def baseline_label(name: str) -> str:
    """What a baseline of some name is called: "ridge VAR(2)" for ridge_var2."""
    return _BASELINES.get(name, name.replace("_", " "))


def finite(array: npt.ArrayLike) -> np.ndarray:
    """Numbers in float64, of the same shape, with 0 for those that are not finite."""
    return np.nan_to_num(np.asarray(array, np.float64), posinf=0.0, neginf=0.0)


def drawable(image: npt.ArrayLike) -> np.ndarray:
    """What `imshow` can take: one blank pixel where there is nothing, and NaN or Inf blank."""
    masked = np.ma.masked_invalid(np.asarray(image, np.float64))
    return masked if masked.size else np.ma.masked_all((1, 1))


def axis_top(max_hz: float | None, num_visible: int) -> float:
    """Upper end of an axis of frequencies: kHz, or a count of `num_visible` units
    where `max_hz` is None.
    """
    return max_hz / 1000.0 if max_hz else num_visible


def frequency_label(max_hz: float | None) -> str:
    """Label of an axis of frequencies, or of units where `max_hz` is None."""
    return "frequency (kHz)" if max_hz else "unit"


def time_label(frame_s: float | None) -> str:
    """Label of an axis of frames: of seconds, or of frames where `frame_s` is None."""
    return "time (s)" if frame_s else "frame"
