"""How unusual the held-out recordings of a trained model are,
and so what it should call unusual.
"""

import os

import numpy as np
import tensorflow as tf

from neurovocal_tf.audio import readers
from neurovocal_tf.data.sources import stretch_bounds
from neurovocal_tf.data.watch import Watch
from neurovocal_tf.discovery import unusual
from neurovocal_tf.model import scoring, usual_calls
from neurovocal_tf.model.scoring import EVERYTHING_USUAL
from neurovocal_tf.model.usual_calls import CALL_SCORES, UsualCalls
from neurovocal_tf.runs.run_folder import RunFolder
from neurovocal_tf.runs.trained import Trained
from neurovocal_tf.segmentation import detector

# So many standard deviations about the mean of the held-out pieces are usual.
_NUM_DEVIATIONS = 4.0
_MIN_PIECES, _MOST_PIECES = 8, 200
_STEP = 4


def usual_ranges(
    trained: Trained,
    workdir: str | os.PathLike[str],
    data_dir: str | os.PathLike[str] | None = None,
) -> tuple[scoring.UsualRanges, ...]:
    """The range of each score over pieces of the held-out recordings: a quarter of a training
    window long, a window, four windows and so on, for scores spread less over more frames.

    Args:
        trained: `trained.Trained`.    workdir: its run folder.
        data_dir: of the recordings; None: where the run found them.

    Returns:
        `scoring.UsualRanges` for each length of which 8 pieces at least are held out: mean +- 4
        standard deviations; of none all is usual.

    Raises:
        ValueError: the recordings are not there any more.
    """
    validation = RunFolder(workdir).data().parts_in(trained.config, data_dir).validation
    generation = trained.config.generation

    @tf.function(
        input_signature=[
            tf.TensorSpec([None, trained.model.num_visible], tf.float32),
            *scoring.condition_specs(trained.model),
        ],
        autograph=False,
    )
    def scores_of(frames, *condition):
        scores = scoring.score(
            trained.model,
            frames[tf.newaxis],
            tf.shape(frames)[:1],
            generation.num_gibbs_steps,
            generation.chain_start,
            generation.num_replicas,
            *condition,
        )
        return [getattr(scores, name) for name in scoring.SCORES]

    with Watch.from_now(validation.sources).blamed():
        sequences = list(validation.sequences().as_numpy_iterator())
    ranges = []
    num_frames = max(trained.config.data.window_frames // _STEP, 2)
    # Read without their labels, as whoever asks for scores has none.
    told = [(frames, *own[: bool(trained.model.conditions)]) for frames, _, *own in sequences]
    while len(pieces := _pieces(told, num_frames)) >= _MIN_PIECES:
        found = np.array([scores_of(*piece) for piece in pieces], np.float64)
        middle, width = found.mean(axis=0), _NUM_DEVIATIONS * found.std(axis=0)
        limits = np.column_stack([middle - width, middle + width]).tolist()
        of_scores = {n: tuple(pair) for n, pair in zip(scoring.SCORES, limits, strict=True)}
        ranges.append(scoring.UsualRanges(num_frames, **of_scores))
        num_frames *= _STEP
    return tuple(ranges) or EVERYTHING_USUAL


def _pieces(sequences, num_frames):
    """Pieces of so many frames, one after another, or as many as are enough, evenly chosen, each
    with its condition where there are any.
    """
    pieces = [
        (frames[first : first + num_frames], *condition)
        for frames, *condition in sequences
        for first in range(0, len(frames) - num_frames + 1, num_frames)
    ]
    chosen = np.linspace(0, len(pieces) - 1, min(len(pieces), _MOST_PIECES)).round().astype(int)
    return [pieces[place] for place in chosen]


def usual_calls_of(
    trained: Trained,
    workdir: str | os.PathLike[str],
    data_dir: str | os.PathLike[str] | None = None,
) -> UsualCalls:
    """What is usual of single calls: of those that the run's detector finds in its held-out
    recordings, whatever their types.

    Args, raises: as for `usual_ranges`.
    """
    validation = RunFolder(workdir).data().parts_in(trained.config, data_dir).validation
    config, read = trained.config, unusual.reader(trained)
    audio = config.audio
    values = [np.empty((0, len(CALL_SCORES)))]
    with Watch.from_now(validation.sources).blamed():
        for index, source in enumerate(validation.sources):
            samples = readers.read(
                source.path,
                audio.channel,
                trained.sample_rate,
                audio.time_expansion,
                audio.float_scale,
            )
            onsets, offsets, _ = detector.detect(samples, trained.sample_rate, config.segmentation)
            first, last = (
                int(bound.numpy())
                for bound in stretch_bounds(len(samples), source.begin, source.end)
            )
            kept = (onsets >= first) & (offsets <= last)
            spans_s = np.stack([onsets, offsets], axis=1)[kept] / trained.sample_rate
            scores = read(source.path, spans_s, validation.condition_of(index))
            values.append(np.column_stack([scores, np.diff(spans_s)]))
    found = np.concatenate(values)
    found = found[np.isfinite(found).all(axis=1)]
    return usual_calls.calibrate(found, np.zeros(len(found), int), 1, CALL_SCORES)
