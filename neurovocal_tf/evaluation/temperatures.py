"""What a temperature does to songs: the higher it is, the more varied they should be, and none
should make them fall silent.
"""

import math
from collections.abc import Mapping, Sequence

import numpy as np

from neurovocal_tf.data.sources import Source
from neurovocal_tf.evaluation import song_table, songs_of_run
from neurovocal_tf.evaluation.heard import Heard, Listener
from neurovocal_tf.evaluation.song_measures import FEWEST_SYLLABLES, MEASURES, coverage
from neurovocal_tf.evaluation.songs_of_run import SongOptions
from neurovocal_tf.runs.trained import Trained

# Long enough to fall silent for twenty seconds, and to be heard to.
_SONG_S, _NUM_SONGS = 40.0, 8
# More syllables cover more: no temperature is to gain by singing more of them.
_MOST_COVERING = 300
#: What is told of each temperature, and its heading.
COLUMNS = {
    "rate_ratio": "rate, ratio",
    "effective_types_ratio": "types, ratio",
    "bigram_nats": "bigrams, nats",
    "coverage": "coverage",
    "longest_silence_s": "silence, s",
}
_AT = "song_at_temperature_"
_OF_ALL = ("effective_types_ratio", "bigram_nats")


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

    Returns: flat dict of `song_at_temperature_T_X` for each X of rate, effective types and bigram
        nats, as `song_measures` defines them, of all that is sung beside all training recordings;
        of the coverage of 300 real syllables by 300 sung ones, or as many as there are; and of the
        longest silence in a song, s. Of fewer than ten syllables all but rate and silence are NaN.
    """
    figures = {}
    for temperature in temperatures:
        options = SongOptions(_SONG_S * _NUM_SONGS, _NUM_SONGS, seed, temperature)
        sung = listener.hear(songs_of_run.sing(trained, options, sources))
        found = _varied(listener.recordings, sung, np.random.default_rng(seed))
        found["longest_silence_s"] = sung.longest_silence_s()
        figures |= {f"{_AT}{temperature:g}_{name}": value for name, value in found.items()}
    return figures


def as_table(figures: Mapping[str, float | None]) -> str:
    """A row for each temperature; "" where there is none."""
    last = f"_{next(reversed(COLUMNS))}"
    told = [
        name.removeprefix(_AT).removesuffix(last)
        for name in figures
        if name.startswith(_AT) and name.endswith(last)
    ]
    if not told:
        return ""
    headings = [f"{heading:>{len(heading) + 2}}" for heading in COLUMNS.values()]
    rows = ["temperature" + "".join(headings)]
    for temperature in told:
        numbers = [
            f"{song_table.number(figures.get(f'{_AT}{temperature}_{name}')):>{len(heading)}}"
            for name, heading in zip(COLUMNS, headings, strict=True)
        ]
        rows.append(f"{temperature:>11}{''.join(numbers)}")
    return "\n".join([*rows, "", "silence: the longest in a song of 40 s. -: too few syllables."])


def _varied(real: Heard, songs: Heard, rng: np.random.Generator) -> dict[str, float]:
    """How much is sung, and how varied it is."""
    recorded, sung = real.all(), songs.all()
    found = {"rate_ratio": MEASURES["rate_ratio"](recorded, sung)}
    if len(sung) < FEWEST_SYLLABLES:
        return found | dict.fromkeys((*_OF_ALL, "coverage"), math.nan)
    covered, covering = (
        heard.some(np.ones(len(heard.songs), bool), _MOST_COVERING, rng) for heard in (real, songs)
    )
    found |= {name: MEASURES[name](recorded, sung) for name in _OF_ALL}
    return found | {"coverage": coverage(covered, covering)}
