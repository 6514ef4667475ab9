"""What is taken out of the way of a recurrence comes back where it was."""

import hypothesis
import hypothesis.extra.numpy as hnp
import numpy as np
import tensorflow as tf

from neurovocal_tf.layers import padding

MASKS = hnp.arrays(bool, hnp.array_shapes(min_dims=2, max_dims=2, max_side=6))


@hypothesis.given(MASKS)
@hypothesis.settings(max_examples=25, deadline=None)
def test_the_frames_that_count_come_first_in_their_order(mask):
    frames = np.arange(mask.size * 2, dtype=np.float32).reshape(*mask.shape, 2)
    first = padding.frames_first(tf.constant(frames), tf.constant(mask)).numpy()
    ordered = padding.masks_first(tf.constant(mask, tf.float32)).numpy()
    for row, counts in enumerate(mask):
        expected = np.concatenate([frames[row, counts], frames[row, ~counts]])
        np.testing.assert_array_equal(first[row], expected)
        np.testing.assert_array_equal(ordered[row], np.arange(len(counts)) < counts.sum())


@hypothesis.given(MASKS)
@hypothesis.settings(max_examples=25, deadline=None)
def test_every_place_has_what_came_of_the_frames_that_count_before_it(mask):
    """The oracle walks along the rows: "what came of them" is their running sum."""
    frames = np.arange(1.0, mask.size + 1, dtype=np.float32).reshape(*mask.shape, 1)
    sums = tf.cumsum(padding.frames_first(tf.constant(frames), tf.constant(mask)), axis=1)
    initial = np.full((len(mask), 1), 0.5, np.float32)
    after = padding.after_each(sums, tf.constant(initial), tf.constant(mask))
    before = padding.before_each(
        tf.concat([initial[:, None], sums[:, :-1]], axis=1), tf.constant(mask)
    )
    for row, counts in enumerate(mask):
        total = 0.0
        for t, counts_here in enumerate(counts):
            assert before[row, t, 0] == (total or 0.5)
            total += frames[row, t, 0] * counts_here
            assert after[row, t, 0] == (total or 0.5)
