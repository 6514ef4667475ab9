"""Which calls are alike: call types, found among some calls, and what other calls are by them."""

import dataclasses
import functools
import itertools
import string
from collections.abc import Iterable

import numpy as np
from sklearn.decomposition import PCA
from sklearn.neighbors import NearestNeighbors
from threadpoolctl import threadpool_limits

from neurovocal_tf.discovery import clustering

# Clustering takes time as the square of the calls; what is found in so many holds for the others.
MOST_FITTED = 4000
_NUM_COMPONENTS = 25
_NUM_WITNESSES = 15
# New calls lie a little farther out than those to which a call type was fitted.
_FAMILIAR_QUANTILE, _FAMILIAR_FACTOR = 0.99, 1.5


@dataclasses.dataclass(frozen=True)
class Assigned:
    """What S calls are.

    Attributes:
        types: int `[S]`, from 0 to K - 1.
        confidences: `[S]`, share of the fifteen nearest of the fitted calls that are of this type.
        is_familiar: bool `[S]`, whether the call lies no farther from its five nearest than 1.5
            times what 99 % of the type's own fitted calls do.
    """

    types: np.ndarray
    confidences: np.ndarray
    is_familiar: np.ndarray


@dataclasses.dataclass(frozen=True)
class CallTypes:
    """Fitted call types: the calls that they were found in, along their principal components.

    Attributes:
        mean, components: `[D]`, `[P, D]`, of the projection.
        points: float32 `[N, P + 1]`, the fitted calls; the last is how far a call lies from all
            that the components span, where what is like none of the others shows.
        types: int `[N]`, of K.
        names: of the types, K; the largest is "A".
    """

    mean: np.ndarray
    components: np.ndarray
    points: np.ndarray
    types: np.ndarray
    names: tuple[str, ...]

    def project(self, calls: np.ndarray) -> np.ndarray:
        """Calls `[S, D]` as points, float32 `[S, P + 1]`."""
        return _projected(calls - self.mean, self.components)

    def assign(self, points: np.ndarray, fitted: np.ndarray | None = None) -> Assigned:
        """What type calls are of: that of most of their five nearest, the nearer of equals.

        Args:
            points: `[S, P + 1]`.
            fitted: int `[S]`, which of the fitted calls each is, -1: none. A fitted call keeps its
                type, and is no neighbour of its own.
        """
        fitted = np.full(len(points), -1) if fitted is None else fitted
        distances, types = self._neighbours(points, fitted)
        near = types[:, : clustering.NUM_NEIGHBOURS]
        votes = (near[:, :, None] == np.arange(len(self.names))).sum(axis=1).astype(float)
        votes[np.arange(len(points)), near[:, 0]] += 0.5
        found = np.where(fitted >= 0, self.types[np.maximum(fitted, 0)], votes.argmax(axis=1))
        reach = distances[:, : clustering.NUM_NEIGHBOURS].max(axis=1)
        return Assigned(
            found,
            (types == found[:, None]).mean(axis=1),
            reach <= _FAMILIAR_FACTOR * self._extents[found],
        )

    def distances(self, points: np.ndarray, fitted: np.ndarray) -> np.ndarray:
        """How far calls lie from their five nearest among the fitted ones on average, `[S]`; of
        `points` and `fitted` as for `assign`.
        """
        return self._neighbours(points, fitted)[0][:, : clustering.NUM_NEIGHBOURS].mean(axis=1)

    def joined(self, pairs: Iterable[tuple[str, str]]) -> "CallTypes":
        """The same with some pairs of types joined, under the name of the larger; all others keep
        their names.

        Raises: ValueError for a name that is none of a type.
        """
        into = list(range(len(self.names)))
        for pair in pairs:
            for name in pair:
                if name not in self.names:
                    raise ValueError(
                        f"`merges` must name call types that were found, "
                        f"{self.names[0]} to {self.names[-1]}. Received: {name} in {'+'.join(pair)}"
                    )
            low, high = sorted(into[self.names.index(name)] for name in pair)
            into = [low if number == high else number for number in into]
        kept = sorted(set(into))
        numbers = np.array([kept.index(number) for number in into])
        names = tuple(self.names[number] for number in kept)
        return dataclasses.replace(self, types=numbers[self.types], names=names)

    def depths(self) -> dict[tuple[int, int], tuple[float, float]]:
        """Dict of each pair of types -> (the valley between them, see `clustering.valley`, and
        their separation, see `clustering.separation`).
        """
        rng = np.random.default_rng(0)
        own = [
            self.points[rng.permutation(np.flatnonzero(self.types == k))].astype(float)
            for k in range(len(self.names))
        ]
        return {
            (one, other): (
                clustering.valley(own[one], own[other]),
                clustering.separation(own[one], own[other]),
            )
            for one, other in itertools.combinations(range(len(own)), 2)
        }

    @functools.cached_property
    def _tree(self) -> NearestNeighbors:
        return NearestNeighbors(algorithm="brute").fit(self.points)

    @functools.cached_property
    def _extents(self) -> np.ndarray:
        """How far the five nearest of a type's own calls are at most, but for 1 % of them [K]."""
        distances, _ = self._neighbours(self.points, np.arange(len(self.points)))
        reach = distances[:, : clustering.NUM_NEIGHBOURS].max(axis=1)
        # A type of perfect copies has no extent of its own to speak of.
        least = max(float(np.median(reach)), 1e-3 * clustering.spread(self.points), 1e-9)
        return np.array(
            [
                max(np.quantile(reach[self.types == k], _FAMILIAR_QUANTILE), least)
                for k in range(len(self.names))
            ]
        )

    def _neighbours(self, points: np.ndarray, fitted: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Distances and types of the nearest fitted calls, each [S, W], without the call itself."""
        most = min(_NUM_WITNESSES + 1, len(self.points))
        with threadpool_limits(1):
            distances, indices = self._tree.kneighbors(points, most)
        if most == 1:
            return distances, self.types[indices]
        is_self = indices == fitted[:, None]
        # Where the call is not among them, the farthest is one too many.
        is_self[~is_self.any(axis=1), -1] = True
        shape = len(points), most - 1
        return distances[~is_self].reshape(shape), self.types[indices[~is_self]].reshape(shape)


def with_unfamiliar(types: np.ndarray, is_familiar: np.ndarray, num_types: int) -> np.ndarray:
    """Types, and K for what is like none of them: a type of its own.  int [S] -> int [S]"""
    return np.where(is_familiar, types, num_types)


def sample(num_calls: int, seed: int = 0) -> np.ndarray:
    """Which of some calls to fit types to: all, or 4,000 at random; increasing, int `[N]`."""
    chosen = np.random.default_rng(seed).permutation(num_calls)[:MOST_FITTED]
    return np.sort(chosen)


def fit(calls: np.ndarray, seed: int = 0, num_cells: int = 0) -> CallTypes:
    """Finds the call types among some calls.

    Args:
        calls: float32 `[N, D]`, one at least, such as `features.as_points` gives of a `sample`.
        seed: int.
        num_cells: 0 to part calls where their density falls; else into how many cells to cut what
            has no such places.
    """
    size = min(_NUM_COMPONENTS, max(len(calls) - 1, 1), calls.shape[1])
    # Threads cost more than they save on a few hundred points.
    # Perfect copies have no variance, and PCA then divides by it for a ratio that nobody reads.
    with threadpool_limits(1), np.errstate(invalid="ignore"):
        projection = PCA(size, random_state=seed).fit(calls)
        points = _projected(calls - projection.mean_, projection.components_)
        places = points.astype(float)
        types = (
            clustering.cells(places, num_cells, seed)
            if num_cells
            else clustering.cluster(places, seed)
        )
    names = tuple(itertools.islice(_names(), types.max() + 1))
    return CallTypes(projection.mean_, projection.components_, points, types, names)


def _projected(about: np.ndarray, components: np.ndarray) -> np.ndarray:
    """Calls about their mean [S, D] along components [P, D], and their distance from these."""
    along = about @ components.T
    rest = np.square(about).sum(axis=1) - np.square(along).sum(axis=1)
    # Of what the components hold wholly, rounding may leave less than nothing.
    return np.column_stack([along, np.sqrt(np.maximum(rest, 0.0))]).astype(np.float32)


def _names() -> Iterable[str]:
    """A to Z, AA to ZZ, and so on: capitals, unlike most labels of people's."""
    for length in itertools.count(1):
        for letters in itertools.product(string.ascii_uppercase, repeat=length):
            yield "".join(letters)
