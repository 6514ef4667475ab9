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

from neurovocal_tf.config import Config
from neurovocal_tf.evaluation import song_drift, song_windows
from neurovocal_tf.evaluation.frame_chain import FrameChain
from neurovocal_tf.evaluation.heard import Heard, Listener, Songs
from neurovocal_tf.evaluation.song_measures import FEWEST_SYLLABLES, MEASURES, badness

NUM_DRAWS = 8
# Fewer syllables make figures that move by a good part of themselves from one seed to another.
ENOUGH_SYLLABLES, ENOUGH_PIECES = 600, 30
# A type that is sung now and then by mistake is not sung.
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
LIKE_HALVES, BETTER_THAN_VQ3, NEITHER = "like the bird's own halves", "better than VQ-3", "neither"


@dataclasses.dataclass(frozen=True, eq=False)
class Likeness:
    """What was found.

    Attributes:
        figures: flat dict: `real_X`, `generated_X` and `ratio_X` of numbers of syllables, rates and
            medians. Of each measure X of `NAMES`: `song_X`; `song_X_null` and
            `song_X_null_worst`, of the bird's halves; `song_X_held_out` and `..._worst`;
            `song_X_vq3`, of the chain of frames. NaN is not defined.
        listener: `Listener`, by whose measure.    recordings, songs: `Heard`.
    """

    figures: dict[str, float]
    listener: Listener
    recordings: Heard
    songs: Heard


def song_likeness(
    training: Songs,
    songs: Songs,
    held_out: Songs | None,
    sample_rate: float,
    config: Config,
    seed: int = 0,
) -> Likeness:
    """Songs beside the recordings that a model has learned.

    Args:
        training: `Songs` of these.    songs: what was sung.    held_out: other recordings, or None.
        sample_rate: Hz.    config: `Config`, whose segmentation and spectrogram count.
        seed: int, of all that is drawn.

    Raises: ValueError if no syllable is found in the recordings.
    """
    # Products of hundreds of syllables are too small to share out among threads.
    with threadpool_limits(1):
        return _song_likeness(training, songs, held_out, sample_rate, config, seed)


def _song_likeness(training, songs, held_out, sample_rate, config, seed):
    listener = Listener(training, sample_rate, config, seed)
    real, sung = listener.recordings, listener.hear(songs)
    others = {"": sung}
    if held_out is not None and len(held_out):
        others["held_out"] = listener.hear(held_out)
    length = max((len(piece) for piece in songs.pieces), default=0)
    if length:
        chain = FrameChain(training.pieces, seed)
        others["vq3"] = listener.hear(Songs.apart(chain.sing(len(songs), length, seed)))
    windows = {of: _windows(heard, real) for of, heard in (*others.items(), ("null", real))}
    found = _compared(real, others, seed) | _windows_compared(real, windows, seed)
    figures = {
        "real_num_syllables": len(real),
        "generated_num_syllables": len(sung),
        "real_num_recordings": len(set(training.recordings)),
        "generated_num_songs": len(songs),
        "real_num_types": listener.num_types,
        "generated_num_types": int(np.sum(_shares_of_types(sung) >= _MIN_SHARE)),
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
    """What a measure says: "like the bird's own halves", no worse than the worst of these; "better
    than VQ-3", the chain of frames; "neither"; "" where it is not defined.
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


def _compared(
    real: Heard, others: Mapping[str, Heard], seed: int
) -> dict[str, dict[str, list[float]]]:
    """Dict of measure -> of whom ("", "null", "held_out", "vq3") -> a figure of each draw."""
    rng = np.random.default_rng(seed)
    found: dict[str, dict[str, list[float]]] = {
        name: {of: [] for of in (*others, "null")} for name in MEASURES
    }
    can_draw = len(set(real.songs.recordings)) > 1
    for _ in range(NUM_DRAWS if can_draw else 1):
        everything = np.ones(len(real.songs), bool)
        first, second = halves(real, rng) if can_draw else (everything, everything)
        sizes = [int(real.per_piece()[half].sum()) for half in (first, second)]
        if len(others[""]) >= FEWEST_SYLLABLES:
            sizes.append(len(others[""]))
        reference = real.some(second, min(sizes), rng)
        beside = {
            of: heard.some(np.ones(len(heard.songs), bool), min(sizes), rng)
            for of, heard in others.items()
        }
        if can_draw:
            beside["null"] = real.some(first, min(sizes), rng)
        for of, sung in beside.items():
            for name, measure in MEASURES.items():
                is_enough = min(len(sung), len(reference)) >= FEWEST_SYLLABLES
                found[name][of].append(measure(reference, sung) if is_enough else math.nan)
    return found


def _windows_compared(
    real: Heard, windows: Mapping[str, song_windows.Windows], seed: int
) -> dict[str, dict[str, list[float]]]:
    rng = np.random.default_rng(seed)
    found: dict[str, dict[str, list[float]]] = {
        name: {of: [] for of in windows} for name in _OF_WINDOWS
    }
    if len(set(real.songs.recordings)) < 2:
        return found
    draws = [halves(real, rng) for _ in range(NUM_DRAWS)]
    nulls = [
        windows["null"].nearest(second)[first[windows["null"].pieces]] for first, second in draws
    ]
    usual = np.concatenate(nulls)
    for (_, second), null in zip(draws, nulls, strict=True):
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


def _shares_of_types(heard: Heard) -> np.ndarray:
    return np.bincount(heard.types, minlength=heard.num_types) / max(len(heard), 1)


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
