"""The detector's band, which is the same wherever it is asked for."""

import numpy as np
import pytest

from neurovocal_tf.config import SegmentationConfig
from neurovocal_tf.segmentation import traces
from neurovocal_tf.segmentation.band import in_band, in_band_or_all

BINS_HZ = np.arange(6) * 1000.0


@pytest.mark.parametrize(
    "low_hz, high_hz, bins",
    [
        (0, 0, range(6)),
        (1000, 3000, [1, 2, 3]),
        (1001, 0, [2, 3, 4, 5]),
        (0, 2999, [0, 1, 2]),
        (1000, 9e9, range(1, 6)),
        (1001, 1999, []),
    ],
)
def test_both_edges_belong_to_the_band_and_0_is_none(low_hz, high_hz, bins):
    assert np.flatnonzero(in_band(BINS_HZ, low_hz, high_hz)).tolist() == list(bins)
    assert np.flatnonzero(in_band_or_all(BINS_HZ, low_hz, high_hz)).tolist() == list(
        bins or range(6)
    )


def test_the_contrast_looks_at_the_bins_in_the_band():
    config = SegmentationConfig(low_hz=1000.0, high_hz=3000.0, contrast_n_fft=16)
    assert traces.band(16_000, config) == slice(1, 4)
    with pytest.raises(
        ValueError,
        match=(
            "must hold a bin of the spectrum, 1000 Hz apart up to 8000 Hz. Received: low_hz=1001, "
        ),
    ):
        traces.band(16_000, SegmentationConfig(low_hz=1001.0, high_hz=1999.0, contrast_n_fft=16))
