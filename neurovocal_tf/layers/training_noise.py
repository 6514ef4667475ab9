"""What training adds to frames, and drops of what a layer reads."""

import keras
import tensorflow as tf

from neurovocal_tf.rbm import noise


def noisy(frames: tf.Tensor, sd: float, stream: noise.Stream) -> tf.Tensor:
    """Frames with noise of that standard deviation; as they are for 0.

    [B, T, V] -> [B, T, V]
    """
    if not sd:
        return frames
    return frames + sd * stream.normals(noise.INPUT_NOISE, 0, noise.shape_of(frames))


def dropped(
    inputs: tf.Tensor, share: float, stream: noise.Stream, index: int, time_first: bool = False
) -> tf.Tensor:
    """Inputs with a share of them dropped, and the others larger, so that their mean stays; as they
    are for 0.

    Args:
        inputs: [B, T, I], or with `time_first` [T, B, I].    share: in [0, 1).
        stream: source of noise, which decides rows first: what is dropped is the same either way.
        index: of the numbers of `noise.DROPOUT`, one for each layer.

    Returns:
        As `inputs`.
    """
    if not share:
        return inputs
    order = [1, 0, 2] if time_first else [0, 1, 2]
    shape = noise.shape_of(inputs)
    keep = stream.uniforms(noise.DROPOUT, index, [shape[axis] for axis in order]) >= share
    if time_first:
        keep = tf.transpose(keep, order)
    return tf.where(keep, inputs / (1.0 - share), 0.0)


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
