"""Update gates that start slow, each at a rate of its own."""

import math
from collections.abc import Sequence

import keras
import tensorflow as tf


class SlowGates(keras.initializers.Initializer):
    """Biases [3 U] of a gated layer, in the order z, r, c, whose update gates z start with time
    constants from 2 frames to `longest`, as many in every octave; r and c start as `others` has it.

    h' = h + z (c - h) forgets at the rate z, so with the bias b alone 1 / z = 1 + exp(-b) frames
    are its time constant. The paper draws exp(-b) evenly from 1 to `longest` - 1, which leaves few
    gates fast where `longest` is large; here its logarithm is: what follows a syllable's onset is
    as many octaves from a frame as a phrase is from a syllable.

    Args:
        longest: frames, at least 2: there all gates start at 1 / 2, as without.
        others: initializer of [3 U].    seed: int.

    Reference: Tallec & Ollivier, 2018, https://arxiv.org/abs/1804.11188
    """

    def __init__(self, longest: float, others: keras.initializers.Initializer, seed: int) -> None:
        self.others = others
        self.update = keras.initializers.RandomUniform(-math.log(longest - 1.0), 0.0, seed=seed)

    def __call__(self, shape: Sequence[int], dtype: str | None = None) -> tf.Tensor:
        num_units = shape[0] // 3
        others = self.others(shape, dtype=dtype)[num_units:]
        return tf.concat([self.update((num_units,), dtype=dtype), others], axis=0)


def longest_of_layers(
    memory_frames: int | Sequence[int], num_layers: int, gates: str
) -> tuple[int, ...]:
    """The longest time constant of each layer's gates, 0 where they do not start slow.

    Args:
        memory_frames: a number for all layers, or one for each.    gates: sigmoid or tanh.

    Raises:
        ValueError: numbers that do not match the layers, constants below 2 frames, or gates that
            have no rate.
    """
    given = (memory_frames,) if isinstance(memory_frames, int) else tuple(memory_frames)
    if len(given) not in (1, num_layers):
        raise ValueError(
            f"`memory_frames` must have one number or {num_layers}, as many as `num_layers`. "
            f"Received: memory_frames={memory_frames}"
        )
    if any(frames != 0 and frames < 2 for frames in given):
        raise ValueError(
            f"`memory_frames` must be 0, or at least 2. Received: memory_frames={memory_frames}"
        )
    if any(given) and gates != "sigmoid":
        raise ValueError(
            "`memory_frames` must be 0 unless `gates` are sigmoid: others have no rate that could "
            f"start slow. Received: memory_frames={memory_frames}, gates={gates}"
        )
    return given if len(given) == num_layers else given * num_layers
