"""How good songs are: generated ones beside the real ones."""

import math

import numpy as np
import scipy.stats

from neurovocal_tf.discovery import call_types as types_of_calls
from neurovocal_tf.discovery.features import over_root_of_norm
from neurovocal_tf.discovery.syllables import FLOOR_DB, SongStatistics
from neurovocal_tf.discovery.syntax import divergence_nats, transition_counts

_MIN_SHARE = 0.03
_FEWEST_SYLLABLES = 10


def song_distance(real: SongStatistics, generated: SongStatistics) -> float:
    """How far generated songs are from real ones: 0 for the same songs,
    infinite for songs of too few syllables to tell.

    The sum of the Kolmogorov-Smirnov distances of durations, gaps and peak frequencies, and of the
    logarithms, either way, of the ratios of their medians and of syllables per second. The former
    see the distributions as a whole, the latter the middle of one with two humps, as those of gaps
    often are, where a small distance may be a large step.

    Args:
        real, generated: `SongStatistics` under the same configuration.
    """
    distances = ks_distances(real, generated)
    if min(real.num_syllables, generated.num_syllables) < _FEWEST_SYLLABLES or not all(
        map(math.isfinite, distances.values())
    ):
        return math.inf
    names = ("syllables_per_s", "median_duration_s", "median_gap_s", "median_peak_frequency_hz")
    return sum(distances.values()) + sum(
        abs(math.log(getattr(generated, name) / getattr(real, name))) for name in names
    )


def ks_distances(real: SongStatistics, generated: SongStatistics) -> dict[str, float]:
    """Kolmogorov-Smirnov distances `ks_duration`, `ks_gap`, `ks_peak_frequency`, 0 to 1;
    NaN where one has no values.
    """
    table = {}
    for key, name in (
        ("ks_duration", "durations_s"),
        ("ks_gap", "gaps_s"),
        ("ks_peak_frequency", "peak_frequencies_hz"),
    ):
        samples = getattr(real, name), getattr(generated, name)
        table[key] = (
            float(scipy.stats.ks_2samp(*samples).statistic) if min(map(len, samples)) else math.nan
        )
    return table


def compare_songs(real: SongStatistics, generated: SongStatistics) -> dict[str, float]:
    """Generated songs beside real ones: flat dict of numbers,
    NaN where there are too few syllables to tell.

    Args:
        real, generated: `SongStatistics` under the same configuration.
    Keys: `real_*` and `generated_*` for the four medians and rates, with units in the names,
    `ratio_*` generated over real; and those of `ks_distances` and `call_types`.
    """
    table = {
        "real_num_syllables": real.num_syllables,
        "generated_num_syllables": generated.num_syllables,
    }
    for name, key in (
        ("syllables_per_s", "ratio_syllables_per_s"),
        ("median_duration_s", "ratio_median_duration"),
        ("median_gap_s", "ratio_median_gap"),
        ("median_peak_frequency_hz", "ratio_median_peak_frequency"),
    ):
        ours, theirs = getattr(generated, name), getattr(real, name)
        table |= {
            f"real_{name}": theirs,
            f"generated_{name}": ours,
            key: ours / theirs if theirs else math.nan,
        }
    return table | ks_distances(real, generated) | call_types(real, generated)


def call_types(real: SongStatistics, generated: SongStatistics) -> dict[str, float]:
    """Call types, found in the real songs alone as `call_types.fit` finds them, and what the
    generated songs make of them. A syllable is its spectra over four quarters.

    Args:
        real, generated: `SongStatistics` under the same configuration.

    Returns: dict of
        num_kinds_real: call types found among the real syllables.
        num_kinds_generated: those of them to which at least 3 % of the generated syllables belong.
        share_unfamiliar: share of the generated syllables that are like none of them.
        transition_divergence_nats: Jensen-Shannon divergence between the real and the generated
        distribution of pairs of call types that follow each other in a bout, see
        `syntax.divergence_nats`.
    All are NaN with fewer than 10 real syllables or no generated ones.
    """
    names = (
        "num_kinds_real",
        "num_kinds_generated",
        "share_unfamiliar",
        "transition_divergence_nats",
    )
    if real.num_syllables < _FEWEST_SYLLABLES or not generated.num_syllables:
        return dict.fromkeys(names, math.nan)
    syllables = _points(real)
    fitted = types_of_calls.fit(syllables[types_of_calls.sample(real.num_syllables)])
    num_types = len(fitted.names)
    # Both alike, so that the same songs are the same: a real syllable is its own neighbour too.
    real_types, types = (
        types_of_calls.with_unfamiliar(found.types, found.is_familiar, num_types)
        for found in (
            fitted.assign(fitted.project(calls)) for calls in (syllables, _points(generated))
        )
    )
    shares = np.bincount(types, minlength=num_types + 1) / len(types)
    # The unfamiliar ones count as a type of their own.
    counts = [
        transition_counts(*sung, num_types + 1)
        for sung in ((real_types, real.follows), (types, generated.follows))
    ]
    values = (
        num_types,
        int(np.sum(shares[:num_types] >= _MIN_SHARE)),
        float(shares[num_types]),
        divergence_nats(*counts),
    )
    return dict(zip(names, values, strict=True))


def _points(songs: SongStatistics) -> np.ndarray:
    """Syllables as `call_types.fit` takes them, [S, 4 V]."""
    levels = np.asarray(songs.spectra_db + FLOOR_DB, np.float32)
    return over_root_of_norm(levels.reshape(songs.num_syllables, -1))
