"""The units of a recording inside a graph: what `discovery.phone_units` finds, in TensorFlow's ops.

All is float64, so that a unit is another one only where two are equally near to the last digits.
"""

import math

import numpy as np
import scipy.fft
import tensorflow as tf

from neurovocal_tf.discovery import phone_units
from neurovocal_tf.discovery.phone_units import PhoneUnits

_DECIBELS = 10 / math.log(10)


def units_of(power: tf.Tensor, sample_rate: int, units: PhoneUnits) -> tf.Tensor:
    """The unit of each frame of a recording whose voice is not told, -1 of silent ones.

    Args:
        power: float32 [L, V], its power spectrogram.    sample_rate: Hz.    units: `PhoneUnits`.

    Returns: int32 [L].
    """
    cepstra, sounds = _measured(tf.cast(power, tf.float64), sample_rate)
    places = tf.where(sounds)
    costs = _costs_of(tf.boolean_mask(cepstra, sounds), units)
    num_frames = tf.size(sounds, out_type=tf.int64)
    frames = places[:, 0]
    # Silence parts what sounds: after it a unit begins anew.
    begins = tf.concat([tf.ones_like(frames[:1], tf.bool), frames[1:] - frames[:-1] > 1], axis=0)
    found = tf.cond(
        tf.size(frames) > 0,
        lambda: _cheapest_paths(costs, begins),
        lambda: tf.zeros([0], tf.int32),
    )
    return tf.scatter_nd(places, found + 1, num_frames[tf.newaxis]) - 1


def _measured(power, sample_rate):
    """See `phone_units.measure`; of no frames there are none.  [L, V] -> [L, D], bool [L]"""
    bands = tf.matmul(power, phone_units.band_weights(power.shape[-1], sample_rate))
    levels = _DECIBELS * tf.math.log(tf.maximum(bands, phone_units.SMALLEST_POWER))
    of_frames = tf.reduce_max(levels, axis=1)
    over = tf.maximum(levels - _percentile(of_frames) + phone_units.RANGE_DB, 0.0)
    cosines = scipy.fft.dct(np.eye(phone_units.NUM_MELS), axis=1, norm="ortho")
    cepstra = tf.matmul(over, cosines[:, : phone_units.NUM_CEPSTRA])
    width = phone_units.SLOPE_WIDTH
    frames, last = tf.range(tf.shape(cepstra)[0]), tf.shape(cepstra)[0] - 1
    steps = np.arange(-width, width + 1)
    slopes = tf.add_n(
        [
            float(step) * tf.gather(cepstra, tf.clip_by_value(frames + step, 0, last))
            for step in steps
        ]
    ) / float(np.sum(steps**2))
    something = tf.reduce_max(levels) > 10 * math.log10(phone_units.SMALLEST_POWER) + 1e-9
    sounds = (tf.reduce_max(over, axis=1) > 0) & something
    return tf.concat([cepstra, slopes], axis=1), sounds


def _percentile(values):
    """As NumPy's, between two of the values; of none 0.  [L] -> []"""
    ordered = tf.sort(tf.concat([values, tf.zeros([1], values.dtype)], axis=0)[: tf.size(values)])
    place = phone_units.LOUDEST_PERCENTILE / 100 * tf.cast(tf.size(values) - 1, tf.float64)
    before = tf.cast(tf.floor(place), tf.int32)
    pair = tf.gather(
        tf.pad(ordered, [[0, 2]], constant_values=0.0),
        tf.clip_by_value([before, before + 1], 0, tf.maximum(tf.size(values) - 1, 0)),
    )
    return pair[0] + (place - tf.floor(place)) * (pair[1] - pair[0])


def _costs_of(cepstra, units):
    """See `PhoneUnits.units_of`: of the voice that fits best.  [N, D] -> [N, K]"""
    number = tf.cast(tf.shape(cepstra)[0], tf.float64)
    itself, log_determinant = _whitening(cepstra, number, units)
    known = [*zip(units.maps, units.offsets, strict=True), itself]
    determinants = [np.linalg.slogdet(one)[1] for one in units.maps]
    points = tf.stack([tf.matmul(cepstra, one) + offset for one, offset in known])
    centres = tf.constant(units.centres)
    costs = (
        tf.reduce_sum(tf.square(points), axis=2, keepdims=True)
        - 2 * tf.linalg.matmul(points, centres, transpose_b=True)
        + tf.reduce_sum(tf.square(centres), axis=1)
    )
    misfits = tf.reduce_mean(tf.reduce_min(costs, axis=2), axis=1) / units.residual
    misfits -= 2 * tf.stack([*map(tf.constant, determinants), log_determinant])
    size = len(units.mean)
    fee = (size + size * (size + 1) / 2) * tf.math.log(number) / number
    misfits += tf.concat([tf.zeros([len(determinants)], tf.float64), fee[tf.newaxis]], axis=0)
    return tf.gather(costs, tf.argmin(misfits))


def _whitening(own, number, units):
    """See `phone_units.whitening_of`: (map, offset), and the log of the map's determinant."""
    share = number / (number + phone_units.FRAMES_OF_ALL)
    mean = share * tf.math.divide_no_nan(tf.reduce_sum(own, axis=0), number)
    mean += (1 - share) * units.mean
    about = own - mean
    covariance = share * tf.math.divide_no_nan(tf.matmul(about, about, transpose_a=True), number)
    covariance += (1 - share) * units.covariance
    size, shrinkage = len(units.mean), phone_units.SHRINKAGE
    level = tf.maximum(tf.linalg.trace(covariance) / size, 1e-9)
    covariance = (1 - shrinkage) * covariance + shrinkage * level * np.eye(size)
    values, vectors = tf.linalg.eigh(covariance)
    whitening = tf.matmul(vectors / tf.sqrt(values), vectors, transpose_b=True)
    offset = -tf.linalg.matvec(whitening, mean, transpose_a=True)
    return (whitening, offset), -0.5 * tf.reduce_sum(tf.math.log(values))


def _cheapest_paths(costs, begins):
    """See `phone_units.cheapest_path`, of stretches one after another.

    float64 [N, K], bool [N], which frames begin one; N at least 1 -> int32 [N]
    """
    numbers = tf.range(tf.shape(costs)[1])
    fee = phone_units.CHANGE_COST

    def forward(before, frame):
        total, _ = before
        of_frame, begin = frame
        best = tf.argmin(total, output_type=tf.int32)
        stays = total <= total[best] + fee
        came_from = tf.where(stays, numbers, best)
        so_far = tf.where(stays, total, total[best] + fee)
        return tf.where(begin, tf.zeros_like(total), so_far) + of_frame, came_from

    first = tf.zeros_like(costs[0]), numbers
    totals, came_from = tf.scan(forward, (costs, begins), first)
    ends = tf.concat([begins[1:], [True]], axis=0)
    # How one came to the next frame.
    onwards = tf.concat([came_from[1:], came_from[:1]], axis=0)

    def backward(after, frame):
        total, onward, is_end = frame
        return tf.where(is_end, tf.argmin(total, output_type=tf.int32), onward[after])

    return tf.scan(backward, (totals, onwards, ends), tf.constant(0), reverse=True)
