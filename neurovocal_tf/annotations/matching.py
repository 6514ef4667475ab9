"""Which annotations are of which recording, and whether they can be."""

import collections
import dataclasses
import os
from collections.abc import Callable, Iterable, Mapping, Sequence

from neurovocal_tf import annotations as annotation_files
from neurovocal_tf.annotations import names
from neurovocal_tf.annotations.annotation import Annotation, Contents, NoAnnotations, Options

_EXTENSIONS = (
    *(
        ".csv",
        ".tsv",
        ".parquet",
        ".txt",
        ".textgrid",
        ".json",
        ".xml",
        ".eaf",
        ".phn",
        ".wrd",
        ".not.mat",
    ),
)
# Programs round times, and encoders of lossy formats pad by a frame or so.
_BEYOND_S = 0.05
_MAX_REASONS = 10


@dataclasses.dataclass(frozen=True)
class Length:
    """How long a recording is: Hz of the sound, and samples of each channel."""

    sample_rate: float
    num_samples: int

    @property
    def duration_s(self) -> float:
        """Length in seconds."""
        return self.num_samples / self.sample_rate


@dataclasses.dataclass(frozen=True)
class Choice:
    """Which annotations are taken.

    Attributes:
        ignore_labels: labels that mark no vocalization.
        label_column: as `Options.label_column`.
    """

    ignore_labels: tuple[str, ...] = ()
    label_column: str = ""

    @classmethod
    def of(cls, ignore_labels: str, label_column: str) -> "Choice":
        """From the two settings, the labels with commas between."""
        labels = tuple(label.strip() for label in ignore_labels.split(",")) if ignore_labels else ()
        return cls(labels, label_column)


@dataclasses.dataclass(frozen=True)
class Matched:
    """The annotations of some recordings.

    Attributes:
        of: dict of recording's path -> tuple of `Annotation` in time order,
            empty where a file says that there is nothing.
        unmatched: names of annotated recordings that are not among those asked for.
        passed_over: paths of files that hold no annotations.
        remarks: sentences for the user on what was read otherwise than it stands there, and why
            files, recordings and rows count for nothing.
        beyond: dict of recording's path -> the annotations beyond its end, where they are so many
            that none of its annotations is taken.
    """

    of: dict[str, tuple[Annotation, ...]]
    unmatched: tuple[str, ...]
    passed_over: tuple[str, ...]
    remarks: tuple[str, ...] = ()
    beyond: Mapping[str, tuple[Annotation, ...]] = dataclasses.field(default_factory=dict)

    def check_any(self, path: str | os.PathLike[str], setting: str) -> None:
        """Raises ValueError, with the first reason, if no recording has annotations in the value of
        a setting.
        """
        if self.of:
            return
        reasons = (
            *self.remarks,
            *(f"there is no recording {name}" for name in self.unmatched),
            *(f"{name} holds no annotations" for name in self.passed_over),
        )
        because = f"; {reasons[0]}" if reasons else ""
        raise ValueError(
            f"`{setting}` must name recordings of the folder, and names none{because}. "
            f"Received: {setting}={os.fspath(path)}"
        )

    def notes(self, path: str | os.PathLike[str]) -> list[str]:
        """Sentences for the user on what is taken from the file or folder `path`, and what in it
        counts for nothing.
        """
        labels = {a.label for found in self.of.values() for a in found if a.label}
        taken = (
            f"taken from {path}: annotations {sum(map(len, self.of.values()))}, "
            f"labels {len(labels)}, recordings {len(self.of)}"
        )
        several = (
            (self.unmatched, "annotated recordings that are not there"),
            (self.passed_over, "files without annotations"),
        )
        return [
            taken,
            *_first(self.remarks),
            *(
                f"{len(names)} {what} in {path} {'is' if len(names) == 1 else 'are'} passed over; "
                f"the first: {names[0]}"
                for names, what in several
                if names
            ),
        ]


def match(
    path: str | os.PathLike[str],
    recordings: Iterable[str],
    setting: str = "annotations",
    choice: Choice = Choice(),  # noqa: B008
    length_of: Callable[[str], Length | None] = lambda recording: None,
) -> Matched:
    """Matches an annotation file, or all in a folder and the folders below it, to recordings.

    A recording goes by the name that the annotations give, else by that of their file: `song.wav`
    by `song.txt`, `song.wav.csv` or `song.Table.1.selections.txt`. Of recordings of one name the
    one whose folders agree best, counted from the last, is meant; so folders may have moved since.
    In a folder, files that are not annotations, or cannot be read, are passed over.

    Args:
        path: the file or folder; with #TIER after it,
            only the tier of that name is read from files of Praat's and ELAN's.
        recordings: paths.
        setting: name of the setting that `path` is the value of, for the user to know which.
        choice: which of the annotations are taken.
        length_of: function of a recording's path, for formats that count its samples and to tell
            annotations beyond its end; None where it cannot be told.

    Returns: `Matched`.

    Raises: ValueError for a broken file that `path` names, a name that may mean two recordings,
        and a recording that is annotated twice.
    """
    given = os.fspath(path)
    path, tier = path_and_tier(given)
    if not os.path.exists(path):
        raise ValueError(
            f"`{setting}` must be an annotation file, or a folder of them. "
            f"Received: {setting}={given}"
        )
    matching = _Matching(names.Recordings(tuple(recordings)), length_of)
    options = Options(tier, choice.label_column)
    for file in files_in(path):
        try:
            contents = annotation_files.contents(file, options)
        except ValueError as error:
            if not os.path.isdir(path):
                raise
            if isinstance(error, NoAnnotations):
                matching.passed_over.append(file)
            else:
                matching.remarks.append(f"passed over: {error}")
            continue
        matching.add(file, contents)
    return matching.matched(choice.ignore_labels)


class _Matching:
    """What has been matched so far."""

    def __init__(
        self, recordings: names.Recordings, length_of: Callable[[str], Length | None]
    ) -> None:
        self.unmatched: list[str] = []
        self.passed_over: list[str] = []
        self.remarks: list[str] = []
        self._recordings, self._length_of = recordings, length_of
        self._claims: dict[str, tuple[tuple[int, int], str, str, list[Annotation]]] = {}
        self._renamed: dict[str, str] = {}
        self._beyond: dict[str, tuple[Annotation, ...]] = {}

    def add(self, file: str, contents: Contents) -> None:
        """Matches what one file holds."""
        self.remarks += contents.notes
        self.remarks += [f"left out: {reason}" for reason in contents.bad_rows]
        for name, annotations in _by_recording(contents).items():
            said = name or file
            meant, agreement, is_renamed = self._recordings.meant(name, file)
            if meant is None:
                self.unmatched.append(said)
                continue
            known = self._claims.get(meant)
            if known and known[0] == agreement:
                raise ValueError(
                    f"{meant} is annotated twice: as {known[2]} in {known[1]}, and as "
                    f"{said} in {file}."
                )
            if known and known[0] > agreement:
                self.unmatched.append(said)
                continue
            within = self._within(meant, annotations, contents, said)
            if within is None:
                continue
            if known:
                self.unmatched.append(known[2])
            self._claims[meant] = (agreement, file, said, within)
            if is_renamed:
                self._renamed[said] = meant

    def matched(self, ignore_labels: Sequence[str]) -> Matched:
        """All of it, without the labels that are not taken."""
        of = {
            recording: tuple(sorted(annotations, key=lambda a: (a.onset_s, a.offset_s)))
            for recording, (*_, annotations) in self._claims.items()
        }
        if self._renamed:
            name, recording = next(iter(self._renamed.items()))
            self.remarks.append(
                f"{len(self._renamed)} recordings have other letters, capitals or extensions than "
                f"in their annotations; the first: {recording} for {name}"
            )
        if ignore_labels:
            self.remarks += _ignored(of, ignore_labels)
            of = {
                recording: tuple(a for a in annotations if a.label.strip() not in ignore_labels)
                for recording, annotations in of.items()
            }
        return Matched(
            of,
            tuple(self.unmatched),
            tuple(self.passed_over),
            tuple(self.remarks),
            {path: found for path, found in self._beyond.items() if path not in of},
        )

    def _within(
        self, recording: str, annotations: list[Annotation], contents: Contents, said: str
    ) -> list[Annotation] | None:
        """What lies within a recording, in seconds; None if that cannot be what is meant."""
        length = self._length_of(recording)
        if contents.in_samples:
            if length is None:
                self.remarks.append(
                    f"passed over: the annotations of {said} count samples, and the rate of "
                    f"{recording} cannot be read"
                )
                return None
            one = dataclasses.replace(contents, annotations=annotations)
            annotations = annotation_files.in_seconds(one, length.sample_rate)
        if length is None:
            return annotations
        end_s = length.duration_s
        inside = [a for a in annotations if a.onset_s < end_s]
        num_outside = len(annotations) - len(inside)
        if num_outside > len(inside):
            self._beyond[recording] = tuple(a for a in annotations if a.onset_s >= end_s)
            self.remarks.append(
                f"passed over: most annotations of {said} lie beyond the end of {recording}, up to "
                f"{max(a.offset_s for a in annotations):.6g} s of {end_s:.6g} s: are they in "
                "milliseconds? A column onset_ms, offset_ms says so"
            )
            return None
        reaching = [a for a in inside if a.offset_s > end_s + _BEYOND_S]
        end = f"the end of {recording}, {end_s:.6g} s, and are"
        if num_outside:
            self.remarks.append(f"{num_outside} of {said} lie beyond {end} left out")
        if reaching:
            self.remarks.append(f"{len(reaching)} of {said} reach over {end} cut there")
        return [dataclasses.replace(a, offset_s=min(a.offset_s, end_s)) for a in inside]


def _ignored(of: dict[str, tuple[Annotation, ...]], labels: Sequence[str]) -> list[str]:
    counts = collections.Counter(a.label.strip() for found in of.values() for a in found)
    found = [label for label in labels if counts[label]]
    sentences = []
    if found:
        listed = ", ".join(f"{label} ({counts[label]})" for label in found)
        sentences.append(f"ignore_labels leaves out {listed}")
    unknown = [label for label in labels if not counts[label]]
    if unknown:
        sentences.append(f"ignore_labels names what is no label: {', '.join(unknown)}")
    return sentences


def _first(sentences: Sequence[str]) -> list[str]:
    """As many as a person reads, and how many more there are."""
    more = len(sentences) - _MAX_REASONS
    return [*sentences[:_MAX_REASONS], *([f"and {more} more of these"] if more > 0 else [])]


def path_and_tier(given: str) -> tuple[str, str | None]:
    """FILE and TIER of FILE#TIER; the tier is None where there is none,
    as in a file whose own name has a #.
    """
    path, mark, tier = given.rpartition("#")
    return (path, tier) if mark and not os.path.exists(given) else (given, None)


def files_in(path: str) -> list[str]:
    """Paths of what may be annotations in a folder and the folders below it, sorted; of a file,
    that one.
    """
    if not os.path.isdir(path):
        return [path]
    found = []
    for folder, subfolders, files in os.walk(path):
        subfolders[:] = [name for name in subfolders if not name.startswith(".")]
        found += [
            os.path.join(folder, n)
            for n in files
            if n.lower().endswith(_EXTENSIONS) and not n.startswith(".")
        ]
    return sorted(found)


def _by_recording(contents: Contents) -> dict[str, list[Annotation]]:
    """Annotations by the name of their recording; of none,
    those of the recording that the file is named after.
    """
    groups: dict[str, list[Annotation]] = {file: [] for file in contents.files}
    for annotation in contents.annotations:
        groups[annotation.file].append(annotation)
    return groups or {"": []}
