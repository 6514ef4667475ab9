"""XLA made to heed TF_CPP_MIN_LOG_LEVEL, as the rest of TensorFlow does."""

import functools

import tensorflow as tf

from neurovocal_tf import greeting


@functools.cache
def start_quietly() -> None:
    """Compiles a first program, so that XLA's greeting, once in every process that compiles, is
    over before a progress bar begins.

    Does nothing where TF_CPP_MIN_LOG_LEVEL lets greetings through.
    """
    if not greeting.is_unwanted():
        return
    with greeting.left_out():
        tf.function(lambda number: number + 1, autograph=False, jit_compile=True)(tf.constant(0.0))
