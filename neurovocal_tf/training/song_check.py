"""Songs sung in the course of a training, and how far they are from those it learns from."""

import math
from collections.abc import Callable, Iterable
from typing import Any

import keras
import numpy as np

from neurovocal_tf.data import label_tracks, recording_conditions
from neurovocal_tf.data.recordings import Recordings
from neurovocal_tf.evaluation import song_measures
from neurovocal_tf.evaluation.heard import Heard, Listener, NotMeasurable, Songs
from neurovocal_tf.evaluation.song_measures import Sung
from neurovocal_tf.generation import songs
from neurovocal_tf.generation.singer import Singer
from neurovocal_tf.training.averages import weights_to_keep
from neurovocal_tf.training.phases import Phases

# Of the finch, 80 s: over 40 s the pauses alone move the syllables per second
# by a tenth either way.
_NUM_SONGS = 16
# Whatever a frame is. Ultrasonic calls are short, and a second of them has a thousand frames.
_SONG_S, _MOST_SONG_FRAMES = 5.0, 2500
# Not those of the songs that a user asks for: weights chosen by them would look
# better than they are.
_FIRST_SEED = 1 << 40
# Some minutes of an hour of recordings tell its syllables' lengths and gaps.
_HEARD_S = 180.0


class SongCheck(keras.callbacks.Callback):
    """Adds `song_distance` to an epoch's logs: that of `song_measures.song_distance` at the
    named epochs, NaN at others; and beside it `baseline_song_distance`, that of one half of the
    recordings from the other. Call types are those found in the recordings, so that order counts.

    Args:
        singer: `Singer` of the model that trains.    recordings: `Recordings`, those that train.
        epochs: the epochs, counted from 1, after which to sing.
        find_noise: called before it sings, see `sung_noise`.
    """

    def __init__(
        self,
        singer: Singer,
        recordings: Recordings,
        epochs: Iterable[int],
        find_noise: Callable[[], object] = lambda: None,
    ) -> None:
        super().__init__()
        self.find_noise = find_noise
        self.singer, self.recordings, self.epochs = singer, recordings, set(epochs)
        self._listener: Listener | None = None
        self._halves_apart = math.nan

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        is_asked = epoch + 1 in self.epochs
        logs["song_distance"] = self._distance() if is_asked else math.nan
        logs["baseline_song_distance"] = self._halves_apart if is_asked else math.nan

    def _distance(self):
        if self._listener is None:
            try:
                self._listener = Listener(
                    self._heard(), self.singer.sample_rate, self.singer.config
                )
            except NotMeasurable:
                # Beside recordings without a syllable no song can be told from another.
                return math.inf
            self._halves_apart = song_measures.song_distance(*_halves(self._listener.recordings))
        with weights_to_keep(self.model):
            self.find_noise()
            seeds = range(_FIRST_SEED, _FIRST_SEED + _NUM_SONGS)
            num_frames = min(songs.frames_in(_SONG_S, self.singer), _MOST_SONG_FRAMES)
            sources, labels = self.recordings.sources, self.singer.model.labels
            condition = recording_conditions.in_turn(
                sources, self.recordings.conditions, _NUM_SONGS
            )
            texts = label_tracks.in_turn(sources, labels, _NUM_SONGS, num_frames)
            sung = songs.generate_frames(
                self.singer, seeds, num_frames, condition=condition, texts=texts
            )
            pieces = [frames for _, frames in sung]
        heard = self._listener.hear(Songs.apart(pieces))
        return song_measures.song_distance(self._listener.recordings.all(), heard.all())

    def _heard(self):
        """`Songs` of the first minutes of the recordings; where there are several voices, of
        recordings in random order, since those of one lie together.
        """
        recordings = self.recordings
        if recordings.conditions:
            order = np.random.default_rng(0).permutation(len(recordings))
            recordings = recordings.some(order.tolist())
        frame_s = self.singer.config.spectrogram.hop_length / self.singer.sample_rate
        pieces, numbers, heard_s = [], [], 0.0
        for frames, number, *_ in recordings.numbered_sequences().as_numpy_iterator():
            pieces.append(np.asarray(recordings.scale.shown(frames)))
            numbers.append(int(number))
            heard_s += len(frames) * frame_s
            if heard_s >= _HEARD_S:
                break
        return Songs(pieces, numbers)


def as_now(history: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """A history as this version goes on with it: earlier ones do not know how far the recordings
    are from each other.
    """
    for row in history:
        if "song_distance" in row:
            row.setdefault("baseline_song_distance", math.nan)
    return history


def _halves(heard: Heard) -> tuple[Sung, Sung]:
    """Every second recording and the others; of one alone its first and its second half."""
    numbers = np.unique(heard.songs.recordings, return_inverse=True)[1]
    if numbers.max(initial=0):
        return heard.of(numbers % 2 == 0), heard.of(numbers % 2 == 1)
    pieces = np.arange(len(heard.songs))
    return heard.part(0.0, 0.5, pieces), heard.part(0.5, 1.0, pieces)


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
