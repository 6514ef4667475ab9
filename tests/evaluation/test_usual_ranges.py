"""The ranges outside which a call is unusual."""

import numpy as np
import pytest
import tensorflow as tf

from neurovocal_tf.evaluation import usual_ranges
from neurovocal_tf.model import scoring
from neurovocal_tf.runs.run_folder import RunFolder
from neurovocal_tf.runs.trained import load_trained


def test_the_ranges_are_four_deviations_about_the_held_out_pieces(trained_run, monkeypatch):
    trained = load_trained(trained_run)
    validation = RunFolder(trained_run).data().parts_in(trained.config).validation
    pieces = []
    for frames, _ in validation.sequences().as_numpy_iterator():
        pieces += [frames[i * 32 : i * 32 + 32] for i in range(len(frames) // 32)]
    spec = [tf.TensorSpec([None, 32, 65], tf.float32)]
    score = tf.function(
        lambda frames: scoring.score(trained.model, frames, [32], 3),
        input_signature=spec,
        autograph=False,
    )
    found = [score(piece[np.newaxis]) for piece in pieces]
    usual = usual_ranges.usual_ranges(trained, trained_run)
    assert len(pieces) >= 8
    for name in scoring.SCORES:
        values = np.array([float(getattr(scores, name)) for scores in found])
        lower, upper = getattr(usual, name)
        np.testing.assert_allclose(
            [lower, upper], values.mean() + values.std() * np.array([-4, 4]), rtol=1e-3
        )
        assert ((lower < values) & (values < upper)).all()
    # Of too few pieces nobody knows how much they vary.
    monkeypatch.setattr(usual_ranges, "_MIN_PIECES", len(pieces) + 1)
    assert usual_ranges.usual_ranges(trained, trained_run) == scoring.EVERYTHING_USUAL


def test_recordings_that_are_gone_are_named(trained_run, tmp_path):
    with pytest.raises(ValueError, match="`data_dir` must hold the recordings"):
        usual_ranges.usual_ranges(load_trained(trained_run), trained_run, tmp_path / "gone")
