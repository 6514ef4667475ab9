"""One annotated vocalization, and the checks that all formats share."""

import dataclasses
import math
from collections.abc import Iterable


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


def number(text: str, name: str, place: str, what: str = "a number") -> float:
    """The finite number that `text` is.

    Raises: ValueError that names the `place`, and the number by its own `name` there.
    """
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise ValueError(f"{place}: `{name}` must be {what}. Received: {name}={shown(text)}")
    return value


def time_s(text: str, name: str, place: str) -> float:
    """The seconds that `text` is, not negative. Raises ValueError as `number` does."""
    value = number(text, name, place, "a time in seconds")
    if value < 0:
        raise ValueError(
            f"{place}: `{name}` must be a time in seconds, not negative. "
            f"Received: {name}={shown(text)}"
        )
    return value


def check_order(onset_s: float, offset_s: float, names: tuple[str, str], place: str) -> None:
    """Raises ValueError that names the `place` if an offset is before its
    onset; `names` are theirs.
    """
    if offset_s < onset_s:
        onset, offset = names
        raise ValueError(
            f"{place}: `{offset}` must not be before `{onset}`. "
            f"Received: {onset}={onset_s:.10g}, {offset}={offset_s:.10g}"
        )


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
