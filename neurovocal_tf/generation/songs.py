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
from neurovocal_tf.annotations.segments import Segment
from neurovocal_tf.audio import readers, spectrogram, wav
from neurovocal_tf.audio.spectrogram import PianoKeys
from neurovocal_tf.generation.singer import Singer, TrainedModel
from neurovocal_tf.labels import FIRST_LABEL
from neurovocal_tf.model.sung_text import Track
from neurovocal_tf.music import midi, sound
from neurovocal_tf.plots import canvas
from neurovocal_tf.plots.songs import comparison_figure, song_figure

# Four tiles of `singing`: they are sung side by side, one a core.
_SONGS_AT_ONCE = 32


@dataclasses.dataclass(frozen=True)
class Song:
    """One generated song: `seed`, `decibels` [L, V], `waveform` [N] float32, and of a text that was
    sung `labels`, (onset_s, offset_s, label) of each.
    """

    seed: int
    decibels: np.ndarray
    waveform: np.ndarray
    labels: tuple[Segment, ...] = ()


def frames_in(seconds: float, trained: TrainedModel) -> int:
    """How many frames of a model of recordings are nearest to so many seconds of sound, at least
    one.
    """
    return max(round(seconds * trained.sample_rate / trained.config.spectrogram.hop_length), 1)


def generate_songs(
    singer: Singer,
    seeds: Sequence[int],
    num_frames: int | None,
    temperature: float = 1.0,
    prime: str | os.PathLike[str] | np.ndarray | None = None,
    condition: npt.ArrayLike | None = None,
    text: Sequence[int] | None = None,
) -> Iterator[Song]:
    """Generates songs one after another; each depends on its own seed alone.

    Args:
        singer: `singer.Singer`.    seeds: ints.
        num_frames: int, of each song; None: as long as its text.
        temperature: float.
        prime: recording that every song goes on from, a path or float32 samples [N] at
            the model's rate; or None.
        condition: int [K], under which all are sung, see `Singer.generate`; None: unknown.
        text: numbers of the labels that each sings, each in its own time; None: none.

    Yields:
        `Song`.

    Raises:
        ValueError: the priming recording cannot be read, or is shorter than a window; or a text is
            longer than the singer sings.
    """
    state = None if prime is None else _primed_state(singer, prime, condition)
    texts = None if text is None else [text] * len(seeds)
    for some, rows, told, tracks in _rows(singer, seeds, num_frames, temperature, texts):
        if state is None:
            song = singer.generate(*rows, condition=condition, **told)
        else:
            song = singer.generate(*rows, state=tf.repeat(state, len(some), axis=0), **told)
        frames = [
            of_row[:length] for of_row, length in zip(song["spectrogram"], rows[1], strict=True)
        ]
        for seed, decibels, track in zip(some, frames, tracks, strict=True):
            labels = labels_of(singer, track, len(decibels))
            sound = np.asarray(singer.sound(decibels))
            yield Song(seed, np.asarray(decibels), sound, labels)


def labels_of(singer: Singer, track: Track | None, num_frames: int) -> tuple[Segment, ...]:
    """(onset_s, offset_s, label) of what a song of so many frames sings, as its sound has them; ()
    of no track. What is cut off is not sung.
    """
    if track is None:
        return ()
    settings, known = singer.config.spectrogram, singer.model.labels.known
    first = spectrogram.first_edge(settings)
    is_sung = np.asarray(track.firsts) < num_frames
    onsets, offsets = (
        (np.minimum(frames, num_frames)[is_sung] * settings.hop_length + first) / singer.sample_rate
        for frames in (track.firsts, track.lasts)
    )
    labels = [known[number - FIRST_LABEL] for number in np.asarray(track.numbers)[is_sung]]
    return tuple(zip(onsets.tolist(), offsets.tolist(), labels, strict=True))


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
    stem.png; of a text that was sung stem.csv, what is sung when, a table of annotations.
    """
    write_sound(stem, song.waveform, singer.sample_rate)
    with files.replacing(f"{stem}.npz") as temporary:
        np.savez(
            temporary,
            decibels=song.decibels,
            waveform=song.waveform,
            sample_rate=singer.sample_rate,
        )
    if song.labels:
        name = f"{os.path.basename(stem)}.wav"
        rows = [(name, f"{on:.6f}", f"{off:.6f}", label) for on, off, label in song.labels]
        files.write_csv(f"{stem}.csv", ("file", "onset_s", "offset_s", "label"), rows)
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


def write_sound(
    stem: str | os.PathLike[str], waveform: np.ndarray, sample_rate: int, ending: str = ".wav"
) -> None:
    """Writes stem.wav, 16 bit, turned down if it would clip: of samples `[N]` at some Hz."""
    with files.replacing(f"{stem}{ending}") as temporary:
        pathlib.Path(temporary).write_bytes(wav.encode(waveform, sample_rate).numpy())


def generate_frames(
    singer: Singer,
    seeds: Sequence[int],
    num_frames: int,
    temperature: float = 1.0,
    condition: npt.ArrayLike | None = None,
    texts: Sequence[Sequence[int]] | None = None,
) -> Iterator[tuple[int, np.ndarray]]:
    """Generates frame sequences with a model that has learned such, or songs as spectrograms
    without their sound; each depends on its own seed alone.

    Args:
        singer: `singer.Singer`.    seeds: ints.    num_frames: int, of each sequence.
        temperature: float.
        condition: int [K], or [N, K] of each, see `Singer.generate`; None: unknown.
        texts: of each the numbers of the labels that it sings; None: none.

    Yields:
        (seed, frames [L, V] in the data's unit; of recordings in dB).
    """
    first = 0
    for some, rows, told, _ in _rows(singer, seeds, num_frames, temperature, texts):
        own = condition
        if np.ndim(condition) == 2:
            own = np.asarray(condition)[first : first + len(some)]
            first += len(some)
        song = singer.generate(*rows, condition=own, **told)
        yield from zip(some, np.asarray(song["spectrogram"]), strict=True)


def _rows(singer, seeds, num_frames, temperature, texts):
    """Some seeds at a time, the arguments of `generate` for them, what they are told, and the
    `Track` of each, or None.
    """
    for first in range(0, len(seeds), _SONGS_AT_ONCE):
        some = seeds[first : first + _SONGS_AT_ONCE]
        tracks, told = [None] * len(some), {}
        lengths = [num_frames] * len(some)
        if texts is not None:
            of_some = texts[first : first + _SONGS_AT_ONCE]
            tracks = [singer.track(*pair) for pair in zip(of_some, some, strict=True)]
            if num_frames is None:
                lengths = [int(track.num_frames) for track in tracks]
            if max(lengths) > singer.max_frames:
                raise ValueError(
                    f"`text` must be of {singer.max_frames} frames at most. "
                    f"Received: one of {max(lengths)}"
                )
            longest = max(lengths) + 1
            cues = [track.cues(tf.constant(n)) for track, n in zip(tracks, lengths, strict=True)]
            told["cues"] = tf.stack(
                [tf.pad(of_one, [[0, longest - len(of_one)], [0, 0]]) for of_one in cues]
            )
        rows = (
            tf.constant(some, tf.int64),
            tf.constant(lengths, tf.int32),
            tf.fill([len(some)], tf.constant(temperature, tf.float32)),
        )
        yield some, rows, told, tracks


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
