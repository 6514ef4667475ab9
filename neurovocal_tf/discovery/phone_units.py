"""Units of what is said, frame by frame, that are the same whoever says it: found without labels in
spectrograms of several voices.

A frame is the mel-frequency cepstrum of its spectrum and the slopes of that, which are whitened by
the mean and covariance of its voice's own frames: these are most of what differs between voices.
Units are the cells of a k-means over the frames of all voices together; a recording's are those
along the cheapest path, on which every change costs something. Of six voices that say digits 64
cells tell the digit of a seventh that is left out; see tests/campaigns/converted_voices.py.
"""

import dataclasses
import json
import os
import typing
import zipfile
from collections.abc import Sequence

import numpy as np
import scipy.fft
from sklearn.cluster import KMeans

from neurovocal_tf import files
from neurovocal_tf.discovery.features import mel_weights, with_slopes

NUM_UNITS = 64
#: A frame whose loudest band lies further than that under the recording's loudest is silent.
RANGE_DB, LOUDEST_PERCENTILE = 50.0, 99.0
NUM_MELS, NUM_CEPSTRA, LOWEST_HZ, SLOPE_WIDTH = 26, 13, 60.0, 2
SMALLEST_POWER = 1e-20
# In distances squared, of which each number's variance is 1: units then last some four frames.
CHANGE_COST = 4.0
# A voice counts as much as that many frames of all voices, so that one with few has a covariance.
FRAMES_OF_ALL = 100
SHRINKAGE = 0.1
# Frames of all voices that k-means sees at most.
_MOST_FRAMES = 50_000
#: Of the file with a run's units, in its folder.
FILE_NAME = "phone_units.npz"
_VERSION = 1
_ARRAYS = ("maps", "offsets", "centres", "mean", "covariance")


class Measured(typing.NamedTuple):
    """A recording's frames: `cepstra` float64 `[L, D]`, D = 2 * `NUM_CEPSTRA`, and whether each one
    `sounds`, bool `[L]`.
    """

    cepstra: np.ndarray
    sounds: np.ndarray


@dataclasses.dataclass(frozen=True)
class PhoneUnits:
    """Units that have been found.

    Attributes:
        voices: names of the W voices; of recordings without names one, "".
        maps: `[W, D, D]`, offsets: `[W, D]`: what makes a voice's cepstra c `[L, D]` those of any,
            `c @ maps + offsets`.
        centres: `[K, D]`, of the units.
        residual: mean squared distance of a number from its unit's centre.
        mean: `[D]`, of all cepstra.    covariance: `[D, D]`, of cepstra about their voice's mean.
    """

    voices: tuple[str, ...]
    maps: np.ndarray
    offsets: np.ndarray
    centres: np.ndarray
    residual: float
    mean: np.ndarray
    covariance: np.ndarray

    def __len__(self) -> int:
        """K, the number of units."""
        return len(self.centres)

    @property
    def names(self) -> tuple[str, ...]:
        """Labels of the units."""
        return names_of(len(self))

    def units_of(self, measured: Measured, voice: str | None = None) -> np.ndarray:
        """The unit of each frame of one recording, -1 of silent ones.

        Args:
            measured: see `measure`.
            voice: whose it is. None, and a voice that is not known: the one under which it is the
                likeliest, or, where there is enough of it, a new one that it shows itself.

        Returns: int `[L]`.
        """
        cepstra, sounds = measured
        found = np.full(len(sounds), -1)
        if not sounds.any():
            return found
        costs = self._costs_of(cepstra[sounds], voice)
        # Silence parts what sounds: after it a unit begins anew.
        places = np.flatnonzero(sounds)
        parts = np.flatnonzero(np.diff(places) > 1) + 1
        for own, of_own in zip(np.split(places, parts), np.split(costs, parts), strict=True):
            found[own] = cheapest_path(of_own, CHANGE_COST)
        return found

    def _costs_of(self, cepstra: np.ndarray, voice: str | None) -> np.ndarray:
        """Squared distances of a recording's sounding frames from the units.  [L, D] -> [L, K]"""
        if voice in self.voices:
            which = self.voices.index(str(voice))
            return self._costs(cepstra, self.maps[which], self.offsets[which])
        size, number = cepstra.shape[1], len(cepstra)
        itself = whitening_of(cepstra, self.mean, self.covariance)
        known = [*zip(self.maps, self.offsets, strict=True), itself]
        costs = [self._costs(cepstra, *pair) for pair in known]
        # -2 log of a frame's density under each, but for what is the same of all: a map's
        # determinant is part of it.
        misfits = [
            of_one.min(axis=1).mean() / self.residual - 2 * np.linalg.slogdet(pair[0])[1]
            for pair, of_one in zip(known, costs, strict=True)
        ]
        # What has been fitted to the recording pays for its numbers (Schwarz, 1978).
        misfits[-1] += (size + size * (size + 1) / 2) * np.log(number) / number
        return costs[int(np.argmin(misfits))]

    def _costs(self, cepstra: np.ndarray, whitening: np.ndarray, offset: np.ndarray) -> np.ndarray:
        points = cepstra @ whitening + offset
        return (
            np.square(points).sum(axis=1)[:, None]
            - 2 * points @ self.centres.T
            + np.square(self.centres).sum(axis=1)
        )


def names_of(num_units: int) -> tuple[str, ...]:
    """The labels of so many units."""
    return tuple(f"u{number:02}" for number in range(num_units))


def measure(power: np.ndarray, sample_rate: float) -> Measured:
    """Cepstra of a power spectrogram with their slopes, and which frames are not silent.

    Levels are those of mel bands over the floor, `RANGE_DB` under the loudest.

    Args:
        power: `[L, V]`.    sample_rate: Hz.

    Returns:
        `Measured`.
    """
    if not len(power):
        return Measured(np.zeros((0, 2 * NUM_CEPSTRA)), np.zeros(0, bool))
    bands = np.asarray(power, np.float64) @ band_weights(power.shape[1], sample_rate)
    levels = 10 * np.log10(np.maximum(bands, SMALLEST_POWER))
    loudest = np.percentile(levels.max(axis=1), LOUDEST_PERCENTILE)
    over = np.maximum(levels - loudest + RANGE_DB, 0.0)
    cepstra = scipy.fft.dct(over, axis=1, norm="ortho")[:, :NUM_CEPSTRA]
    # Where nothing at all sounds, the loudest is what stands for no power.
    sounds = (over.max(axis=1) > 0) & (levels.max() > 10 * np.log10(SMALLEST_POWER))
    return Measured(with_slopes(cepstra, SLOPE_WIDTH), sounds)


def band_weights(num_bins: int, sample_rate: float) -> np.ndarray:
    """What each bin of a spectrum adds to each mel band, `[V, NUM_MELS]`."""
    hz = np.linspace(0, sample_rate / 2, num_bins)
    return mel_weights(hz, LOWEST_HZ, NUM_MELS)


def fit(
    measured: Sequence[Measured],
    voices: Sequence[str],
    num_units: int = NUM_UNITS,
    seed: int = 0,
) -> PhoneUnits:
    """Finds the units of some recordings.

    Args:
        measured: see `measure`, of recordings at one rate.
        voices: of each whose it is, "" where that is not known.
        num_units: at most so many.    seed: of the k-means.

    Raises: ValueError where no frame of any recording sounds.
    """
    names = tuple(sorted(set(voices)))
    of_voices = _of_voices(measured, voices, names)
    if not sum(map(len, of_voices)):
        raise ValueError(
            "`labels` must not be units where no recording sounds. Received: labels=units"
        )
    mean, covariance = _within(of_voices)
    whitened = [whitening_of(own, mean, covariance) for own in of_voices]
    maps, offsets = (np.stack(column) for column in zip(*whitened, strict=True))
    points = np.concatenate(
        [own @ maps[which] + offsets[which] for which, own in enumerate(of_voices)]
    )
    if len(points) > _MOST_FRAMES:
        points = np.random.default_rng(seed).permutation(points)[:_MOST_FRAMES]
    most = min(num_units, len(np.unique(points, axis=0)))
    cells = KMeans(most, n_init=2, random_state=seed).fit(points)
    return PhoneUnits(
        names,
        maps,
        offsets,
        cells.cluster_centers_,
        max(float(cells.inertia_) / points.size, 1e-3),
        mean,
        covariance,
    )


def with_voices(
    units: PhoneUnits, measured: Sequence[Measured], voices: Sequence[str]
) -> PhoneUnits:
    """The same units, for further voices, too: those that are new by their names, and those without
    one, who may be others every time.

    Args:
        units: `PhoneUnits`.
        measured, voices: as for `fit`.
    """
    new = sorted(set(voices) - set(units.voices) | ({""} & set(voices)))
    kept = [which for which, name in enumerate(units.voices) if name not in new]
    pairs = [
        *((units.maps[which], units.offsets[which]) for which in kept),
        *(
            whitening_of(own, units.mean, units.covariance)
            for own in _of_voices(measured, voices, new)
        ),
    ]
    maps, offsets = (np.stack(column) for column in zip(*pairs, strict=True))
    names = (*(units.voices[which] for which in kept), *new)
    return dataclasses.replace(units, voices=names, maps=maps, offsets=offsets)


def cheapest_path(costs: np.ndarray, change_cost: float) -> np.ndarray:
    """Of each frame a unit, so that the sum of their costs, and of `change_cost` for each change
    from one frame to the next, is the smallest (Viterbi, 1967).  [L, K] -> int [L]
    """
    total, came_from = costs[0], []
    for of_frame in costs[1:]:
        best = int(np.argmin(total))
        stays = total <= total[best] + change_cost
        came_from.append(np.where(stays, np.arange(len(total)), best))
        total = np.where(stays, total, total[best] + change_cost) + of_frame
    path = [int(np.argmin(total))]
    for before in reversed(came_from):
        path.append(int(before[path[-1]]))
    return np.array(path[::-1])


def runs_of(units: np.ndarray) -> list[tuple[int, int, int]]:
    """(first frame, frame after the last, unit) of each stretch of one unit, without silent ones.

    Args:
        units: int `[L]`, see `PhoneUnits.units_of`.
    """
    edges = [0, *(np.flatnonzero(np.diff(units)) + 1).tolist(), len(units)]
    runs = [
        (first, last, int(units[first]))
        for first, last in zip(edges, edges[1:], strict=False)
        if last > first
    ]
    return [run for run in runs if run[2] >= 0]


def save(path: str | os.PathLike[str], found: PhoneUnits) -> None:
    """Writes units as one NPZ file, whose `told` is JSON."""
    told = {
        "version": _VERSION,
        "voices": found.voices,
        "residual": found.residual,
    }
    with files.replacing(os.fspath(path)) as temporary:
        arrays = {name: getattr(found, name) for name in _ARRAYS}
        np.savez_compressed(temporary, told=json.dumps(told), **arrays)


def load(path: str | os.PathLike[str]) -> PhoneUnits:
    """What `save` wrote.

    Raises: ValueError, one line that names the file, if it is not there or not whole.
    """
    try:
        with np.load(path, allow_pickle=False) as arrays:
            told = json.loads(str(arrays["told"]))
            if told["version"] != _VERSION:
                raise ValueError(f"its version is {told['version']}, and {_VERSION} can be read")
            found = PhoneUnits(
                voices=tuple(map(str, told["voices"])),
                residual=float(told["residual"]),
                **{name: np.asarray(arrays[name], float) for name in _ARRAYS},
            )
        shapes = {name: getattr(found, name).shape for name in _ARRAYS}
        num_voices, size = len(found.voices), 2 * NUM_CEPSTRA
        if shapes != {
            "maps": (num_voices, size, size),
            "offsets": (num_voices, size),
            "centres": (len(found.centres), size),
            "mean": (size,),
            "covariance": (size, size),
        }:
            raise ValueError("its arrays do not fit each other")
    except (OSError, ValueError, KeyError, TypeError, EOFError, zipfile.BadZipFile) as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        raise ValueError(f"{os.fspath(path)} holds no units that can be read: {reason}") from None
    return found


def _of_voices(
    measured: Sequence[Measured], voices: Sequence[str], names: Sequence[str]
) -> list[np.ndarray]:
    """The sounding frames of each of some voices."""
    sounding = [cepstra[sounds] for cepstra, sounds in measured]
    return [
        np.concatenate([own for own, who in zip(sounding, voices, strict=True) if who == name])
        for name in names
    ]


def _within(of_voices: Sequence[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """The mean of all frames, and the covariance of frames about their own voice's mean."""
    about = np.concatenate([own - own.mean(axis=0) for own in of_voices if len(own)])
    mean = np.concatenate(of_voices).mean(axis=0)
    return mean, about.T @ about / len(about)


def whitening_of(
    own: np.ndarray, mean_of_all: np.ndarray, covariance_of_all: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """The map `[D, D]` and the offset `[D]` that give a voice's frames `[L, D]` mean 0 and
    covariance 1, or nearly so where there are few of them.
    """
    size, share = own.shape[1], len(own) / (len(own) + FRAMES_OF_ALL)
    mean = share * (own.mean(axis=0) if len(own) else 0) + (1 - share) * mean_of_all
    about = own - mean
    covariance = share * (about.T @ about / max(len(own), 1)) + (1 - share) * covariance_of_all
    level = np.trace(covariance) / size
    covariance = (1 - SHRINKAGE) * covariance + SHRINKAGE * np.eye(size) * max(level, 1e-9)
    values, vectors = np.linalg.eigh(covariance)
    whitening = vectors / np.sqrt(values) @ vectors.T
    return whitening, -mean @ whitening
