"""The ranges outside which a call is unusual."""

import numpy as np
import pytest
import tensorflow as tf

from neurovocal_tf.audio import readers
from neurovocal_tf.evaluation import usual_ranges
from neurovocal_tf.model import scoring
from neurovocal_tf.runs.run_folder import RunFolder
from neurovocal_tf.runs.trained import load_trained
from neurovocal_tf.segmentation import detector


def test_the_ranges_are_four_deviations_about_held_out_pieces_of_each_length(
    trained_run, monkeypatch
):
    trained = load_trained(trained_run)
    validation = RunFolder(trained_run).data().parts_in(trained.config).validation
    sequences = [frames for frames, _ in validation.sequences().as_numpy_iterator()]
    score = tf.function(
        lambda frames: scoring.score(trained.model, frames, tf.shape(frames)[1:2], 3),
        input_signature=[tf.TensorSpec([None, None, 65], tf.float32)],
        autograph=False,
    )
    usual = usual_ranges.usual_ranges(trained, trained_run)
    # Training windows of 32 frames; of four times that there are fewer than eight.
    assert [ranges.num_frames for ranges in usual] == [8, 32]
    for ranges in usual:
        size = ranges.num_frames
        pieces = [f[i * size : (i + 1) * size] for f in sequences for i in range(len(f) // size)]
        found = [score(piece[np.newaxis]) for piece in pieces]
        assert len(pieces) >= 8
        for name in scoring.SCORES:
            values = np.array([float(getattr(scores, name)) for scores in found])
            lower, upper = getattr(ranges, name)
            np.testing.assert_allclose(
                [lower, upper], values.mean() + values.std() * np.array([-4, 4]), rtol=1e-3
            )
    # Of too few pieces nobody knows how much they vary.
    monkeypatch.setattr(usual_ranges, "_MIN_PIECES", 1_000)
    assert usual_ranges.usual_ranges(trained, trained_run) == scoring.EVERYTHING_USUAL


def test_recordings_that_are_gone_are_named(trained_run, tmp_path):
    with pytest.raises(ValueError, match="`data_dir` must hold the recordings"):
        usual_ranges.usual_ranges(load_trained(trained_run), trained_run, tmp_path / "gone")


def test_usual_calls_are_those_that_are_held_out(trained_run):
    trained = load_trained(trained_run)
    usual = usual_ranges.usual_calls_of(trained, trained_run)
    (source,) = RunFolder(trained_run).data().parts_in(trained.config).validation.sources
    samples = readers.read(source.path)
    onsets, _, _ = detector.detect(samples, 16_000, trained.config.segmentation)
    assert usual.num_calls == len(onsets) > 3
    # Of so few nothing is called unusual.
    assert usual.rate == 0
