"""Pictures of a model's songs beside the recordings."""

import numpy as np
from matplotlib.figure import Figure

from neurovocal_tf.evaluation import song_measures
from neurovocal_tf.evaluation.heard import Heard
from neurovocal_tf.evaluation.song_likeness import Likeness
from neurovocal_tf.plots import songs as song_plots
from neurovocal_tf.plots import syllables as syllable_plots
from neurovocal_tf.plots.syllables import Sheet

_PICTURED_S = 3.0
_NUM_REAL, _NUM_GENERATED = 2, 4
_MOST_EXAMPLES = 16
# Around a syllable of a sheet, so that its bounds can be seen.
_MARGIN_FRAMES = 2


def pictures(found: Likeness, real: list[np.ndarray], sample_rate: float) -> dict[str, Figure]:
    """Name -> picture: `songs`, whole ones; `syllables`, by call type; `transitions` between these;
    `statistics`, distributions over each other.

    Args:
        found: `Likeness`.    real: recordings to show, `[L, V]`, dB, one at least.
        sample_rate: Hz.
    """
    frame_s, max_hz = found.recordings.syllables.frame_s, sample_rate / 2
    heard = found.recordings, found.songs
    names = found.listener.type_names
    sheets = [_sheets(some, names) for some in heard]
    counts = [song_measures.transitions(some.all()) for some in heard]
    return {
        "songs": _middles(real, list(found.songs.songs.pieces), frame_s, max_hz),
        "syllables": syllable_plots.sheets_figure(*sheets, frame_s, max_hz),
        "transitions": syllable_plots.transitions_figure([*names, "break"], *counts),
        "statistics": song_plots.statistics_figure(*(some.all() for some in heard)),
    }


def _sheets(heard: Heard, names: tuple[str, ...]) -> list[Sheet]:
    sheets = []
    for number, name in enumerate(names):
        own = np.flatnonzero(heard.types == number)
        some = own[np.linspace(0, len(own) - 1, min(len(own), _MOST_EXAMPLES)).round().astype(int)]
        share = len(own) / max(len(heard), 1)
        sheets.append(Sheet(name, share, [_example(heard, index) for index in some]))
    return sheets


def _example(heard: Heard, index: int) -> np.ndarray:
    found = heard.syllables
    piece = heard.songs.pieces[found.pieces[index]]
    first = max(int(found.onsets[index]) - _MARGIN_FRAMES, 0)
    return np.asarray(piece[first : int(found.offsets[index]) + _MARGIN_FRAMES])


def _middles(
    real: list[np.ndarray], generated: list[np.ndarray], frame_s: float, max_hz: float
) -> Figure:
    # No more than twice the longest real one: words of half a second would be lost in three.
    num_frames = min(round(_PICTURED_S / frame_s), 2 * max(map(len, real)))

    def middles(spectrograms: list[np.ndarray]) -> list[np.ndarray]:
        starts = [max(len(decibels) - num_frames, 0) // 2 for decibels in spectrograms]
        return [
            decibels[start : start + num_frames]
            for decibels, start in zip(spectrograms, starts, strict=True)
        ]

    return song_plots.comparison_figure(
        middles(real[:_NUM_REAL]), middles(generated[:_NUM_GENERATED]), frame_s, max_hz
    )
