"""One annotated vocalization, what a file holds of them, and the checks that all formats share."""

import contextlib
import dataclasses
import math
import re
from collections.abc import Iterable, Iterator

# Times are kept within a microsecond: what is less is none.
_MICROSECOND = 1e-6
_NUMBER = re.compile(r"[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?", re.ASCII)
NO_NUMBERS = frozenset(("", "nan", "na", "n/a", "none", "null"))


@dataclasses.dataclass(frozen=True)
class Annotation:
    """One vocalization.

    Attributes:
        file: path of the recording, relative to the folder of the annotation file or absolute; ""
            where that file does not say.
        onset_s, offset_s: seconds from the start of the recording.
        label: call type, or "".
        channel: counted from 0, or None.
        low_hz, high_hz: the band that it occupies, or None.
        score: how sure its author is, in the author's own unit, or None.
    """

    file: str
    onset_s: float
    offset_s: float
    label: str = ""
    channel: int | None = None
    low_hz: float | None = None
    high_hz: float | None = None
    score: float | None = None


@dataclasses.dataclass(frozen=True)
class Options:
    """How a file is to be read.

    Attributes:
        tier: name of the only tier to read of formats with tiers; None: all.
        label_column: name of the column of labels in a table; "": the one that its name tells.
    """

    tier: str | None = None
    label_column: str = ""


class BadRow(ValueError):
    """One row that cannot be used, in one line with its file and line: the others can be."""


class NoAnnotations(ValueError):
    """A file of another kind, that nobody meant to hold annotations."""


@dataclasses.dataclass
class Contents:
    """What one file holds, as it is being read.

    Attributes:
        annotations: list of `Annotation`, in the file's order.
        bad_rows: list of str, why a row is left out, one for each of them.
        notes: list of sentences for the user on how the file was understood.
        files: list of the recordings that the file says something about, and be it that there is
            nothing in them.
        in_samples: whether onsets and offsets are in samples of the recording, not in seconds.
    """

    annotations: list[Annotation] = dataclasses.field(default_factory=list)
    bad_rows: list[str] = dataclasses.field(default_factory=list)
    notes: list[str] = dataclasses.field(default_factory=list)
    files: list[str] = dataclasses.field(default_factory=list)
    in_samples: bool = False

    @contextlib.contextmanager
    def row(self) -> Iterator[None]:
        """What is read within it is left out, with its reason, if it proves to be bad."""
        try:
            yield
        except BadRow as reason:
            self.bad_rows.append(str(reason))


def number(text: str, name: str, place: str, what: str = "a number") -> float:
    """The finite number that `text` is.

    Raises: BadRow that names the `place`, and the number by its own `name` there.
    """
    value = float(text) if _NUMBER.fullmatch(text.strip()) else math.nan
    if not math.isfinite(value):
        raise BadRow(f"{place}: `{name}` must be {what}. Received: {name}={shown(text)}")
    return value


def time_s(text: str, name: str, place: str) -> float:
    """The seconds that `text` is, not negative by a microsecond or more.

    Raises BadRow as `number` does.
    """
    value = number(text, name, place, "a time in seconds")
    if value <= -_MICROSECOND:
        raise BadRow(
            f"{place}: `{name}` must be a time in seconds, not negative. "
            f"Received: {name}={shown(text)}"
        )
    return max(value, 0.0)


def check_order(onset_s: float, offset_s: float, names: tuple[str, str], place: str) -> None:
    """Raises BadRow that names the `place` if an offset is before its
    onset; `names` are theirs.
    """
    if offset_s <= onset_s - _MICROSECOND:
        onset, offset = names
        raise BadRow(
            f"{place}: `{offset}` must not be before `{onset}`. "
            f"Received: {onset}={onset_s:.10g}, {offset}={offset_s:.10g}"
        )


def json_number(value: object, name: str, place: str) -> float:
    """The finite number that a value of JSON is. Raises BadRow as `number` does."""
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
    try:
        return number(repr(float(value)), name, place) if is_number else number("", name, place)  # type: ignore[arg-type]
    except (BadRow, OverflowError):
        raise BadRow(
            f"{place}: `{name}` must be a number. Received: {name}={shown(repr(value))}"
        ) from None


def only_file(annotations: Iterable[Annotation], format: str) -> str:
    """The one recording that all annotations are of, "" if there are none.

    Raises ValueError if they are of several.
    """
    files = list(dict.fromkeys(annotation.file for annotation in annotations))
    if len(files) > 1:
        raise ValueError(
            f"`annotations` must be of one recording for format={format}. "
            f"Received: {files[0]}, {files[1]}, ..."
        )
    return files[0] if files else ""


def shown(text: str) -> str:
    """What an error message shows of a text that was received: its begin, on one line."""
    return " ".join(text.split())[:80]


def on_one_line(text: str) -> str:
    """A text for a format without quotes: tabs and line breaks become spaces."""
    return " ".join(text.replace("\t", " ").splitlines())
