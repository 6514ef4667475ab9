"""Generation: for every frame set the biases, run a Gibbs chain, emit its mean, and advance the encoder.

Matrix products and transcendental functions change in their last bit with the number of rows they are given, and one flipped
sample makes the rest of a song another song. So rows are sung in tiles of a fixed size: every operation always sees the same
shape, and a song is the same bit for bit whatever is sung beside it. Several tiles are sung at the same time, one a core: a tile's
operations are too small to be shared between cores.
"""

import functools

import tensorflow as tf

from neurovocal_tf.rbm.gibbs import gibbs_chain, start_of_chain
from neurovocal_tf.rbm.noise import RowStream, draw_ahead

TILE_ROWS = 8
# Enough for the cores of a large machine; on a small one they wait for each other at no cost.
_TILES_AT_ONCE = 16


def sing(
    encoder,
    conditional_rbm,
    seeds,
    num_frames,
    temperature,
    state=None,
    first_frame=None,
    num_gibbs_steps=20,
    chain_start="bias",
    emission_noise=0.0,
):
    """Frames of new songs.

    Args:
        encoder, conditional_rbm: the model's layers, built.
        seeds: int64 [B]: a row's noise is keyed by its seed and its frame alone.    num_frames: int32 [B].
        temperature: float32 [B]: samples p proportional to exp(-E / temperature).
        state: float32 [B, R], to go on from; default: the state before a first frame.    first_frame: int64 [B], its frame; default 0.
        num_gibbs_steps: int, full steps a frame.    chain_start: "bias" (the mean under the biases alone) or "zeros".
        emission_noise: share of the visible units' own noise in what is sung and fed back.

    Returns:
        (standardised frames [B, T, V], T = max(num_frames), zeros after a row's end; state [B, R]; next frame int64 [B]).
    """
    num_rows = tf.shape(seeds)[0]
    if state is None:
        state = encoder.initial_state(tf.ones([num_rows], tf.bool))
    if first_frame is None:
        first_frame = tf.zeros([num_rows], tf.int64)
    # An empty array has nothing to stack: make room for one frame at least and one tile at least, and cut.
    longest = tf.reduce_max(tf.concat([num_frames, [0]], axis=0))
    room = tf.maximum(longest, 1)

    encoder_weights, rbm_weights = encoder.step_weights(), conditional_rbm.step_weights()
    couplings, _ = rbm_weights
    transposed = tf.transpose(couplings["W"])

    def next_frame(t, rows):
        seeds, num_frames, temperature, first_frame, state = rows
        rbm = conditional_rbm.machine(encoder.output(state), rbm_weights)
        stream = RowStream(seeds, first_frame + tf.cast(t, tf.int64))
        warmth = temperature[:, tf.newaxis]
        chain_stream = draw_ahead(stream, num_gibbs_steps, rbm.bh.shape, rbm.bv.shape, rbm.units.noise)
        sample, mean = gibbs_chain(rbm, start_of_chain(rbm, chain_start), num_gibbs_steps, chain_stream, warmth, transposed)
        frame = rbm.units.emit(mean, sample, emission_noise)
        # The older kind of `where` picks whole rows, without spreading the condition over them.
        choose = functools.partial(tf.compat.v1.where, t < num_frames)
        state = choose(encoder.step(frame, state, encoder_weights), state)
        return choose(frame, tf.zeros_like(frame)), (seeds, num_frames, temperature, first_frame, state)

    # AutoGraph would rewrite the whole model in an eager call; there is nothing in it to rewrite.
    @tf.autograph.experimental.do_not_convert
    def sing_tile(rows):
        def step(t, rows, frames):
            frame, rows = next_frame(t, rows)
            return t + 1, rows, frames.write(t, frame)

        # A tile of short songs does not wait for another's long one: what is never written is stacked as zeros.
        num_loops = tf.reduce_max(rows[1])
        frames = tf.TensorArray(tf.float32, size=room, element_shape=[TILE_ROWS, conditional_rbm.num_visible])
        _, rows, frames = tf.while_loop(lambda t, *_: t < num_loops, step, (0, rows, frames))
        return tf.transpose(frames.stack(), [1, 0, 2]), rows[-1]

    tiles = tuple(_tiled(rows) for rows in (seeds, num_frames, temperature, first_frame, state))
    frames, states = tf.map_fn(sing_tile, tiles, fn_output_signature=(tf.float32, tf.float32), parallel_iterations=_TILES_AT_ONCE)
    frames = _untiled(frames, num_rows)[:, :longest]
    return frames, _untiled(states, num_rows), first_frame + tf.cast(num_frames, tf.int64)


def _tiled(rows):
    """[B, ...] -> [tiles, TILE_ROWS, ...], filled up with ones."""
    num_tiles = tf.maximum((tf.shape(rows)[0] + TILE_ROWS - 1) // TILE_ROWS, 1)
    filling = tf.ones(tf.concat([[num_tiles * TILE_ROWS - tf.shape(rows)[0]], tf.shape(rows)[1:]], axis=0), rows.dtype)
    return tf.reshape(tf.concat([rows, filling], axis=0), [num_tiles, TILE_ROWS, *rows.shape[1:]])


def _untiled(tiles, num_rows):
    """Inverse of `_tiled`."""
    return tf.reshape(tiles, tf.concat([[-1], tf.shape(tiles)[2:]], axis=0))[:num_rows]
