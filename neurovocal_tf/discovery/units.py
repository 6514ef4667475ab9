"""Units like phones: speech cut where its spectrum changes most, and the pieces typed as calls are.

A piece lies between two peaks of how fast the cepstra change over 80 ms (Dusan & Rabiner, 2006).
Between the sounds of speech no density falls: of 2,667 pieces of spoken digits all would be one
type. They are cut into cells instead, as many as a language has phones.
"""

import dataclasses
from collections.abc import Mapping, Sequence

import numpy as np
import scipy.signal

from neurovocal_tf.audio import readers
from neurovocal_tf.config import AudioConfig
from neurovocal_tf.discovery import call_types, features
from neurovocal_tf.discovery.fitted_file import Fitted

_STEP_S = 0.005
# Either way from a cut. What is over sooner is not seen, nor is what is slower.
_HALF_STEPS = 8
# A longer window holds both sides of a cut for so long that there seem to be two cuts, its length
# apart; in a shorter one each period of a low voice is a change.
_CUT_WINDOW_MS = 12.0
# A peak stands out by this share of an utterance's median change. The shortest phones, a tap or the
# burst of a stop, are some 30 ms.
_PROMINENCE, _SHORTEST_S = 0.2, 0.03
# Pieces are short: more columns would repeat each other.
_NUM_COLUMNS = 5
_MOST_CELLS, _PIECES_PER_CELL = 40, 10


@dataclasses.dataclass(frozen=True)
class Units:
    """P pieces of utterances.

    Attributes:
        spans_s: `[P, 2]`, onsets and offsets in seconds.
        recordings: int `[P]`, number of each one's recording, in order.
        types: int `[P]`, of K.    confidences: `[P]`, see `call_types.Assigned`.
        names: of the types, K.
    """

    spans_s: np.ndarray
    recordings: np.ndarray
    types: np.ndarray
    confidences: np.ndarray
    names: tuple[str, ...]


def recipe_of(recipe: features.Recipe) -> features.Recipe:
    """How pieces are measured to be compared, where utterances are measured by `recipe`."""
    return dataclasses.replace(recipe, num_columns=_NUM_COLUMNS)


def cutting_recipe(recipe: features.Recipe) -> features.Recipe:
    """How speech is measured to be cut, where utterances are measured by `recipe`."""
    return dataclasses.replace(recipe, window_ms=_CUT_WINDOW_MS)


def find(
    paths: Mapping[str, str],
    names: Sequence[str],
    spans_s: np.ndarray,
    recordings: np.ndarray,
    groups: np.ndarray,
    fitted: Fitted,
    audio: AudioConfig,
    seed: int = 0,
) -> Units:
    """Cuts utterances into pieces, and finds the types among these.

    Args:
        paths: dict of recording's name -> path.    names: of the recordings, R.
        spans_s: `[U, 2]`, of the utterances.    recordings: int `[U]`, of R.
        groups: int `[R]`, whose mean and standard deviation each recording is measured against.
        fitted: `Fitted`; its recipe and background count.
        audio: `AudioConfig`, whose `sample_rate` is not 0.    seed: int.
    """
    recipe, cutting = recipe_of(fitted.recipe), cutting_recipe(fitted.recipe)
    heard = [paths[names[number]] for number in np.unique(recordings)]
    behind = features.background_db(heard, cutting, audio) if heard else np.zeros(0)
    parts, numbers, measured = [np.empty((0, 2))], [], []
    for number in np.unique(recordings):
        path, own = paths[names[number]], spans_s[recordings == number]
        try:
            cut = np.concatenate(pieces(path, own, behind, cutting, audio))
            cut = cut[np.argsort(cut[:, 0], kind="stable")]
            measured.append(features.measure(path, cut, fitted.background, recipe, audio))
        except readers.UnreadableRecording:
            continue
        parts.append(cut)
        numbers += [number] * len(cut)
    found, of_recording = np.concatenate(parts), np.array(numbers, int)
    if not len(found):
        empty = np.zeros(0, int)
        return Units(found, empty, empty, np.zeros(0), ())
    own = features.standardised(np.concatenate(measured), recipe, groups[of_recording])
    points = features.as_points(own, recipe)
    chosen = call_types.sample(len(points), seed)
    num_cells = min(_MOST_CELLS, max(len(chosen) // _PIECES_PER_CELL, 1))
    types = call_types.fit(points[chosen], seed, num_cells)
    place = np.full(len(points), -1)
    place[chosen] = np.arange(len(chosen))
    assigned = types.assign(types.project(points), place)
    return Units(found, of_recording, assigned.types, assigned.confidences, types.names)


def pieces(
    path: str,
    spans_s: np.ndarray,
    background: np.ndarray,
    recipe: features.Recipe,
    audio: AudioConfig,
) -> list[np.ndarray]:
    """The pieces of each of a recording's utterances, `[P, 2]` seconds each, without gaps.

    Args:
        path: the file.    spans_s: `[S, 2]`, of utterances, in order of the onsets.
        background: see `features.background_db`.    recipe: see `cutting_recipe`.
        audio: `AudioConfig`, whose `sample_rate` is not 0.

    Raises: `readers.UnreadableRecording`.
    """
    rate = audio.sample_rate
    margin_s = recipe.n_fft(rate) / rate
    found = []
    cut = features.samples_of(path, spans_s, audio, margin_s)
    for (onset, offset), (samples, first) in zip(spans_s, cut, strict=True):
        times_s = np.arange(onset, offset, _STEP_S)
        measured = features.frames(samples, times_s * rate - first, background, recipe, rate)
        change = spectral_change(measured[:, : recipe.num_cepstra])
        edges = [onset, *times_s[_peaks(change, times_s, onset, offset)], offset]
        found.append(np.column_stack([edges[:-1], edges[1:]]))
    return found


def spectral_change(cepstra: np.ndarray) -> np.ndarray:
    """How fast cepstra change: the norm of their slopes by least squares over 17 frames.

    [L, F] -> [L]
    """
    padded = np.pad(cepstra, ((_HALF_STEPS, _HALF_STEPS), (0, 0)), mode="edge")
    steps = np.arange(-_HALF_STEPS, _HALF_STEPS + 1)
    slopes = sum(
        step * padded[_HALF_STEPS + step : len(padded) - _HALF_STEPS + step] for step in steps
    ) / np.sum(steps**2)
    return np.linalg.norm(slopes, axis=1)


def _peaks(change: np.ndarray, times_s: np.ndarray, onset: float, offset: float) -> np.ndarray:
    """Which frames are cuts."""
    median = float(np.median(change))
    if not median > 0:
        return np.zeros(0, int)
    found, _ = scipy.signal.find_peaks(
        change, prominence=_PROMINENCE * median, distance=round(_SHORTEST_S / _STEP_S)
    )
    is_inside = (times_s[found] >= onset + _SHORTEST_S) & (times_s[found] <= offset - _SHORTEST_S)
    return found[is_inside]
