"""Which column of a table is what, by the words of the programs that write them, in any case.

    vak, crowsetta      onset_s, offset_s, label, notated_path
    DAS                 start_seconds, stop_seconds, name, filename
    WhisperSeg          onset, offset, cluster
    BirdNET-Analyzer    Start (s), End (s), Common name, Confidence, File
    opensoundscape      audio_file, annotation, start_time, end_time, low_f, high_f
    batdetect2          start_time, end_time, class, det_prob, low_freq, high_freq
    avn                 files, onsets, offsets, labels

Blanks, underscores, dots, hyphens and Kaleidoscope's asterisks do not count.
"""

import dataclasses
import itertools
import os
import re
from collections.abc import Iterable, Sequence

from neurovocal_tf.annotations.annotation import BadRow, Contents, Options, check_order
from neurovocal_tf.annotations.table import Row

# A time's unit, as how many of it a second has; None: samples of the recording.
_SECONDS, _MILLISECONDS, _SAMPLES = 1.0, 1000.0, None
_UNITS = {
    _SECONDS: ("", "s", "(s)", "sec", "(sec)", "secs", "seconds", "(seconds)"),
    _MILLISECONDS: ("ms", "(ms)", "msec", "(msec)", "milliseconds", "(milliseconds)"),
    _SAMPLES: ("sample", "samples", "(samples)", "ind", "inds"),
}
_ONSETS = ("onset", "onsettime", "start", "starttime", "starttimes", "begin", "begintime", "tmin")
_OFFSETS = ("offset", "offsettime", "end", "endtime", "endtimes", "stop", "stoptime", "tmax")
_DURATIONS = ("duration", "dur")
# The first that says something is taken.
_LABELS = (
    *("label", "labels", "annotation", "annotations", "manualid", "name", "cluster", "class"),
    *("calltype", "call", "syllable", "syllables", "commonname", "species", "scientificname"),
    *("speciescode", "autoid", "top1match", "type", "soundtype", "category", "text"),
)
# Of these one says what the other does, or is sure to be no label.
_NO_DOUBT = (
    {"commonname", "scientificname", "speciescode"},
    {"manualid", "autoid", "top1match"},
)
_FILES = (
    *("file", "files", "filename", "filenames", "notatedpath", "audiofile", "audiopath", "audio"),
    *("wav", "wavfile", "wavfilename", "wavename", "recording", "soundfile", "soundfiles"),
    *("songfile", "sourcefile", "filepath", "path", "infile", "beginpath", "beginfile"),
)
# What is neither of these nor a label, in tables of those programs.
_OTHERS = ("id", "sequence", "annotpath", "annotationfile", "selection", "view", "individual")
_LOW = ("lowhz", "lowf", "lowfreq", "lowfreqhz", "lowfreq(hz)", "lowfrequency", "minfreq")
_HIGH = ("highhz", "highf", "highfreq", "highfreqhz", "highfreq(hz)", "highfrequency", "maxfreq")
_SCORES = ("score", "confidence", "detprob", "probability")


def key(name: str) -> str:
    """A column's name without what does not count in it."""
    return re.sub(r"[\s_.*\-]+", "", name.casefold())


def first(header: Sequence[str], names: Iterable[str]) -> str:
    """The column of a header whose name comes first among `names`, "" if none is there."""
    by_key = {key(name): name for name in reversed(header)}
    return next((by_key[name] for name in names if name in by_key), "")


def file_column(header: Sequence[str]) -> str:
    """The column that names recordings, "" if none does."""
    return first(header, _FILES)


def score_column(header: Sequence[str]) -> str:
    """The column of scores, "" if there is none."""
    return first(header, _SCORES)


def band_columns(header: Sequence[str]) -> tuple[str, str]:
    """The columns of the lowest and the highest frequency, "" where there is none."""
    return first(header, _LOW), first(header, _HIGH)


@dataclasses.dataclass(frozen=True)
class Times:
    """The columns of onsets and of offsets or, where there are none, durations.

    Attributes:
        onset, end: names.    is_duration: whether `end` counts from the onset.
        per_second: how many of the unit a second has; None: they are samples.
    """

    onset: str
    end: str
    is_duration: bool
    per_second: float | None

    def of(self, row: Row) -> tuple[float, float]:
        """Onset and offset of a row, in seconds or samples.

        Raises BadRow for what is no time, negative, or reversed.
        """
        what = "a time in seconds" if self.per_second == 1 else "a time"
        onset, end = (self._number(row, name, what) for name in (self.onset, self.end))
        if self.is_duration:
            end += onset
        check_order(onset, end, (self.onset, self.end), row.place)
        return onset, end

    def _number(self, row: Row, name: str, what: str) -> float:
        value = row.number(name, what) / (self.per_second or 1.0)
        if value <= -1e-6:
            raise BadRow(
                f"{row.place}: `{name}` must be {what}, not negative. "
                f"Received: {name}={row.text(name)}"
            )
        return max(value, 0.0)


def times(header: Sequence[str], path: str | os.PathLike[str] = "") -> Times | None:
    """The columns of times, of seconds rather than of milliseconds or samples; None if a table has
    none.

    Raises ValueError if two columns may be meant.
    """
    for unit, suffixes in _UNITS.items():
        found = []
        for bases in (_ONSETS, _OFFSETS, _DURATIONS):
            known = {base + suffix for base, suffix in itertools.product(bases, suffixes)}
            found.append([name for name in header if key(name) in known])
        onsets, offsets, durations = found
        ends = offsets or durations
        if not onsets or not ends:
            continue
        for names in (onsets, ends):
            if len(names) > 1:
                raise ValueError(
                    f"{path}, line 1: must have one column of onsets and one of offsets. "
                    f"Received: {names[0]} and {names[1]}"
                )
        return Times(onsets[0], ends[0], not offsets, unit)
    return None


def label_column(
    header: Sequence[str],
    rows: Sequence[Row],
    path: str | os.PathLike[str],
    options: Options,
    contents: Contents,
    used: Iterable[str] = (),
) -> str:
    """The column of labels: the one that the user names, else the first of those known by name that
    has something in it; "" if there is none. Where it is in doubt, `contents.notes` says so.

    Args:
        used: columns that are something else.

    Raises ValueError if the user names one that is not there.
    """
    if options.label_column:
        meant = [
            name for name in header if name.casefold() == options.label_column.strip().casefold()
        ]
        if len(meant) != 1:
            raise ValueError(
                f"{path}, line 1: `label_column` must be one of its columns, "
                f"{', '.join(filter(None, header))}. "
                f"Received: label_column={options.label_column}"
            )
        return meant[0]
    by_key = {key(name): name for name in reversed(header)}
    filled = [
        name
        for name in (by_key[known] for known in _LABELS if known in by_key)
        if any(row.text(name).strip() for row in rows)
    ]
    if not filled:
        known_keys = {"", *_LABELS, *_DURATIONS, *_OTHERS, *map(key, used)}
        others = [name for name in header if key(name) not in known_keys]
        if others and rows:
            contents.notes.append(
                f"{path} has no labels in a column of a known name, and "
                f"{', '.join(others[:8])}{', ...' if len(others) > 8 else ''} beside: "
                "--label_column=NAME takes one of them."
            )
        return ""
    taken = filled[0]
    doubtful = [name for name in filled[1:] if _differs(taken, name, rows)]
    if doubtful:
        contents.notes.append(
            f"{path} has labels in {' and '.join([taken, *doubtful])}: those in {taken} are taken; "
            f"--label_column={doubtful[0]} takes others."
        )
    return taken


def _differs(taken: str, other: str, rows: Sequence[Row]) -> bool:
    pair = {key(taken), key(other)}
    if pair & {"label", "labels"} or any(pair <= alike for alike in _NO_DOUBT):
        return False
    return any(row.text(taken).strip() != row.text(other).strip() for row in rows)
