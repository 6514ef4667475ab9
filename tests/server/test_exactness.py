"""The check of exactness: it finds no difference in an export,
and the difference in a model that has one.
"""

import shutil

import pytest
import tensorflow as tf

from neurovocal_tf.model.tiling import Layout
from neurovocal_tf.server.exactness import Comparison, Load, compare

LOAD = Load(num_callers=24, max_frames=9)
BATCHING = (
    "max_batch_size { value: 32 }\nbatch_timeout_micros { value: 50000 }\nmax_enqueued_batches { "
    "value: 99 }\n"
)


def test_every_caller_gets_the_song_that_it_would_get_alone(export_dir):
    found = compare(export_dir / "1", LOAD)
    assert (found.num_rows, found.num_different) == (24, 0)
    # Each sings a whole song and two parts of one;
    # those with the longest of their batch do not count.
    assert found.num_answers == 72 and found.num_together > 18


def test_who_sings_alone_is_not_taken_for_one_of_many(export_dir):
    found = compare(export_dir / "1", Load(num_callers=1, calls_each=4, max_frames=9))
    assert found == Comparison(4, 0, 12, 0, layout=found.layout) and found.layout in (
        Layout.ROWS,
        Layout.LANES,
    )


def test_a_version_without_batching_is_refused(export_dir, tmp_path):
    version = shutil.copytree(export_dir / "1", tmp_path / "1")
    (version / "batching_params.pbtxt").unlink()
    with pytest.raises(ValueError, match="`folder` must hold batching_params.pbtxt"):
        compare(version, LOAD)


@pytest.mark.parametrize("where", ["spectrogram", "state"])
def test_a_model_whose_rows_depend_on_their_batch_is_found_out(where, tmp_path):
    rows = [
        tf.TensorSpec([None], dtype, name=name)
        for name, dtype in (
            ("seed", tf.int64),
            ("num_frames", tf.int32),
            ("temperature", tf.float32),
        )
    ]
    continuation = [
        tf.TensorSpec([None], tf.int64, name="frame"),
        tf.TensorSpec([None, 2], tf.float32, name="state"),
    ]

    def sing(seed, num_frames, temperature, frame=None, state=None):
        first = tf.zeros_like(seed) if frame is None else frame
        steps = tf.range(tf.cast(tf.reduce_max(num_frames), tf.int64))
        frames = tf.cast(first[:, tf.newaxis] + steps, tf.float32)[:, :, tf.newaxis]
        crowd = tf.where(tf.shape(seed)[0] > 1, 2.0**-20, 0.0)
        answer = {"spectrogram": frames, "state": tf.ones([tf.shape(seed)[0], 2])}
        answer[where] += crowd
        return {
            **answer,
            "lengths": num_frames,
            "next_frame": first + tf.cast(num_frames, tf.int64),
        }

    module = tf.Module()
    graphs = {
        "generate": tf.function(sing, input_signature=rows),
        "generate_continue": tf.function(sing, input_signature=rows + continuation),
    }
    tf.saved_model.save(
        module,
        str(tmp_path / "1"),
        {name: graph.get_concrete_function() for name, graph in graphs.items()},
    )
    (tmp_path / "1" / "batching_params.pbtxt").write_text(BATCHING)
    found = compare(tmp_path / "1", LOAD)
    assert 0 < found.num_different <= found.num_rows == 24 and found.layout == -1
