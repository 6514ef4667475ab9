"""Pictures of what songs are made of: syllables of each call type, and which type follows which,
real beside generated.
"""

import dataclasses
from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.image import AxesImage
from matplotlib.ticker import MaxNLocator

from neurovocal_tf.plots import canvas

_COLOUR_MAP, _SHARES_MAP = "magma", "Blues"
_MOST_ROWS, _ROW_IN, _STRIP_S = 16, 0.85, 1.2
# Between two syllables of a sheet.
_BLANK_FRAMES = 2
_MOST_LABELS = 26


@dataclasses.dataclass(frozen=True, eq=False)
class Sheet:
    """Syllables of a type: its `name`, the share of all syllables that are of it, and `examples`,
    spectrograms `[L, V]`, dB.
    """

    name: str
    share: float
    examples: Sequence[np.ndarray]


def sheets_figure(
    real: Sequence[Sheet],
    generated: Sequence[Sheet],
    frame_s: float,
    max_hz: float,
    limits: tuple[float, float] | None = None,
) -> Figure:
    """A row for each type, real syllables on the left and generated ones on the right, all on the
    same scales of time, frequency and colour.

    Args:
        real, generated: `Sheet` of the same types, in order; the first sixteen are drawn.
        frame_s: seconds from one frame to the next.    max_hz: frequency of the last bin.
        limits: (low, high) of the colours, dB; None: `canvas.decibel_limits` of the real ones.
    """
    pairs = list(zip(real, generated, strict=True))[:_MOST_ROWS]
    limits = limits or canvas.decibel_limits(*(one for sheet in real for one in sheet.examples))
    num_frames = max(round(_STRIP_S / frame_s), 1)
    figure = canvas.rows_figure(_ROW_IN, max(len(pairs), 1))
    axes = figure.subplots(max(len(pairs), 1), 2, squeeze=False, sharex=True)
    image = None
    for row, pair in zip(axes, pairs, strict=False):
        for axis, sheet in zip(row, pair, strict=True):
            strip = _strip(sheet.examples, num_frames)
            if strip is None:
                canvas.say_empty(axis)
            else:
                image = _draw(axis, strip, frame_s, max_hz, num_frames, limits)
            axis.set_title(
                f"{sheet.name}, {100 * sheet.share:.1f} %", loc="left", fontsize=8, pad=2
            )
    for axis, who, colour in zip(
        axes[0], ("real", "generated"), (canvas.REAL, canvas.GENERATED), strict=True
    ):
        axis.set_title(who, fontsize=10, color=colour, fontweight="bold", pad=3)
    for axis in axes[-1]:
        axis.set_xlabel("time (s)")
    for axis in axes[:, 0]:
        axis.set_ylabel("kHz", fontsize=8)
    if not pairs:
        for axis in axes[0]:
            canvas.say_empty(axis, "no syllables")
    if image is not None:
        figure.colorbar(image, ax=axes, label="dB", pad=0.01, fraction=0.02, extend="both")
    return figure


def transitions_figure(names: Sequence[str], real: np.ndarray, generated: np.ndarray) -> Figure:
    """Which type follows which, as shares of all that follow it, real beside generated.

    Args:
        names: of the states, K.    real, generated: counts `[K, K]`, by (state, next state).
    """
    figure = canvas.empty_figure(12.0, 5.6)
    axes = figure.subplots(1, 2)
    for axis, counts, who, colour in zip(
        axes,
        (real, generated),
        ("real", "generated"),
        (canvas.REAL, canvas.GENERATED),
        strict=True,
    ):
        shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
        image = axis.imshow(canvas.drawable(shares), cmap=_SHARES_MAP, vmin=0.0, vmax=1.0)
        told = f"{who}, {int(counts.sum())} transitions"
        axis.set_title(told, fontsize=10, color=colour, fontweight="bold")
        if len(names) <= _MOST_LABELS:
            axis.set_xticks(range(len(names)), names, rotation=90 if len(names) > 14 else 0)
            axis.set_yticks(range(len(names)), names)
        axis.set_xlabel("next")
        axis.set_ylabel("type")
    figure.colorbar(image, ax=axes, label="share of what follows", pad=0.01, fraction=0.03)
    return figure


def _strip(examples: Sequence[np.ndarray], num_frames: int) -> np.ndarray | None:
    """As many syllables one after another as fit, `[L, V]`, blank between them; None of none."""
    parts: list[np.ndarray] = []
    length = 0
    for example in examples:
        if parts and length + len(example) > num_frames:
            break
        parts += [example[:num_frames], np.full((_BLANK_FRAMES, example.shape[1]), np.nan)]
        length += len(example) + _BLANK_FRAMES
    return np.concatenate(parts[:-1]) if parts else None


def _draw(
    axis: Axes,
    strip: np.ndarray,
    frame_s: float,
    max_hz: float,
    num_frames: int,
    limits: tuple[float, float],
) -> AxesImage:
    top = canvas.axis_top(max_hz, strip.shape[1])
    image = axis.imshow(
        canvas.drawable(strip.T),
        origin="lower",
        aspect="auto",
        extent=(0.0, len(strip) * frame_s, 0.0, top),
        cmap=_COLOUR_MAP,
        vmin=limits[0],
        vmax=limits[1],
    )
    axis.set_xlim(0.0, num_frames * frame_s)
    axis.set_ylim(0.0, top)
    axis.yaxis.set_major_locator(MaxNLocator(2))
    axis.tick_params(labelsize=8)
    axis.spines[:].set_visible(False)
    return image
