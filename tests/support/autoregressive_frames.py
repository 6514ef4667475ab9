"""Frames whose autoregression is known."""

import numpy as np


def autoregressive(rng, lengths, num_visible=5, level=-60.0):
    """Frames [L, V] that follow a known VAR(2) around `level`, and its two matrices."""
    first = 0.5 * np.eye(num_visible) + 0.1 * rng.normal(size=(num_visible, num_visible))
    second = -0.3 * np.eye(num_visible)
    sequences = []
    for length in lengths:
        frames = rng.normal(size=(length + 50, num_visible))
        for t in range(2, len(frames)):
            frames[t] += frames[t - 1] @ first + frames[t - 2] @ second
        sequences.append(frames[50:] + level)
    return sequences, (first, second)
