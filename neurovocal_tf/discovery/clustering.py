"""Points to clusters: the leaves of a tree of densities, then those joined between which the
density hardly falls.

How fine to cut is the whole difficulty: with labels known, neighbours in these points agree with
them at V = .97, and what clusters at one density gets .78. Leaves alone cut too finely.
"""

import itertools

import numpy as np
import scipy.linalg
import scipy.sparse.csgraph
from scipy.spatial.distance import cdist
from sklearn.cluster import HDBSCAN, KMeans
from sklearn.neighbors import KNeighborsClassifier

NUM_NEIGHBOURS = 5
# A leaf has 1 % of the calls, and ten where there are enough for that: of fewer, no valley can be
# told from chance.
_MIN_SHARE, _LEAST, _MIN_SIZE, _MIN_SAMPLES = 0.01, 5, 10, 5
_CALLS_PER_SIZE = 30
# Two clusters are one if the density between them falls to more than this share of the lower peak.
SHALLOW = 0.5
_SHRINKAGE = 0.5
# Of the rule of thumb for a Gaussian: narrower ones see valleys that are noise.
_BANDWIDTH = 2.0
_NUM_PLACES = 60
# Clusters are unrolled along paths from each point to its nearest twelve, into three dimensions.
# Paths take time as the square of the points, and so many of each cluster show a valley.
_NUM_STEPS, _NUM_UNROLLED, _MOST_UNROLLED = 12, 3, 150


def cluster(points: np.ndarray, seed: int = 0) -> np.ndarray:
    """Clusters of points.

    HDBSCAN's leaves (Campello et al., 2013; McInnes et al., 2017) of at least 1 % of the points and
    ten, or five of fewer than 180; what is in none goes to the nearest by five neighbours; then the
    pair with the shallowest valley between them is joined, again and again, while the density falls
    by less than a half in it.

    Args:
        points: float `[N, D]`.    seed: int, of the halves that valleys are measured on.

    Returns: int `[N]`, from 0, the largest cluster first; one cluster where there is no other.
    """
    if len(points) < 2 * _LEAST or not np.ptp(points, axis=0).any():
        return np.zeros(len(points), int)
    leaves = HDBSCAN(
        min_cluster_size=_least_size(len(points)),
        min_samples=_MIN_SAMPLES,
        cluster_selection_method="leaf",
        copy=True,
    ).fit_predict(points)
    is_in_one = leaves >= 0
    if leaves.max() < 1:
        return np.zeros(len(points), int)
    if not is_in_one.all():
        neighbours = KNeighborsClassifier(NUM_NEIGHBOURS).fit(points[is_in_one], leaves[is_in_one])
        leaves[~is_in_one] = neighbours.predict(points[~is_in_one])
    return by_size(_joined(points, leaves, np.random.default_rng(seed)))


def cells(points: np.ndarray, num_cells: int, seed: int = 0) -> np.ndarray:
    """Cells of a continuum, by k-means: as a map's squares, where no valleys part anything.

    Args:
        points: float `[N, D]`.    num_cells: at most so many.    seed: int.

    Returns: int `[N]`, from 0, the largest cell first.
    """
    most = min(num_cells, len(np.unique(points, axis=0)))
    return by_size(KMeans(most, n_init=4, random_state=seed).fit_predict(points))


def by_size(labels: np.ndarray) -> np.ndarray:
    """The same clusters numbered from 0, the largest first.  int [N] -> int [N]"""
    _, numbers, counts = np.unique(labels, return_inverse=True, return_counts=True)
    ranks = np.empty(len(counts), int)
    ranks[np.argsort(-counts, kind="stable")] = np.arange(len(counts))
    return ranks[numbers]


def spread(points: np.ndarray) -> float:
    """Root mean square distance from the centre, of points [N, D]."""
    return float(np.sqrt(np.square(points - points.mean(axis=0)).sum(axis=1).mean()))


def separation(one: np.ndarray, other: np.ndarray) -> float:
    """Distance of the centres of two clusters [N, D] over the sum of their spreads."""
    distance = np.linalg.norm(one.mean(axis=0) - other.mean(axis=0))
    return float(distance) / max(spread(one) + spread(other), float(np.finfo(float).tiny))


def valley(one: np.ndarray, other: np.ndarray) -> float:
    """How far the density falls between two clusters, see `fall`: 0 where there is nothing between
    them, 1 where there is no valley.

    A call whose pitch or pace varies runs along a bent line in many dimensions, and whatever
    straight axis that is seen along, the ends of a bow are crowded and its middle is not. So what
    seems a valley along a straight axis is looked at again with the two unrolled, where distances
    are those along paths from point to near point (Tenenbaum, de Silva, Langford 2000), and the
    shallower counts.

    Args:
        one, other: `[N, D]` and `[M, D]`, in no order; of each 150 are unrolled.
    """
    straight = _straight_valley(one, other)
    if straight > SHALLOW:
        return straight
    one, other = one[:_MOST_UNROLLED], other[:_MOST_UNROLLED]
    if not _touch(one, other):
        return straight
    places = _unrolled(np.concatenate([one, other]))
    return max(straight, _straight_valley(places[: len(one)], places[len(one) :]))


def fall(ours: np.ndarray, theirs: np.ndarray) -> float:
    """Lowest density of all of two sets of values, `[N]` and `[M]`, between their medians, over the
    lower of the densities at these; 1 where the second median is not above the first.
    """
    begin, end = float(np.median(ours)), float(np.median(theirs))
    if end <= begin:
        return 1.0
    places = np.linspace(begin, end, _NUM_PLACES)
    density = len(ours) * _density(ours, places) + len(theirs) * _density(theirs, places)
    return float(density.min() / max(min(density[0], density[-1]), np.finfo(float).tiny))


def _least_size(num_points: int) -> int:
    some = min(num_points // _CALLS_PER_SIZE, _MIN_SIZE)
    return max(_LEAST, some, round(_MIN_SHARE * num_points))


def _joined(points: np.ndarray, leaves: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    groups = {leaf: rng.permutation(np.flatnonzero(leaves == leaf)) for leaf in np.unique(leaves)}

    def depth(pair: tuple[int, int]) -> float:
        one, other = pair
        return valley(points[groups[one]], points[groups[other]])

    depths = {pair: depth(pair) for pair in itertools.combinations(groups, 2)}
    while depths:
        one, other = max(depths, key=lambda pair: depths[pair])
        if depths[one, other] <= SHALLOW:
            break
        groups[one] = rng.permutation(np.concatenate([groups[one], groups.pop(other)]))
        kept = {pair: value for pair, value in depths.items() if not {one, other} & set(pair)}
        depths = kept | {(one, leaf): depth((one, leaf)) for leaf in groups if leaf != one}
    labels = np.empty(len(points), int)
    for number, members in enumerate(groups.values()):
        labels[members] = number
    return labels


def _straight_valley(one: np.ndarray, other: np.ndarray) -> float:
    """How far the density falls along the discriminant (Fisher, 1936), its covariance shrunk by
    half to a sphere, learned on one half of the points and read off the other, both ways: in many
    dimensions a line can always be found that parts the points it was found with.
    """
    halves = [
        _along(one[half::2], other[half::2], one[1 - half :: 2], other[1 - half :: 2])
        for half in (0, 1)
    ]
    return fall(*(np.concatenate([half[side] for half in halves]) for side in (0, 1)))


def _touch(one: np.ndarray, other: np.ndarray) -> bool:
    """Whether a point of one cluster has one of the other among its twelve nearest."""
    between = cdist(one, other)
    for own, nearest in ((one, between.min(axis=1)), (other, between.min(axis=0))):
        farthest = min(_NUM_STEPS, len(own) - 1)
        reach = np.partition(cdist(own, own), farthest, axis=1)[:, farthest]
        if (nearest <= reach).any():
            return True
    return False


def _unrolled(points: np.ndarray) -> np.ndarray:
    """Points [N, D] where their distances are those along the paths between them, [N, 3]."""
    distances = cdist(points, points)
    # A graph has no edge of length zero.
    distances += (1e-6 * distances.max() + 1e-12) * (1 - np.eye(len(points)))
    farthest = min(_NUM_STEPS, len(points) - 1)
    reach = np.partition(distances, farthest, axis=1)[:, farthest, None]
    near = np.where((distances <= reach) | (distances <= reach.T), distances, 0.0)
    # The shortest tree joins what is in pieces.
    tree = scipy.sparse.csgraph.minimum_spanning_tree(distances).toarray()
    edges = scipy.sparse.csr_matrix(np.maximum(near, np.maximum(tree, tree.T)))
    paths = scipy.sparse.csgraph.shortest_path(edges, method="D", directed=False)
    # Classical scaling (Torgerson, 1952).
    squares = np.square(paths)
    means = squares.mean(axis=0)
    products = (means + means[:, None] - squares - squares.mean()) / 2
    first = max(len(points) - _NUM_UNROLLED, 0)
    values, axes = scipy.linalg.eigh(products, subset_by_index=[first, len(points) - 1])
    return axes * np.sqrt(np.maximum(values, 0.0))


def _along(
    one: np.ndarray, other: np.ndarray, new_one: np.ndarray, new_other: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Where new points lie along the discriminant of two clusters, in its standard deviations."""
    centres = one.mean(axis=0), other.mean(axis=0)
    about = np.concatenate([one - centres[0], other - centres[1]])
    covariance = about.T @ about / max(len(about) - 2, 1)
    size = len(covariance)
    sphere = np.eye(size) * max(np.trace(covariance) / size, np.finfo(float).tiny)
    covariance = (1 - _SHRINKAGE) * covariance + _SHRINKAGE * sphere
    axis = np.linalg.solve(covariance, centres[1] - centres[0])
    axis /= max(np.sqrt(axis @ covariance @ axis), np.finfo(float).tiny)
    middle = (centres[0] + centres[1]) / 2
    return (new_one - middle) @ axis, (new_other - middle) @ axis


def _density(values: np.ndarray, places: np.ndarray) -> np.ndarray:
    """Of values [N] at places [P]: Gaussian kernels, their width by Silverman (1986, eq. 3.31)."""
    quartiles = np.percentile(values, [25, 75])
    deviation = min(filter(None, (values.std(), np.diff(quartiles)[0] / 1.34)), default=1e-9)
    width = _BANDWIDTH * 0.9 * deviation * len(values) ** -0.2
    return np.exp(-0.5 * np.square((places[:, None] - values) / width)).mean(axis=1) / width
