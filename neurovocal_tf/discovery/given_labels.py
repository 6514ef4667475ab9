"""What people labelled in recordings, by the recordings' names."""

import os
from collections.abc import Mapping

from neurovocal_tf.annotations import matching, segments
from neurovocal_tf.config import Config
from neurovocal_tf.discovery.labels import Label
from neurovocal_tf.segmentation.recording_lengths import length_of


def read(
    annotations: str | os.PathLike[str], paths: Mapping[str, str], config: Config
) -> tuple[dict[str, list[Label]], list[str]]:
    """Labelled segments of a file or folder of annotations.

    Args:
        annotations: the file or folder.    paths: dict of recording's name -> path.
        config: `Config`; its `audio`, `ignore_labels` and `label_column` count.

    Returns: dict of recording's name -> (onset_s, offset_s, label) each; and sentences for the
        user.

    Raises: ValueError, one line that names `annotations`.
    """
    found = matching.match(
        annotations,
        paths.values(),
        "annotations",
        matching.Choice.of(config.data.ignore_labels, config.data.label_column),
        length_of(config.audio.time_expansion),
    )
    found.check_any(annotations, "annotations")
    labels = {
        name: list(segments.of(found.of[path], config.audio.channel))
        for name, path in paths.items()
        if path in found.of
    }
    return labels, list(found.notes(annotations))
