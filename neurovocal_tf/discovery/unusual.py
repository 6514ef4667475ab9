"""Which calls a trained model finds unusual where they stand, by which score, and how sure that is.

A call is read in its context: its sequence from the beginning, as the model learned to read
recordings, and each score taken over the call's own frames. What is usual is learned from the calls
of the run's held-out recordings, type by type. This is the one file of the room that needs
TensorFlow, and a run.
"""

import dataclasses
import os
from collections.abc import Callable, Iterator, Mapping, Sequence

import numpy as np
import scipy.stats
import tensorflow as tf

from neurovocal_tf.audio import readers
from neurovocal_tf.audio.spectrogram import FrameScale
from neurovocal_tf.config import AudioConfig
from neurovocal_tf.data.sources import Source
from neurovocal_tf.discovery import features
from neurovocal_tf.discovery.discover import Asked, Discovery, measured_rate
from neurovocal_tf.generation.traced import Traced
from neurovocal_tf.model import scoring, usual_calls
from neurovocal_tf.model.usual_calls import UsualCalls
from neurovocal_tf.runs.run_folder import RunFolder
from neurovocal_tf.runs.trained import Trained, load_trained
from neurovocal_tf.segmentation import detector, sequences

NAMES = (*scoring.SCORES, "distance", "duration")
# Of fewer calls an interval would say next to nothing.
_LEAST_CALLS, _CONFIDENCE = 5, 0.95


@dataclasses.dataclass(frozen=True)
class Run:
    """A trained run, the recordings it was not trained on, and under which conditions, by their
    numbers, its recordings were made, by path.
    """

    trained: Trained
    held_out: tuple[Source, ...]
    training_paths: frozenset[str]
    conditions: Mapping[str, tuple[int, ...]] = dataclasses.field(default_factory=dict)


@dataclasses.dataclass(frozen=True)
class Share:
    """Of one recording's calls: how many, how many unusual ones, and between which shares the share
    of those lies (Clopper and Pearson's 95 % interval over calls as units; None of fewer than five
    calls).
    """

    num_calls: int
    num_unusual: int
    low: float | None
    high: float | None


@dataclasses.dataclass(frozen=True)
class Unusual:
    """What was found of S calls.

    Attributes:
        values: `[S, J]`, one for each of `NAMES`: the scores, the distance from the nearest fitted
            calls, and the duration in seconds; NaN of a call too short for the model.
        z: `[S, J]`, in spreads about the middle of held-out calls, see `usual_calls`; of logarithms
            for distance and duration.
        p_values: `[S, J]`, two-sided.
        p: `[S]`, of all together, see `usual_calls.Judged`; NaN where nothing is known.
        is_unusual: bool `[S]`.
        fired: int `[S]`, which of `NAMES` counts most against the call.
        is_held_out: bool `[S]`, whether it is one of those that what is usual was learned from.
        usual: `UsualCalls`.
        shares: `Share` of each recording, R.
        share: of all.
        caveats: sentences for whoever reads the figures.
    """

    values: np.ndarray
    z: np.ndarray
    p_values: np.ndarray
    p: np.ndarray
    is_unusual: np.ndarray
    fired: np.ndarray
    is_held_out: np.ndarray
    usual: UsualCalls
    shares: list[Share]
    share: Share
    caveats: list[str]

    @property
    def ranked(self) -> np.ndarray:
        """Which calls are unusual, the most unusual first, int."""
        counting = np.where(np.isnan(self.z), 0.0, np.abs(self.z)).sum(axis=1)
        found = np.flatnonzero(self.is_unusual)
        return found[np.lexsort((-counting[found], self.p[found]))]


def load(workdir: str, paths: Sequence[str], asked: Asked, data_dir: str) -> Run:
    """A run that can judge the calls of some recordings.

    Args:
        workdir: the run's folder.    paths: of the recordings.    asked: `Asked`.
        data_dir: where the run's held-out recordings are looked for if they are no longer where
            they were.

    Raises: ValueError, one line, if there is no run, it learned from frames without sound, or from
        recordings of another rate, or what it held out is not there.
    """
    folder = RunFolder(workdir)
    config, data = folder.config(), folder.data()
    received = f"Received: workdir={workdir}"
    if data is None or not data.is_sound:
        raise ValueError(
            "`workdir` must be a run that learned from recordings, and this one learned from "
            f"sequences of frames without sound. {received}"
        )
    rate, _ = measured_rate(_readable(paths, asked.config.audio.time_expansion), asked)
    if rate and rate != data.sample_rate:
        raise ValueError(
            f"`workdir` must be a run of the recordings' rate, {rate} Hz, and this one is of "
            f"{data.sample_rate} Hz; --sample_rate={data.sample_rate} brings recordings of a "
            f"higher rate to it. {received}"
        )
    expansions = [c.audio.time_expansion for c in (config, asked.config)]
    if expansions[0] != expansions[1]:
        raise ValueError(
            f"`time_expansion` must be that of the run in `workdir`, {expansions[0]}. "
            f"Received: time_expansion={expansions[1]}"
        )
    try:
        parts = data.parts_in(config)
    except ValueError as reason:
        try:
            parts = data.parts_in(config, data_dir)
        except ValueError:
            raise ValueError(
                "`workdir` must be a run whose held-out recordings are where they were, or in "
                f"--data_dir; {reason}. {received}"
            ) from None
    return Run(
        load_trained(workdir),
        parts.validation.sources,
        frozenset(os.path.abspath(source.path) for source in parts.training.sources),
        {
            os.path.abspath(source.path): part.conditions.numbers(source.conditions)
            for part in (parts.training, parts.validation)
            for source in part.sources
        },
    )


def judge(
    found: Discovery,
    paths: Mapping[str, str],
    run: Run,
    asked: Asked,
    on_recording: Callable[[], object] = lambda: None,
) -> Unusual:
    """Judges the calls of a `Discovery`.

    Args:
        found: `Discovery`.    paths: dict of recording's name -> path.    run: see `load`.
        asked: `Asked`, by which calls are looked for in held-out recordings that are not among
            those of `found`.
        on_recording: called after each recording of `found`.
    """
    read = reader(run.trained)
    caveats: list[str] = []
    bouts = found.bouts
    spans = np.stack([bouts.onsets_s, bouts.offsets_s], axis=1)
    place = np.full(len(spans), -1)
    if found.chosen is not None:
        place[found.chosen] = np.arange(len(found.chosen))
    distances = found.fitted.types.distances(found.points, place)
    values = np.full((len(spans), len(NAMES)), np.nan)
    is_held_out, is_trained = np.zeros(len(spans), bool), np.zeros(len(spans), bool)
    held_out = {os.path.abspath(source.path): source for source in run.held_out}
    for number, name in enumerate(found.names):
        own, path = np.flatnonzero(bouts.recordings == number), os.path.abspath(paths[name])
        if len(own):
            scores = read(path, spans[own], run.conditions.get(path))
            values[own] = _values(scores, distances[own], spans[own])
            is_trained[own] = path in run.training_paths
            source = held_out.pop(path, None)
            if source:
                is_held_out[own] = _in_stretch(spans[own], source, asked.config.audio)
                is_trained[own] &= ~is_held_out[own]
        on_recording()
    more = [
        _elsewhere(path, source, found, asked, lambda *call: read(*call, run.conditions[call[0]]))
        for path, source in held_out.items()
    ]
    known = np.isfinite(values).all(axis=1)
    is_held_out &= known
    usual = usual_calls.calibrate(
        np.concatenate([values[is_held_out], *(part[0] for part in more)]),
        np.concatenate([bouts.types[is_held_out], *(part[1] for part in more)]).astype(int),
        len(found.type_names),
        NAMES,
    )
    z, p_values = (np.full_like(values, np.nan) for _ in range(2))
    p, fired = np.full(len(spans), np.nan), np.zeros(len(spans), int)
    is_unusual = np.zeros(len(spans), bool)
    num_own = int(is_held_out.sum())
    if usual.rate:
        own_verdicts = [x.numpy()[:num_own] for x in usual.judge_held_out()]
        others = known & ~is_held_out
        verdicts = [x.numpy() for x in usual.judge(values[others], bouts.types[others])]
        for chosen, judged in ((is_held_out, own_verdicts), (others, verdicts)):
            z[chosen], p_values[chosen], _, p[chosen], fired[chosen], is_unusual[chosen] = judged
    caveats += _caveats(found, usual, known, is_trained)
    edges = [bouts.recordings == number for number in range(len(found.names))]
    shares = [_share(is_unusual[own & known]) for own in edges]
    share = _share(is_unusual[known])
    return Unusual(
        values, z, p_values, p, is_unusual, fired, is_held_out, usual, shares, share, caveats
    )


def scoring_of(trained: Trained) -> Callable[..., dict[str, tf.Tensor]]:
    """`scoring.score_calls` by a run's model and settings, as one graph."""
    model, generation = trained.model, trained.config.generation
    sampling = generation.num_gibbs_steps, generation.chain_start, generation.num_replicas
    return Traced(
        lambda frames, lengths, firsts, lasts, *condition: scoring.score_calls(
            model, frames, lengths, firsts, lasts, *sampling, *condition
        ),
        tf.TensorSpec([None, None, model.num_visible], tf.float32),
        *[tf.TensorSpec([None], tf.int32)] * 3,
        *scoring.condition_specs(model),
    )


def reader(trained: Trained) -> Callable[..., np.ndarray]:
    """A function of a recording's path and its calls' onsets and offsets, seconds `[C, 2]` in order
    of the onsets, and the numbers of its conditions, by default unknown, that tells the calls'
    scores where they stand, `[C, 3]`; NaN where a call is too short for the model.
    """
    score = scoring_of(trained)

    def read(path: str, spans_s: np.ndarray, condition: Sequence[int] | None = None) -> np.ndarray:
        parts = [np.empty((0, len(scoring.SCORES)))]
        for samples, own in _stretches(path, spans_s, trained):
            parts.append(scores_in(samples, own, trained, score, condition))
        return np.concatenate(parts)

    return read


def scores_in(
    samples: np.ndarray,
    spans: np.ndarray,
    trained: Trained,
    score: Callable[..., dict[str, tf.Tensor]],
    condition: Sequence[int] | None = None,
) -> np.ndarray:
    """Scores, `[C, 3]`, of calls between samples `[C, 2]` of a stretch of a recording."""
    spans = np.clip(spans, 0, len(samples)).astype(np.int64)
    calls = tf.constant(spans[:, 0]), tf.constant(spans[:, 1])
    assert isinstance(trained.scale, FrameScale)
    frames, lengths, frame_onsets = sequences.sequence_frames(
        samples, trained.sample_rate, trained.scale, trained.config, calls
    )
    if not len(frames):
        return np.full((len(spans), len(scoring.SCORES)), np.nan)
    firsts, lasts, is_heard = sequences.frames_of_calls(
        frame_onsets, *calls, trained.config.spectrogram.n_fft
    )
    apart = tf.RaggedTensor.from_row_lengths(frames, lengths).to_tensor()
    told = trained.model.conditions.row(condition)
    found = score(apart, tf.cast(lengths, tf.int32), firsts, lasts, *told)
    values = np.stack([found[name].numpy() for name in scoring.SCORES], axis=1).astype(float)
    return np.where(is_heard.numpy()[:, None], values, np.nan)


def _stretches(
    path: str, spans_s: np.ndarray, trained: Trained
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Samples, and the calls in them, `[C, 2]` in samples: by bouts where the model's sequences end
    with these, so that no long recording is held as a whole.
    """
    config, rate = trained.config, trained.sample_rate
    audio = dataclasses.replace(config.audio, sample_rate=rate)
    gap_s = config.data.bout_gap_s
    if config.data.sequence in ("recording", "packed"):
        yield np.concatenate([*_blocks(path, audio)]), np.rint(spans_s * rate)
        return
    ends = np.maximum.accumulate(spans_s[:, 1])
    breaks = np.flatnonzero(spans_s[1:, 0] - ends[:-1] > gap_s) + 1
    bouts = np.split(np.arange(len(spans_s)), breaks)
    edges = np.array([[spans_s[own[0], 0], ends[own[-1]]] for own in bouts]).reshape(-1, 2)
    cut = features.samples_of(path, edges, audio, margin_s=gap_s / 2)
    for own, (samples, first) in zip(bouts, cut, strict=True):
        yield samples, np.rint(spans_s[own] * rate) - first


def _blocks(path: str, audio: AudioConfig) -> Iterator[np.ndarray]:
    return readers.blocks(
        path, audio.channel, audio.sample_rate, audio.time_expansion, audio.float_scale
    )


def _elsewhere(
    path: str,
    source: Source,
    found: Discovery,
    asked: Asked,
    read: Callable[[str, np.ndarray], np.ndarray],
) -> tuple[np.ndarray, np.ndarray]:
    """Values and types of the calls of a held-out recording that is none of those of `found`."""
    fitted = found.fitted
    audio = dataclasses.replace(asked.config.audio, sample_rate=fitted.sample_rate)
    samples = np.concatenate([*_blocks(path, audio)])
    cut = detector.detect(samples, fitted.sample_rate, asked.config.segmentation)
    spans = np.stack(cut[:2], axis=1) / fitted.sample_rate
    spans = spans[_in_stretch(spans, source, asked.config.audio)]
    if not len(spans):
        return np.empty((0, len(NAMES))), np.empty(0, int)
    points = fitted.points_of(path, spans, audio)
    distances = fitted.types.distances(points, np.full(len(points), -1))
    values = _values(read(path, spans), distances, spans)
    known = np.isfinite(values).all(axis=1)
    return values[known], fitted.types.assign(points).types[known]


def _values(scores: np.ndarray, distances: np.ndarray, spans: np.ndarray) -> np.ndarray:
    return np.column_stack([scores, distances, spans[:, 1] - spans[:, 0]])


def _in_stretch(spans: np.ndarray, source: Source, audio: AudioConfig) -> np.ndarray:
    """Which calls lie in the part of a recording that a run held out."""
    if (source.begin, source.end) == (0.0, 1.0):
        return np.ones(len(spans), bool)
    duration_s = readers.probe(source.path, audio.time_expansion).duration_s
    begin, end = source.begin * duration_s, source.end * duration_s
    return (spans[:, 0] >= begin) & (spans[:, 1] <= end)


def _share(is_unusual: np.ndarray) -> Share:
    total, number = len(is_unusual), int(is_unusual.sum())
    if total < _LEAST_CALLS:
        return Share(total, number, None, None)
    interval = scipy.stats.binomtest(number, total).proportion_ci(_CONFIDENCE, "exact")
    return Share(total, number, float(interval.low), float(interval.high))


def _caveats(
    found: Discovery, usual: UsualCalls, known: np.ndarray, is_trained: np.ndarray
) -> list[str]:
    told = []
    if not usual.rate:
        told.append(
            f"the run holds out {usual.num_calls} calls, fewer than {usual_calls.MIN_CALLS}: no "
            "call is called unusual, for nobody knows how much usual ones vary"
        )
        return told
    pooled = [
        name for name, is_pooled in zip(found.type_names, usual.is_pooled, strict=True) if is_pooled
    ]
    if pooled and len(found.type_names) > 1:
        told.append(
            f"of type{'s' * (len(pooled) > 1)} {', '.join(pooled)} the run holds out fewer than "
            f"{usual_calls.MIN_OF_TYPE} calls: what is usual of them leans on calls of all types"
        )
    if not known.all():
        told.append(
            f"{(~known).sum()} calls are shorter than a frame of the model, and are not judged"
        )
    if is_trained.any():
        told.append(
            f"{is_trained.sum()} of {len(is_trained)} calls are of recordings that the run was "
            "trained on, which it foresees better than others: of them fewer are found unusual"
        )
    return told


def _readable(paths: Sequence[str], time_expansion: int) -> list[str]:
    """Those whose headers can be read; others are skipped later, with their reason."""
    kept = []
    for path in paths:
        try:
            readers.probe(path, time_expansion)
        except readers.UnreadableRecording:
            continue
        kept.append(path)
    return kept
