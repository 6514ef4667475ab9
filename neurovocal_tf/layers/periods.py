"""Layers of which each advances every n-th frame, on the mean of what the layer below did since.

A layer of period n advances at the frames whose number, counted from 1 where the state began, is a
multiple of n, and holds its state in between. Its period is a multiple, `ratio`, of that of the
layer below, so it reads the mean of so many steps of that layer; the lowest reads frames. What a
song needs to go on from anywhere is the number of frames since the slowest layer advanced, and of
each layer that reads a mean the part of it that has come: they stand in the state. A state of zeros
is one from which no frame has come; so a training window that begins in the middle of a recording
counts from its own beginning, and over many windows every phase is seen.

`OneFrame` and `ManyFrames` compute the same, frame by frame and of all frames at once; the latter
takes the layer's own steps out of the frames first, so that a layer costs 1 / n of what it would.
Reference: El Hihi & Bengio, 1996, Hierarchical recurrent neural networks for long-term
    dependencies; Koutnik et al., 2014, https://arxiv.org/abs/1402.3511
"""

import itertools
from collections.abc import Sequence

import tensorflow as tf

from neurovocal_tf.layers.frame_counts import is_due, whole
from neurovocal_tf.rbm.noise import shape_of


class LayerPeriods:
    """How many frames each layer takes for a step.

    Args:
        layer_periods: one number for all layers, or one for each, from the bottom up.
        num_layers: int.

    Attributes:
        of_layers, ratios: tuples of int, one for each layer, see above.
        any: bool, whether there is a layer that does not advance at every frame.
        longest: int.

    Raises ValueError for numbers that do not match the layers, are below 1, or no multiples of the
    one before.
    """

    def __init__(self, layer_periods: int | Sequence[int], num_layers: int) -> None:
        given = (layer_periods,) if isinstance(layer_periods, int) else tuple(layer_periods)
        if len(given) not in (1, num_layers):
            raise ValueError(
                f"`layer_periods` must have one number or {num_layers}, as many as `num_layers`. "
                f"Received: layer_periods={layer_periods}"
            )
        if any(period < 1 for period in given):
            raise ValueError(
                f"`layer_periods` must be at least 1. Received: layer_periods={layer_periods}"
            )
        if any(above % below for below, above in itertools.pairwise(given)):
            raise ValueError(
                "`layer_periods` must be multiples, each of the one before. "
                f"Received: layer_periods={layer_periods}"
            )
        self.of_layers = given if len(given) == num_layers else given * num_layers
        self.ratios = tuple(
            above // below for below, above in itertools.pairwise((1, *self.of_layers))
        )
        self.longest = self.of_layers[-1]
        self.any = self.longest > 1

    def sizes(self, widths: Sequence[int]) -> list[int]:
        """How many numbers of the state each part of the clock takes: the count, and the means that
        layers whose inputs have these widths have begun.
        """
        means = [width for width, ratio in zip(widths, self.ratios, strict=True) if ratio > 1]
        return [1, *means] if self.any else []

    def below(self, layer: int) -> int:
        """The period of what a layer reads."""
        return self.of_layers[layer] // self.ratios[layer]


class OneFrame:
    """What each layer reads and holds at the next frame.

    Args:
        periods: `LayerPeriods`.
        clock: the parts of the clock before the frame, of `periods.sizes`, [B, .] or [., B].
    """

    def __init__(self, periods: LayerPeriods, clock: Sequence[tf.Tensor]) -> None:
        self._periods = periods
        self._count, self._begun = (clock[0] + 1.0, list(clock[1:])) if clock else (None, [])
        self._kept: list[tf.Tensor] = []

    def read(self, layer: int, below: tf.Tensor) -> tf.Tensor:
        """What a layer reads where it advances, the layer below being in the state `below`. To be
        asked of the layers one after another.
        """
        ratio = self._periods.ratios[layer]
        if ratio == 1:
            return below
        begun = self._begun[len(self._kept)]
        mean = self._where_due(self._periods.below(layer), begun + below / ratio, begun)
        self._kept.append(
            self._where_due(self._periods.of_layers[layer], tf.zeros_like(mean), mean)
        )
        return mean

    def hold(self, layer: int, new: tf.Tensor, old: tf.Tensor) -> tf.Tensor:
        """A layer's state after the frame: the new one where it advances."""
        return self._where_due(self._periods.of_layers[layer], new, old)

    def clock(self) -> list[tf.Tensor]:
        """The parts of the clock after the frame."""
        return [] if self._count is None else [self._count % self._periods.longest, *self._kept]

    def _where_due(self, period, new, old):
        if period == 1:
            return new
        return tf.where(is_due(self._count, period), new, old)


class ManyFrames:
    """The same at all of some frames, rows being anywhere between two steps.

    Args:
        periods: `LayerPeriods`.    clock: its parts before the first frame, [B, .].
        num_frames: int, T.
    """

    def __init__(
        self, periods: LayerPeriods, clock: Sequence[tf.Tensor], num_frames: int | tf.Tensor
    ) -> None:
        self._periods, self._num_frames = periods, num_frames
        self._count, self._begun = (None, [])
        if clock:
            self._count = whole(clock[0][:, 0], periods.longest)
            self._begun = list(clock[1:])
        self._kept: list[tf.Tensor] = []

    def read(self, layer: int, below: tf.Tensor) -> tf.Tensor:
        """What a layer reads at each of its steps, the layer below being in the states `below`
        after its own; the last of some rows has not all of its frames, and is never held. To be
        asked of the layers one after another.

        [S', B, I] -> [S, B, I], S = S' / ratio rounded up
        """
        ratio, period = self._periods.ratios[layer], self._periods.of_layers[layer]
        if ratio == 1:
            return below
        num_steps = -(-shape_of(below)[0] // ratio)
        since = self._count % period
        # A row's own steps begin at a whole block: one more, for what is left over at the end.
        shares = moved(below / ratio, since // self._periods.below(layer), (num_steps + 1) * ratio)
        begun = self._begun[len(self._kept)][tf.newaxis]
        shares = tf.concat([shares[:1] + begun, shares[1:]], axis=0)
        blocks = tf.reshape(shares, [num_steps + 1, ratio, *shape_of(shares)[1:]])
        before = tf.reshape(tf.cumsum(blocks, axis=1, exclusive=True), shape_of(shares))
        self._kept.append(self._at_frames(before, self._periods.below(layer), since))
        return tf.reduce_sum(blocks[:num_steps], axis=1)

    def hold(self, layer: int, steps: tf.Tensor, first: tf.Tensor) -> tf.Tensor:
        """A layer's state after each frame: `steps` [S, B, U] after its own, `first` [B, U] before.

        -> [T, B, U]
        """
        period = self._periods.of_layers[layer]
        if period == 1:
            return steps
        whole = tf.concat([first[tf.newaxis], steps], axis=0)
        return self._at_frames(whole, period, self._count % period)

    def clock(self) -> list[tf.Tensor]:
        """The parts of the clock after each frame, [T, B, .]."""
        if self._count is None:
            return []
        count = (self._count + 1 + tf.range(self._num_frames)[:, tf.newaxis]) % (
            self._periods.longest
        )
        return [tf.cast(count, tf.float32)[..., tf.newaxis], *self._kept]

    def _at_frames(self, values, period, since):
        """Of values [S, B, I], each of which holds for `period` frames, that after each frame, the
        first of them being after `since` [B] others.  -> [T, B, I]
        """
        return moved(tf.repeat(values, period, axis=0), -(since + 1), self._num_frames)


def moved(x: tf.Tensor, by: tf.Tensor, size: int | tf.Tensor) -> tf.Tensor:
    """Each row later by so many places, and zeros where there is none.

    Args:
        x: [N, B, I].    by: int32 [B], negative for earlier.    size: int, M.

    Returns:
        [M, B, I].
    """

    # The gradient of a gather adds up row after row, as if two could go to one place.
    @tf.custom_gradient
    def move(x):
        num_places, num_rows, width = shape_of(x)
        place = tf.range(size)[:, tf.newaxis] - by
        is_there = (place >= 0) & (place < num_places)
        flat = tf.clip_by_value(place, 0, num_places - 1) * num_rows + tf.range(num_rows)
        there = tf.gather(tf.reshape(x, [-1, width]), flat)
        return (
            tf.where(is_there[..., tf.newaxis], there, 0.0),
            lambda gradient: moved(gradient, -by, num_places),
        )

    return move(x)
