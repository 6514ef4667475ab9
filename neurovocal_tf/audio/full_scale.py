"""What no recording holds: samples that are no numbers, or far beyond full scale.

One rule for all readers. A file with such samples is refused, whoever reads it, since whatever took
their place would be a guess: of floating-point numbers in another scale, `float_scale` says it.
"""

import numpy as np

# 24 dB over full scale, which is 1: filters and gains in an editor leave no more.
LARGEST_SAMPLE = 16.0
_INTEGER_SCALES = (2.0**15, 2.0**23, 2.0**31)


def is_sane(samples: np.ndarray) -> bool:
    """Whether all samples, some at least, are numbers in -16 to 16."""
    # Comparisons with NaN are false.
    return bool(samples.min() >= -LARGEST_SAMPLE and samples.max() <= LARGEST_SAMPLE)


class Absurd:
    """Counts what is absurd among the samples of a file, block by block."""

    def __init__(self) -> None:
        self._num_samples = self._num_absurd = self._num_no_numbers = 0
        self._largest = 0.0

    def take(self, block: np.ndarray) -> None:
        """Counts a block of samples, [n, C]."""
        self._num_samples += block.size
        if is_sane(block):
            return
        magnitudes = np.abs(block)
        is_number = np.isfinite(magnitudes)
        self._num_no_numbers += block.size - int(np.count_nonzero(is_number))
        self._num_absurd += block.size - int(np.count_nonzero(magnitudes <= LARGEST_SAMPLE))
        self._largest = max(self._largest, float(magnitudes[is_number].max(initial=0.0)))

    @property
    def some(self) -> bool:
        """Whether there were any."""
        return self._num_absurd > 0

    def reason(self, is_float: bool) -> str:
        """Why the file is of no use, with the share of its samples and what may be done."""
        share = 100 * self._num_absurd / self._num_samples
        how_many = f"{self._num_absurd} of {self._num_samples} ({share:.3g} %)"
        if self._num_no_numbers == self._num_absurd:
            return f"holds NaN or infinite samples: {how_many}"
        text = f"holds samples beyond {LARGEST_SAMPLE:g} times full scale: {how_many}"
        if self._num_no_numbers:
            return f"{text}, NaN and infinite ones among them"
        text += f", up to {self._largest:.4g}"
        scale = next((s for s in _INTEGER_SCALES if self._largest <= s), None)
        if scale is None or not is_float:
            return text
        return f"{text}; if these are integers written as floats, give --float_scale={scale:.0f}"
