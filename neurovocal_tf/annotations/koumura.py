"""Koumura's XML of the BirdsongRecognition data: notes in sequences in recordings, in samples
(Koumura, 2016, https://doi.org/10.6084/m9.figshare.3470165).
"""

import os
import re
from xml.etree import ElementTree

from neurovocal_tf.annotations.annotation import Annotation, BadRow, Contents, Options, shown

# Where the recordings lie beside Annotation.xml.
_FOLDER = "Wave"


def recognises(text: str) -> bool:
    """Whether its outermost element is <Sequences>."""
    return re.match(r"\s*(<\?xml[^>]*\?>)?\s*<Sequences\b", text) is not None


def parse(text: str, path: str | os.PathLike[str], options: Options) -> Contents:
    """Annotations in samples of the recording: a note's position counts from its sequence's."""
    try:
        root = ElementTree.fromstring(text)
    except ElementTree.ParseError as error:
        raise ValueError(
            f"{path}, line {error.position[0]}: is not XML that is whole: {error}."
        ) from None
    contents = Contents(in_samples=True)
    for number, sequence in enumerate(root.iter("Sequence"), start=1):
        place = f"{path}, sequence {number}"
        with contents.row():
            name = (sequence.findtext("WaveFileName") or "").strip()
            if not name:
                raise BadRow(f"{place}: must have a WaveFileName, and has none")
            begin, file = _samples(sequence, "Position", place), f"{_FOLDER}/{name}"
            contents.files.append(file)
            for index, note in enumerate(sequence.iter("Note"), start=1):
                with contents.row():
                    where = f"{place}, note {index}"
                    onset = begin + _samples(note, "Position", where)
                    offset = onset + _samples(note, "Length", where)
                    label = (note.findtext("Label") or "").strip()
                    contents.annotations.append(Annotation(file, onset, offset, label))
    return contents


def _samples(element: ElementTree.Element, name: str, place: str) -> float:
    text = (element.findtext(name) or "").strip()
    if not re.fullmatch(r"\d{1,15}", text, re.ASCII):
        raise BadRow(
            f"{place}: `{name}` must be a number of samples. Received: {name}={shown(text)}"
        )
    return float(text)
