"""Which sounds that reach the threshold are segments: by their length, split where that is too
long, and by the company they keep. What is dropped is told, with its reason.
"""

from collections.abc import Callable

import numpy as np

from neurovocal_tf.config import SegmentationConfig
from neurovocal_tf.segmentation.columns import Columns, concatenated, part

TOO_SHORT, TOO_LONG, ALONE = "too short", "too long", "alone"
# At second look, see `refinement`.
UNLIKE = "unlike a call"
REASONS = (TOO_SHORT, TOO_LONG, ALONE, UNLIKE)


def select(
    found: Columns,
    config: SegmentationConfig,
    sample_rate: float,
    split: Callable[[Columns], Columns],
) -> tuple[Columns, dict[str, np.ndarray]]:
    """Of all sounds that reach the threshold those that are segments.

    Args:
        found: onsets, offsets and peaks in samples.    config: `SegmentationConfig`.
        sample_rate: Hz.
        split: columns of segments that are too long -> of their pieces, see `splitting`.

    Returns: columns of the segments, and a dict of each reason -> onsets and offsets,
        int64 `[D, 2]`, of what is dropped.
    """
    shortest, longest = (
        ms * sample_rate / 1000 for ms in (config.min_length_ms, config.max_length_ms)
    )
    is_long = found[1] - found[0] >= longest
    if config.split_depth_db and is_long.any():
        found = concatenated(part(found, ~is_long), split(part(found, is_long)))
        found = part(found, np.argsort(found[0], kind="stable"))
    lengths = found[1] - found[0]
    is_short, is_long = lengths <= shortest, lengths >= longest
    kept = part(found, ~is_short & ~is_long)
    is_alone = group_sizes(*kept[:2], config.group_gap_s * sample_rate) < config.min_group_segments
    dropped = (part(found, is_short), part(found, is_long), part(kept, is_alone))
    return part(kept, ~is_alone), {
        reason: np.stack(columns[:2], axis=1)
        for reason, columns in zip((TOO_SHORT, TOO_LONG, ALONE), dropped, strict=True)
    }


def group_sizes(onsets: np.ndarray, offsets: np.ndarray, max_gap: float) -> np.ndarray:
    """How many segments each has around it with no gap longer than `max_gap` samples, itself
    included.  [S], [S] -> int64 [S]
    """
    group = np.cumsum(onsets[1:] - offsets[:-1] > max_gap)
    group = np.concatenate([np.zeros(min(len(onsets), 1), np.int64), group])
    return np.bincount(group)[group] if len(group) else group
