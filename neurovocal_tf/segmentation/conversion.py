"""Annotations, in whatever format they are, as files of another one."""

import dataclasses
import os
from collections.abc import Iterable, Mapping, Sequence

from neurovocal_tf import annotations, files
from neurovocal_tf.annotations import matching, names
from neurovocal_tf.annotations.annotation import Annotation, Options
from neurovocal_tf.config import Config
from neurovocal_tf.segmentation import formats
from neurovocal_tf.segmentation.recording_lengths import length_of

# Written once, over all recordings; the other formats have a file for each.
TABLES = {"csv": "annotations.csv"} | {
    format: name for format, name in formats.COMBINED.items() if format != "raven"
}
SKIPPED = "skipped.csv"


@dataclasses.dataclass(frozen=True)
class Found:
    """Annotations to convert.

    Attributes:
        of: dict of recording's path -> its `Annotation`s, in time order.
        names: dict of recording's path -> what it is called: relative to the folder of recordings,
            or as the annotations have it.
        places: dict of recording's path -> the same, relative to the folder that all are in.
        notes: sentences for the user on what was read and how.
        skipped: (file, reason) of each file of annotations, or annotated recording, that is left
            out.
    """

    of: Mapping[str, Sequence[Annotation]]
    names: Mapping[str, str]
    places: Mapping[str, str]
    notes: tuple[str, ...]
    skipped: tuple[tuple[str, str], ...]


def find(
    path: str | os.PathLike[str],
    recordings: Mapping[str, str] | None,
    choice: matching.Choice = matching.Choice(),  # noqa: B008
    time_expansion: int = 1,
) -> Found:
    """What a file or folder of annotations holds, by recording.

    Args:
        path: as `matching.match`, with or without #TIER.
        recordings: dict of name -> path of those that are meant; None: whatever the annotations
            name, be they there or not.
        choice: which annotations are taken.    time_expansion: of the recordings.

    Raises: ValueError as `matching.match`, or if nothing is annotated.
    """
    file, tier = matching.path_and_tier(os.fspath(path))
    skipped: list[tuple[str, str]] = []
    named: dict[str, str] = {}
    for one in matching.files_in(file) if os.path.exists(file) else ():
        try:
            contents = annotations.contents(one, Options(tier, choice.label_column))
        except ValueError as error:
            skipped.append((one, str(error)))
            continue
        for said in dict.fromkeys(contents.files) or [""]:
            name = said.replace("\\", "/") or names.bare(os.path.basename(one))
            named[os.path.abspath(os.path.join(os.path.dirname(one), name))] = name
    paths = named if recordings is None else {path: name for name, path in recordings.items()}
    places = _below_all(paths) if recordings is None else paths
    known = length_of(time_expansion)
    matched = matching.match(
        path,
        list(paths),
        choice=choice,
        length_of=lambda recording: known(recording) if os.path.isfile(recording) else None,
    )
    matched.check_any(path, "annotations")
    skipped += [(name, "there is no such recording") for name in matched.unmatched]
    return Found(matched.of, paths, places, tuple(matched.notes(path)), tuple(skipped))


def write(
    out_dir: str,
    found: Found,
    format: str,
    config: Config,
    overwrite: bool = False,
) -> tuple[list[str], list[tuple[str, str]]]:
    """Writes one table over all recordings, or a file for each, and skipped.csv where something is
    left out.

    A table of Raven's needs bands: where a recording is there, those of its sound are taken for
    annotations that have none.

    Args:
        out_dir: folder; made if it is not there.    found: what `find` gives.
        format: one of `annotations.EXTENSIONS`.
        config: `Config`; its `audio`, `spectrogram`, and the band of its `segmentation`, count.
        overwrite: whether files that are there give way.

    Returns: paths of the files, and the rows of skipped.csv.

    Raises: ValueError if a file is there already, or none can be written.
    """
    targets = _targets(found, format, out_dir)
    if not overwrite:
        _check_new([*targets, os.path.join(out_dir, SKIPPED)])
    written, skipped = [], list(found.skipped)
    for target, paths in targets.items():
        try:
            _write_one(target, paths, found, format, config, out_dir)
            written.append(target)
        except ValueError as reason:
            skipped.append((found.names[paths[0]], str(reason)))
    if not written:
        name, reason_of_first = skipped[len(found.skipped)]
        raise ValueError(f"{name}: {reason_of_first}")
    if skipped:
        files.write_csv(os.path.join(out_dir, SKIPPED), ("file", "reason"), skipped)
    return written, skipped


def _targets(found: Found, format: str, out_dir: str) -> dict[str, list[str]]:
    """The files to write, each with the recordings that it is about."""
    if format in TABLES:
        return {os.path.join(out_dir, TABLES[format]): list(found.of)}
    stems = formats.stems_of(found.places[path] for path in found.of)
    targets = {}
    for path in found.of:
        place = found.places[path]
        # evsonganaly looks for the whole name of the recording before its own ending.
        stem = place if format == "notmat" else stems[place]
        file = files.fitting(stem, annotations.EXTENSIONS[format])
        targets[os.path.join(out_dir, file)] = [path]
    return targets


def _write_one(
    target: str, paths: Sequence[str], found: Found, format: str, config: Config, out_dir: str
) -> None:
    known = length_of(config.audio.time_expansion)
    rows: list[Annotation] = []
    durations_s: dict[str, float] = {}
    rates: dict[str, float] = {}
    for path in paths:
        is_there = os.path.isfile(path)
        file = os.path.relpath(path, out_dir) if is_there else found.names[path]
        length = known(path) if is_there else None
        own = [dataclasses.replace(a, file=file) for a in found.of[path]]
        if length:
            durations_s[file], rates[file] = length.duration_s, length.sample_rate
        elif format == "notmat" or (format == "raven" and any(a.low_hz is None for a in own)):
            what = "sample rate" if format == "notmat" else "bands of the annotations"
            raise ValueError(
                f"--format={format} needs the {what}, and the recording is not there or cannot be "
                "read: --data_dir must be its folder"
            )
        if format == "raven" and length:
            own = formats.with_frequencies(own, path, config)
        rows += own
    os.makedirs(os.path.dirname(target), exist_ok=True)
    annotations.write(target, rows, format, durations_s, rates)


def _below_all(paths: Iterable[str]) -> dict[str, str]:
    """Names of absolute paths below the folder that all are in."""
    paths = list(paths)
    folder = os.path.commonpath([os.path.dirname(path) for path in paths]) if paths else ""
    return {path: os.path.relpath(path, folder) for path in paths}


def _check_new(paths: Iterable[str]) -> None:
    there = [path for path in paths if os.path.exists(path)]
    if there:
        more = f" and {len(there) - 1} more" if len(there) > 1 else ""
        raise ValueError(
            "`out` must be a folder without files of these names, or --overwrite be given. "
            f"Received: {there[0]}{more}"
        )
