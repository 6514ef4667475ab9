"""What trains or validates: stretches of recordings, and their samples."""

import dataclasses

import numpy as np
import tensorflow as tf

from neurovocal_tf.audio import readers, spectrogram
from neurovocal_tf.data.frame_sequences import FrameSplit


@dataclasses.dataclass(frozen=True)
class Source:
    """A stretch of one recording that trains or validates.

    Attributes:
        path: of the file.    decoder: see `readers.Recording.decoder_at`.
        begin, end: the stretch, as shares of the recording's length: 0 to 1.
        segments: tuple of (onset_s, offset_s, label) in the whole recording, in time order: people's annotations; None: the detector's
            are used.
    """

    path: str
    decoder: str
    begin: float = 0.0
    end: float = 1.0
    segments: tuple | None = None


def stretch_of(samples, begin, end):
    """The stretch of samples between two shares of their length.  [N] -> [N']"""
    first, last = stretch_bounds(tf.size(samples), begin, end)
    return samples[first:last]


def stretch_bounds(num_samples, begin, end):
    """First and last sample, the last exclusive, of the stretch between two shares of so many samples.  int64 []"""
    size = tf.cast(num_samples, tf.float64)
    return tuple(tf.cast(tf.round(size * tf.cast(share, tf.float64)), tf.int64) for share in (begin, end))


def recordings(sources, sample_rate, config):
    """The samples of some sources.

    Args:
        sources: list of `Source`.    sample_rate: Hz, of all.    config: `Config`.

    Yields:
        (samples float32 [N], sample_rate).
    """
    for source in sources:
        samples = readers.read(source.path, config.audio.channel, sample_rate, config.audio.time_expansion)
        yield np.asarray(stretch_of(samples, source.begin, source.end)), sample_rate


def num_visible(sources, config):
    """V, the bins of a frame of some sources."""
    return sources.num_visible if isinstance(sources, FrameSplit) else spectrogram.num_bins(config.spectrogram)
