"""What a fresh model starts from: the mean, the spread and the autoregression of the
frames it is to learn.
"""

import dataclasses
import itertools
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import keras
import numpy as np
import tensorflow as tf

from neurovocal_tf.model.autoregression import FrameStatistics, RidgeVAR
from neurovocal_tf.model.batches import padded

if TYPE_CHECKING:
    from neurovocal_tf.model.rnn_rbm import RNNRBM

# A bin that hardly varies would be blown up to the weight of all others.
_SMALLEST_SD_DB = 1.0
_SMALLEST_SD_SHARE = 1e-3
# An untrained encoder would only disturb a prediction that is right already.
_SHARE_OF_ENCODER = 0.1
# Rows of an array that are looked at together.
_BLOCK_ROWS = 256


@dataclasses.dataclass(frozen=True)
class Moments:
    """What a fresh model starts from: `mean` and `sd` [V] of `num_frames` frames, and the
    `RidgeVAR` fitted to them, or None.

    Of frames in dB under a reference `dynamic_range_db` tells how far below it the floor is; None:
    they have a unit of their own.
    """

    mean: np.ndarray
    sd: np.ndarray
    autoregression: RidgeVAR | None
    num_frames: int
    dynamic_range_db: float | None


class FrameMoments:
    """Gathers the `Moments` of frames, sequence by sequence.

    Args:
        num_direct_frames: int, the order of the autoregression; 0: none.
    """

    def __init__(self, num_direct_frames: int) -> None:
        self.num_frames = 0
        self._sums = 0.0
        self._direct = FrameStatistics(num_direct_frames) if num_direct_frames else None

    def update(self, frames: np.ndarray) -> None:
        """Adds one sequence of frames [L, V]."""
        if self._direct is not None:
            self._direct.update(frames)
        self.num_frames += len(frames)
        frames = frames.astype(np.float64)
        self._sums = self._sums + np.stack([frames.sum(axis=0), np.square(frames).sum(axis=0)])

    def moments(self, dynamic_range_db: float | None) -> Moments:
        """The `Moments` of all frames so far, of which there must be one."""
        mean, square = self._sums / self.num_frames
        return Moments(
            mean,
            np.sqrt(np.maximum(square - mean**2, 0.0)),
            None if self._direct is None else self._direct.autoregression(),
            self.num_frames,
            dynamic_range_db,
        )


def adapt(
    model: "RNNRBM",
    data: Any,
    mask: Any = None,
    steps: int | None = None,
    dynamic_range_db: float | None = None,
) -> None:
    """Sets a fresh model's standardisation and biases by frames, as training does; in the manner of
    `keras.layers.Normalization.adapt`.

    Args:
        model: `RNNRBM` that has not been trained.
        data: an array [N, T, V], a list of sequences [L, V], or batches as
            `batches.parts_of` takes them.    mask: [N, T], of an array.
        steps: of batches, how many to look at; None: all.
        dynamic_range_db: of frames in dB, how far below their reference, 0 dB, the floor is;
            None: they have another unit.

    Raises:
        ValueError: a model that has been trained; no frames, frames that are not finite, or that
            the visible units cannot hold.
    """
    num_train_steps = int(tf.convert_to_tensor(model.num_train_steps))
    if num_train_steps:
        raise ValueError(
            "`adapt` must come before `fit`: it would undo what has been learned. "
            f"Received: a model after {num_train_steps} steps"
        )
    moments = FrameMoments(model.encoder.num_direct_frames)
    is_bounded = model.conditional_rbm.visible_units != "gaussian" and dynamic_range_db is None
    for sequence in _sequences(model, data, mask, steps):
        if not np.isfinite(sequence).all():
            raise ValueError("`data` must be finite. Received: frames with NaN or Inf")
        if is_bounded and (sequence.min(initial=0.0) < 0 or sequence.max(initial=0.0) > 1):
            raise ValueError(
                f"`data` must be from 0 to 1 for {model.conditional_rbm.visible_units} units, or "
                "in dB and `dynamic_range_db` given. "
                f"Received: frames from {sequence.min():g} to {sequence.max():g}"
            )
        moments.update(sequence)
    if not moments.num_frames:
        raise ValueError("`data` must hold at least one frame that counts. Received: none")
    start_from_data(model, moments.moments(dynamic_range_db))


def _sequences(model, data, mask, steps) -> Iterator[np.ndarray]:
    """The frames that count of every row, [L, V]."""
    if isinstance(data, list):
        data, mask = padded(data)
    if isinstance(data, (np.ndarray, tf.Tensor)):
        parts = (data,) if mask is None else (data, mask)
        batches = (
            tuple(part[first : first + _BLOCK_ROWS] for part in parts)
            for first in range(0, len(data), _BLOCK_ROWS)
        )
    elif isinstance(data, keras.utils.PyDataset):
        batches = (data[i] for i in range(data.num_batches))
    else:
        batches = iter(data)
    for batch in itertools.islice(batches, steps):
        frames, counts, *_ = model.parts_of(batch)
        for i, row in enumerate(frames.numpy()):
            yield row if counts is None else row[counts[i].numpy()]


def start_from_data(model: "RNNRBM", moments: Moments) -> None:
    """Sets a fresh model's standardisation, and its biases to predict as well as the data's
    mean or autoregression.

    Args:
        moments: `Moments` of the training frames, in the model's units.
    """
    take_standardisation(model, moments)
    mean, range_db = moments.mean, moments.dynamic_range_db
    if model.conditional_rbm.visible_units == "gaussian":
        _start_at_mean(model, np.zeros_like(mean), np.zeros_like(mean))
        if moments.autoregression is not None:
            _start_from_autoregression(model, moments.autoregression)
        return
    if range_db is not None:
        mean = 1.0 + mean / range_db
    # A probability of 0 or 1 has no logit: one half is added to the frames in which a unit was on,
    # and to those in which it was off.
    share = (mean * moments.num_frames + 0.5) / (moments.num_frames + 1)
    _start_at_mean(model, share, np.log(share / (1 - share)))


def take_standardisation(model: "RNNRBM", moments: Moments) -> None:
    """Sets a model's standardisation alone, as `start_from_data` does."""
    sd, range_db = moments.sd, moments.dynamic_range_db
    if model.conditional_rbm.visible_units == "gaussian":
        smallest = max(_SMALLEST_SD_SHARE * sd.max(), 1e-9) if range_db is None else _SMALLEST_SD_DB
        model.standardisation.set(moments.mean, np.maximum(sd, smallest))
    elif range_db is not None:
        model.standardisation.set(-range_db, range_db)


def _start_at_mean(model, mean, field):
    """bv such that a fresh machine's own mean is `mean` [V], standardised,
    which the field bv + W h gives at `field` [V].
    """
    rbm = model.conditional_rbm
    W, bh = np.asarray(rbm.W), np.asarray(rbm.bh)
    hidden = 1 / (1 + np.exp(-(bh + mean @ W)))
    rbm.bv.assign(field - W @ hidden)


def _start_from_autoregression(model, autoregression):
    """bv_t of a fresh model becomes the autoregression's prediction;
    what the encoder adds is to be learned.
    """
    scale = np.asarray(model.standardisation.scale)
    # Of standardised frames: prediction / scale = sum_i (v_{t-i} / scale) @ (diag(scale)
    # A_i / scale).
    direct = [
        scale[:, np.newaxis] * coefficients / scale for coefficients in autoregression.coefficients
    ]
    for name, rows in (("Wuv", np.concatenate(direct)), ("Wuh", None)):
        weights = getattr(model.conditional_rbm, name)
        # As they were made: whoever adapts again starts from there again.
        values = np.array(model.conditional_rbm.initial_value(name))
        num_learned = len(values) - model.encoder.num_direct_frames * model.num_visible
        values[:num_learned] *= _SHARE_OF_ENCODER
        values[num_learned:] = 0.0 if rows is None else rows
        weights.assign(values)
