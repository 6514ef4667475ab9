"""How far float32 may be off what another version, or another stack, has answered."""

import numpy as np


def tolerance_of(answers, values, num_frames):
    """Of an array that `num_frames` frames have led to: each term of every product that a frame
    takes part in is rounded, in every frame anew.

    Args:
        answers: name -> array, as `make_earlier_run` lists them, the model's weights among them.
    """
    num_terms = sum(
        len(weights)
        for name, weights in answers.items()
        if name.startswith("weight_") and weights.ndim == 2
    )
    return num_frames * num_terms * np.finfo(np.float32).eps * np.abs(values).max()
