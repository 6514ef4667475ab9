"""How good a model is: its one-step error beside simple baselines, and its songs beside the real ones."""

import dataclasses
import math

import numpy as np
import scipy.spatial.distance
import scipy.stats
from sklearn.cluster import KMeans
from sklearn.decomposition import PCA
from sklearn.metrics import silhouette_score
from threadpoolctl import threadpool_limits

from neurovocal_tf.audio import spectrogram
from neurovocal_tf.segmentation.detector import detect

# With these the kinds found among the 601 labelled syllables of one Bengalese finch agree best with its eleven
# labels (adjusted Rand index 0.89): a 50 dB floor lets background noise in (0.83), one mean spectrum loses the sweeps (0.56).
_PORTIONS = 4
_FLOOR_DB = 30.0
_NUM_COMPONENTS = 10
_MAX_KINDS = 16
_MIN_SYLLABLES_PER_KIND = 5
_MIN_SHARE = 0.03
_FEWEST_SYLLABLES = 10
# New syllables lie a little farther out than those to which a kind was fitted. At 1.5 times, 0.4 % of the same bird's
# other songs are unfamiliar, 13 % of them played backwards, and all bursts of noise.
_FAMILIAR_QUANTILE, _FAMILIAR_FACTOR = 0.99, 1.5


def one_step_error_db(actual, predicted, mask=None):
    """Root mean square of `actual - predicted` over all bins of the masked frames; NaN where no frame is masked.

    Args:
        actual, predicted: `[..., L, V]`, dB (or the data's own unit).
        mask: `[..., L]`, true for frames that count; all count if None.
    """
    squared, count = _squared_error(np.asarray(actual, np.float64), predicted, mask)
    return math.sqrt(squared / count) if count else math.nan


def _squared_error(actual, predicted, mask):
    chosen = slice(None) if mask is None else np.asarray(mask, bool)
    # Indexing, not a product with the mask: padding may hold NaN.
    difference = actual[chosen] - np.asarray(predicted, np.float64)[chosen]
    return float(np.sum(difference**2)), difference.size


def one_step_errors(windows, predictors):
    """Root mean square one-step errors of several predictors, all on the same frames.

    Args:
        windows: iterable of (frames `[..., L, V]`, mask `[..., L]`), as batches of validation windows.
        predictors: dict of name -> function from frames to one-step predictions of the same shape and unit.
    Returns: dict of name -> error, in the unit of the frames.
    """
    squared, count = dict.fromkeys(predictors, 0.0), dict.fromkeys(predictors, 0)
    for frames, mask in windows:
        # Padding may hold NaN, which a predictor could spread over its whole batch.
        frames = np.where(np.asarray(mask, bool)[..., None], frames, 0.0)
        for name, predictor in predictors.items():
            error, size = _squared_error(frames, predictor(frames), mask)
            squared[name] += error
            count[name] += size
    return {name: math.sqrt(squared[name] / count[name]) if count[name] else math.nan for name in predictors}


@dataclasses.dataclass(frozen=True)
class SongStatistics:
    """The syllables of some songs. Medians and rates of nothing are NaN.

    Attributes:
        num_syllables: S, segments that the detector found, without its buffer.
        syllables_per_s: S over the songs' whole length.
        durations_s: `[S]`. gaps_s: `[G]`, from a syllable's offset to the next onset within a bout.
        peak_frequencies_hz: `[S]`, the bin of the largest mean power within the detector's band.
        spectra_db: `[S, 4, V]`, power of each quarter of a syllable under the syllable's maximum, not below -30 dB.
        follows: bool `[S]`, whether a syllable continues the bout of the one before it; G are true.
    """

    num_syllables: int
    syllables_per_s: float
    median_duration_s: float
    median_gap_s: float
    median_peak_frequency_hz: float
    durations_s: np.ndarray
    gaps_s: np.ndarray
    peak_frequencies_hz: np.ndarray
    spectra_db: np.ndarray
    follows: np.ndarray


def song_statistics(songs, config):
    """Statistics of the syllables that the detector finds in songs.

    Args:
        songs: iterable of (samples `[N]` float, sample_rate in Hz); taken one at a time.
        config: `Config`; its `segmentation`, `spectrogram` and `bout_gap_s` count.
    Returns: `SongStatistics`.
    """
    # The buffer is context for a spectrogram, not part of the vocalization.
    detector = dataclasses.replace(config.segmentation, buffer_ms=0.0)
    found = [_no_syllables(config.spectrogram)]
    total_s = 0.0
    for samples, sample_rate in songs:
        total_s += len(samples) / sample_rate
        found.append(_syllables(np.asarray(samples, np.float32), sample_rate, detector, config.spectrogram))
    onsets, offsets, peaks, spectra, firsts = (np.concatenate(parts) for parts in zip(*found, strict=True))
    gaps = np.append(0.0, onsets[1:] - offsets[:-1])[: len(onsets)]
    follows = ~firsts & (gaps < config.data.bout_gap_s)
    return SongStatistics(
        num_syllables=len(onsets),
        syllables_per_s=len(onsets) / total_s if total_s else math.nan,
        median_duration_s=_median(offsets - onsets),
        median_gap_s=_median(gaps[follows]),
        median_peak_frequency_hz=_median(peaks),
        durations_s=offsets - onsets,
        gaps_s=gaps[follows],
        peak_frequencies_hz=peaks,
        spectra_db=spectra,
        follows=follows,
    )


def _no_syllables(config):
    return np.empty(0), np.empty(0), np.empty(0), np.empty((0, _PORTIONS, spectrogram.num_bins(config))), np.empty(0, bool)


def _syllables(samples, sample_rate, detector, config):
    """One song's onsets_s [S], offsets_s [S], peak_frequencies_hz [S], spectra_db [S, 4, V], and which is the song's first [S]."""
    onsets, offsets, _ = detect(samples, sample_rate, detector)
    if not len(onsets):
        return _no_syllables(config)
    whole_window = np.pad(samples, (0, max(config.n_fft - len(samples), 0)))
    power = np.asarray(spectrogram.power_spectrogram(whole_window, sample_rate, config), np.float64)
    portions = np.stack([_portions(power, onset, offset, config) for onset, offset in zip(onsets, offsets, strict=True)])
    frequencies = spectrogram.bin_frequencies_hz(sample_rate, config)
    band = _in_band(frequencies, detector)
    peaks = frequencies[np.argmax(np.where(band, portions.mean(axis=1), -1.0), axis=-1)]
    firsts = np.arange(len(onsets)) == 0
    return onsets / sample_rate, offsets / sample_rate, peaks, _under_maximum_db(np.where(band, portions, 0.0)), firsts


def _portions(power, onset, offset, config):
    """Mean power of each quarter of the frames [L, V] whose windows are centred between onset and offset.  -> [4, V]"""
    first, last = ((sample - config.n_fft / 2) / config.hop_length for sample in (onset, offset))
    first = min(max(math.ceil(first), 0), len(power) - 1)
    last = min(max(math.floor(last), first), len(power) - 1)
    edges = np.linspace(first, last + 1, _PORTIONS + 1)
    return np.stack([power[int(a) : max(math.ceil(b), int(a) + 1)].mean(axis=0) for a, b in zip(edges[:-1], edges[1:], strict=True)])


def _in_band(frequencies, config):
    """Which bins lie in the detector's band; all where it holds none."""
    band = (frequencies >= config.low_hz) & (frequencies <= (config.high_hz or math.inf))
    return band if band.any() else np.ones_like(band)


def _under_maximum_db(power):
    """Power [S, ...] -> dB under each syllable's maximum, not below the floor: the level of a recording does not count."""
    maximum = np.maximum(power.max(axis=(1, 2), keepdims=True), np.finfo(np.float64).tiny)
    return 10 * np.log10(np.maximum(power / maximum, 10 ** (-_FLOOR_DB / 10)))


def _median(values):
    return float(np.median(values)) if len(values) else math.nan


def song_distance(real, generated):
    """How far generated songs are from real ones: 0 for the same songs, infinite for songs of too few syllables to tell.

    The sum of the Kolmogorov-Smirnov distances of durations, gaps and peak frequencies, and of the logarithms, either way, of the
    ratios of their medians and of syllables per second. The former see the distributions as a whole, the latter the middle of one
    with two humps, as those of gaps often are, where a small distance may be a large step.

    Args:
        real, generated: `SongStatistics` under the same configuration.
    """
    distances = ks_distances(real, generated)
    if min(real.num_syllables, generated.num_syllables) < _FEWEST_SYLLABLES or not all(map(math.isfinite, distances.values())):
        return math.inf
    names = ("syllables_per_s", "median_duration_s", "median_gap_s", "median_peak_frequency_hz")
    return sum(distances.values()) + sum(abs(math.log(getattr(generated, name) / getattr(real, name))) for name in names)


def ks_distances(real, generated):
    """Kolmogorov-Smirnov distances `ks_duration`, `ks_gap`, `ks_peak_frequency`, 0 to 1; NaN where one has no values."""
    table = {}
    for key, name in (("ks_duration", "durations_s"), ("ks_gap", "gaps_s"), ("ks_peak_frequency", "peak_frequencies_hz")):
        samples = getattr(real, name), getattr(generated, name)
        table[key] = float(scipy.stats.ks_2samp(*samples).statistic) if min(map(len, samples)) else math.nan
    return table


def compare_songs(real, generated):
    """Generated songs beside real ones: flat dict of numbers, NaN where there are too few syllables to tell.

    Args:
        real, generated: `SongStatistics` under the same configuration.
    Keys: `real_*` and `generated_*` for the four medians and rates, with units in the names, `ratio_*` generated over
    real; and those of `ks_distances` and `syllable_kinds`.
    """
    table = {"real_num_syllables": real.num_syllables, "generated_num_syllables": generated.num_syllables}
    for name, key in (
        ("syllables_per_s", "ratio_syllables_per_s"),
        ("median_duration_s", "ratio_median_duration"),
        ("median_gap_s", "ratio_median_gap"),
        ("median_peak_frequency_hz", "ratio_median_peak_frequency"),
    ):
        ours, theirs = getattr(generated, name), getattr(real, name)
        table |= {f"real_{name}": theirs, f"generated_{name}": ours, key: ours / theirs if theirs else math.nan}
    return table | ks_distances(real, generated) | syllable_kinds(real, generated)


def syllable_kinds(real, generated):
    """Kinds of syllable, clustered on the real songs alone, and what the generated songs make of them.

    A syllable is the shape of its spectrum over four quarters (principal components) and its logarithmic duration;
    k-means, its k by the largest silhouette (Rousseeuw, 1987) from 2 to 16. A syllable farther from the nearest centre
    than 1.5 times the 99th percentile of that kind's real syllables is unfamiliar and belongs to no kind.

    Returns: dict of
        num_kinds_real: kinds found among the real syllables.
        num_kinds_generated: those of them to which at least 3 % of the generated syllables belong.
        share_unfamiliar: share of the generated syllables that belong to none.
        transition_divergence_nats: Jensen-Shannon divergence between the real and the generated distribution of pairs of
            kinds that follow each other in a bout, 0 to log 2 (Lin, 1991). Small samples raise it.
    All are NaN with fewer than 10 real syllables or no generated ones.
    """
    names = ("num_kinds_real", "num_kinds_generated", "share_unfamiliar", "transition_divergence_nats")
    if real.num_syllables < _FEWEST_SYLLABLES or not generated.num_syllables:
        return dict.fromkeys(names, math.nan)
    kinds_of = _fit_kinds(real)
    num_kinds, real_kinds = kinds_of(real)
    _, kinds = kinds_of(generated)
    shares = np.bincount(kinds, minlength=num_kinds + 1) / len(kinds)
    divergence = _divergence(_pairs(real_kinds, real.follows, num_kinds + 1), _pairs(kinds, generated.follows, num_kinds + 1))
    return dict(zip(names, (num_kinds, int(np.sum(shares[:num_kinds] >= _MIN_SHARE)), float(shares[num_kinds]), divergence), strict=True))


def _fit_kinds(real):
    """Clusters the real syllables; returns statistics -> (number of kinds, kind of each syllable, the number itself if unfamiliar)."""
    spectra = real.spectra_db.reshape(real.num_syllables, -1)
    # Perfect copies have no variance, and PCA then divides by it for a ratio that nobody reads.
    with np.errstate(invalid="ignore"):
        projection = PCA(min(_NUM_COMPONENTS, real.num_syllables - 1, spectra.shape[1]), random_state=0).fit(spectra)
    spread = max(projection.transform(spectra)[:, 0].std(), 1e-9)
    log_durations = np.log(real.durations_s)

    def features(statistics):
        components = projection.transform(statistics.spectra_db.reshape(statistics.num_syllables, -1)) / spread
        durations = (np.log(statistics.durations_s) - log_durations.mean()) / max(log_durations.std(), 1e-9)
        return np.column_stack([components, durations])

    fitted = features(real)
    most = max(min(_MAX_KINDS, real.num_syllables // _MIN_SYLLABLES_PER_KIND, len(np.unique(fitted, axis=0)) - 1), 1)
    # Threads cost more than they save on a few hundred points, thirty times as much on a busy machine.
    with threadpool_limits(1):
        candidates = [KMeans(k, n_init=10, random_state=0).fit(fitted) for k in range(min(2, most), most + 1)]
        best = max(candidates, key=lambda c: silhouette_score(fitted, c.labels_)) if len(candidates) > 1 else candidates[0]
    own = best.transform(fitted).min(axis=1)
    # A kind of one or two syllables, or of perfect copies, has no extent of its own to speak of.
    least = max(np.median(own), 0.1)
    extents = np.array([max(np.quantile(own[best.labels_ == k], _FAMILIAR_QUANTILE), least) for k in range(best.n_clusters)])

    def kinds_of(statistics):
        distances = best.transform(features(statistics))
        nearest = distances.argmin(axis=1)
        familiar = distances.min(axis=1) <= _FAMILIAR_FACTOR * extents[nearest]
        return best.n_clusters, np.where(familiar, nearest, best.n_clusters)

    return kinds_of


def _pairs(kinds, follows, num_states):
    """Counts of (kind, next kind) within bouts.  -> [num_states, num_states]"""
    counts = np.zeros((num_states, num_states))
    np.add.at(counts, (kinds[:-1][follows[1:]], kinds[1:][follows[1:]]), 1)
    return counts


def _divergence(counts, other):
    if not counts.sum() or not other.sum():
        return math.nan
    return float(scipy.spatial.distance.jensenshannon(counts.ravel(), other.ravel()) ** 2)
