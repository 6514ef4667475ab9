"""What a fresh model starts from: the mean, the spread and the autoregression of the
frames it is to learn.
"""

import dataclasses

import numpy as np

from neurovocal_tf.config import Config
from neurovocal_tf.evaluation.baselines import RidgeVAR
from neurovocal_tf.model.rnn_rbm import RNNRBM

# A bin that hardly varies would be blown up to the weight of all others.
_SMALLEST_SD_DB = 1.0
_SMALLEST_SD_SHARE = 1e-3
# An untrained encoder would only disturb a prediction that is right already.
_SHARE_OF_ENCODER = 0.1


@dataclasses.dataclass(frozen=True)
class Moments:
    """What a fresh model starts from: `mean` and `sd` [V] of `num_frames` training frames, and the
    `RidgeVAR` fitted to them, or None.

    `in_decibels` tells the frames' unit.
    """

    mean: np.ndarray
    sd: np.ndarray
    autoregression: RidgeVAR | None
    num_frames: int
    in_decibels: bool


def start_from_data(model: RNNRBM, moments: Moments, config: Config) -> None:
    """Sets a fresh model's standardisation, and its biases to predict as well as the data's
    mean or autoregression.

    Args:
        moments: `Moments` of the training frames, in the model's units.
    """
    in_decibels, mean, sd = moments.in_decibels, moments.mean, moments.sd
    if config.model.visible_units == "gaussian":
        smallest = _SMALLEST_SD_DB if in_decibels else max(_SMALLEST_SD_SHARE * sd.max(), 1e-9)
        model.standardisation.set(mean, np.maximum(sd, smallest))
        _start_at_mean(model, np.zeros_like(mean), np.zeros_like(mean))
        if moments.autoregression is not None:
            _start_from_autoregression(model, moments.autoregression)
        return
    if in_decibels:
        model.standardisation.set(
            -config.spectrogram.dynamic_range_db, config.spectrogram.dynamic_range_db
        )
        mean = 1.0 + mean / config.spectrogram.dynamic_range_db
    # A probability of 0 or 1 has no logit: one half is added to the frames in which a unit was on,
    # and to those in which it was off.
    share = (mean * moments.num_frames + 0.5) / (moments.num_frames + 1)
    _start_at_mean(model, share, np.log(share / (1 - share)))


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
        values = np.array(weights)
        num_learned = len(values) - model.encoder.num_direct_frames * model.num_visible
        values[:num_learned] *= _SHARE_OF_ENCODER
        values[num_learned:] = 0.0 if rows is None else rows
        weights.assign(values)
