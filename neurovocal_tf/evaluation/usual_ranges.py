"""How unusual the held-out recordings of a trained model are,
and so what it should call unusual.
"""

import os

import numpy as np
import tensorflow as tf

from neurovocal_tf.data.watch import Watch
from neurovocal_tf.model import scoring
from neurovocal_tf.model.scoring import EVERYTHING_USUAL
from neurovocal_tf.runs.run_folder import RunFolder
from neurovocal_tf.runs.trained import Trained

# So many standard deviations about the mean of the held-out pieces are usual.
_NUM_DEVIATIONS = 4.0
_MIN_PIECES = 8


def usual_ranges(
    trained: Trained,
    workdir: str | os.PathLike[str],
    data_dir: str | os.PathLike[str] | None = None,
) -> scoring.UsualRanges:
    """The range of each score over pieces of the held-out recordings,
    each as long as a training window.

    Args:
        trained: `trained.Trained`.    workdir: its run folder.
        data_dir: of the recordings; None: where the run found them.

    Returns:
        `scoring.UsualRanges`: mean +- 4 standard deviations;
        open where fewer than 8 pieces are held out.

    Raises:
        ValueError: the recordings are not there any more.
    """
    validation = RunFolder(workdir).data().parts_in(trained.config, data_dir).validation
    num_frames = trained.config.data.window_frames
    generation = trained.config.generation

    @tf.function(
        input_signature=[tf.TensorSpec([num_frames, trained.model.num_visible], tf.float32)],
        autograph=False,
    )
    def scores_of(frames):
        scores = scoring.score(
            trained.model,
            frames[tf.newaxis],
            [num_frames],
            generation.num_gibbs_steps,
            generation.chain_start,
        )
        return [getattr(scores, name) for name in scoring.SCORES]

    found = []
    with Watch.from_now(validation.sources).blamed():
        for frames, _ in validation.sequences().as_numpy_iterator():
            found += [
                scores_of(frames[first : first + num_frames])
                for first in range(0, len(frames) - num_frames + 1, num_frames)
            ]
    if len(found) < _MIN_PIECES:
        return EVERYTHING_USUAL
    found = np.array(found, np.float64)
    middle, width = found.mean(axis=0), _NUM_DEVIATIONS * found.std(axis=0)
    limits = np.column_stack([middle - width, middle + width]).tolist()
    return scoring.UsualRanges(
        **{name: tuple(pair) for name, pair in zip(scoring.SCORES, limits, strict=True)}
    )
