"""Generation: for every frame set the biases, run a Gibbs chain, emit its mean,
and advance the encoder.

Rows are sung in tiles, so that a song is the same bit for bit whatever is sung beside it; `tiling`
says how. Several tiles are sung at the same time, one a core: a tile's operations are too small to
be shared between cores.
"""

import functools
import typing

import tensorflow as tf

from neurovocal_tf.layers.conditional_rbm import ConditionalRBM
from neurovocal_tf.layers.encoder import Encoder
from neurovocal_tf.layers.latent_variable import LatentVariable
from neurovocal_tf.layers.noise_shares import share_at
from neurovocal_tf.model.song_state import SongStates
from neurovocal_tf.model.tiling import Layout, choose_layout, in_layout, tile_shape, tiled, untiled
from neurovocal_tf.rbm.noise import RowStream, draw_ahead
from neurovocal_tf.rbm.products import along
from neurovocal_tf.rbm.tempering import tempered_chain

# Enough for the cores of a large machine; on a small one they wait for each other at no cost.
_TILES_AT_ONCE = 16


class Sampling(typing.NamedTuple):
    """How a frame is drawn.

    `num_gibbs_steps` int, full steps a frame, of all replicas; `chain_start` "bias" (the mean under
    the biases alone) or "zeros", of one chain; `emission_noise`, share of the visible units' own
    noise in what is sung and what the encoder reads of it; `num_replicas` int, chains at once, see
    `rbm.tempering`, 1: a Gibbs chain; `guidance`, how far from a machine that is told nothing, see
    `_guide`.
    """

    num_gibbs_steps: int = 20
    chain_start: str = "bias"
    emission_noise: float = 0.0
    num_replicas: int = 1
    guidance: float = 1.0


def sing(
    encoder: Encoder,
    conditional_rbm: ConditionalRBM,
    seeds: tf.Tensor,
    num_frames: tf.Tensor,
    temperature: tf.Tensor,
    state: tf.Tensor | None = None,
    first_frame: tf.Tensor | None = None,
    layout: Layout | tf.Tensor | None = None,
    latent: LatentVariable | None = None,
    cues: tf.Tensor | None = None,
    **sampling: typing.Any,
) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
    """Frames of new songs.

    Args:
        encoder, conditional_rbm: the model's layers, built.
        seeds: int64 [B]: a row's noise is keyed by its seed and its frame alone.
        num_frames: int32 [B].
        temperature: float32 [B]: samples p proportional to exp(-E / temperature).
        state: float32 [B, R], to go on from; default: the state before a first frame.
        first_frame: int64 [B], its frame; default 0.
        layout: `tiling.Layout` that holds on this machine, or such an int32 []; default: found
            here, which takes as long as a frame or two.
        latent: the model's latent variable, built; None: it has none.
        cues: int32 [B, T', C], of each frame what is known of the one after it, of an encoder that
            knows of labels; nothing is known beyond them, or where there are none.
        sampling: fields of `Sampling`.

    Returns:
        (standardised frames [B, T, V], T = max(num_frames), zeros after a row's end;
        state [B, R]; next frame int64 [B]).
    """
    num_rows = tf.shape(seeds)[0]
    if state is None:
        state = encoder.initial_state(tf.ones([num_rows], tf.bool))
    if first_frame is None:
        first_frame = tf.zeros([num_rows], tf.int64)
    how = Sampling(**sampling)
    if layout is None:
        layout = choose_layout(encoder, conditional_rbm, how.num_replicas, latent)
    # An empty array has nothing to stack: make room for one frame at least and one
    # tile at least, and cut.
    longest = tf.reduce_max(tf.concat([num_frames, [0]], axis=0))
    room = tf.maximum(longest, 1)
    columns = [seeds, num_frames, temperature, first_frame, state]
    if cues is not None:
        missing = tf.maximum(room - tf.shape(cues)[1], 0)
        columns.append(tf.pad(cues, [[0, 0], [0, missing], [0, 0]]))
    tiles = SongStates(*(tiled(rows, layout) for rows in columns))
    sing_tiles = functools.partial(_sing_tiles, encoder, conditional_rbm, latent, tiles, room, how)
    frames, states = in_layout(
        layout, functools.partial(sing_tiles, -1), functools.partial(sing_tiles, 0)
    )
    frames = untiled(frames, layout, num_rows)[:, :longest]
    return frames, untiled(states, layout, num_rows), first_frame + tf.cast(num_frames, tf.int64)


def _sing_tiles(encoder, conditional_rbm, latent, tiles, room, sampling, axis):
    """Frames [tiles, TILE_ROWS, room, V] and states [tiles, TILE_ROWS, R]; within a tile units lie
    along `axis`, see `rbm.products`.
    """
    next_frame = _frame_by_frame(encoder, conditional_rbm, latent, sampling, axis)
    # From rows [TILE_ROWS, units] into the tile's layout, and back.
    turned = tf.transpose if axis == 0 else tf.identity
    rows_first = [1, 0, 2] if axis == -1 else [2, 0, 1]
    frame_shape = tile_shape(conditional_rbm.num_visible, axis)

    # AutoGraph would rewrite the whole model in an eager call; there is nothing in it to rewrite.
    @tf.autograph.experimental.do_not_convert
    def sing_tile(rows):
        def step(t, state, frames):
            frame, state = next_frame(t, rows._replace(state=state))
            return t + 1, state, frames.write(t, frame)

        # A tile of short songs does not wait for another's long one:
        # what is never written is stacked as zeros.
        num_loops = tf.reduce_max(rows.num_frames)
        frames = tf.TensorArray(tf.float32, size=room, element_shape=frame_shape)
        _, state, frames = tf.while_loop(
            lambda t, *_: t < num_loops, step, (0, turned(rows.state), frames)
        )
        return tf.transpose(frames.stack(), rows_first), turned(state)

    return tf.map_fn(
        sing_tile,
        tiles,
        fn_output_signature=(tf.float32, tf.float32),
        parallel_iterations=_TILES_AT_ONCE,
    )


def _frame_by_frame(encoder, conditional_rbm, latent, sampling, axis):
    """A function of a frame's number and a tile's `SongStates`, their state in the tile's layout:
    (frame, state after it).
    """
    # Before the loop, so that its body reads no variable.
    encoder_weights, rbm_weights = encoder.step_weights(), conditional_rbm.step_weights(axis)
    latent_weights = None if latent is None else latent.step_weights()
    to_visible = tf.transpose(rbm_weights[0]["W"])
    guide = _guide(encoder, sampling.guidance, axis)

    def next_frame(t, rows):
        u = encoder.output(rows.state, axis)
        stream = RowStream(rows.seeds, rows.first_frame + tf.cast(t, tf.int64), axis)
        temperature = along(rows.temperature, -1 - axis)
        guided = guide(u)
        if latent is not None:
            z = latent.prior(u, latent_weights, axis).sample(stream, temperature)
            guided = latent.read(guided, z, axis)
        rbm = conditional_rbm.machine(guided, rbm_weights, axis)
        chain_stream = draw_ahead(
            stream,
            sampling.num_gibbs_steps,
            rbm.bh.shape,
            rbm.bv.shape,
            rbm.units.noise,
            sampling.num_replicas,
        )
        sample, mean = tempered_chain(
            rbm,
            None,
            sampling.num_gibbs_steps,
            chain_stream,
            temperature,
            to_visible,
            sampling.num_replicas,
            sampling.chain_start,
        )
        share = sampling.emission_noise
        frame = read = rbm.units.emit(mean, sample, share)
        if conditional_rbm.noise_by_level:
            # What is read keeps all of the noise: by it songs leave their silences.
            share *= share_at(rbm_weights[0]["noise_shares"], mean)
            frame = rbm.units.emit(mean, sample, share)
        is_before_end = t < rows.num_frames
        # The older kind of `where` picks whole rows, without spreading the condition over them.
        choose = functools.partial(tf.compat.v1.where if axis == -1 else tf.where, is_before_end)
        told = {} if isinstance(rows.cues, tuple) else {"cue": rows.cues[:, t]}
        state = choose(encoder.step(read, rows.state, encoder_weights, axis, **told), rows.state)
        return choose(frame, tf.zeros_like(frame)), state

    return next_frame


def _guide(encoder, guidance, axis):
    """A function that takes what a tile's machines read, u, so many times as far from where nothing
    is told as what is told has taken it, see `Sampling`:

        u + (guidance - 1) (x - x_0)        x: what u says of conditions and labels, x_0 of none

    The biases are linear in u: they are moved by as many times what they owe to x itself. What the
    encoder has made of x meanwhile stays as it is. Classifier-free guidance (Ho & Salimans, 2022,
    https://arxiv.org/abs/2207.12598), with the encoder's state in place of the noisy input.
    """
    num_told = getattr(encoder, "num_told", 0)
    if guidance == 1 or not num_told:
        return tf.identity
    unknown = encoder.output(encoder.initial_state(tf.ones([1], tf.bool)))[0, :num_told]
    unknown = along(unknown, axis)

    def guided(u):
        told, rest = tf.split(u, [num_told, u.shape[axis] - num_told], axis=axis)
        return tf.concat([unknown + guidance * (told - unknown), rest], axis=axis)

    return guided
