"""A run's songs, sung and measured beside the recordings that it learned and those it held out."""

import dataclasses
import math
from collections.abc import Sequence

import numpy as np

from neurovocal_tf.config_sections import SEQUENCES_WITH_GAPS
from neurovocal_tf.data import label_tracks, recording_conditions
from neurovocal_tf.data.recordings import Recordings
from neurovocal_tf.data.sources import Source
from neurovocal_tf.evaluation import song_likeness
from neurovocal_tf.evaluation.heard import Listener, NotMeasurable, Songs
from neurovocal_tf.evaluation.song_likeness import Likeness
from neurovocal_tf.generation import songs
from neurovocal_tf.generation.singer import Singer
from neurovocal_tf.runs.trained import Trained

_MOST_FRAMES = 500_000


@dataclasses.dataclass(frozen=True)
class SongOptions:
    """What to generate: `seconds` in all, divided among `num_songs`, from `seed` on, at
    `temperature`; and beside that songs at each of `temperatures`.
    """

    seconds: float = 256.0
    num_songs: int = 32
    seed: int = 0
    temperature: float = 1.0
    temperatures: tuple[float, ...] = ()


def sequences_of(
    recordings: Recordings,
) -> tuple[Songs, list[np.ndarray], list[np.ndarray], list[np.ndarray]]:
    """The sequences of some recordings, read once: as `Songs`, in dB; as model frames `[L, V]`; the
    labels of their frames, bytes `[L]`; and, where they have labels along time, the cues `[L, C]`,
    else none.
    """
    frames, numbers, labels, cues = [], [], [], []
    for one, number, of_one, *told in recordings.numbered_sequences().as_numpy_iterator():
        frames.append(one)
        numbers.append(int(number))
        labels.append(of_one)
        cues += told
    shown = [np.asarray(recordings.scale.shown(one)) for one in frames]
    return Songs(shown, numbers), frames, labels, cues


def sing(trained: Trained, options: SongOptions, sources: Sequence[Source] = ()) -> Songs:
    """What the model sings, as its own frames in dB: of a model with conditions, or with labels
    along time, under those of some sources in turn, or else unknown ones.
    """
    each_s = options.seconds / options.num_songs
    hops = each_s * trained.sample_rate / trained.config.spectrogram.hop_length
    num_frames = max(math.ceil(hops), 1)
    singer = Singer(trained, max_frames=num_frames)
    seeds = range(options.seed, options.seed + options.num_songs)
    known = trained.model.conditions
    condition = recording_conditions.in_turn(sources, known, len(seeds)) if sources else None
    texts = None
    if sources:
        texts = label_tracks.in_turn(sources, trained.model.labels, len(seeds), num_frames)
    sung = songs.generate_frames(singer, seeds, num_frames, options.temperature, condition, texts)
    return Songs.apart([frames for _, frames in sung])


def measured(
    trained: Trained, training: Songs, sung: Songs, held_out: Songs | None, seed: int
) -> Likeness:
    """What was sung beside the recordings.

    Args:
        trained: `Trained`.    training, held_out: `Songs` of the recordings.    sung: see `sing`.
        seed: int, of all that is drawn.

    Raises: `NotMeasurable` if the sequences have no gaps, between which syllables are found, or
        no syllable is found in the training recordings.
    """
    sequence = trained.config.data.sequence
    if sequence not in SEQUENCES_WITH_GAPS:
        told = f"the model has learned syllables without their gaps, sequence={sequence}"
        raise NotMeasurable(told)
    listener = Listener(_spread(training), trained.sample_rate, trained.config, seed)
    return song_likeness.song_likeness(listener, sung, held_out, seed)


def _spread(songs: Songs) -> Songs:
    """As many recordings, spread over all, as are no longer than half an hour or so together: of
    the measures some take time with each frame.
    """
    numbers = np.asarray(songs.recordings)
    recordings, frames = np.unique(numbers), sum(map(len, songs.pieces))
    share = min(_MOST_FRAMES / max(frames, 1), 1.0)
    count = max(round(share * len(recordings)), min(len(recordings), 2))
    chosen = recordings[np.linspace(0, len(recordings) - 1, count).round().astype(int)]
    kept = np.flatnonzero(np.isin(numbers, chosen))
    return Songs([songs.pieces[index] for index in kept], numbers[kept].tolist())
