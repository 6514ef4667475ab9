"""ELAN's `.eaf`, by pympi-ling: tiers of annotations in milliseconds.

pympi-ling comes with the extra `elan`.
"""

import os
import re
import urllib.parse
import warnings
from typing import Any

from neurovocal_tf.annotations.annotation import (
    Annotation,
    BadRow,
    Contents,
    Options,
    check_order,
    shown,
)


def recognises(text: str) -> bool:
    """Whether its outermost element is ELAN's."""
    return re.match(r"\s*(<\?xml[^>]*\?>)?\s*<ANNOTATION_DOCUMENT\b", text) is not None


def parse(text: str, path: str | os.PathLike[str], options: Options) -> Contents:
    """Annotations of all tiers with times of their own, or of the one that is named; `file` is the
    recording that the file links, where it links one.

    Raises ValueError where pympi-ling is not installed, or the file is broken.
    """
    document, contents = _document(path), Contents()
    for media in document.media_descriptors:
        if int(media.get("TIME_ORIGIN") or 0):
            raise ValueError(f"{path}: begins its recording at another time than 0.")
    names = [name for name, (aligned, *_) in document.tiers.items() if aligned]
    if options.tier is not None and options.tier not in names:
        raise ValueError(
            f"{path}: has no tier {options.tier} with times; it has "
            f"{', '.join(map(shown, names)) or 'none'}."
        )
    sounds = [m for m in document.media_descriptors if m.get("MIME_TYPE", "").startswith("audio")]
    file = _name_of(sounds[0]) if len(sounds) == 1 else ""
    if file:
        contents.files.append(file)
    for name in names if options.tier is None else [options.tier]:
        for number, (first, last, label, _) in document.tiers[name][0].items():
            place = f"{path}, tier {shown(name)}, annotation {number}"
            with contents.row():
                begin_ms, end_ms = (document.timeslots.get(slot) for slot in (first, last))
                if begin_ms is None or end_ms is None or begin_ms < 0:
                    raise BadRow(f"{place}: must have two times, not negative")
                onset_s, offset_s = begin_ms / 1000, end_ms / 1000
                check_order(onset_s, offset_s, ("TIME_SLOT_REF1", "TIME_SLOT_REF2"), place)
                contents.annotations.append(Annotation(file, onset_s, offset_s, label))
    return contents


def _document(path: str | os.PathLike[str]) -> Any:
    try:
        import pympi
    except ImportError:
        raise ValueError(
            f"{path}: is ELAN's, and needs a package that is not there: pip install pympi-ling"
        ) from None
    try:
        with warnings.catch_warnings():
            # That it knows no later version than 3.0.
            warnings.simplefilter("ignore")
            return pympi.Eaf(path)
    # pympi-ling has no errors of its own.
    except Exception as error:
        raise ValueError(
            f"{path}: is not a file of ELAN's that is whole: {shown(str(error))}."
        ) from None


def _name_of(media: dict[str, str]) -> str:
    url = media.get("MEDIA_URL") or media.get("RELATIVE_MEDIA_URL") or ""
    return urllib.parse.unquote(re.sub(r"^file:/*", "/", url)).replace("\\", "/")
