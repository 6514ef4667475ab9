"""What a temperature does to songs: the higher it is, the more varied they should be, and none
should make them fall silent.
"""

import math
from collections.abc import Mapping, Sequence

import numpy as np

from neurovocal_tf.data.sources import Source
from neurovocal_tf.evaluation import song_measures, songs_of_run
from neurovocal_tf.evaluation.heard import Heard, Listener
from neurovocal_tf.evaluation.song_measures import FEWEST_SYLLABLES
from neurovocal_tf.evaluation.songs_of_run import SongOptions
from neurovocal_tf.runs.trained import Trained

# Long enough to fall silent for twenty seconds, and to be heard to.
_SONG_S, _NUM_SONGS = 40.0, 8
# Of as many syllables at every temperature: more of them cover more.
_MOST_SYLLABLES = 300
#: What is told of each temperature, and its words.
COLUMNS = {
    "rate_ratio": "syllables/s",
    "effective_types_ratio": "effective types",
    "bigram_nats": "bigrams, nats",
    "coverage": "coverage",
    "longest_silence_s": "longest silence, s",
}
_AT = "song_at_temperature_"


def at_temperatures(
    trained: Trained,
    listener: Listener,
    temperatures: Sequence[float],
    seed: int,
    sources: Sequence[Source] = (),
) -> dict[str, float]:
    """Sings eight songs of forty seconds at each temperature.

    Args:
        trained: `Trained`.    listener: `Listener` of its training recordings.
        temperatures: floats.    seed: int, of the first song, and of what is drawn.
        sources: under whose conditions it sings in turn, see `songs_of_run.sing`.

    Returns: flat dict of `song_at_temperature_T_X` for each X of rate, effective types, bigram
        nats and coverage, as `song_measures` defines them beside all training recordings, and of
        the longest silence in a song, s. NaN is not defined: fewer than ten syllables were sung.
    """
    figures = {}
    for temperature in temperatures:
        options = SongOptions(_SONG_S * _NUM_SONGS, _NUM_SONGS, seed, temperature)
        sung = songs_of_run.sing(trained, options, sources)
        found = _varied(listener.recordings, listener.hear(sung), seed)
        figures |= {f"{_AT}{temperature:g}_{name}": value for name, value in found.items()}
    return figures


def _varied(real: Heard, songs: Heard, seed: int) -> dict[str, float]:
    rng = np.random.default_rng(seed)
    whole = real.all()
    reference, some = (
        heard.some(np.ones(len(heard.songs), bool), _MOST_SYLLABLES, rng) for heard in (real, songs)
    )
    sung = songs.all()
    is_enough = len(sung) >= FEWEST_SYLLABLES
    measured = {
        name: song_measures.MEASURES[name](
            *((reference, some) if name == "coverage" else (whole, sung))
        )
        if is_enough
        else math.nan
        for name in COLUMNS
        if name in song_measures.MEASURES
    }
    return {**measured, "longest_silence_s": songs.longest_silence_s()}


def as_table(figures: Mapping[str, float | None]) -> str:
    """A row for each temperature; "" where there is none."""
    last = next(reversed(COLUMNS))
    told = [
        name.removeprefix(_AT).removesuffix(f"_{last}")
        for name in figures
        if name.startswith(_AT) and name.endswith(last)
    ]
    if not told:
        return ""
    widths = {name: max(len(words), len("not defined")) + 2 for name, words in COLUMNS.items()}
    rows = ["temperature" + "".join(f"{words:>{widths[n]}}" for n, words in COLUMNS.items())]
    for temperature in told:
        values = {name: figures.get(f"{_AT}{temperature}_{name}") for name in COLUMNS}
        rows.append(
            f"{temperature:>11}"
            + "".join(
                f"{'not defined' if value is None else f'{value:.3f}':>{widths[name]}}"
                for name, value in values.items()
            )
        )
    return "\n".join(rows)
