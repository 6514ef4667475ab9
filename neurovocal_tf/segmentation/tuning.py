"""Searches the detector's settings for the best agreement with annotated segments."""

import concurrent.futures
import dataclasses
import itertools
import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence

import numpy as np

from neurovocal_tf.config import Config
from neurovocal_tf.segmentation import detector
from neurovocal_tf.segmentation.agreement import Agreement, agreement

# Segment F1, and frame F1 between those of the same.
Score = tuple[float, float]

_HELD_OUT = 1 / 3
_MAX_ROUNDS = 3
# Each of these is tried in turn while all others stay; the first ones move most.
_TRIED = {
    "threshold": (0.5, 0.7, 0.85, 1.2, 1.4, 2.0),
    "noise_spreads": (0.0, 0.5, 1.0, 1.5, 2.0, 3.0),
    "min_gap_ms": (1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0),
    "smoothing_ms": (1.0, 2.0, 4.0, 8.0, 16.0),
    "hysteresis_db": (0.0, 2.0, 4.0, 6.0),
    "min_length_ms": (2.0, 5.0, 10.0, 15.0, 30.0, 50.0),
    "max_length_ms": (200.0, 500.0, 1000.0, 2000.0, 5000.0),
    "noise_floor_percentile": (5.0, 10.0, 20.0, 50.0),
    "contrast_bandwidth_hz": (0.0, 300.0, 1000.0, 3000.0),
    "contrast_background_hz": (0.0, 2000.0, 5000.0, 20_000.0),
    "offset_below_peak_db": (0.0, 6.0, 12.0, 20.0),
    "split_depth_db": (0.0, 6.0, 10.0, 15.0),
    "min_group_segments": (1, 2, 3, 5),
    "low_hz": (0.5, 0.7, 1.4, 2.0),
    "high_hz": (0.7, 1.4),
}
_FACTORS = ("threshold", "low_hz", "high_hz")
# Where the search for a detector begins if the settings given are for the other one.
_STARTS = {
    "envelope": dict(
        detector="envelope",
        threshold_method="noise_mode",
        threshold=7.0,
        noise_spreads=1.0,
        smoothing_ms=4.0,
    ),
    "contrast": dict(
        detector="contrast",
        threshold_method="noise_mode",
        threshold=5.0,
        noise_spreads=1.0,
        noise_floor_percentile=20.0,
        smoothing_ms=2.5,
    ),
}


@dataclasses.dataclass(frozen=True)
class Example:
    """A recording, or a part of one, that people have annotated.

    Attributes:
        samples: float32 `[N]`.    sample_rate: Hz.
        segments: `[S, 2]`, onsets and offsets in seconds from its start.
    """

    samples: np.ndarray
    sample_rate: int
    segments: np.ndarray

    def part(self, begin: float, end: float) -> "Example":
        """The part between two shares of its length, with the segments that begin there."""
        first, last = (int(share * len(self.samples)) for share in (begin, end))
        onsets = self.segments[:, 0] * self.sample_rate
        segments = self.segments[(onsets >= first) & (onsets < last)] - first / self.sample_rate
        return Example(self.samples[first:last], self.sample_rate, segments)


def split(examples: Sequence[Example], seed: int) -> tuple[list[Example], list[Example]]:
    """Examples to search with and examples to report on:
    other recordings, or the last third of the only one there is.
    """
    if len(examples) == 1:
        return [examples[0].part(0.0, 1 - _HELD_OUT)], [examples[0].part(1 - _HELD_OUT, 1.0)]
    num_held_out = max(round(_HELD_OUT * len(examples)), 1)
    order = np.random.default_rng(seed).permutation(len(examples))
    return [examples[i] for i in sorted(order[num_held_out:])], [
        examples[i] for i in sorted(order[:num_held_out])
    ]


def pooled_agreement(examples: Sequence[Example], config: Config, tolerance_s: float) -> Agreement:
    """`Agreement` of what the detector finds in all examples with what people marked."""

    def one(example: Example) -> Agreement:
        onsets, offsets, _ = detector.detect(
            example.samples, example.sample_rate, config.segmentation
        )
        return agreement(
            np.stack([onsets, offsets], axis=1) / example.sample_rate, example.segments, tolerance_s
        )

    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        return sum(pool.map(one, examples), Agreement())


def search(
    examples: Sequence[Example], config: Config, tolerance_s: float
) -> Iterator[tuple[Score, Config]]:
    """Searches for the settings with the largest segment F1, and of those as good the largest frame
    F1, by coordinate ascent.

    Starts from the settings given, and from those of the other detector in the same band; the two
    take turns, so that a search cut short has tried both.

    Args:
        examples: list of `Example`.    config: `Config`.    tolerance_s: seconds.

    Yields: after each trial, the best score so far (segment F1, frame F1) and its `Config`,
        different from the one given in its `segmentation` only.
    """

    def tried(candidate: Config) -> Score:
        return _score(pooled_agreement(examples, candidate, tolerance_s))

    other = _STARTS["contrast" if config.segmentation.detector == "envelope" else "envelope"]
    best = {}
    for turn in itertools.zip_longest(
        *(_ascend(start, tried) for start in (config, config.replace(**other)))
    ):
        for start, found in enumerate(turn):
            if found:
                best[start] = found
                # Of two as good, the detector that was asked for.
                yield max((best[i] for i in sorted(best)), key=lambda pair: pair[0])


def search_until(
    examples: Sequence[Example],
    config: Config,
    tolerance_s: float,
    limit_s: float,
    is_stopped: Callable[[], bool],
    on_trial: Callable[[float], object] = lambda segment_f1: None,
) -> tuple[Config, str]:
    """Searches, see `search`, until nothing more is found, the time is over, or somebody stops it;
    after one trial at least.

    Args:
        examples, config, tolerance_s: see `search`.    limit_s: seconds that it may take.
        is_stopped: function, true to end it.
        on_trial: called after each trial with the best segment F1 so far.

    Returns:
        (the best `Config`, how it ended: "finished", "stopped" or "out of time").
    """
    end_s, best = time.monotonic() + limit_s, config
    for (segment_f1, _), best in search(examples, config, tolerance_s):
        on_trial(segment_f1)
        if is_stopped():
            return best, "stopped"
        if time.monotonic() > end_s:
            return best, "out of time"
    return best, "finished"


def compared(
    parts: Mapping[str, Sequence[Example]], settings: Mapping[str, Config], tolerance_s: float
) -> Iterator[tuple[str, str, dict[str, float]]]:
    """How well each of some settings agrees with each part of the examples.

    Args:
        parts: dict of name -> list of `Example`.    settings: dict of name -> `Config`.
        tolerance_s: seconds.

    Yields:
        (name of the part, name of the settings, dict of scores as `Agreement.scores` has them).
    """
    for part, examples in parts.items():
        for name, config in settings.items():
            yield part, name, pooled_agreement(examples, config, tolerance_s).scores()


def _ascend(config: Config, tried: Callable[[Config], Score]) -> Iterator[tuple[Score, Config]]:
    """Yields the best score and its configuration after each trial, until a round through all
    settings brings nothing.
    """
    score = tried(config)
    yield score, config
    for _ in range(_MAX_ROUNDS):
        before = score
        for name in _TRIED:
            for candidate in _neighbours(config, name):
                if (better := tried(candidate)) > score:
                    config, score = candidate, better
                yield score, config
        if score == before:
            break


def _neighbours(config: Config, name: str) -> Iterator[Config]:
    """Configurations that differ in one setting, of the detector they have,
    and contradict nothing.
    """
    detector_settings = config.segmentation
    if name.startswith("contrast") and detector_settings.detector != "contrast":
        return
    if name == "noise_spreads" and detector_settings.threshold_method != "noise_mode":
        return
    now = getattr(detector_settings, name)
    for step in _TRIED[name]:
        value = step * now if name in _FACTORS else step
        if name == "threshold" and detector_settings.threshold_method == "percentile":
            value = 100 - step * (100 - now)
        try:
            if value != now:
                yield config.replace(**{name: round(value, 4) if name in _FACTORS else value})
        except ValueError:
            continue


def _score(pooled: Agreement) -> Score:
    scores = pooled.scores()
    return (_number(scores["segment_f1"]), _number(scores["frame_f1"]))


def _number(value: float) -> float:
    return 0.0 if np.isnan(value) else value
