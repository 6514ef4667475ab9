"""Inputs of a layer of which training drops a share."""

import keras
import tensorflow as tf

from neurovocal_tf.rbm import noise


def dropped(inputs: tf.Tensor, share: float, stream: noise.Stream, index: int) -> tf.Tensor:
    """Inputs with a share of them dropped, and the others larger, so that their mean stays.

    Args:
        inputs: time first, [T, B, I].    share: in [0, 1).
        stream: which decides by `index`, one for each layer.

    Returns:
        [T, B, I].
    """
    num_frames, num_rows, width = noise.shape_of(inputs)
    keep = stream.uniforms(noise.DROPOUT, index, [num_rows, num_frames, width]) >= share
    return tf.where(tf.transpose(keep, [1, 0, 2]), inputs / (1.0 - share), 0.0)


class OwnNoise:
    """A `noise.BatchStream` for every call that is given none.

    In an object of its own, since Keras would take its counter for one of the layer's variables,
    and of those a checkpoint holds no others than weights.
    """

    def __init__(self, seed: int) -> None:
        self._generator = keras.random.SeedGenerator(seed)

    def stream(self) -> noise.BatchStream:
        """The next one."""
        seed, step = tf.unstack(self._generator.next())
        return noise.BatchStream(seed, step)
