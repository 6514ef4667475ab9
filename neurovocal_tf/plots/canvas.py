"""What all pictures share: figures that need no display, what axes and images can take,
and PNG files of them.
"""

import os

import numpy as np
import numpy.typing as npt
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from neurovocal_tf import files

REAL, GENERATED = "#1f6f8b", "#e07a1f"
_WIDTH_IN = 12.0
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


def save_figure(figure: Figure, path: str | os.PathLike[str]) -> None:
    """Writes a PNG to `path` under a temporary name first,
    so that a reader never sees half of it.
    """
    with files.replacing(path) as temporary:
        figure.savefig(temporary, format="png")


def figure_to_rgb(figure: Figure) -> np.ndarray:
    """The figure's pixels, uint8 `[height, width, 3]`."""
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    return np.asarray(canvas.buffer_rgba())[..., :3].copy()


def empty_figure(width_in: float, height_in: float) -> Figure:
    """An empty `Figure` of so many inches with a canvas of its own,
    so that it can be drawn where there is no display.
    """
    figure = Figure(figsize=(width_in, height_in), dpi=100, layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def rows_figure(row_in: float, num_rows: int, title: str | None = None) -> Figure:
    """An empty `Figure` for rows below each other.

    Args:
        row_in: height of a row in inches.    num_rows: int.    title: str above all rows, or None.
    """
    figure = empty_figure(_WIDTH_IN, 0.6 + row_in * num_rows)
    if title:
        figure.suptitle(title, x=0.01, ha="left", fontsize=12, parse_math=False)
    return figure


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


def time_label(frame_s: float | None) -> str:
    """Label of an axis of frames: of seconds, or of frames where `frame_s` is None."""
    return "time (s)" if frame_s else "frame"
