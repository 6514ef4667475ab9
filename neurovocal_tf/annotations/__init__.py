"""Which vocalization is where: onsets, offsets and labels,
in the files of the programs that people annotate with.

format          program                                            one file holds
csv             this package; also read, by the names of their     any number of recordings
                columns: vak and crowsetta (generic-seq,
                simple-seq), DAS, WhisperSeg, BirdNET-Analyzer,
                opensoundscape, batdetect2, avn
parquet         the same, with types, by pyarrow                    any number of recordings
audacity        Audacity's label tracks, with the lines of         one recording
                frequencies
raven           Raven's selection tables                           any number of recordings
textgrid        Praat's TextGrid, long and short                   one recording
kaleidoscope    Kaleidoscope's tables                              any number of recordings
opensoundscape  opensoundscape's boxed annotations                 any number of recordings
avn             avn's tables of syllables                          any number of recordings
whisperseg      WhisperSeg's JSON                                  one recording
batdetect2      batdetect2's JSON                                  any number of recordings
notmat          evsonganaly's .not.mat                             one recording

Only read: ELAN's .eaf (with pympi-ling), Koumura's XML, TIMIT's .phn and .wrd, and two or three
columns without a header.

Times are kept within a microsecond by each of them.
"""

import dataclasses
import os
import warnings
from collections.abc import Iterable, Mapping

from neurovocal_tf.annotations import (
    audacity,
    avn,
    batdetect2,
    csv_table,
    elan,
    headerless,
    json_text,
    kaleidoscope,
    koumura,
    notmat,
    opensoundscape,
    parquet,
    raven,
    textgrid,
    timit,
    whisperseg,
)
from neurovocal_tf.annotations.annotation import Annotation, Contents, NoAnnotations, Options
from neurovocal_tf.annotations.text import content_of, decode

__all__ = ["EXTENSIONS", "Annotation", "Options", "contents", "read", "write"]

_WRITERS = {
    "csv": csv_table,
    "parquet": parquet,
    "audacity": audacity,
    "raven": raven,
    "textgrid": textgrid,
    "kaleidoscope": kaleidoscope,
    "opensoundscape": opensoundscape,
    "avn": avn,
    "whisperseg": whisperseg,
    "batdetect2": batdetect2,
}
# What the programs themselves append to a recording's name.
EXTENSIONS = {
    "csv": ".csv",
    "parquet": parquet.EXTENSION,
    "audacity": ".txt",
    "raven": ".selections.txt",
    "textgrid": ".TextGrid",
    "kaleidoscope": ".csv",
    "opensoundscape": ".csv",
    "avn": ".csv",
    "whisperseg": ".json",
    "batdetect2": ".json",
    "notmat": notmat.EXTENSION,
}
# What reads the first text that it recognises.
_READERS = (textgrid, koumura, elan, kaleidoscope, raven, csv_table, audacity, headerless)
_OF_JSON = (whisperseg, batdetect2)
_MAX_WARNINGS = 3


def read(
    path: str | os.PathLike[str],
    tier: str | None = None,
    *,
    label_column: str = "",
    sample_rate: float | None = None,
) -> list[Annotation]:
    """Annotations of one file, in its order; the format is recognised by content,
    of an empty file and of those of TIMIT and evsonganaly by extension.

    What has no duration, such as a point label, marks a moment and no vocalization: it is left out.
    Columns that no attribute of `Annotation` stands for are left out too. A row that cannot be
    used, such as one with an offset before its onset, is left out with a warning.

    Args:
        path: the file.
        tier: name of the only tier to read from a file of Praat's or ELAN's; default: all of them.
        label_column: name of the column of labels, where a table's own words do not tell.
        sample_rate: Hz of the recording, for formats that count its samples.

    Returns: list of `Annotation`.

    Raises:
        ValueError: one line with the file and, where it has one, the line in it: it cannot be read,
            is of no format above, or has no row that can be used.
    """
    found = contents(path, Options(tier, label_column))
    sentences = [*found.bad_rows, *found.notes]
    for sentence in sentences[:_MAX_WARNINGS]:
        warnings.warn(sentence, stacklevel=2)
    if len(sentences) > _MAX_WARNINGS:
        warnings.warn(f"{path}: {len(sentences) - _MAX_WARNINGS} more of these", stacklevel=2)
    if not found.in_samples:
        return found.annotations
    if not sample_rate:
        raise ValueError(
            f"{path}: counts samples: `sample_rate` must be that of the recording. "
            f"Received: sample_rate={sample_rate}"
        )
    return in_seconds(found, sample_rate)


def contents(path: str | os.PathLike[str], options: Options) -> Contents:
    """What one file holds, `Contents`, without what has no duration.

    Raises: `NoAnnotations` for a file of another kind; ValueError as `read`.
    """
    path = os.fspath(path)
    found, note = _parsed(path, options)
    if note:
        found.notes.append(note)
    if found.bad_rows and not found.annotations:
        raise ValueError(found.bad_rows[0])
    found.files += [annotation.file for annotation in found.annotations]
    whole = [a for a in found.annotations if a.offset_s > a.onset_s]
    num_points = len(found.annotations) - len(whole)
    if num_points:
        found.notes.append(f"{num_points} without a duration in {path} are left out.")
    return dataclasses.replace(found, annotations=whole)


def in_seconds(found: Contents, sample_rate: float) -> list[Annotation]:
    """The annotations of `Contents` in samples, in seconds."""
    return [
        dataclasses.replace(a, onset_s=a.onset_s / sample_rate, offset_s=a.offset_s / sample_rate)
        for a in found.annotations
    ]


def write(
    path: str | os.PathLike[str],
    annotations: Iterable[Annotation],
    format: str,
    durations_s: Mapping[str, float] | None = None,
    sample_rates: Mapping[str, float] | None = None,
) -> None:
    """Writes annotations; an existing file is replaced in one step.

    Args:
        path: the file; `EXTENSIONS[format]` is what its name should end in.
        annotations: iterable of `Annotation`, in the order to write; their files are relative to
            the folder of `path`, or absolute.
        format: one of `EXTENSIONS`.
        durations_s: dict of file -> seconds. A TextGrid reaches to the end of its recording, by
            default to the last offset. A Raven table over several recordings counts time through
            all of them, and must be told how long each is, in Raven's order.
        sample_rates: dict of file -> Hz, which notmat must be told.

    Raises:
        ValueError: annotations of several recordings in a format for one, or what the format needs
            is not there.
    """
    if format not in EXTENSIONS:
        raise ValueError(
            f"`format` must be one of {', '.join(EXTENSIONS)}. Received: format={format}"
        )
    if format == "notmat":
        notmat.write(path, list(annotations), durations_s or {}, sample_rates or {})
    else:
        _WRITERS[format].write(path, list(annotations), durations_s or {})


def _parsed(path: str, options: Options) -> tuple[Contents, str]:
    """What the reader of a file's format finds in it, and a note on its text or ""."""
    if path.lower().endswith(notmat.EXTENSION):
        return notmat.parse(content_of(path), path, options), ""
    text, note = decode(path)
    if path.lower().endswith(timit.EXTENSIONS):
        return timit.parse(text, path, options), note
    if not text.strip() and path.lower().endswith(".txt"):
        return Contents(), note
    for reader in _READERS:
        if reader.recognises(text):
            return reader.parse(text, path, options), note
    if json_text.recognises(text):
        value = json_text.value_of(text, path)
        for reader in _OF_JSON:
            if reader.recognises(value):
                return reader.parse(value, path, options), note
    raise NoAnnotations(
        f"{path}, line 1: must be the begin of an annotation file: a CSV header with onset_s and "
        "offset_s, or another program's words for them; an Audacity label; Raven's header; "
        "Praat's ooTextFile; or one of the formats that `neurovocal convert --help` lists."
    )
