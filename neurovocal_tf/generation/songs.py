"""Songs of a trained model as files: sound, picture, arrays;
of a model of frame sequences, picture and arrays, and of piano keys MIDI and sound.
"""

import dataclasses
import os
import pathlib
from collections.abc import Iterator, Sequence

import numpy as np
import numpy.typing as npt
import tensorflow as tf

from neurovocal_tf import files
from neurovocal_tf.audio import readers, spectrogram, wav
from neurovocal_tf.audio.spectrogram import PianoKeys
from neurovocal_tf.generation.singer import Singer, TrainedModel
from neurovocal_tf.music import midi, sound
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


def frames_in(seconds: float, trained: TrainedModel) -> int:
    """How many frames of a model of recordings are nearest to so many seconds of sound, at least
    one.
    """
    return max(round(seconds * trained.sample_rate / trained.config.spectrogram.hop_length), 1)


def generate_songs(
    singer: Singer,
    seeds: Sequence[int],
    num_frames: int,
    temperature: float = 1.0,
    prime: str | os.PathLike[str] | np.ndarray | None = None,
    condition: npt.ArrayLike | None = None,
) -> Iterator[Song]:
    """Generates songs one after another; each depends on its own seed alone.

    Args:
        singer: `singer.Singer`.    seeds: ints.    num_frames: int, of each song.
        temperature: float.
        prime: recording that every song goes on from, a path or float32 samples [N] at
            the model's rate; or None.
        condition: int [K], under which all are sung, see `Singer.generate`; None: unknown.

    Yields:
        `Song`.

    Raises:
        ValueError: the priming recording cannot be read, or is shorter than a window.
    """
    state = None if prime is None else _primed_state(singer, prime, condition)
    for some, rows in _rows(seeds, num_frames, temperature):
        if state is None:
            song = singer.generate(*rows, condition=condition)
        else:
            song = singer.generate(*rows, state=tf.repeat(state, len(some), axis=0))
        for seed, decibels in zip(some, song["spectrogram"], strict=True):
            yield Song(seed, np.asarray(decibels), np.asarray(singer.sound(decibels)))


def _primed_state(singer, prime, condition):
    is_path = not isinstance(prime, np.ndarray)
    samples = _read(singer, prime) if is_path else prime
    power = spectrogram.power_spectrogram(samples, singer.sample_rate, singer.config.spectrogram)
    if not power.shape[0]:
        raise ValueError(
            f"`prime` must have at least n_fft={singer.config.spectrogram.n_fft} samples. "
            f"Received: prime={prime if is_path else f'{len(samples)} samples'}"
        )
    return singer.prime(power, condition)


def _read(singer, path):
    try:
        audio = singer.config.audio
        return readers.read(
            path, audio.channel, singer.sample_rate, audio.time_expansion, audio.float_scale
        )
    except readers.UnreadableRecording as reason:
        raise ValueError(
            f"`prime` must be a recording. Received: prime={path}, which {reason}"
        ) from None


def write_song(stem: str | os.PathLike[str], song: Song, singer: Singer) -> None:
    """Writes stem.wav, see `write_sound`, stem.npz (`decibels`, `waveform`, `sample_rate`) and
    stem.png.
    """
    write_sound(stem, song.waveform, singer.sample_rate)
    with files.replacing(f"{stem}.npz") as temporary:
        np.savez(
            temporary,
            decibels=song.decibels,
            waveform=song.waveform,
            sample_rate=singer.sample_rate,
        )
    frame_s = singer.config.spectrogram.hop_length / singer.sample_rate
    figure = song_figure(
        song.decibels,
        frame_s,
        singer.sample_rate / 2,
        f"seed {song.seed}",
        song.waveform,
        singer.sample_rate,
    )
    canvas.save_picture(figure, stem, singer.config.execution)


def write_sound(stem: str | os.PathLike[str], waveform: np.ndarray, sample_rate: int) -> None:
    """Writes stem.wav, 16 bit, turned down if it would clip: of samples `[N]` at some Hz."""
    with files.replacing(f"{stem}.wav") as temporary:
        pathlib.Path(temporary).write_bytes(wav.encode(waveform, sample_rate).numpy())


def generate_frames(
    singer: Singer,
    seeds: Sequence[int],
    num_frames: int,
    temperature: float = 1.0,
    condition: npt.ArrayLike | None = None,
) -> Iterator[tuple[int, np.ndarray]]:
    """Generates frame sequences with a model that has learned such, or songs as spectrograms
    without their sound; each depends on its own seed alone.

    Args:
        singer: `singer.Singer`.    seeds: ints.    num_frames: int, of each sequence.
        temperature: float.
        condition: int [K], or [N, K] of each, see `Singer.generate`; None: unknown.

    Yields:
        (seed, frames [L, V] in the data's unit; of recordings in dB).
    """
    first = 0
    for some, rows in _rows(seeds, num_frames, temperature):
        own = condition
        if np.ndim(condition) == 2:
            own = np.asarray(condition)[first : first + len(some)]
            first += len(some)
        song = singer.generate(*rows, condition=own)
        yield from zip(some, np.asarray(song["spectrogram"]), strict=True)


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


def write_frames(stem: str | os.PathLike[str], frames: np.ndarray, singer: Singer) -> None:
    """Writes stem.npz (`frames`) and stem.png; of piano keys stem.wav too, and stem.mid where mido
    is installed.
    """
    with files.replacing(f"{stem}.npz") as temporary:
        np.savez(temporary, frames=frames)
    figure = comparison_figure([], [frames], None, None)
    canvas.save_picture(figure, stem, singer.config.execution)
    if not isinstance(singer.scale, PianoKeys):
        return
    data = singer.config.data
    frame_s = midi.seconds_of_frame(data.frame_beats, data.frame_s)
    with files.replacing(f"{stem}.wav") as temporary:
        samples = sound.synthesise(frames, frame_s)
        pathlib.Path(temporary).write_bytes(wav.encode(samples, sound.SAMPLE_RATE).numpy())
    if midi.is_installed():
        midi.write(f"{stem}.mid", frames, frame_s, 1.0 if data.frame_s else data.frame_beats)
