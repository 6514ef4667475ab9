"""One recording of any length -> its segments, and what is to be told about it."""

import dataclasses
import os
from collections.abc import Callable, Iterator, Mapping

import numpy as np

from neurovocal_tf.audio import readers
from neurovocal_tf.config import Config
from neurovocal_tf.segmentation import detector
from neurovocal_tf.segmentation.refinement import Refinement, detector_for, features_of
from neurovocal_tf.segmentation.traces import BlocksOf


@dataclasses.dataclass(frozen=True)
class SegmentedFile:
    """What was found in one recording.

    Attributes:
        sample_rate: Hz.    duration_s: seconds that were read.
        onsets_s, offsets_s: `[S]`, seconds from the start of the recording.
        scores_db: `[S]`, see `detector.Segments`.
        dropped_s: reason -> onsets and offsets `[D, 2]`, seconds, of what reaches the threshold
            and is no segment; see `selection`.
        note: a sentence for the user, or "".
    """

    sample_rate: int
    duration_s: float
    onsets_s: np.ndarray
    offsets_s: np.ndarray
    scores_db: np.ndarray
    dropped_s: Mapping[str, np.ndarray]
    note: str = ""


class Stopped(Exception):
    """The user asked to stop in the middle of a file."""


def segment_file(
    path: str | os.PathLike[str],
    config: Config,
    on_block: Callable[[float], object] = lambda share: None,
    refinement: Refinement | None = None,
) -> SegmentedFile:
    """Segments of one recording of any length.

    Args:
        path: the file.    config: `Config`; its `audio` and `segmentation` count.
        on_block: called whenever a block was read, with what share of the recording it is.
        refinement: what takes a second look, or None.

    Returns: `SegmentedFile`.

    Raises: `readers.UnreadableRecording` if the file is no recording, silent, too short, or has
        nothing in the detector's band.
    """
    recording = readers.probe(path, config.audio.time_expansion)
    sample_rate = recording.rate_at(config.audio.sample_rate)
    expected = max(recording.num_samples * sample_rate // recording.sample_rate, 1)
    extremes = [np.inf, -np.inf]

    def blocks() -> Iterator[np.ndarray]:
        for block in readers.blocks(
            path,
            config.audio.channel,
            sample_rate,
            config.audio.time_expansion,
            config.audio.float_scale,
        ):
            extremes[:] = min(extremes[0], block.min()), max(extremes[1], block.max())
            on_block(len(block) / expected)
            yield block

    try:
        found = _look(blocks, sample_rate, config, refinement)
    except readers.UnreadableRecording:
        raise
    except ValueError as error:
        # What is wrong for this file's rate may be right for another's.
        raise readers.UnreadableRecording(str(error)) from None
    if extremes[0] == extremes[1]:
        raise readers.UnreadableRecording("is silent")
    duration_s = found.num_samples / sample_rate
    if duration_s * 1000 <= config.segmentation.min_length_ms:
        raise readers.UnreadableRecording(f"is shorter than a segment: {found.num_samples} samples")
    notes = [recording.note(duration_s), _note_on_segments(found)]
    return SegmentedFile(
        sample_rate,
        duration_s,
        found.onsets / sample_rate,
        found.offsets / sample_rate,
        found.scores_db,
        {reason: spans / sample_rate for reason, spans in found.dropped.items()},
        "; ".join(filter(None, notes)),
    )


def _look(
    blocks: BlocksOf, sample_rate: float, config: Config, refinement: Refinement | None
) -> detector.Segments:
    if refinement is None:
        return detector.detect_in_blocks(blocks, sample_rate, config.segmentation)
    found = detector.detect_in_blocks(blocks, sample_rate, detector_for(config.segmentation))
    features = features_of(found, blocks(), sample_rate, config)
    return refinement.refined(found, features, sample_rate)


def _note_on_segments(found: detector.Segments) -> str:
    if len(found.onsets):
        return ""
    counts = {reason: len(spans) for reason, spans in found.dropped.items() if len(spans)}
    if not counts:
        return "has no segment: nothing stands out of its background"
    told = ", ".join(f"{count} {reason}" for reason, count in counts.items())
    return f"has no segment: of what stands out of its background, {told}"
