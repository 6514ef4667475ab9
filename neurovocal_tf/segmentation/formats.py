"""What was found in a folder of recordings, in the formats of the programs that
people look at it with.
"""

import collections
import dataclasses
import os
from collections.abc import Callable, Iterable

import numpy as np

from neurovocal_tf import annotations
from neurovocal_tf.audio import readers
from neurovocal_tf.config import Config
from neurovocal_tf.segmentation.folder import SegmentedFolder
from neurovocal_tf.segmentation.frequency_bounds import frequency_bounds_hz

# Some readers refuse what has no label.
_LABEL = "segment"
_WITH_FREQUENCIES = {"audacity", "raven"}
# Beside annotations.csv, and not in the folder of the tables that it holds once more.
COMBINED = f"annotations{annotations.EXTENSIONS['raven']}"


def check(formats: Iterable[str]) -> None:
    """Raises ValueError unless each is the name of a format."""
    unknown = [format for format in formats if format not in annotations.EXTENSIONS]
    if unknown:
        raise ValueError(
            f"`format` must be among {', '.join(annotations.EXTENSIONS)}. "
            f"Received: format={','.join(formats)}"
        )


def write(
    folder: SegmentedFolder,
    formats: Iterable[str],
    config: Config,
    on_recording: Callable[[], object] = lambda: None,
) -> None:
    """Writes `FORMAT/NAME` with the format's extension for each finished recording,
    and a Raven table over all of them.

    CSV, which `SegmentedFolder.save` writes, is passed over. The table over all counts time through
    the finished recordings in the order of their names, which is also that of files.csv.

    Args:
        folder: `SegmentedFolder`.    formats: names, as in `annotations.EXTENSIONS`.
        config: `Config`.
        on_recording: called after each recording.
    """
    formats = [format for format in dict.fromkeys(formats) if format != "csv"]
    stems = stems_of(folder.paths)
    everything: list[annotations.Annotation] = []
    durations_s: dict[str, float] = {}
    for name in folder.finished:
        found = [
            dataclasses.replace(annotation, label=_LABEL) for annotation in folder.annotations(name)
        ]
        duration_s = {os.path.abspath(folder.paths[name]): folder.duration_s(name)}
        if _WITH_FREQUENCIES & set(formats):
            found = with_frequencies(found, folder.paths[name], config)
        for format in formats:
            path = os.path.join(
                folder.out_dir, format, stems[name] + annotations.EXTENSIONS[format]
            )
            os.makedirs(os.path.dirname(path), exist_ok=True)
            annotations.write(path, found, format, duration_s)
        everything += found
        durations_s |= duration_s
        on_recording()
    if "raven" in formats:
        annotations.write(os.path.join(folder.out_dir, COMBINED), everything, "raven", durations_s)


def stems_of(names: Iterable[str]) -> dict[str, str]:
    """Dict of recording's name -> what files about it are named after: without its extension,
    unless that is all it differs by.
    """
    stems = {name: os.path.splitext(name)[0] for name in names}
    # Some file systems do not tell capitals.
    counts = collections.Counter(stem.lower() for stem in stems.values())
    return {name: stem if counts[stem.lower()] == 1 else name for name, stem in stems.items()}


def with_frequencies(
    found: list[annotations.Annotation], path: str, config: Config
) -> list[annotations.Annotation]:
    """Annotations of a recording, each with the band that it occupies."""
    audio, segmentation = config.audio, config.segmentation
    rate = readers.probe(path, audio.time_expansion).rate_at(audio.sample_rate)
    bounds = frequency_bounds_hz(
        readers.blocks(path, audio.channel, rate, audio.time_expansion) if found else (),
        rate,
        np.round([annotation.onset_s * rate for annotation in found]),
        np.round([annotation.offset_s * rate for annotation in found]),
        config.spectrogram,
        low_hz=segmentation.low_hz,
        high_hz=segmentation.high_hz,
    )
    return [
        dataclasses.replace(a, low_hz=low, high_hz=high)
        for a, (low, high) in zip(found, bounds.tolist(), strict=True)
    ]
