"""A picture of which units depend on which: arrays in, matplotlib `Figure` out."""

from collections.abc import Mapping

import numpy as np
from matplotlib.figure import Figure

from neurovocal_tf.plots import canvas

# Blue below 0, red above; the same in size are as dark in grey.
_COLOUR_MAP = "RdBu_r"
_PANEL_IN = 3.4


def couplings_figure(panels: Mapping[str, np.ndarray]) -> Figure:
    """Tables of couplings side by side, each on its own scale around 0.

    Args:
        panels: title -> `[N, N]` by (from, to), what is on the diagonal is left out; at least one.
    Returns: `Figure`.
    """
    if not panels:
        raise ValueError("`panels` must hold at least one table. Received: none")
    figure = canvas.empty_figure(_PANEL_IN * len(panels) + 0.6, _PANEL_IN + 0.5)
    axes = figure.subplots(1, len(panels), squeeze=False)[0]
    for axis, (title, table) in zip(axes, panels.items(), strict=True):
        table = canvas.finite(table)
        np.fill_diagonal(table, 0.0)
        limit = np.abs(table).max() or 1.0
        image = axis.imshow(
            canvas.drawable(table), cmap=_COLOUR_MAP, vmin=-limit, vmax=limit, interpolation="none"
        )
        axis.set_title(title, loc="left", fontsize=10, parse_math=False)
        axis.set_xlabel("to unit")
        figure.colorbar(image, ax=axis, shrink=0.75)
    axes[0].set_ylabel("from unit")
    return figure
