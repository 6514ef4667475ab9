"""Which annotations are of which recording, by the names of both."""

import collections
import dataclasses
import os
import re
from collections.abc import Iterable, Sequence

from neurovocal_tf import annotations as annotation_files
from neurovocal_tf.annotations import Annotation

_EXTENSIONS = (".csv", ".tsv", ".txt", ".textgrid")
# What programs append to a recording's name: Raven's `song.Table.1.selections.txt`, DAS's
# `song_annotations.csv`, or an extension.
_ENDINGS = re.compile(
    r"(\.Table\.\d+)?(\.selections)?\.txt$|_annotations\.csv$|\.(csv|tsv|textgrid)$", re.IGNORECASE
)


@dataclasses.dataclass(frozen=True)
class Matched:
    """The annotations of some recordings.

    Attributes:
        of: dict of recording's path -> tuple of `Annotation` in time order,
            empty where a file says that there is nothing.
        unmatched: names of annotated recordings that are not among those asked for.
        passed_over: paths of files that hold no annotations.
    """

    of: dict[str, tuple[Annotation, ...]]
    unmatched: tuple[str, ...]
    passed_over: tuple[str, ...]

    def notes(self, path: str | os.PathLike[str]) -> list[str]:
        """Sentences for the user on what in the file or folder `path` counts for nothing."""
        several = (
            (self.unmatched, "annotated recordings that are not there"),
            (self.passed_over, "files without annotations"),
        )
        return [
            (
                f"{len(names)} {what} in {path} {'is' if len(names) == 1 else 'are'} passed over; "
                f"the first: {names[0]}"
            )
            for names, what in several
            if names
        ]


def match(
    path: str | os.PathLike[str], recordings: Iterable[str], setting: str = "annotations"
) -> Matched:
    """Matches an annotation file, or all in a folder and the folders below it, to recordings.

    A recording goes by the name that the annotations give, else by that of their file: `song.wav`
    by `song.txt`, `song.wav.csv` or `song.Table.1.selections.txt`. Of recordings of one name the
    one whose folders agree best, counted from the last, is meant; so folders may have moved since.
    In a folder, files that are not annotations are passed over.

    Args:
        path: the file or folder; with #TIER after it,
            only the interval tier of that name is read from TextGrids.
        recordings: paths.
        setting: name of the setting that `path` is the value of, for the user to know which.

    Returns: `Matched`.

    Raises: ValueError for a broken file, a name that may mean two recordings,
        and a recording that is annotated twice.
    """
    given = os.fspath(path)
    path, tier = _path_and_tier(given)
    if not os.path.exists(path):
        raise ValueError(
            f"`{setting}` must be an annotation file, or a folder of them. "
            f"Received: {setting}={given}"
        )
    by_name = collections.defaultdict(list)
    for recording in recordings:
        name = os.path.basename(recording)
        for key in {name, os.path.splitext(name)[0]}:
            by_name[key].append(recording)
    claims: dict[str, tuple[int, str, str, list[Annotation]]] = {}
    unmatched, passed_over = [], []
    for file in _annotation_files(path):
        if (
            os.path.isdir(path)
            and annotation_files.format_of(file, annotation_files.decode(file)) is None
        ):
            passed_over.append(file)
            continue
        for name, annotations in _by_recording(annotation_files.read(file, tier)).items():
            meant, agreement = _meant(name, file, by_name)
            if meant is None:
                unmatched.append(name or file)
                continue
            known = claims.get(meant)
            if known and known[0] == agreement:
                raise ValueError(
                    f"{meant} is annotated twice: as {known[2]} in {known[1]}, and as "
                    f"{name or file} in {file}."
                )
            if known and known[0] > agreement:
                unmatched.append(name or file)
                continue
            if known:
                unmatched.append(known[2])
            claims[meant] = (agreement, file, name or file, annotations)
    in_time_order = {
        recording: tuple(sorted(annotations, key=lambda a: (a.onset_s, a.offset_s)))
        for recording, (*_, annotations) in claims.items()
    }
    return Matched(in_time_order, tuple(unmatched), tuple(passed_over))


def _path_and_tier(given: str) -> tuple[str, str | None]:
    """FILE and TIER of FILE#TIER; the tier is None where there is none,
    as in a file whose own name has a #.
    """
    path, mark, tier = given.rpartition("#")
    return (path, tier) if mark and not os.path.exists(given) else (given, None)


def _annotation_files(path: str) -> list[str]:
    if not os.path.isdir(path):
        return [path]
    found = []
    for folder, subfolders, names in os.walk(path):
        subfolders[:] = [name for name in subfolders if not name.startswith(".")]
        found += [
            os.path.join(folder, n)
            for n in names
            if n.lower().endswith(_EXTENSIONS) and not n.startswith(".")
        ]
    return sorted(found)


def _by_recording(annotations: Iterable[Annotation]) -> dict[str, list[Annotation]]:
    """Annotations by the name of their recording; of none,
    those of the recording that the file is named after.
    """
    groups = collections.defaultdict(list)
    for annotation in annotations:
        groups[annotation.file].append(annotation)
    return groups or {"": []}


def _meant(name: str, file: str, by_name: dict[str, list[str]]) -> tuple[str | None, int]:
    """The recording that is meant by a name in a file, or None, and how many folders agree."""
    # Raven on Windows writes paths that no other system can split.
    place = (
        os.path.join(os.path.dirname(file), name.replace("\\", "/"))
        if name
        else _ENDINGS.sub("", file)
    )
    *folders, base = os.path.abspath(place).split(os.sep)
    candidates = (
        by_name.get(base, [])
        if not name
        else [r for r in by_name.get(base, []) if os.path.basename(r) == base]
    )
    agreements = [
        _agreement(folders, os.path.abspath(recording).split(os.sep)[:-1])
        for recording in candidates
    ]
    best = [
        r
        for r, agreement in zip(candidates, agreements, strict=True)
        if agreement == max(agreements)
    ]
    if len(best) > 1:
        raise ValueError(
            f"{file}: {name or os.path.basename(file)} may mean {best[0]} or {best[1]}."
        )
    return (best[0], max(agreements)) if best else (None, 0)


def _agreement(folders: Sequence[str], others: Sequence[str]) -> int:
    """How many folders agree, counted from the last."""
    count = 0
    for one, other in zip(reversed(folders), reversed(others), strict=False):
        if one != other:
            break
        count += 1
    return count
