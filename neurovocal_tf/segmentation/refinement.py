"""A second look at what the detector finds, learned from recordings that people have annotated:
which sounds are calls, and where their boundaries lie.

A logistic regression (with a ridge penalty; Hastie, Tibshirani & Friedman, 2009, section 4.4) tells
calls from noises by their spectrum, loudness, length and the gaps around them; two ridge
regressions tell how late the detector is at either end. No trained model takes part.
"""

import dataclasses
import json
import os
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

import numpy as np

from neurovocal_tf import files
from neurovocal_tf.config import Config, SegmentationConfig
from neurovocal_tf.segmentation.agreement import Agreement, agreement
from neurovocal_tf.segmentation.detector import Segments, blocks_of, detect_in_blocks
from neurovocal_tf.segmentation.segment_spectra import segment_power
from neurovocal_tf.segmentation.selection import UNLIKE

if TYPE_CHECKING:
    from neurovocal_tf.segmentation.tuning import Example

_NUM_BANDS = 32
_LOWEST_DB = -50.0
_GAPS_S = (0.002, 2.0)
# A sound is a call that both its boundaries are so near to, and no boundary is moved further.
_NEAR_S = 0.02
# The penalties' strengths, on standardised features: moderate ones, which were not searched for.
_INVERSE_PENALTY, _PENALTY = 0.1, 30.0


@dataclasses.dataclass(frozen=True)
class Refinement:
    """What has been learned.

    Attributes:
        settings: the detector's settings that it holds for, but for those of groups.
        n_fft, hop_length: of the windows in which segments are measured.
        mean, scale: `[F]`, by which features are standardised.
        call: `[F + 1]`, weights and bias of the logarithm of the odds that a sound is a call.
        boundaries_s: `[2, F + 1]`, weights and bias of how late onset and offset are.
    """

    settings: dict[str, object]
    n_fft: int
    hop_length: int
    mean: np.ndarray
    scale: np.ndarray
    call: np.ndarray
    boundaries_s: np.ndarray

    def refined(self, found: Segments, features: np.ndarray, sample_rate: float) -> Segments:
        """What is found, without what is no call and with its boundaries moved.

        Args:
            found: `Segments` of the detector, without regard to groups.
            features: `[S, F]`, see `features_of`.    sample_rate: Hz.
        """
        standard = np.append((features - self.mean) / self.scale, np.ones((len(features), 1)), 1)
        is_call = standard @ self.call > 0
        onsets, offsets = found.onsets[is_call], found.offsets[is_call]
        # No boundary crosses the middle of its own segment.
        most = np.minimum(_NEAR_S * sample_rate, (offsets - onsets) / 3)
        late = np.clip((standard[is_call] @ self.boundaries_s.T).T * sample_rate, -most, most)
        unlike = np.stack([found.onsets[~is_call], found.offsets[~is_call]], axis=1)
        return dataclasses.replace(
            found,
            onsets=np.maximum(np.round(onsets - late[0]).astype(np.int64), 0),
            offsets=np.minimum(np.round(offsets - late[1]).astype(np.int64), found.num_samples),
            scores_db=found.scores_db[is_call],
            dropped={**found.dropped, UNLIKE: unlike},
        )

    def check(self, config: Config) -> None:
        """Raises ValueError if it was learned with other settings of the detector."""
        now = _settings_of(config.segmentation) | _windows_of(config)
        for name, value in (self.settings | self._windows).items():
            if now[name] != value:
                raise ValueError(
                    f"`{name}` must be {value}, with which the refinement was learned. "
                    f"Received: {name}={now[name]}"
                )

    @property
    def _windows(self) -> dict[str, int]:
        return {"n_fft": self.n_fft, "hop_length": self.hop_length}

    def to_json(self) -> str:
        """All of it, as text."""
        values = {f.name: getattr(self, f.name) for f in dataclasses.fields(self)}
        return json.dumps(
            {k: v.tolist() if isinstance(v, np.ndarray) else v for k, v in values.items()}, indent=1
        )


def detector_for(config: SegmentationConfig) -> SegmentationConfig:
    """The detector's settings before a refinement: who comes alone is for it to judge."""
    return dataclasses.replace(config, min_group_segments=1)


def read(path: str | os.PathLike[str]) -> Refinement:
    """A refinement from its file.

    Raises ValueError if it is none.
    """
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            text = file.read()
    except OSError as error:
        raise ValueError(
            "`refine` must be a file that `neurovocal segment --learn` has written, and cannot be "
            f"read: {error.strerror}. Received: refine={path}"
        ) from None
    return from_json(text, path)


def from_json(text: str, path: str | os.PathLike[str] = "this") -> Refinement:
    """What `Refinement.to_json` gave.

    Args:
        text: of it.    path: names it in errors.

    Raises ValueError if it is none.
    """
    try:
        values = json.loads(text)
        arrays = {
            name: np.asarray(values[name], np.float64)
            for name in ("mean", "scale", "call", "boundaries_s")
        }
        num = len(arrays["mean"])
        shapes = [arrays["scale"].shape, arrays["call"].shape, arrays["boundaries_s"].shape]
        if shapes != [(num,), (num + 1,), (2, num + 1)] or not all(
            np.isfinite(array).all() for array in arrays.values()
        ):
            raise ValueError("numbers are missing")
        return Refinement(
            dict(values["settings"]), int(values["n_fft"]), int(values["hop_length"]), **arrays
        )
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ValueError(
            f"`refine` must be a file that `neurovocal segment --learn` has written, and {path} is "
            f"none: {error}"
        ) from None


def write(path: str | os.PathLike[str], refinement: Refinement) -> None:
    """Writes a refinement to a file."""
    files.write_text(path, refinement.to_json() + "\n")


def learn(examples: Sequence["Example"], config: Config) -> Refinement:
    """Learns from annotated recordings.

    Args:
        examples: list of `tuning.Example`.
        config: `Config`; its `segmentation`, `n_fft` and `hop_length` count.

    Raises: ValueError if all that is found is calls, or nothing is.
    """
    import sklearn.linear_model  # here, for who has a refinement already

    features, is_call, errors = [], [], []
    for example in examples:
        found, some = _found(example, config)
        spans = np.stack([found.onsets, found.offsets], axis=1) / example.sample_rate
        nearest, distances = _nearest(spans, example.segments)
        features.append(some)
        is_call.append(distances < _NEAR_S)
        errors.append(spans - nearest)
    matrix, calls = np.concatenate(features), np.concatenate(is_call)
    if not calls.any() or calls.all():
        raise ValueError(
            "`truth` must mark some of what the detector finds and leave some, to learn from. "
            f"Received: {int(calls.sum())} of {len(calls)} sounds are marked"
        )
    mean, scale = matrix.mean(axis=0), matrix.std(axis=0) + 1e-6
    standard = (matrix - mean) / scale
    odds = sklearn.linear_model.LogisticRegression(C=_INVERSE_PENALTY, max_iter=3000)
    odds.fit(standard, calls)
    late = sklearn.linear_model.Ridge(alpha=_PENALTY)
    late.fit(standard[calls], np.concatenate(errors)[calls])
    return Refinement(
        settings=_settings_of(config.segmentation),
        **_windows_of(config),
        mean=mean,
        scale=scale,
        call=np.append(odds.coef_[0], odds.intercept_),
        boundaries_s=np.append(late.coef_, late.intercept_[:, np.newaxis], axis=1),
    )


def pooled_agreement(
    examples: Sequence["Example"], config: Config, refinement: Refinement, tolerance_s: float
) -> Agreement:
    """`Agreement` of what is found at second look in all examples with what people marked."""
    pooled = Agreement()
    for example in examples:
        found, features = _found(example, config)
        refined = refinement.refined(found, features, example.sample_rate)
        spans = np.stack([refined.onsets, refined.offsets], axis=1) / example.sample_rate
        pooled += agreement(spans, example.segments, tolerance_s)
    return pooled


def features_of(
    found: Segments, blocks: Iterable[np.ndarray], sample_rate: float, config: Config
) -> np.ndarray:
    """What a second look sees of each sound: its spectrum in 32 bands of the detector's band, each
    in dB of the whole, its score, and the logarithms of its length and of the gaps around it.

    Args:
        found: `Segments`.    blocks: iterable of float `[n]`, the recording's samples.
        sample_rate: Hz.    config: `Config`.

    Returns: float64 `[S, F]`.
    """
    if not len(found.onsets):
        return np.zeros((0, _NUM_BANDS + 4))
    power, frequencies = segment_power(
        blocks, sample_rate, found.onsets, found.offsets, config.spectrogram, "hann"
    )
    low, high = config.segmentation.low_hz, config.segmentation.high_hz
    edges = np.linspace(low, min(high or np.inf, sample_rate / 2), _NUM_BANDS + 1)
    bands = np.stack(
        [
            power[:, _bins_between(frequencies, *edges[i : i + 2])].mean(axis=1)
            for i in range(_NUM_BANDS)
        ],
        axis=1,
    )
    whole = np.maximum(bands.sum(axis=1, keepdims=True), np.finfo(np.float64).tiny)
    decibels = 10 * np.log10(np.maximum(bands / whole, 10 ** (_LOWEST_DB / 10)))
    gaps = (found.onsets[1:] - found.offsets[:-1]) / sample_rate
    before, after = (
        np.log(np.clip(some, *_GAPS_S))
        for some in (np.append(np.inf, gaps), np.append(gaps, np.inf))
    )
    lengths = np.log((found.offsets - found.onsets) / sample_rate)
    return np.column_stack([decibels, found.scores_db, lengths, before, after])


def _bins_between(frequencies: np.ndarray, low: float, high: float) -> np.ndarray:
    """Which bins [V] lie in a band; the nearest where it is narrower than they are apart."""
    inside = (frequencies >= low) & (frequencies < high)
    if inside.any():
        return inside
    return np.arange(len(frequencies)) == np.argmin(np.abs(frequencies - (low + high) / 2))


def _found(example: "Example", config: Config) -> tuple[Segments, np.ndarray]:
    samples, rate = example.samples, example.sample_rate
    found = detect_in_blocks(lambda: blocks_of(samples), rate, detector_for(config.segmentation))
    return found, features_of(found, blocks_of(samples), rate, config)


def _nearest(found: np.ndarray, true: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Of each found segment [S, 2] the true one [S', 2] whose further boundary is nearest, [S, 2],
    and how far that is, [S].
    """
    if not len(true):
        return found, np.full(len(found), np.inf)
    distances = np.abs(found[:, np.newaxis] - true[np.newaxis]).max(axis=2)
    places = distances.argmin(axis=1)
    return true[places], distances[np.arange(len(found)), places]


def _settings_of(config: SegmentationConfig) -> dict[str, object]:
    judged = {"min_group_segments", "group_gap_s", "buffer_ms"}
    return {name: value for name, value in dataclasses.asdict(config).items() if name not in judged}


def _windows_of(config: Config) -> dict[str, int]:
    return {
        "n_fft": config.spectrogram.n_fft,
        "hop_length": config.spectrogram.hop_length,
    }
