"""Recordings that look segmented, for pages of review: with as many segments as a test wants."""

import dataclasses
import os

import numpy as np
import soundfile

from neurovocal_tf.annotations import Annotation

RATE = 16_000


@dataclasses.dataclass
class Reviewed:
    """Stands for a `SegmentedFolder`: what the pages ask of one.

    Attributes:
        out_dir: str.    paths: dict of name -> path.
        times: dict of name -> (onset_s, offset_s) of each segment.
        lengths_s: dict of name -> seconds.    labels: of the segments, in turn.
        what_is_dropped: (onset_s, offset_s, reason) of each, in every recording.
    """

    out_dir: str
    paths: dict
    times: dict
    lengths_s: dict
    labels: tuple = ("",)
    what_is_dropped: tuple = ()

    @property
    def finished(self):
        return sorted(self.paths)

    def segments(self, name):
        return np.array(self.times[name], float).reshape(-1, 2)

    def duration_s(self, name):
        return self.lengths_s[name]

    def dropped(self, name):
        return list(self.what_is_dropped)

    def annotations(self, name):
        path = os.path.abspath(self.paths[name])
        return [
            Annotation(path, onset, offset, self.labels[i % len(self.labels)], score=i % 40 + 0.25)
            for i, (onset, offset) in enumerate(self.times[name])
        ]


def reviewed(folder, times, length_s, labels=("",)):
    """`Reviewed` of recordings of hiss with a tone in each segment.

    Args: folder: where all goes.    times: dict of name -> pairs.    length_s: of each recording.
        labels: of the segments, in turn.
    """
    paths = {}
    for name, pairs in times.items():
        path = os.path.join(folder, "data", name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        time = np.arange(round(length_s * RATE)) / RATE
        samples = 1e-3 * np.random.default_rng(4).standard_normal(len(time))
        for onset, offset in pairs:
            part = slice(round(onset * RATE), round(offset * RATE))
            samples[part] += 0.3 * np.sin(2 * np.pi * 3000 * time[part])
        soundfile.write(path, samples, RATE)
        paths[name] = path
    out_dir = os.path.join(folder, "out")
    return Reviewed(out_dir, paths, times, dict.fromkeys(times, length_s), labels)
