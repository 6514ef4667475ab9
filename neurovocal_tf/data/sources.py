"""What trains or validates: stretches of recordings,
and the segments that people have marked in them.
"""

import dataclasses
from collections.abc import Iterable, Sequence

import numpy as np
import tensorflow as tf

from neurovocal_tf.annotations import matching
from neurovocal_tf.annotations import segments as annotated
from neurovocal_tf.annotations.segments import Segment
from neurovocal_tf.audio.identity import Identity
from neurovocal_tf.config import Config
from neurovocal_tf.segmentation.recording_lengths import length_of


@dataclasses.dataclass(frozen=True)
class Source:
    """A stretch of one recording that trains or validates.

    Attributes:
        path: of the file.    decoder: see `readers.Recording.decoder_at`.
        begin, end: the stretch, as shares of the recording's length: 0 to 1.
        segments: tuple of (onset_s, offset_s, label) in the whole recording, in time order:
            people's annotations; None: the detector's are used.
        identity: of the recording when it was surveyed; None in runs of earlier versions.
        conditions: the value of each that the settings ask for, "" where nothing is said, see
            `recording_conditions`.
        track: as `segments`, the labels along time that a model is told, see `label_tracks`; None:
            nothing is known of them.
    """

    path: str
    decoder: str
    begin: float = 0.0
    end: float = 1.0
    segments: tuple[Segment, ...] | None = None
    identity: Identity | None = None
    conditions: tuple[str, ...] = ()
    track: tuple[Segment, ...] | None = None


def stretch_of(
    samples: np.ndarray | tf.Tensor, begin: float | tf.Tensor, end: float | tf.Tensor
) -> np.ndarray | tf.Tensor:
    """The stretch of samples between two shares of their length.  [N] -> [N']"""
    first, last = stretch_bounds(tf.size(samples), begin, end)
    return samples[first:last]


def stretch_bounds(
    num_samples: int | tf.Tensor, begin: float | tf.Tensor, end: float | tf.Tensor
) -> tuple[tf.Tensor, tf.Tensor]:
    """First and last sample, the last exclusive, of the stretch between two shares of so
    many samples.  int64 []
    """
    size = tf.cast(num_samples, tf.float64)
    return tuple(
        tf.cast(tf.round(size * tf.cast(share, tf.float64)), tf.int64) for share in (begin, end)
    )


def annotated_segments(
    paths: Iterable[str], config: Config
) -> tuple[dict[str, tuple[Segment, ...] | None], list[str]]:
    """Dict of path -> segments as `Source` has them, and notes for the user."""
    if not config.data.annotations:
        return dict.fromkeys(paths), []
    paths = list(paths)
    data = config.data
    found = matching.match(
        data.annotations,
        paths,
        choice=matching.Choice.of(data.ignore_labels, data.label_column),
        length_of=length_of(config.audio.time_expansion),
    )
    if paths:
        found.check_any(data.annotations, "annotations")
    # What lies beyond a recording's end is told as the reason why it is skipped.
    taken = {**found.beyond, **found.of}
    segments = {path: annotated.of(taken.get(path, ()), config.audio.channel) for path in paths}
    return segments, found.notes(config.data.annotations)


def check_annotations(sources: Sequence[Source], config: Config) -> None:
    """Raises ValueError unless `config.data.annotations` says of each source what
    the source itself says.
    """
    segments, _ = annotated_segments([source.path for source in sources], config)
    for source in sources:
        if segments[source.path] != source.segments:
            raise ValueError(
                f"`annotations` cannot change when a run goes on, and those of {source.path} are "
                "others than it began with. Use another --workdir. Received: "
                f"annotations={config.data.annotations}"
            )
