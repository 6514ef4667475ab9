"""The sequences of frames that a model learns from in a recording, and reads in one when it is served."""

import tensorflow as tf

from neurovocal_tf.audio import segmentation, spectrogram


def sequence_spans(samples, sample_rate, config):
    """Where the training sequences of some samples lie.

    Args:
        samples: float32 [N].    sample_rate: Hz.    config: `Config`.

    Returns:
        Onsets and offsets, int64 [S], in samples: of the whole, of bouts, or of segments, by `config.data.sequence`.
    """
    if config.data.sequence == "recording":
        return tf.zeros([1], tf.int64), tf.size(samples, out_type=tf.int64)[tf.newaxis]
    onsets, offsets = segmentation.detect(samples, sample_rate, config.segmentation)
    if config.data.sequence == "bout":
        gap = config.data.bout_gap_s * sample_rate
        # Half a gap of the silence around it: without any, a model would not learn that singing begins after silence.
        return segmentation.add_buffer(*segmentation.bouts(onsets, offsets, gap), int(gap / 2), tf.size(samples, out_type=tf.int64))
    return onsets, offsets


def span_power(samples, sample_rate, config):
    """Power spectrograms of all sequence spans of some samples, one after another.

    Returns:
        power float32 [sum of L, V], and the frames of each span, int64 [S].
    """
    onsets, offsets = sequence_spans(samples, sample_rate, config)
    return spectrogram.span_power_spectrograms(samples, onsets, offsets, sample_rate, config.spectrogram)


def sequence_frames(samples, sample_rate, scale, config):
    """Model frames of the sequences in some samples.

    Returns:
        frames float32 [sum of L, V], and the frames of each sequence, int64 [S].
    """
    frames, lengths, _ = sequence_frames_and_onsets(samples, sample_rate, scale, config)
    return frames, lengths


def sequence_frames_and_onsets(samples, sample_rate, scale, config):
    """`sequence_frames`, and the first sample of each frame's window, int64 [sum of L]."""
    onsets, offsets = sequence_spans(samples, sample_rate, config)
    power, lengths = spectrogram.span_power_spectrograms(samples, onsets, offsets, sample_rate, config.spectrogram)
    frames = spectrogram.spans_to_model_frames(power, lengths, scale)
    frame_onsets = spectrogram.frame_onsets(onsets, lengths, config.spectrogram)
    if config.data.sequence == "packed":
        lengths = tf.reduce_sum(lengths)[tf.newaxis]
    return frames, lengths[lengths > 0], frame_onsets
