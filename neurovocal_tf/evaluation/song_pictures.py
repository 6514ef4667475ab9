"""Pictures of a model's songs beside the recordings."""

from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure

from neurovocal_tf.evaluation import song_measures
from neurovocal_tf.evaluation.heard import Heard
from neurovocal_tf.evaluation.song_likeness import Likeness
from neurovocal_tf.generation.singer import TrainedModel
from neurovocal_tf.plots import songs as song_plots
from neurovocal_tf.plots import syllables as syllable_plots
from neurovocal_tf.plots.syllables import Sheet

_PICTURED_S = 3.0
_NUM_REAL, _NUM_GENERATED = 2, 4
_MOST_EXAMPLES = 16
# Around a syllable of a sheet, so that its bounds can be seen.
_MARGIN_FRAMES = 2


def pictures(found: Likeness, sample_rate: float) -> dict[str, Figure]:
    """Name -> picture: `syllables`, by call type; `transitions` between these; `statistics`,
    distributions laid over each other.

    Args:
        found: `Likeness`.    sample_rate: Hz.
    """
    frame_s, max_hz = found.recordings.syllables.frame_s, sample_rate / 2
    heard = found.recordings, found.songs
    names = found.listener.type_names
    sheets = [_sheets(some, names) for some in heard]
    counts = [song_measures.transitions(some.all()) for some in heard]
    return {
        "syllables": syllable_plots.sheets_figure(*sheets, frame_s, max_hz),
        "transitions": syllable_plots.transitions_figure([*names, "break"], *counts),
        "statistics": song_plots.statistics_figure(*(some.all() for some in heard)),
    }


def whole_songs(
    real: Sequence[np.ndarray], generated: Sequence[np.ndarray], trained: TrainedModel
) -> Figure:
    """The middles of some real songs above those of generated ones.

    Args:
        real, generated: `[L, V]`, dB, one real one at least.    trained: what sang.
    """
    frame_s = trained.config.spectrogram.hop_length / trained.sample_rate
    # No more than twice the longest real one: words of half a second would be lost in three.
    num_frames = min(round(_PICTURED_S / frame_s), 2 * max(map(len, real)))

    def middles(spectrograms: Sequence[np.ndarray]) -> list[np.ndarray]:
        starts = [max(len(decibels) - num_frames, 0) // 2 for decibels in spectrograms]
        return [
            decibels[start : start + num_frames]
            for decibels, start in zip(spectrograms, starts, strict=True)
        ]

    return song_plots.comparison_figure(
        middles(real[:_NUM_REAL]),
        middles(generated[:_NUM_GENERATED]),
        frame_s,
        trained.sample_rate / 2,
    )


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
