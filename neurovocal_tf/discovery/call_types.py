"""Which syllables are alike: call types, clustered on some songs,
and what other syllables are by them.
"""

from collections.abc import Callable

import numpy as np
from sklearn.cluster import KMeans
from sklearn.decomposition import PCA
from sklearn.metrics import silhouette_score
from threadpoolctl import threadpool_limits

from neurovocal_tf.discovery.syllables import SongStatistics

_NUM_COMPONENTS = 10
_MAX_TYPES = 16
_MIN_SYLLABLES_PER_TYPE = 5
# New syllables lie a little farther out than those to which a call type was fitted. At 1.5 times,
# 0.4 % of the same bird's other songs are unfamiliar, 13 % of them played backwards, and all bursts
# of noise.
_FAMILIAR_QUANTILE, _FAMILIAR_FACTOR = 0.99, 1.5


def fit_call_types(real: SongStatistics) -> Callable[[SongStatistics], tuple[int, np.ndarray]]:
    """Clusters syllables into call types.

    A syllable is the shape of its spectrum over four quarters (principal components) and its
    logarithmic duration; k-means, its k by the largest silhouette (Rousseeuw, 1987) from 2 to 16. A
    syllable farther from the nearest centre than 1.5 times the 99th percentile of that type's own
    syllables is unfamiliar and belongs to no type.

    Args:
        real: `syllables.SongStatistics` of two syllables at least.

    Returns:
        function from `SongStatistics` of S syllables to (K, the number of call types; int [S], the
        type of each syllable, 0 to K - 1, and K for an unfamiliar one).
    """
    spectra = real.spectra_db.reshape(real.num_syllables, -1)
    # Perfect copies have no variance, and PCA then divides by it for a ratio that nobody reads.
    with np.errstate(invalid="ignore"):
        projection = PCA(
            min(_NUM_COMPONENTS, real.num_syllables - 1, spectra.shape[1]), random_state=0
        ).fit(spectra)
    spread = max(projection.transform(spectra)[:, 0].std(), 1e-9)
    log_durations = np.log(real.durations_s)

    def features(statistics: SongStatistics) -> np.ndarray:
        components = (
            projection.transform(statistics.spectra_db.reshape(statistics.num_syllables, -1))
            / spread
        )
        durations = (np.log(statistics.durations_s) - log_durations.mean()) / max(
            log_durations.std(), 1e-9
        )
        return np.column_stack([components, durations])

    fitted = features(real)
    most = max(
        min(
            _MAX_TYPES,
            real.num_syllables // _MIN_SYLLABLES_PER_TYPE,
            len(np.unique(fitted, axis=0)) - 1,
        ),
        1,
    )
    # Threads cost more than they save on a few hundred points,
    # thirty times as much on a busy machine.
    with threadpool_limits(1):
        candidates = [
            KMeans(k, n_init=10, random_state=0).fit(fitted) for k in range(min(2, most), most + 1)
        ]
        best = (
            max(candidates, key=lambda c: silhouette_score(fitted, c.labels_))
            if len(candidates) > 1
            else candidates[0]
        )
    own = best.transform(fitted).min(axis=1)
    # A type of one or two syllables, or of perfect copies, has no extent of its own to speak of.
    least = max(np.median(own), 0.1)
    extents = np.array(
        [
            max(np.quantile(own[best.labels_ == k], _FAMILIAR_QUANTILE), least)
            for k in range(best.n_clusters)
        ]
    )

    def types_of(statistics: SongStatistics) -> tuple[int, np.ndarray]:
        distances = best.transform(features(statistics))
        nearest = distances.argmin(axis=1)
        familiar = distances.min(axis=1) <= _FAMILIAR_FACTOR * extents[nearest]
        return best.n_clusters, np.where(familiar, nearest, best.n_clusters)

    return types_of
