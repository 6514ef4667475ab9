"""Points to clusters: the leaves of a tree of densities, then those joined between which the
density hardly falls.

How fine to cut is the whole difficulty: with labels known, neighbours in these points agree with
them at V = .97, and what clusters at one density gets .78. Leaves alone cut too finely.
"""

import itertools

import numpy as np
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
    """Lowest density between the medians of two clusters over the lower of the densities at these:
    0 where there is nothing between them, 1 where there is no valley.

    Densities are those along the discriminant (Fisher, 1936), its covariance shrunk by half to a
    sphere, learned on one half of the points and read off the other, both ways: in many dimensions
    a line can always be found that parts the points it was found with.

    Args:
        one, other: `[N, D]` and `[M, D]`, in no order.
    """
    halves = [
        _along(one[half::2], other[half::2], one[1 - half :: 2], other[1 - half :: 2])
        for half in (0, 1)
    ]
    ours, theirs = (np.concatenate([half[side] for half in halves]) for side in (0, 1))
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
