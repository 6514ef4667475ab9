"""Echoes: what follows a louder sound closely and fainter is no call of its own, and no part of the
one that it follows.
"""

import numpy as np
import scipy.ndimage

from neurovocal_tf.config import SegmentationConfig


class Echoes:
    """Where a sound ends, or does not begin, because it is so far below a peak shortly before.

    Args:
        config: `SegmentationConfig`.    values_per_s: of the trace.
        decibels_per_decade: see `traces.Trace`.
    """

    def __init__(
        self, config: SegmentationConfig, values_per_s: float, decibels_per_decade: float
    ) -> None:
        self._num_values = held_values(config, values_per_s)
        self._factor = 10 ** (-config.offset_below_peak_db / decibels_per_decade)
        self._before = np.zeros(self._num_values, np.float32)

    def level(self, values: np.ndarray, releases: np.ndarray) -> np.ndarray:
        """The level that the next values of a trace must reach, float `[N]` or `[1]`.

        Args:
            values: float32 `[N]`, of the trace, page after page.
            releases: `[N]` or `[1]`, where a segment would end without echoes.
        """
        if not self._num_values:
            return releases
        known = np.concatenate([self._before, values])
        self._before = known[len(values) :]
        # The filter's window is centred: half of it later it has seen what lies before a value.
        half = self._num_values // 2
        held = scipy.ndimage.maximum_filter1d(known, self._num_values + 1)
        return np.maximum(releases, held[half : half + len(values)] * self._factor)


def held_values(config: SegmentationConfig, values_per_s: float) -> int:
    """For how many values of a trace a peak counts, an even number;
    0: no sound is taken for an echo.
    """
    if not config.offset_below_peak_db:
        return 0
    return 2 * max(round(config.echo_ms * values_per_s / 2000), 1)
