"""Calls of which somebody has said what they are, as frames and texts, by the setting `texts`."""

import dataclasses
import os
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from neurovocal_tf.config import Config
from neurovocal_tf.data import label_tracks
from neurovocal_tf.data.recordings import Recordings
from neurovocal_tf.labels import FIRST_LABEL, runs_of

# Calls of one text that are kept; frames of one call, and of what is before and after it.
_MOST_OF_A_TEXT, _MOST_FRAMES, _MARGIN_FRAMES = 500, 400, 6


class SaidCall(NamedTuple):
    """One call: `text`; `frames` float32 [L, V] in the model's unit, some of what is around it
    among them; `first` and `last`, its own first frame and the one after its last.
    """

    text: str
    frames: np.ndarray
    first: int
    last: int

    @property
    def own_frames(self) -> np.ndarray:
        """The frames without what is around them."""
        return self.frames[self.first : self.last]


def text_of(label: str, config: Config) -> str:
    """A label as it is spelled: blanks for what stands for them in labels."""
    return " ".join(config.texts.spelling_of.get(label, label).replace("_", " ").split())


def with_texts(
    parts: Sequence[Recordings], data_dir: str | os.PathLike[str], config: Config
) -> tuple[list[Recordings], list[str]]:
    """Parts of some recordings that know what is said in them and when, for `said_calls`; and
    sentences for the user.

    Raises:
        ValueError: nothing is said in any of them, by the setting `texts`.
    """
    every = [source for part in parts for source in part.sources]
    sources, notes = label_tracks.tracked(
        every,
        parts[0].sample_rate,
        data_dir,
        config.replace(labels=config.texts.texts),
        parts[0].spans,
        setting="texts",
    )
    told, first = [], 0
    for part in parts:
        own = sources[first : first + len(part)]
        first += len(part)
        told.append(dataclasses.replace(part, sources=own, labels=label_tracks.known_of(own)))
    return told, notes


def said_calls(recordings: Recordings, config: Config, seed: int) -> list[SaidCall]:
    """The calls of recordings that `with_texts` gives, at most `_MOST_OF_A_TEXT` of one text,
    drawn by the seed; of longer ones than `_MOST_FRAMES` frames the first so many.
    """
    if not recordings.labels:
        return []
    spelled = [text_of(label, config) for label in recordings.labels.known]
    found: dict[str, list[SaidCall]] = {}
    counts: dict[str, int] = {}
    rng = np.random.default_rng(seed)
    for frames, _, _, cues in recordings.numbered_sequences().as_numpy_iterator():
        for number, first, last in runs_of(cues):
            if number < FIRST_LABEL:
                continue
            text = spelled[number - FIRST_LABEL]
            some = found.setdefault(text, [])
            counts[text] = counts.get(text, 0) + 1
            # Each of all calls of a text is as likely to stay (reservoir sampling, Vitter 1985).
            place = len(some) if len(some) < _MOST_OF_A_TEXT else int(rng.integers(counts[text]))
            if place >= _MOST_OF_A_TEXT:
                continue
            last = min(last, first + _MOST_FRAMES)
            begin = max(first - _MARGIN_FRAMES, 0)
            cut = frames[begin : last + _MARGIN_FRAMES].copy()
            some[place : place + 1] = [SaidCall(text, cut, first - begin, last - begin)]
    return [call for text in sorted(found) for call in found[text]]
