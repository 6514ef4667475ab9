"""Exact percentiles of more values than fit in memory, by radix selection:
two passes over what can be computed again.
"""

from collections.abc import Callable, Iterable, Iterator

import numpy as np

LOW_BITS = 16
_LOW_MASK = (1 << LOW_BITS) - 1
# The sign of what is not negative is no information.
_NUM_HIGH = 1 << (32 - LOW_BITS - 1)


class Replayed:
    """Pages of an array that can be iterated again and again: kept after the first time if they
    fit, else computed anew.

    Args:
        make: () -> iterator of arrays, the same every time.
        max_bytes: up to how much is kept.
    """

    def __init__(
        self, make: Callable[[], Iterable[np.ndarray]], max_bytes: int = 112 * 2**20
    ) -> None:
        self._make, self._max_bytes = make, max_bytes
        self._kept: list[np.ndarray] | None = None

    def __iter__(self) -> Iterator[np.ndarray]:
        if self._kept is not None:
            yield from self._kept
            return
        kept, num_bytes = [], 0
        for page in self._make():
            num_bytes += page.nbytes
            if num_bytes <= self._max_bytes:
                kept.append(page)
            else:
                kept.clear()
            yield page
        self._kept = kept if num_bytes <= self._max_bytes else None


def percentile(
    pages: Iterable[np.ndarray], percent: float, silence: float = 0.0
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The `percent`-th percentile of each column, linearly interpolated as `numpy.percentile` does,
    beside its maximum and its silence.

    Radix selection on the bits of float32, whose order is that of the numbers: the first pass
    counts the upper half of the bits, the second the lower half of those values that share the
    upper half sought.

    Args:
        pages: iterable twice over, of float32 `[n, C]`, not negative,
            together `[N, C]` with N >= 1.
        percent: 0 to 100.
        silence: values below `silence_limit` of so small a share of the largest of all do not
            count, but in columns of nothing else.

    Returns: float64 `[C]`, maxima float32 `[C]`,
        and the share of each column's values that did not count, float64 `[C]`.
    """
    counts, maxima = _count_high(pages)
    silent = int(silence_limit(maxima.max(), silence).view(np.uint32) >> LOW_BITS)
    num_values = counts.sum(axis=1)
    counts[maxima.view(np.uint32) >> LOW_BITS >= silent, :silent] = 0
    np.cumsum(counts, axis=1, out=counts)
    last = counts[:, -1] - 1
    position = last * (percent / 100)
    below = position.astype(np.int64)
    sought = [_bins_of_ranks(counts, ranks) for ranks in (below, np.minimum(below + 1, last))]
    low = _count_low(
        pages,
        sorted({(column, high) for bins, _ in sought for column, high in enumerate(bins.tolist())}),
    )
    values = []
    for bins, left in sought:
        lows = [
            int(np.searchsorted(np.cumsum(low[column, high]), left[column], "right"))
            for column, high in enumerate(bins.tolist())
        ]
        values.append(
            ((bins.astype(np.uint32) << LOW_BITS) | np.asarray(lows, np.uint32))
            .view(np.float32)
            .astype(np.float64)
        )
    return _between(values[0], values[1], position - below), maxima, 1 - counts[:, -1] / num_values


def silence_limit(maximum: np.float32, share: float) -> np.float32:
    """A float32 number about `share` of the maximum, at most 1 % below it,
    that parts what the first pass counts.
    """
    return (np.float32(maximum * share).reshape(1).view(np.uint32) >> LOW_BITS << LOW_BITS).view(
        np.float32
    )[0]


def bits_of(page: np.ndarray) -> np.ndarray:
    """The bits of float32 numbers that are not negative, in whose order they are: uint32."""
    # Minus zero would be the largest of all; adding zero makes it zero.
    return (page + np.float32(0)).view(np.uint32)


def _count_high(pages: Iterable[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    counts, maxima = np.zeros((0, _NUM_HIGH), np.int64), np.zeros(0, np.float32)
    for page in pages:
        if not len(maxima):
            counts, maxima = (
                np.zeros((page.shape[1], _NUM_HIGH), np.int64),
                np.zeros(page.shape[1], np.float32),
            )
        high = (bits_of(page) >> LOW_BITS).astype(np.intp)
        for column in range(page.shape[1]):
            counts[column] += np.bincount(high[:, column], minlength=_NUM_HIGH)
        np.maximum(maxima, page.max(axis=0, initial=0.0), out=maxima)
    return counts, maxima


def _bins_of_ranks(ends: np.ndarray, ranks: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """In which bin of each column [C] the value of its rank [C] lies, and its rank among those of
    that bin [C]; `ends` sum counts up.
    """
    bins = np.array(
        [np.searchsorted(column, rank, "right") for column, rank in zip(ends, ranks, strict=True)]
    )
    before = [column[high - 1] if high else 0 for column, high in zip(ends, bins, strict=True)]
    return bins, ranks - np.array(before)


def _count_low(
    pages: Iterable[np.ndarray], wanted: Iterable[tuple[int, int]]
) -> dict[tuple[int, int], np.ndarray]:
    counts = {key: np.zeros(_LOW_MASK + 1, np.int64) for key in wanted}
    for page in pages:
        keys = bits_of(page)
        for column, high in wanted:
            of_column = keys[:, column]
            chosen = of_column[(of_column >> LOW_BITS) == high] & _LOW_MASK
            counts[column, high] += np.bincount(chosen, minlength=_LOW_MASK + 1)
    return counts


def _between(low: np.ndarray, high: np.ndarray, weight: np.ndarray) -> np.ndarray:
    # Interpolating from the nearer side is exact at both ends.
    return np.where(weight < 0.5, low + (high - low) * weight, high - (high - low) * (1 - weight))
