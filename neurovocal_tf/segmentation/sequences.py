"""The sequences of frames that a model learns from in a recording,
and reads in one when it is served.
"""

from collections.abc import Callable

import numpy as np
import tensorflow as tf

from neurovocal_tf.audio import spectrogram
from neurovocal_tf.audio.spectrogram import FrameScale
from neurovocal_tf.config import Config, SegmentationConfig
from neurovocal_tf.segmentation import detector as detector_in_numpy
from neurovocal_tf.segmentation import detector_in_graph

# A function as `detect`.
Detector = Callable[
    [np.ndarray | tf.Tensor, float, SegmentationConfig], tuple[tf.Tensor, tf.Tensor]
]


def detect(
    samples: np.ndarray | tf.Tensor, sample_rate: float, config: SegmentationConfig
) -> tuple[tf.Tensor, tf.Tensor]:
    """Onsets and offsets int64 [S] of vocalizations, by `detector.detect`, as tensors.

    Args:
        samples: float32 [N], an array or a tensor.    sample_rate: Hz.
        config: `SegmentationConfig`.
    """
    return detector_in_numpy.in_graph(
        lambda array: detector_in_numpy.detect(array, sample_rate, config), samples
    )[:2]


def sequence_spans(
    samples: np.ndarray | tf.Tensor,
    sample_rate: float,
    config: Config,
    segments: tuple[tf.Tensor, tf.Tensor] | None = None,
    detector: Detector = detect,
) -> tuple[tf.Tensor, tf.Tensor]:
    """Where the training sequences of some samples lie that are not the whole of them.

    Args:
        samples: float32 [N], an array or a tensor.    sample_rate: Hz.    config: `Config`.
        segments: onsets and offsets, int64 [S], that people have marked;
            default: what the detector finds.
        detector: what finds them, with the arguments and results of `detect`.

    Returns:
        Onsets and offsets, int64 [S], in samples:
        of bouts, or of segments, by `config.data.sequence`.
    """
    num_samples = tf.size(samples, out_type=tf.int64)
    if segments:
        onsets, offsets = segments
    else:
        # The detector's are the sound's own; a model is to see how a call rises and fades.
        buffer = int(config.segmentation.buffer_ms * sample_rate / 1000)
        onsets, offsets = detector_in_graph.add_buffer(
            *detector(samples, sample_rate, config.segmentation), buffer, num_samples
        )
    if config.data.sequence != "bout":
        return onsets, offsets
    gap = config.data.bout_gap_s * sample_rate
    onsets, offsets = detector_in_graph.bouts(onsets, offsets, gap)
    # Half a gap of the silence around it: without any,
    # a model would not learn that singing begins after silence.
    return detector_in_graph.add_buffer(onsets, offsets, int(gap / 2), num_samples)


def span_power(
    samples: np.ndarray | tf.Tensor,
    sample_rate: float,
    config: Config,
    segments: tuple[tf.Tensor, tf.Tensor] | None = None,
    detector: Detector = detect,
) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
    """Power spectrograms of the training sequences of some samples, one after another.

    Args:
        samples, sample_rate, config, segments, detector: as for `sequence_spans`.

    Returns:
        power float32 [sum of L, V], the frames of each span, int64 [S], and the first sample of
        each frame's window, int64 [sum of L].
    """
    if config.data.sequence == "recording":
        # Windows from the first sample on need not be looked up sample by sample.
        power = spectrogram.power_spectrogram(samples, sample_rate, config.spectrogram)
        num_frames = tf.shape(power, tf.int64)[0]
        return power, num_frames[tf.newaxis], tf.range(num_frames) * config.spectrogram.hop_length
    onsets, offsets = sequence_spans(samples, sample_rate, config, segments, detector)
    return spectrogram.span_power_spectrograms(
        samples, onsets, offsets, sample_rate, config.spectrogram
    )


def sequence_frames(
    samples: np.ndarray | tf.Tensor,
    sample_rate: float,
    scale: FrameScale,
    config: Config,
    segments: tuple[tf.Tensor, tf.Tensor] | None = None,
    detector: Detector = detect,
) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
    """Model frames of the sequences in some samples.

    Args:
        samples, sample_rate, config, segments, detector: as for `sequence_spans`.
        scale: `FrameScale`.

    Returns:
        frames float32 [sum of L, V], the frames of each sequence, int64 [S], and the first sample
        of each frame's window, int64 [sum of L].
    """
    power, lengths, frame_onsets = span_power(samples, sample_rate, config, segments, detector)
    frames = spectrogram.spans_to_model_frames(power, lengths, scale)
    if config.data.sequence == "packed":
        lengths = tf.reduce_sum(lengths)[tf.newaxis]
    return frames, lengths[lengths > 0], frame_onsets


def frames_of_calls(
    frame_onsets: tf.Tensor, onsets: tf.Tensor, offsets: tf.Tensor, n_fft: int
) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
    """Which frames are a call's own: those whose windows' middles lie in it, or else the next one.

    Args:
        frame_onsets: int64 [N], see `sequence_frames`, of one frame at least where there are calls.
        onsets, offsets: int64 [C], in samples.    n_fft: samples of a window.

    Returns: the first, and the one after the last, int32 [C], and whether that frame's window has
    any of the call in it, bool [C]: of a call that is shorter than a window there may be no frame.
    """
    middles = frame_onsets + n_fft // 2
    last_frame = tf.maximum(tf.size(middles) - 1, 0)
    firsts = tf.minimum(tf.searchsorted(middles, onsets, side="left"), last_frame)
    lasts = tf.maximum(tf.searchsorted(middles, offsets, side="left"), firsts + 1)
    begins = tf.gather(frame_onsets, firsts)
    return firsts, lasts, (begins < offsets) & (begins + n_fft > onsets)
