"""Recordings to read: as many as wanted, of the simulated bird,
and what the pipeline needs to know of them.
"""

import os

import numpy as np
import tensorflow as tf

from neurovocal_tf.audio import readers
from neurovocal_tf.audio.spectrogram import FrameScale
from neurovocal_tf.data import pipeline, simulated_song
from neurovocal_tf.data.recordings import Recordings
from neurovocal_tf.data.sources import Source

_NUM_DIFFERENT = 8


def write(folder, num_recordings):
    """Paths of so many recordings of 6 s in a folder;
    a few differ, the others are further names of the same files.
    """
    paths = simulated_song.write_recordings(folder, min(num_recordings, _NUM_DIFFERENT))
    for i in range(len(paths), num_recordings):
        paths.append(os.path.join(folder, f"again_{i:05}.wav"))
        os.link(paths[i % _NUM_DIFFERENT], paths[-1])
    return paths


def training_data(paths, config, **options):
    """(function that makes a new `pipeline.training_dataset` of some recordings, batches and frames
    of an epoch); `options` go to that.
    """
    found = [readers.probe(path) for path in paths]
    sources = tuple(Source(recording.path, recording.decoder) for recording in found)
    data = (found[0].sample_rate, FrameScale(), config)
    # Files of several names are read once: they have the same frames.
    alone = [Recordings((source,), *data) for source in sources[:_NUM_DIFFERENT]]
    frames = [[len(frames) for frames, _ in one.sequences().as_numpy_iterator()] for one in alone]
    lengths = [length for i in range(len(paths)) for length in frames[i % _NUM_DIFFERENT]]
    epoch = tf.Variable(0, dtype=tf.int64, trainable=False)
    return (
        lambda: pipeline.training_dataset(
            Recordings(sources, *data), config, epoch, lengths, **options
        ),
        pipeline.num_batches(lengths, config),
        int(np.sum(lengths)),
    )
