"""How rows are laid out to be sung, so that no bit of a song depends on what is sung beside it.

Matrix products and transcendental functions change in their last bit with the number of rows they
are given, and one flipped sample makes the rest of a song another song. So rows are sung in tiles
of a fixed size: every operation always sees the same shape. That leaves a row's place in its tile.
In the layout LANES it cannot matter (`rbm.products` says why); in ROWS it depends on the
processor's kernels, which with AVX-512 sing nearly twice as fast that way. So a machine is asked
before it sings: ROWS where no place matters there, else LANES where none does, else ALONE, each row
in the same place of a tile of its own, which is exact whatever the kernels do, and takes as long as
so many tiles.
"""

import enum
import logging
import uuid
from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar

import tensorflow as tf

from neurovocal_tf.layers.conditional_rbm import ConditionalRBM
from neurovocal_tf.layers.encoder import Encoder
from neurovocal_tf.layers.latent_variable import LatentVariable
from neurovocal_tf.rbm.ais import path_to
from neurovocal_tf.rbm.energy import hidden_logits, visible_mean
from neurovocal_tf.rbm.noise import VISIBLE, ReplicaStream, RowStream, shape_of
from neurovocal_tf.rbm.products import linear
from neurovocal_tf.rbm.tempering import Replicas, tempered_chain

if TYPE_CHECKING:
    from neurovocal_tf.model.rnn_rbm import RNNRBM

Result = TypeVar("Result")

_LOG = logging.getLogger(__name__)

TILE_ROWS = 8
# Of different rows that the check puts into all places; of one alone, in which by chance every sum
# rounds alike, nothing would be seen.
_NUM_ROWS_CHECKED = 3
_CHAIN_STEPS = 2


class Layout(enum.IntEnum):
    """Where the rows of a tile lie."""

    ROWS = 0
    LANES = 1
    ALONE = 2

    @property
    def description(self) -> str:
        """What it means for who sings, in a line."""
        return _DESCRIPTIONS[self]


_DESCRIPTIONS = {
    Layout.ROWS: f"{TILE_ROWS} songs a tile, one after another in memory; verified on this machine",
    Layout.LANES: f"{TILE_ROWS} songs a tile, along the vectors' lanes; verified on this machine",
    Layout.ALONE: (
        "one song a tile, since its bits would depend on its place among others on this machine; "
        "exact, but slower"
    ),
}


def tiled(rows: tf.Tensor, layout: Layout | tf.Tensor) -> tf.Tensor:
    """Rows in tiles, filled up with ones.

    Args:
        rows: [B, ...].    layout: `Layout`, or int32 [] where it is known only when the graph runs.

    Returns:
        [tiles, TILE_ROWS, ...], at least one tile.
    """
    per_tile, rest = _rows_per_tile(layout), shape_of(rows)[1:]
    num_tiles = tf.maximum((tf.shape(rows)[0] + per_tile - 1) // per_tile, 1)
    whole = tf.reshape(_filled(rows, 0, num_tiles * per_tile), [num_tiles, per_tile, *rest])
    return tf.ensure_shape(_filled(whole, 1, TILE_ROWS), [None, TILE_ROWS, *rows.shape[1:]])


def tile_shape(num_units: int, axis: int) -> list[int]:
    """The shape of a tile whose rows have so many units along `axis`, see `rbm.products`."""
    return [TILE_ROWS, num_units] if axis == -1 else [num_units, TILE_ROWS]


def untiled(tiles: tf.Tensor, layout: Layout | tf.Tensor, num_rows: int | tf.Tensor) -> tf.Tensor:
    """Inverse of `tiled`, the first `num_rows` rows.  [tiles, TILE_ROWS, ...] -> [B, ...]"""
    rows = tiles[:, : _rows_per_tile(layout)]
    return tf.reshape(rows, tf.concat([[-1], tf.shape(tiles)[2:]], axis=0))[:num_rows]


def in_layout(
    layout: Layout | tf.Tensor, in_rows: Callable[[], Result], in_lanes: Callable[[], Result]
) -> Result:
    """What `in_rows()` returns in the layout ROWS, and else what `in_lanes()` does; a graph holds
    both unless the `Layout` is known.
    """
    if isinstance(layout, Layout):
        return in_rows() if layout == Layout.ROWS else in_lanes()
    return tf.cond(layout == Layout.ROWS, in_rows, in_lanes)


def _rows_per_tile(layout):
    if isinstance(layout, Layout):
        return 1 if layout == Layout.ALONE else TILE_ROWS
    return tf.where(layout == Layout.ALONE, 1, TILE_ROWS)


def _filled(rows, axis, size):
    paddings = [[0, 0]] * rows.shape.rank
    paddings[axis] = [0, size - tf.shape(rows)[axis]]
    return tf.pad(rows, paddings, constant_values=1)


def choose_layout(
    encoder: Encoder,
    conditional_rbm: ConditionalRBM,
    num_replicas: int = 1,
    latent: LatentVariable | None = None,
) -> tf.Tensor:
    """The fastest layout in which no place matters on the machine that runs this.

    -> int32 [], a `Layout`
    """
    alike = {
        axis: all_places_alike(encoder, conditional_rbm, axis, num_replicas, latent)
        for axis in (-1, 0)
    }
    return tf.where(
        alike[-1], int(Layout.ROWS), tf.where(alike[0], int(Layout.LANES), int(Layout.ALONE))
    )


def all_places_alike(
    encoder: Encoder,
    conditional_rbm: ConditionalRBM,
    axis: int,
    num_replicas: int = 1,
    latent: LatentVariable | None = None,
) -> tf.Tensor:
    """Whether a row gives the same bits in every place of its tile,
    with this model and on the machine that runs this.

    The same row stands in all places, which is every roll of a tile in one product, and all that
    singing computes of it, with the model's own weights and so in its own shapes, is compared bit
    for bit; that for several rows. Sums that are only read as samples are compared themselves: a
    last bit seldom flips a sample.

    Args:
        encoder, conditional_rbm: the model's layers, built.
        axis: -1 or 0, the layout, see `rbm.products`.
        num_replicas: of `rbm.tempering`, 1: none.
        latent: the model's latent variable, built; None: it has none.

    Returns:
        bool [].
    """
    weights, rbm_weights = encoder.step_weights(), conditional_rbm.step_weights(axis)
    latent_weights = None if latent is None else latent.step_weights()
    sizes = encoder.state_size, conditional_rbm.num_visible

    @tf.autograph.experimental.do_not_convert
    def is_alike(row):
        seeds = tf.fill([TILE_ROWS], tf.cast(row, tf.int64))
        stream = RowStream(seeds, tf.zeros([TILE_ROWS], tf.int64), axis)
        state, frame = (
            stream.normals(VISIBLE, index, tile_shape(size, axis))
            for index, size in enumerate(sizes)
        )
        u, latents = encoder.output(state, axis), ()
        if latent is not None:
            prior = latent.prior(u, latent_weights, axis)
            latents = *prior, prior.sample(stream)
            u = latent.read(u, latents[-1], axis)
        rbm = conditional_rbm.machine(u, rbm_weights, axis)
        logits = hidden_logits(rbm, frame)
        num_steps = _CHAIN_STEPS * num_replicas
        chain = tempered_chain(rbm, frame, num_steps, stream, num_replicas=num_replicas)
        if num_replicas > 1:
            chain = *chain, *_of_replicas(rbm, stream, num_replicas, axis)
        mean = visible_mean(rbm, tf.sigmoid(logits))
        after = encoder.step(frame, state, weights, axis)
        return tf.reduce_all(
            [
                _is_same(x, -1 - axis)
                for x in (*rbm.of_frames(), logits, mean, after, *chain, *latents)
            ]
        )

    return tf.reduce_all(
        tf.map_fn(is_alike, tf.range(_NUM_ROWS_CHECKED), fn_output_signature=tf.bool)
    )


def _of_replicas(rbm, stream, num_replicas, axis):
    """The sums by which replicas trade and are sampled, [n, TILE_ROWS] or [TILE_ROWS, n] each."""
    replicas = Replicas.of(path_to(rbm), 1.0, num_replicas)
    # Each its own frame: between two alike nothing is to be traded.
    shape = replicas.rbm.bv.shape
    v = ReplicaStream(stream, num_replicas, axis).normals(VISIBLE, 1, shape)
    field = linear(v, rbm.W, axis=axis)
    odds = [replicas.log_odds(index, v, field) for index in (0, 1)]
    sums = field, visible_mean(replicas.rbm, tf.sigmoid(hidden_logits(replicas.rbm, v)))
    of_each = [x for rows in sums for x in tf.unstack(replicas.apart(rows), axis=axis + 1)]
    return [*(odds if axis == 0 else map(tf.transpose, odds)), *of_each]


def _is_same(x, rows_axis):
    """Whether all rows hold the same bits: not the same numbers, since NaN is not even itself."""
    bits = tf.bitcast(x, tf.int32)
    return tf.reduce_all(bits == tf.gather(bits, [0], axis=rows_axis))


class MachineLayout(tf.saved_model.experimental.TrackableResource):
    """The layout in which a model is sung on the machine that has loaded it, found once: here
    before its first song, and anew wherever an export is loaded.

    A saved graph that holds it runs the check among its initialisers, after the weights are
    restored; where a runtime leaves those out, the layout is ALONE.

    Args:
        model: `RNNRBM`, built; its variables must be part of what is saved.
        num_replicas: with how many it is to sing, see `rbm.tempering`; 1: none.
    """

    def __init__(self, model: "RNNRBM", num_replicas: int = 1) -> None:
        super().__init__()
        # As a graph, since songs are: TensorFlow may compute an operation by
        # itself with other kernels.
        self._choose = tf.function(
            lambda: choose_layout(model.encoder, model.conditional_rbm, num_replicas, model.latent),
            autograph=False,
        )
        self._is_found = False
        # Tables of one name are one table.
        self._name = f"machine_layout_{uuid.uuid4()}"

    @property
    def found(self) -> Layout:
        """The `Layout` that was found here."""
        with tf.init_scope():
            return Layout(int(self.read()))

    def _find(self):
        if self._is_found:
            return
        with tf.init_scope():
            self._initialize()
        # Only now: another thread must not read the table while it is empty, and sing ALONE.
        self._is_found = True
        if self.found == Layout.ALONE:
            _LOG.warning("Songs are sung in the layout ALONE, %s.", Layout.ALONE.description)

    # Never destroyed: who keeps a signature of a loaded export alone would lose the table
    # with the rest of it.
    def _create_resource(self):
        return tf.raw_ops.MutableHashTableV2(
            shared_name=self._name, key_dtype=tf.int32, value_dtype=tf.int32
        )

    def _initialize(self):
        tf.raw_ops.LookupTableInsertV2(
            table_handle=self.resource_handle,
            keys=[0],
            values=self._choose.get_concrete_function()()[tf.newaxis],
        )

    def read(self) -> tf.Tensor:
        """What was found.  -> int32 [], a `Layout`"""
        self._find()
        found = tf.raw_ops.LookupTableFindV2(
            table_handle=self.resource_handle, keys=[0], default_value=int(Layout.ALONE)
        )
        return tf.reshape(found, [])
