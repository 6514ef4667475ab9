"""Songs sung in the course of a training, and how far they are from those it learns from."""

import math
from collections.abc import Iterable
from typing import Any

import keras
import numpy as np

from neurovocal_tf.data.recordings import Recordings
from neurovocal_tf.discovery.syllables import song_statistics
from neurovocal_tf.evaluation import song_likeness
from neurovocal_tf.generation import songs
from neurovocal_tf.generation.singer import Singer
from neurovocal_tf.training.averages import weights_to_keep
from neurovocal_tf.training.phases import Phases

# Of the finch, 80 s: over 40 s the pauses alone move the syllables per second
# by a tenth either way.
_NUM_SONGS = 16
_SONG_FRAMES = 1250
# Not those of the songs that a user asks for: weights chosen by them would look
# better than they are.
_FIRST_SEED = 1 << 40
# Some minutes of an hour of recordings tell its syllables' lengths and gaps.
_HEARD_S = 180.0


class SongCheck(keras.callbacks.Callback):
    """Adds `song_distance` to an epoch's logs: that of `song_likeness.song_distance` at the
    named epochs, NaN at others; and beside it `baseline_song_distance`, that of one half of the
    recordings from the other.

    Args:
        singer: `Singer` of the model that trains.    recordings: `Recordings`, those that train.
        epochs: the epochs, counted from 1, after which to sing.
    """

    def __init__(self, singer: Singer, recordings: Recordings, epochs: Iterable[int]) -> None:
        super().__init__()
        self.singer, self.recordings, self.epochs = singer, recordings, set(epochs)
        self._real, self._halves_apart = None, math.nan

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        is_asked = epoch + 1 in self.epochs
        logs["song_distance"] = self._distance() if is_asked else math.nan
        logs["baseline_song_distance"] = self._halves_apart if is_asked else math.nan

    def _distance(self):
        if self._real is None:
            heard = list(self._heard())
            self._real, *halves = (
                song_statistics(some, self.singer.config) for some in (heard, *_halves(heard))
            )
            self._halves_apart = song_likeness.song_distance(*halves)
        with weights_to_keep(self.model):
            seeds = range(_FIRST_SEED, _FIRST_SEED + _NUM_SONGS)
            sung = [
                (song.waveform, self.singer.sample_rate)
                for song in songs.generate_songs(self.singer, seeds, _SONG_FRAMES)
            ]
        return song_likeness.song_distance(self._real, song_statistics(sung, self.singer.config))

    def _heard(self):
        heard_s = 0.0
        for samples, sample_rate in self.recordings.heard():
            yield samples, sample_rate
            heard_s += len(samples) / sample_rate
            if heard_s >= _HEARD_S:
                return


def as_now(history: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """A history as this version goes on with it: earlier ones do not know how far the recordings
    are from each other.
    """
    for row in history:
        if "song_distance" in row:
            row.setdefault("baseline_song_distance", math.nan)
    return history


def _halves(heard):
    """Every second recording and the others; of one alone its first and its second half."""
    if len(heard) > 1:
        return heard[::2], heard[1::2]
    ((samples, sample_rate),) = heard
    middle = len(samples) // 2
    return [(samples[:middle], sample_rate)], [(samples[middle:], sample_rate)]


def epochs_to_check(num_checks: int, cd_steps: Phases, num_epochs: int) -> list[int]:
    """At most `num_checks` epochs, counted from 1 and evenly apart, of those with the most Gibbs
    steps; the last is one of them.

    Args:
        num_checks: int.    cd_steps: `Phases` of k.    num_epochs: int.
    """
    steps = [cd_steps.at(epoch) for epoch in range(num_epochs)]
    candidates = [epoch for epoch, k in enumerate(steps, start=1) if k == max(steps)]
    chosen = np.linspace(0, len(candidates), min(num_checks, len(candidates)) + 1)[1:]
    return [candidates[math.ceil(place) - 1] for place in chosen]
