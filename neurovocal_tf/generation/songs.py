"""Songs of a trained model as files: sound, picture, arrays; of a model of frame sequences, picture and arrays."""

import dataclasses
import pathlib

import numpy as np
import tensorflow as tf

from neurovocal_tf import files
from neurovocal_tf.audio import readers, spectrogram, wav
from neurovocal_tf.plots import canvas
from neurovocal_tf.plots.songs import comparison_figure, song_figure

# Four tiles of `singing`: they are sung side by side, one a core.
_SONGS_AT_ONCE = 32


@dataclasses.dataclass(frozen=True)
class Song:
    """One generated song: `seed`, `decibels` [L, V], `waveform` [N] float32."""

    seed: int
    decibels: np.ndarray
    waveform: np.ndarray


def sing_songs(endpoints, seeds, num_frames, temperature=1.0, prime_path=None):
    """Generates songs one after another; each depends on its own seed alone.

    Args:
        endpoints: `endpoints.Endpoints`.    seeds: ints.    num_frames: int, of each song.    temperature: float.
        prime_path: path of a recording that every song goes on from, or None.

    Yields:
        `Song`.

    Raises:
        ValueError: the priming recording cannot be read, or is shorter than a window.
    """
    state = None if prime_path is None else _primed_state(endpoints, prime_path)
    for some, rows in _rows(seeds, num_frames, temperature):
        if state is None:
            song = endpoints.generate(*rows)
        else:
            song = endpoints.generate_continue(*rows, tf.zeros([len(some)], tf.int64), tf.repeat(state, len(some), axis=0))
        for seed, decibels in zip(some, song["spectrogram"], strict=True):
            sound = endpoints.synthesise(decibels[tf.newaxis], [len(decibels)], tf.zeros([1, 0]), [0])
            yield Song(seed, np.asarray(decibels), np.asarray(sound["waveform"][0]))


def _primed_state(endpoints, path):
    try:
        audio = endpoints.config.audio
        samples = readers.read(path, audio.channel, endpoints.sample_rate, audio.time_expansion)
    except readers.UnreadableRecording as reason:
        raise ValueError(f"`prime` must be a recording. Received: prime={path}, which {reason}") from None
    power = spectrogram.power_spectrogram(samples, endpoints.sample_rate, endpoints.config.spectrogram)
    if not power.shape[0]:
        raise ValueError(f"`prime` must have at least n_fft={endpoints.config.spectrogram.n_fft} samples. Received: prime={path}")
    return endpoints.prime(power)


def write_song(stem, song, endpoints):
    """Writes stem.wav (16 bit, turned down if it would clip), stem.npz (`decibels`, `waveform`, `sample_rate`) and stem.png."""
    with files.replacing(f"{stem}.wav") as temporary:
        pathlib.Path(temporary).write_bytes(wav.encode(song.waveform, endpoints.sample_rate).numpy())
    with files.replacing(f"{stem}.npz") as temporary:
        np.savez(temporary, decibels=song.decibels, waveform=song.waveform, sample_rate=endpoints.sample_rate)
    frame_s = endpoints.config.spectrogram.hop_length / endpoints.sample_rate
    figure = song_figure(song.decibels, frame_s, endpoints.sample_rate / 2, f"seed {song.seed}", song.waveform, endpoints.sample_rate)
    canvas.save_figure(figure, f"{stem}.png")


def generate_frames(endpoints, seeds, num_frames, temperature=1.0):
    """Generates frame sequences with a model that has learned such; each depends on its own seed alone.

    Args:
        endpoints: `endpoints.Endpoints`.    seeds: ints.    num_frames: int, of each sequence.    temperature: float.

    Yields:
        (seed, frames [L, V] in the data's unit).
    """
    for some, rows in _rows(seeds, num_frames, temperature):
        yield from zip(some, np.asarray(endpoints.generate(*rows)["spectrogram"]), strict=True)


def _rows(seeds, num_frames, temperature):
    """Some seeds at a time, and the arguments of `generate` for them."""
    for first in range(0, len(seeds), _SONGS_AT_ONCE):
        some = seeds[first : first + _SONGS_AT_ONCE]
        yield (
            some,
            (
                tf.constant(some, tf.int64),
                tf.fill([len(some)], tf.constant(num_frames, tf.int32)),
                tf.fill([len(some)], tf.constant(temperature, tf.float32)),
            ),
        )


def write_frames(stem, frames):
    """Writes stem.npz (`frames`) and stem.png."""
    with files.replacing(f"{stem}.npz") as temporary:
        np.savez(temporary, frames=frames)
    canvas.save_figure(comparison_figure([], [frames], None, None), f"{stem}.png")
