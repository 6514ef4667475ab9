"""How like a bird's own songs some songs are, each figure beside what the bird's own songs get and
what a simple chain of frames gets.

Random halves of the recordings, whole recordings of which are drawn, stand beside each other eight
times; songs, held-out recordings and the chain's songs stand beside the same second halves, with as
many syllables. So all are samples of one size, and what the bird itself gets is what to reach.
"""

import dataclasses
import math
from collections.abc import Mapping

import numpy as np
from threadpoolctl import threadpool_limits

from neurovocal_tf.evaluation import song_drift, song_windows
from neurovocal_tf.evaluation.frame_chain import FrameChain
from neurovocal_tf.evaluation.heard import Heard, Listener, Songs
from neurovocal_tf.evaluation.song_measures import FEWEST_SYLLABLES, MEASURES, badness

NUM_DRAWS = 8
# Fewer syllables make figures that move by a good part of themselves from one seed to another.
ENOUGH_SYLLABLES, ENOUGH_PIECES = 600, 30
_MIN_SHARE = 0.03
_OF_WINDOWS = ("nearest_window_ratio", "share_copied")
#: Rate and medians -> the name of the songs' over the recordings'.
RATIOS = {
    "syllables_per_s": "ratio_syllables_per_s",
    "median_duration_s": "ratio_median_duration",
    "median_gap_s": "ratio_median_gap",
    "median_peak_frequency_hz": "ratio_median_peak_frequency",
}
#: Names of all measures, in the order in which people are told them.
NAMES = (*MEASURES, *_OF_WINDOWS)

#: What a measure says.
LIKE_HALVES, BETTER_THAN_VQ3, NEITHER = "like the halves", "better than VQ-3", "neither"


@dataclasses.dataclass(frozen=True, eq=False)
class Likeness:
    """What was found.

    Attributes:
        figures: flat dict: `real_X`, `generated_X` and `ratio_X` of numbers of syllables, rates and
            medians; `held_out_num_syllables` and `vq3_num_syllables`; `num_syllables_compared`, of
            each column in a draw. Of each measure X of `NAMES`: `song_X`; `song_X_null` and
            `song_X_null_worst`, of the bird's halves; `song_X_held_out` and `..._worst`;
            `song_X_vq3`, of the chain of frames. NaN is not defined.
        listener: `Listener`, by whose measure.    recordings, songs: `Heard`.
    """

    figures: dict[str, float]
    listener: Listener
    recordings: Heard
    songs: Heard


def song_likeness(
    listener: Listener, songs: Songs, held_out: Songs | None = None, seed: int = 0
) -> Likeness:
    """Songs beside the recordings that a model has learned.

    Args:
        listener: `Listener` of these recordings.    songs: what was sung.
        held_out: other recordings, or None.    seed: int, of all that is drawn.
    """
    # Products of hundreds of syllables are too small to share out among threads.
    with threadpool_limits(1):
        return _song_likeness(listener, songs, held_out, seed)


def _song_likeness(listener, songs, held_out, seed):
    real, sung = listener.recordings, listener.hear(songs)
    others = {"": sung}
    if held_out is not None and len(held_out):
        others["held_out"] = listener.hear(held_out)
    length = max((len(piece) for piece in songs.pieces), default=0)
    if length:
        chain = FrameChain(real.songs.pieces, seed)
        others["vq3"] = listener.hear(Songs.apart(chain.sing(len(songs), length, seed)))
    windows = {of: _windows(heard, real) for of, heard in (*others.items(), ("null", real))}
    rng = np.random.default_rng(seed)
    draws = _draws(real, len(sung), rng)
    found = _compared(real, others, draws, rng) | _windows_compared(windows, draws)
    figures = {
        "real_num_syllables": len(real),
        "generated_num_syllables": len(sung),
        "real_num_recordings": _num_voiced(real),
        "generated_num_songs": len(songs),
        "real_num_types": listener.num_types,
        "generated_num_types": _num_types_sung(real, sung),
        **{f"{of}_num_syllables": len(heard) for of, heard in others.items() if of},
        "num_syllables_compared": float(np.median([draw.size for draw in draws])),
        **_medians(real, sung),
    }
    for name in NAMES:
        figures |= _summarised(name, found[name])
    figures["song_bigram_nats_above_null"] = (
        figures["song_bigram_nats"] - figures["song_bigram_nats_null"]
    )
    figures["song_share_repeated"] = _share_repeated(real, windows["null"], sung)
    figures["song_longest_silence_s"] = sung.longest_silence_s()
    figures["song_longest_silence_s_real"] = real.longest_silence_s()
    figures |= song_drift.drift(real, sung)
    return Likeness(figures, listener, real, sung)


def verdict(name: str, figures: Mapping[str, float | None]) -> str:
    """What a measure says: "like the halves" of the bird's recordings, no worse than the worst of
    these; "better than VQ-3", the chain of frames; "neither"; "" where it is not defined.
    """
    values = [figures.get(f"song_{name}{of}") for of in ("", "_null_worst", "_vq3")]
    songs, worst, chain = (
        None if value is None or math.isnan(value) else badness(name, value) for value in values
    )
    if songs is None:
        return ""
    if worst is not None and songs <= worst:
        return LIKE_HALVES
    return BETTER_THAN_VQ3 if chain is not None and songs < chain else NEITHER


def halves(heard: Heard, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Two random halves of some songs, bool `[P]` each: whole recordings, with about as many
    syllables in one as in the other.
    """
    recordings = np.asarray(heard.songs.recordings)
    counts = np.bincount(recordings, heard.per_piece())
    sizes, first = [0.0, 0.0], []
    for recording in rng.permutation(np.unique(recordings)):
        half = int(sizes[1] < sizes[0])
        sizes[half] += counts[recording]
        if not half:
            first.append(recording)
    is_first = np.isin(recordings, first)
    return is_first, ~is_first


@dataclasses.dataclass(frozen=True, eq=False)
class _Draw:
    """Halves of the recordings, bool `[P]` each: `second` is what all else stands beside, with
    `size` syllables of each. Where one recording alone has syllables there is no `first`, and
    `second` is all of them.
    """

    first: np.ndarray | None
    second: np.ndarray
    size: int


def _num_voiced(heard: Heard) -> int:
    """How many recordings have a syllable: the others make no half of their own."""
    return len(np.unique(np.asarray(heard.songs.recordings)[heard.syllables.pieces]))


def _draws(real: Heard, num_sung: int, rng: np.random.Generator) -> list[_Draw]:
    most = num_sung if num_sung >= FEWEST_SYLLABLES else len(real)
    if _num_voiced(real) < 2:
        return [_Draw(None, np.ones(len(real.songs), bool), min(most, len(real)))]
    drawn = [halves(real, rng) for _ in range(NUM_DRAWS)]
    counts = real.per_piece()
    return [
        _Draw(first, second, min(most, int(counts[first].sum()), int(counts[second].sum())))
        for first, second in drawn
    ]


def _compared(
    real: Heard, others: Mapping[str, Heard], draws: list[_Draw], rng: np.random.Generator
) -> dict[str, dict[str, list[float]]]:
    """Dict of measure -> of whom ("", "null", "held_out", "vq3") -> a figure of each draw."""
    found: dict[str, dict[str, list[float]]] = {
        name: {of: [] for of in (*others, "null")} for name in MEASURES
    }
    for draw in draws:
        reference = real.some(draw.second, draw.size, rng)
        beside = {
            of: heard.some(np.ones(len(heard.songs), bool), draw.size, rng)
            for of, heard in others.items()
        }
        if draw.first is not None:
            beside["null"] = real.some(draw.first, draw.size, rng)
        for of, sung in beside.items():
            is_enough = min(len(sung), len(reference)) >= FEWEST_SYLLABLES
            for name, measure in MEASURES.items():
                found[name][of].append(measure(reference, sung) if is_enough else math.nan)
    return found


def _windows_compared(
    windows: Mapping[str, song_windows.Windows], draws: list[_Draw]
) -> dict[str, dict[str, list[float]]]:
    """The same of half seconds; nothing of one recording."""
    found: dict[str, dict[str, list[float]]] = {
        name: {of: [] for of in windows} for name in _OF_WINDOWS
    }
    own = windows["null"]
    pairs = [(draw.first, draw.second) for draw in draws if draw.first is not None]
    nulls = [own.nearest(second)[first[own.pieces]] for first, second in pairs]
    usual = np.concatenate([np.zeros(0), *nulls])
    for (_, second), null in zip(pairs, nulls, strict=True):
        for of, some in windows.items():
            is_null = of == "null"
            nearest = null if is_null else some.nearest(second)
            found["nearest_window_ratio"][of].append(song_windows.nearness_ratio(nearest, usual))
            # What is copied is copied from anywhere.
            nearest = null if is_null else some.nearest(np.ones_like(second))
            found["share_copied"][of].append(song_windows.share_copied(nearest, usual))
    return found


def _windows(heard: Heard, beside: Heard) -> song_windows.Windows:
    places = np.column_stack([heard.syllables.pieces, heard.syllables.onsets])
    return song_windows.windows_beside(
        list(heard.songs.pieces),
        places,
        list(beside.songs.pieces),
        song_windows.window_frames(heard.syllables.frame_s),
    )


def _num_types_sung(real: Heard, sung: Heard) -> int:
    """How many of the recordings' types are sung, and not now and then by mistake: one that is rare
    there has to be sung half as often.
    """
    ours, theirs = (
        np.bincount(heard.types, minlength=heard.num_types) / max(len(heard), 1)
        for heard in (real, sung)
    )
    return int(np.sum((theirs > 0) & (theirs >= np.minimum(_MIN_SHARE, ours / 2))))


def _medians(real: Heard, sung: Heard) -> dict[str, float]:
    """Of both and the songs' over the recordings': rate, and medians of what syllables are."""
    table = {}
    ours, theirs = _of_syllables(real), _of_syllables(sung)
    for name, key in RATIOS.items():
        table[f"real_{name}"], table[f"generated_{name}"] = ours[name], theirs[name]
        table[key] = theirs[name] / ours[name] if ours[name] else math.nan
    return table


def _of_syllables(heard: Heard) -> dict[str, float]:
    everything = heard.all()
    named = {
        "median_duration_s": everything.durations_s,
        "median_gap_s": everything.gaps_s,
        "median_peak_frequency_hz": everything.peak_frequencies_hz,
    }
    medians = {
        name: float(np.median(values)) if len(values) else math.nan
        for name, values in named.items()
    }
    return {"syllables_per_s": everything.syllables_per_s, **medians}


def _share_repeated(real: Heard, ours: song_windows.Windows, sung: Heard) -> float:
    """Share of the half seconds sung of which another of the songs has a copy."""
    theirs = _windows(sung, sung)
    recordings = np.asarray(real.songs.recordings)
    usual = ours.nearest(recordings[ours.pieces][:, None] != recordings)
    among = np.arange(len(sung.songs)) != theirs.pieces[:, None]
    return song_windows.share_copied(theirs.nearest(among), usual)


def _summarised(name: str, found: Mapping[str, list[float]]) -> dict[str, float]:
    figures = {}
    for of, values in found.items():
        key = f"song_{name}" + (f"_{of}" if of else "")
        defined = [value for value in values if not math.isnan(value)]
        figures[key] = float(np.median(defined)) if defined else math.nan
        if of in ("null", "held_out"):
            figures[f"{key}_worst"] = max(
                defined, key=lambda value: badness(name, value), default=math.nan
            )
    return figures
