"""What a song's state holds: all that the next frame depends on, and so all that a song needs to go
on from anywhere.
"""

import typing

import tensorflow as tf


class SongStates(typing.NamedTuple):
    """The states of some songs, one a row.

    Attributes:
        seeds: int64 [B]: with the frame's number the key of all its noise, see `rbm.noise`.
        num_frames: int32 [B], how many frames are wanted.
        temperature: float32 [B].
        first_frame: int64 [B], the number of the next frame, counted from the song's beginning.
        state: float32 [B, R], what the encoder remembers of the frames so far. Of gated layers
            these are the units of every layer, from the bottom up, and then the last frames
            themselves, newest first (`layers.gated_recurrent_encoder`), with attention after what
            is remembered (`layers.attention_encoder`); nobody but the encoder takes it apart
            (`layers.encoder`).
        cues: int32 [B, T, C], of each frame what is told of the one after it, where songs are told
            of labels; else ().

    A server without memory gives `state` and the number of the next frame to its callers, and takes
    them back: see `generate_continue`.
    """

    seeds: tf.Tensor
    num_frames: tf.Tensor
    temperature: tf.Tensor
    first_frame: tf.Tensor
    state: tf.Tensor
    cues: tf.Tensor | tuple[()] = ()
