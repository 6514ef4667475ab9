"""Where the detector has found vocalizations: kept,
so that it runs once over a recording however often that is read.
"""

import threading
from collections.abc import Sequence

import numpy as np
import tensorflow as tf

from neurovocal_tf.config import SegmentationConfig
from neurovocal_tf.data.sources import Source
from neurovocal_tf.segmentation import detector
from neurovocal_tf.segmentation.sequences import Detector


class FoundSpans:
    """Spans that the detector has found in stretches of recordings, two int64 a segment,
    as long as this object lives.

    One object is for one configuration and one sample rate, whoever reads the recordings: what was
    found the first time is what the detector would find again.
    """

    def __init__(self) -> None:
        self._found, self._locks = {}, {}

    def detect(
        self, source: Source, samples: np.ndarray, sample_rate: float, config: SegmentationConfig
    ) -> tuple[np.ndarray, np.ndarray]:
        """Onsets and offsets int64 [S] in the stretch of a source,
        by `detector.detect` the first time.

        Args:
            source: `Source`.    samples: float32 [N], NumPy, of its stretch.    sample_rate: Hz.
            config: `SegmentationConfig`.
        """
        stretch = source.path, source.begin, source.end
        # An epoch is read while the one before it still is:
        # whoever comes second waits for the first.
        with self._locks.setdefault(stretch, threading.Lock()):
            if stretch not in self._found:
                self._found[stretch] = detector.detect(samples, sample_rate, config)[:2]
            return self._found[stretch]

    def detector_of(self, source: Source) -> Detector:
        """The detector of a source outside a graph, as `sequences.sequence_spans` takes one."""
        return lambda samples, sample_rate, config: tuple(
            map(tf.constant, self.detect(source, samples, sample_rate, config))
        )

    def detector_in_graph(self, sources: Sequence[Source], index: tf.Tensor) -> Detector:
        """The detector of `sources[index]`, index an int tensor [],
        as `sequences.sequence_spans` takes one.
        """

        def detect(samples, sample_rate, config):
            def found(samples, index):
                return self.detect(sources[index], samples, sample_rate, config)

            columns = tf.numpy_function(found, [samples, index], (tf.int64, tf.int64))
            return tuple(tf.ensure_shape(column, [None]) for column in columns)

        return detect
