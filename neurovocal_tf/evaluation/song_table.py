"""What the measures of songs say, as a table for a terminal of eighty columns, and what makes them
less sure, in words.
"""

import textwrap
from collections.abc import Iterator, Mapping

from neurovocal_tf.evaluation import song_drift
from neurovocal_tf.evaluation.song_likeness import ENOUGH_PIECES, ENOUGH_SYLLABLES, verdict
from neurovocal_tf.evaluation.song_measures import FEWEST_SYLLABLES

Figures = Mapping[str, float | None]

#: Columns of a terminal.
WIDTH = 80
#: Name of a measure -> what people call it, and how it is counted.
NAMES = {
    "transition_divergence_bits": "transitions",
    "bigram_nats": "bigrams",
    "effective_types_ratio": "effective types",
    "rate_ratio": "syllables a second",
    "ks_duration": "durations",
    "ks_gap": "gaps",
    "ks_centroid": "spectral centroids",
    "ks_peak_frequency": "peak frequencies",
    "ks_slope": "slopes",
    "frechet": "Frechet over variance",
    "coverage": "coverage",
    "recall": "recall",
    "share_unlike": "unlike any real one",
    "change_quiet_ratio": "quiet frames' change",
    "change_loud_ratio": "loud frames' change",
    "linear_accuracy": "linear test (noisy)",
    "forest_accuracy": "forest test (noisy)",
    "nearest_window_ratio": "nearest half second",
    "share_copied": "copied half seconds",
}
_UNITS = {"transition_divergence_bits": "bits", "bigram_nats": "nats"}
_COLUMNS = {"songs": "", "halves": "_null", "worst": "_null_worst", "held out": "_held_out"}
_COLUMNS |= {"VQ-3": "_vq3"}
_THIRDS = {
    "rate_ratio": "syllables a second, ratio",
    "effective_types_ratio": "effective types, ratio",
    "frechet": "Frechet over variance",
    "share_unlike": "unlike any real one, share",
    "quiet_spread_db": "spread of quiet frames, dB",
}
_COLUMNS_OF_THIRDS = {
    f"{who}{third.partition('_')[0]}": f"_{third}_{{name}}{of}"
    for who, of in (("", ""), ("real ", "_real"))
    for third in song_drift.THIRDS
}
_NAME_WIDTH, _NUMBER_WIDTH = 27, 5

# More of the half seconds than this being copies, songs are all alike.
_MANY_COPIES = 0.5


def as_table(figures: Figures) -> str:
    """A row for each measure: the songs', the median and the worst of what the bird's own halves
    get, what the held-out recordings and what VQ-3, an order-3 chain of 400 frame codes, get, and a
    verdict; "" where songs were not measured. Below, the first and the last third of long songs.
    """
    if "song_frechet" not in figures:
        return ""
    rows = [_row("songs beside the recordings", {name: name for name in _COLUMNS})]
    for name, words in NAMES.items():
        numbers = {
            column: number(figures.get(f"song_{name}{of}")) for column, of in _COLUMNS.items()
        }
        rows.append(f"{_row(_with_unit(name, words), numbers)}  {verdict(name, figures)}".rstrip())
    rows += ["", _row("thirds of long songs", {name: name for name in _COLUMNS_OF_THIRDS})]
    for name, words in _THIRDS.items():
        numbers = {
            column: number(figures.get("song" + key.format(name=name)))
            for column, key in _COLUMNS_OF_THIRDS.items()
        }
        rows.append(_row(words, numbers))
    compared = figures.get("num_syllables_compared")
    told = [
        "halves: random halves of the training recordings beside each other, median and worst of "
        "eight; like the halves: no worse than that.",
        "VQ-3: songs of an order-3 chain of 400 frame codes.",
        *([f"Each column is of {compared:g} syllables beside as many."] if compared else []),
        "-: not defined.",
    ]
    lines = [" ".join(told), *warnings(figures)]
    return "\n".join([*rows, "", *(textwrap.fill(line, WIDTH) for line in lines)])


def warnings(figures: Figures) -> Iterator[str]:
    """Why figures of songs are not defined, or less sure than they look: a line each."""
    if "song_frechet" not in figures:
        return
    found, real = figures["generated_num_syllables"] or 0, figures["real_num_syllables"] or 0
    pieces, recordings = figures["generated_num_songs"] or 0, figures["real_num_recordings"] or 0
    if real < 2 * FEWEST_SYLLABLES:
        yield f"not defined: the training recordings have {real:g} syllables, too few to compare."
    if found < FEWEST_SYLLABLES:
        yield (
            f"not defined: the songs have {found:g} syllables: the model is silent, or sings "
            "without pauses."
        )
    elif found < ENOUGH_SYLLABLES or pieces < ENOUGH_PIECES:
        yield (
            f"unsure: {found:g} syllables in {pieces:g} songs; {ENOUGH_SYLLABLES} in "
            f"{ENOUGH_PIECES} tell more: raise --seconds and --num_songs."
        )
    if recordings < 2:
        yield (
            "not defined: halves and copies, since there is one training recording with syllables; "
            "two or more tell how far the bird is from itself."
        )
    yield from _fewer(figures, "held_out", "the held-out recordings")
    yield from _fewer(figures, "vq3", "the songs of VQ-3")
    repeated = figures.get("song_share_repeated")
    if repeated is not None and repeated > _MANY_COPIES:
        yield f"the songs are all alike: {100 * repeated:.0f} % of their half seconds are copies."


def number(value: float | None) -> str:
    """A figure in five letters; "-" for what is not defined."""
    if value is None or value != value:
        return "-"
    digits = 3 - sum(abs(value) >= edge for edge in (10, 100))
    return f"{value:.{digits}f}" if abs(value) < 1000 else f"{value:.0e}"


def _fewer(figures: Figures, of: str, who: str) -> Iterator[str]:
    """Why a column is not defined, or of fewer syllables than the others."""
    found, compared = figures.get(f"{of}_num_syllables"), figures.get("num_syllables_compared")
    if found is None or compared is None or found >= compared:
        return
    if found < FEWEST_SYLLABLES:
        yield f"not defined: {who} have {found:g} syllables, too few to compare."
    else:
        yield (
            f"unsure: {who} have {found:g} syllables, and the other columns {compared:g}: fewer "
            "are farther apart."
        )


def _row(name: str, numbers: Mapping[str, str]) -> str:
    """A row of a table: its name, and a number under each heading."""
    widths = {heading: max(len(heading), _NUMBER_WIDTH) + 1 for heading in numbers}
    return f"{name:{_NAME_WIDTH}}" + "".join(
        f"{text:>{widths[heading]}}" for heading, text in numbers.items()
    )


def _with_unit(name: str, words: str) -> str:
    if name.startswith("ks_"):
        return f"{words}, KS"
    if name.endswith("_ratio"):
        return f"{words}, ratio"
    return f"{words}, {_UNITS[name]}" if name in _UNITS else words
