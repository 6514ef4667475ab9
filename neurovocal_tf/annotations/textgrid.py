"""Praat's TextGrid in its two text forms, long and short.

As Praat itself does (its manual, "TextGrid file formats"), the reader looks at nothing but
free-standing numbers, quoted strings and flags in angle brackets, so that one scanner serves both
forms; an exclamation mark begins a comment.
"""

import dataclasses
import os
import re
from collections.abc import Iterable, Mapping, Sequence

from neurovocal_tf import files
from neurovocal_tf.annotations.annotation import (
    Annotation,
    Contents,
    Options,
    check_order,
    only_file,
    shown,
    time_s,
)

_TOKEN = re.compile(
    r"""(?<!\S)(?:(?P<comment>![^\n]*)|"(?P<string>(?:[^"]|"")*)"|<(?P<flag>[^>\s]*)>"""
    r"""|(?P<number>[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?))(?!\S)"""
    r"""|(?<!\S)(?P<open>")"""
)
_INTERVAL_TIER, _POINT_TIER = "IntervalTier", "TextTier"
# A tier's empty intervals are what lies between: what has no label needs one to be seen.
_UNLABELLED = "segment"
_TIER = "segments"


def recognises(text: str) -> bool:
    """Whether it begins as Praat's text files of any kind do."""
    return re.match(r'\s*(File type\s*=\s*)?"ooTextFile', text) is not None


def parse(text: str, path: str | os.PathLike[str], options: Options) -> Contents:
    """Annotations of all interval tiers, or of the one that is named: their intervals with a label.

    Point tiers are passed over.
    """
    tier, contents = options.tier, Contents()
    tokens = _Tokens(text, path)
    tokens.string("the file's type")
    if tokens.string("the object's class") != "TextGrid":
        raise ValueError(
            f"{tokens.place}: must be a TextGrid; this file of Praat's holds something else."
        )
    tokens.number("xmin"), tokens.number("xmax")
    num_tiers = tokens.count("size") if tokens.flag("tiers?") == "exists" else 0
    names = []
    for _ in range(num_tiers):
        kind, name = tokens.string("class"), tokens.string("name")
        tokens.number("xmin"), tokens.number("xmax")
        if kind == _POINT_TIER:
            for _ in range(tokens.count("size")):
                tokens.number("number"), tokens.string("mark")
            continue
        if kind != _INTERVAL_TIER:
            raise ValueError(
                f"{tokens.place}: `class` must be {_INTERVAL_TIER} or {_POINT_TIER}. "
                f"Received: class={shown(kind)}"
            )
        names.append(name)
        is_taken = tier in (None, name)
        for _ in range(tokens.count("size")):
            interval = _interval(tokens)
            if not (is_taken and interval.label.strip()):
                continue
            with contents.row():
                contents.annotations.append(interval.annotation())
    if tier is not None and tier not in names:
        raise ValueError(
            f"{path}: has no interval tier {tier}; it has {', '.join(map(shown, names)) or 'none'}."
        )
    return contents


def write(
    path: str | os.PathLike[str],
    annotations: Sequence[Annotation],
    durations_s: Mapping[str, float],
) -> None:
    """A TextGrid in the long form, UTF-8, of intervals from 0 to the recording's end.

    Intervals of a tier cannot overlap: what overlaps goes to a further tier.
    One without a label is labelled "segment".
    """
    file = (
        only_file(annotations, "textgrid")
        if annotations or len(durations_s) != 1
        else next(iter(durations_s))
    )
    duration_s = max([durations_s.get(file, 0.0), *(a.offset_s for a in annotations)])
    if not duration_s > 0:
        raise ValueError(
            "`durations_s` must tell how long a recording without annotations is, for "
            "format=textgrid."
        )
    write_tiers(path, {_TIER: annotations}, duration_s)


@dataclasses.dataclass(frozen=True)
class Point:
    """A moment of a point tier, and what stands there."""

    time_s: float
    mark: str


def write_tiers(
    path: str | os.PathLike[str],
    tiers: Mapping[str, Sequence[Annotation] | Sequence[Point]],
    duration_s: float,
) -> None:
    """A TextGrid in the long form, UTF-8, with several tiers.

    Intervals of a tier cannot overlap: what overlaps goes to a further tier, "NAME 2" and so on.
    One without a label is labelled "segment".

    Args:
        path: of the file.
        tiers: dict of name -> intervals, or points in order of their times.
        duration_s: where all tiers end; none of what they hold may be later.
    """
    end = _text_of(duration_s)
    listed: list[list[str]] = []
    for name, content in tiers.items():
        points = [item for item in content if isinstance(item, Point)]
        if points:
            listed.append(_tier(_POINT_TIER, name, end, "points", list(map(_point, points))))
            continue
        intervals = [item for item in content if isinstance(item, Annotation)]
        for number, tier in enumerate(_without_overlaps(intervals) or [[]], start=1):
            rows = [
                [f"xmin = {onset}", f"xmax = {offset}", f"text = {_quoted(label)}"]
                for onset, offset, label in _tiled(tier, end)
            ]
            title = name if number == 1 else f"{name} {number}"
            listed.append(_tier(_INTERVAL_TIER, title, end, "intervals", rows))
    lines = [
        'File type = "ooTextFile"',
        'Object class = "TextGrid"',
        "",
        f"xmin = {_text_of(0)}",
        f"xmax = {end}",
        "tiers? <exists>",
        f"size = {len(listed)}",
        "item []:",
    ]
    for number, tier_lines in enumerate(listed, start=1):
        lines += [f"    item [{number}]:", *tier_lines]
    files.write_text(path, "\n".join(lines) + "\n")


def _tier(kind: str, name: str, end: str, of_what: str, rows: Sequence[Sequence[str]]) -> list[str]:
    """The lines of one tier, of intervals or points with the lines of each."""
    lines = [
        f'        class = "{kind}"',
        f"        name = {_quoted(name)}",
        f"        xmin = {_text_of(0)}",
        f"        xmax = {end}",
        f"        {of_what}: size = {len(rows)}",
    ]
    for number, row in enumerate(rows, start=1):
        lines += [f"        {of_what} [{number}]:", *(f"            {line}" for line in row)]
    return lines


def _point(point: Point) -> list[str]:
    return [f"number = {_text_of(point.time_s)}", f"mark = {_quoted(point.mark)}"]


def _quoted(text: str) -> str:
    doubled = text.replace('"', '""')
    return f'"{doubled}"'


@dataclasses.dataclass(frozen=True)
class _Interval:
    """One interval as it stands there, and where."""

    onset: str
    offset: str
    label: str
    place: str

    def annotation(self) -> Annotation:
        """Raises BadRow for times that are none."""
        onset_s, offset_s = (
            time_s(text, name, self.place)
            for text, name in ((self.onset, "xmin"), (self.offset, "xmax"))
        )
        check_order(onset_s, offset_s, ("xmin", "xmax"), self.place)
        return Annotation("", onset_s, offset_s, self.label)


def _interval(tokens: "_Tokens") -> _Interval:
    onset, offset = tokens.number("xmin"), tokens.number("xmax")
    place = tokens.place
    return _Interval(onset, offset, tokens.string("text"), place)


def _text_of(time_s: float) -> str:
    """Seconds to the nanosecond: other programs stumble over exponents."""
    return f"{time_s:.9f}".rstrip("0").rstrip(".")


def _without_overlaps(annotations: Iterable[Annotation]) -> list[list[Annotation]]:
    """Annotations in as few lists as there are at one moment,
    none overlapping another of its list.
    """
    tiers: list[list[Annotation]] = []
    for annotation in sorted(annotations, key=lambda a: (a.onset_s, a.offset_s)):
        # What is written decides: times that differ by less touch.
        onset = float(_text_of(annotation.onset_s))
        tier = next((tier for tier in tiers if float(_text_of(tier[-1].offset_s)) <= onset), None)
        if tier is None:
            tiers.append(tier := [])
        tier.append(annotation)
    return tiers


def _tiled(tier: Iterable[Annotation], end: str) -> list[tuple[str, str, str]]:
    """(onset, offset, label) as text, from 0 to `end`,
    with empty intervals between the annotations.
    """
    intervals, last = [], _text_of(0)
    for a in tier:
        onset, offset = _text_of(a.onset_s), _text_of(a.offset_s)
        if onset != last:
            intervals.append((last, onset, ""))
        intervals.append((onset, offset, a.label if a.label.strip() else _UNLABELLED))
        last = offset
    return intervals if last == end else [*intervals, (last, end, "")]


class _Tokens:
    """What Praat reads of a text file, one after another, each with its line."""

    def __init__(self, text: str, path: str | os.PathLike[str]) -> None:
        self._text, self._path = text, path
        self._matches = _TOKEN.finditer(text)
        self._position, self._line = 0, 1

    @property
    def place(self) -> str:
        """Where the token last read begins."""
        return f"{self._path}, line {self._line}"

    def string(self, name: str) -> str:
        """The next token, which must be a string; its doubled quotes become single ones."""
        return self._next("string", name, "a text in quotes").replace('""', '"')

    def flag(self, name: str) -> str:
        """The next token, which must be a flag."""
        return self._next("flag", name, "a flag in angle brackets")

    def number(self, name: str) -> str:
        """The next token, which must be a number, as text."""
        return self._next("number", name, "a number")

    def count(self, name: str) -> int:
        """The next token, which must be a whole number."""
        text = self.number(name)
        if not text.isdecimal():
            raise ValueError(
                f"{self.place}: `{name}` must be a whole number. Received: {name}={shown(text)}"
            )
        return int(text)

    def _next(self, kind: str, name: str, what: str) -> str:
        match = next((match for match in self._matches if match.lastgroup != "comment"), None)
        if match is None:
            raise ValueError(
                f"{self._path}, line {self._text.rstrip().count(chr(10)) + 1}: ends before "
                f"`{name}`."
            )
        self._line += self._text.count("\n", self._position, match.start())
        self._position = match.start()
        if match.lastgroup == "open":
            raise ValueError(f"{self.place}: a quotation mark opens a text that does not end.")
        if match.lastgroup != kind:
            raise ValueError(f"{self.place}: `{name}` must be {what}. Received: {shown(match[0])}")
        return match[kind]
