"""A level that changes slowly along a recording: known at the middles of its windows, drawn
straight in between, and held for steps of a quarter of a second, so that it costs next to nothing.
"""

import dataclasses

import numpy as np

_CELL_S = 5.0
STEPS_PER_CELL = 20


def step_length(values_per_s: float) -> int:
    """Values of a trace for which a level is held."""
    return max(round(values_per_s * _CELL_S / STEPS_PER_CELL), 1)


@dataclasses.dataclass(frozen=True, eq=False)
class Drift:
    """A level, or one of each column, along the values of a trace.

    Attributes:
        levels: float64 `[W]` or `[W, C]`, at the middle of each window; of a single window,
            all along. Windows are two cells long and a cell apart.
        step: values for which a level is held, see `step_length`.
    """

    levels: np.ndarray
    step: int = 1

    @property
    def cell_length(self) -> int:
        """Values of a trace in a cell: whole steps."""
        return self.step * STEPS_PER_CELL

    def of_values(self, first: int, num: int) -> np.ndarray:
        """Levels of `num` values from the `first` on.

        -> float64 `[num]` or `[num, C]`; `[1]` or `[1, C]` where the level never changes
        """
        if len(self.levels) == 1:
            return self.levels
        first_step = first // self.step
        steps = np.arange(first_step, (first + num - 1) // self.step + 1)
        skipped = first - first_step * self.step
        return np.repeat(self._of_steps(steps), self.step, axis=0)[skipped : skipped + num]

    def _of_steps(self, steps: np.ndarray) -> np.ndarray:
        last = len(self.levels) - 1
        # The first window's middle is where its two cells meet.
        place = np.clip((steps + 0.5) / STEPS_PER_CELL - 1, 0, last)
        before = np.minimum(place.astype(np.int64), last - 1)
        weight = (place - before).reshape(-1, *[1] * (self.levels.ndim - 1))
        return self.levels[before] * (1 - weight) + self.levels[before + 1] * weight


def filled(levels: np.ndarray) -> np.ndarray:
    """Windows without a level, NaN, have those of their neighbours in time;
    a column that has none anywhere is zero.

    float64 `[W]` or `[W, C]` -> the same
    """
    columns = levels.reshape(len(levels), -1)
    places = np.arange(len(columns))
    result = np.zeros_like(columns)
    for column, have in enumerate(~np.isnan(columns.T)):
        if have.any():
            result[:, column] = np.interp(places, places[have], columns[have, column])
    return result.reshape(levels.shape)
