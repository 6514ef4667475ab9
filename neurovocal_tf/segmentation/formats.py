"""What was found in a folder of recordings, in the formats of the programs that
people look at it with.
"""

import collections
import dataclasses
import functools
import os
from collections.abc import Callable, Iterable, Mapping, Sequence

import numpy as np

from neurovocal_tf import annotations, files
from neurovocal_tf.annotations import parquet
from neurovocal_tf.audio import readers
from neurovocal_tf.config import Config
from neurovocal_tf.segmentation.folder import SegmentedFolder
from neurovocal_tf.segmentation.frequency_bounds import bounds_in_recording_hz

# Some readers refuse what has no label.
_LABEL = "segment"
_WITH_FREQUENCIES = {"audacity", "raven", "opensoundscape", "batdetect2"}
# Tables over all recordings lie beside annotations.csv, and not in the folder of those that each
# hold a part of them once more.
COMBINED = {
    "parquet": f"annotations{annotations.EXTENSIONS['parquet']}",
    "raven": f"annotations{annotations.EXTENSIONS['raven']}",
    "kaleidoscope": "annotations.kaleidoscope.csv",
    "opensoundscape": "annotations.opensoundscape.csv",
    "avn": "annotations.avn.csv",
}
# Of these there is nothing but the table over all.
_ONLY_COMBINED = {"parquet", "kaleidoscope", "opensoundscape", "avn"}
# Written as Parquet beside the segments.
TYPED = ("files.csv", "dropped.csv", "skipped.csv")
# evsonganaly looks for the whole name of the recording before its own ending, and has a sign of its
# own for what has no label.
_OF_EVSONGANALY = "notmat"


def check(formats: Iterable[str]) -> None:
    """Raises ValueError unless each is the name of a format, and can be written."""
    unknown = [format for format in formats if format not in annotations.EXTENSIONS]
    if unknown:
        raise ValueError(
            f"`format` must be among {', '.join(annotations.EXTENSIONS)}. "
            f"Received: format={','.join(formats)}"
        )
    if "parquet" in formats:
        parquet.check()


def write(
    folder: SegmentedFolder,
    formats: Iterable[str],
    config: Config,
    on_recording: Callable[[], object] = lambda: None,
) -> list[str]:
    """Writes `FORMAT/NAME` with the format's extension for each finished recording, or a table over
    all of them, or of Raven's both.

    CSV, which `SegmentedFolder.save` writes, is passed over. A table over all is in the order of
    the names of the recordings, which is also that of files.csv, and Raven's counts time through
    them in that order. What people have changed since it was written stays as it is.

    Args:
        folder: `SegmentedFolder`.    formats: names, as in `annotations.EXTENSIONS`.
        config: `Config`.
        on_recording: called after each recording.

    Returns: names of the files that stay as they are, relative to the folder.
    """
    formats = [format for format in dict.fromkeys(formats) if format != "csv"]
    stems = stems_of(folder.all_paths)
    everything: list[annotations.Annotation] = []
    as_in_csv: list[annotations.Annotation] = []
    durations_s: dict[str, float] = {}
    kept: list[str] = []

    def write_one(
        name: str,
        format: str,
        found: Sequence[annotations.Annotation],
        durations_s: Mapping[str, float],
        sample_rates: Mapping[str, float],
    ) -> None:
        os.makedirs(os.path.dirname(os.path.join(folder.out_dir, name)), exist_ok=True)
        if not folder.written.write_unless_changed(
            name, lambda path: annotations.write(path, found, format, durations_s, sample_rates)
        ):
            kept.append(name)

    for name in folder.all_finished:
        found = folder.annotations(name)
        as_in_csv += [dataclasses.replace(a, file=folder.places[name]) for a in found]
        path = os.path.abspath(folder.all_paths[name])
        duration_s = {path: folder.duration_s(name)}
        if _WITH_FREQUENCIES & set(formats):
            found = with_frequencies(found, path, config)
        labelled = [a if a.label.strip() else dataclasses.replace(a, label=_LABEL) for a in found]
        for format in formats:
            extension = annotations.EXTENSIONS[format]
            if format == _OF_EVSONGANALY:
                rates = {path: _own_rate(path, config)}
                file = os.path.join(format, files.fitting(name, extension))
                write_one(file, format, found, duration_s, rates)
            elif format not in _ONLY_COMBINED:
                file = os.path.join(format, files.fitting(stems[name], extension))
                write_one(file, format, labelled, duration_s, {})
        everything += labelled
        durations_s |= duration_s
        on_recording()
    for format in formats:
        if format in COMBINED:
            of_all = as_in_csv if format == "parquet" else everything
            write_one(COMBINED[format], format, of_all, durations_s, {})
    for table in TYPED if "parquet" in formats else ():
        source = os.path.join(folder.out_dir, table)
        name = os.path.splitext(table)[0] + parquet.EXTENSION
        if os.path.exists(source) and not folder.written.write_unless_changed(
            name, functools.partial(parquet.write_from_csv, table=source)
        ):
            kept.append(name)
    return kept


def _own_rate(path: str, config: Config) -> int:
    return readers.probe(path, config.audio.time_expansion).sample_rate


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
    audio = config.audio
    rate = readers.probe(path, audio.time_expansion).rate_at(audio.sample_rate)
    bounds = bounds_in_recording_hz(
        readers.blocks(path, audio.channel, rate, audio.time_expansion, audio.float_scale),
        rate,
        np.array([annotation.onset_s for annotation in found], float),
        np.array([annotation.offset_s for annotation in found], float),
        config,
    )
    return [
        # People's own band is theirs.
        a if a.low_hz is not None else dataclasses.replace(a, low_hz=low, high_hz=high)
        for a, (low, high) in zip(found, bounds.tolist(), strict=True)
    ]
