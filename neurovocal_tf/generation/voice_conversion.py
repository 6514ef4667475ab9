"""Voice conversion: what one voice has said, said by another that the model has learned.

The source is heard as units that are the same for all voices (`discovery.phone_units`), frame by
frame; the model sings them, as its labels along time, under the condition of the target. Loudness
and pitch come from the target too, unless the source's are kept.
"""

import dataclasses
import os

import numpy as np
import tensorflow as tf

from neurovocal_tf.audio import readers, spectrogram
from neurovocal_tf.audio.spectrogram import FrameScale
from neurovocal_tf.conditions import Blend
from neurovocal_tf.discovery import intonation, phone_units
from neurovocal_tf.discovery.phone_units import PhoneUnits
from neurovocal_tf.generation.singer import Singer
from neurovocal_tf.generation.songs import Song
from neurovocal_tf.labels import Labels, cues_of

#: What of a source may be kept.
KEPT = ("pitch", "energy")
# Frames are made louder by that much at most: more would raise the floor under a voice to a voice.
_MOST_GAIN_DB = 20.0
_SMALLEST_POWER = 1e-30


@dataclasses.dataclass(frozen=True)
class Source:
    """A recording that is to be said by another voice.

    Attributes:
        samples: float32 `[N]`, at the model's rate.    power: `[L, V]`, its power spectrogram.
        runs: (first frame, frame after the last, unit) of each unit in it.
    """

    samples: np.ndarray
    power: np.ndarray
    runs: list[tuple[int, int, int]]


def kept_of(text: str) -> tuple[str, ...]:
    """Which of `KEPT` a list such as pitch,energy names.

    Raises: ValueError for another name, or where pitch cannot be kept on this machine.
    """
    names = tuple(filter(None, map(str.strip, text.split(","))))
    if not set(names) <= set(KEPT):
        raise ValueError(f"`keep` must name some of {', '.join(KEPT)}. Received: keep={text}")
    if "pitch" in names:
        intonation.check_installed()
    return names


def units_in(workdir: str | os.PathLike[str]) -> PhoneUnits | None:
    """The units of a run; None of one whose labels are others, or none.

    Raises: ValueError, one line: they are damaged.
    """
    path = os.path.join(workdir, phone_units.FILE_NAME)
    return phone_units.load(path) if os.path.exists(path) else None


def units_of_run(workdir: str | os.PathLike[str], singer: Singer) -> PhoneUnits:
    """The units that a run has learned to sing.

    Raises: ValueError, one line: it has learned none, or no conditions.
    """
    units = units_in(workdir)
    lacks = [
        what
        for what, has in (
            ("--labels=units", units is not None),
            ("--condition_columns or --condition_from", bool(singer.model.conditions)),
        )
        if not has
    ]
    if units is None or lacks:
        raise ValueError(
            "`workdir` must hold a run that has learned units and whose voice is whose: train it "
            f"with {' and '.join(lacks)}. Received: workdir={os.fspath(workdir)}"
        )
    return units


def read(path: str | os.PathLike[str], singer: Singer) -> tuple[np.ndarray, list[str]]:
    """The samples of a recording at the model's rate, float32 `[N]`, and what is to be told of it.

    Raises: ValueError, one line that names the file.
    """
    audio = singer.config.audio
    try:
        header = readers.probe(path, audio.time_expansion)
        samples = readers.read(
            header, audio.channel, singer.sample_rate, audio.time_expansion, audio.float_scale
        )
    except readers.UnreadableRecording as reason:
        raise ValueError(
            f"`input` must be a recording. Received: input={os.fspath(path)}, which {reason}"
        ) from None
    notes = []
    if header.sample_rate != singer.sample_rate:
        notes.append(f"is resampled from {header.sample_rate} to {singer.sample_rate} Hz")
    if header.num_channels > 1:
        which = {"mean": "their mean", "loudest": "the loudest"}.get(
            audio.channel, f"number {audio.channel}"
        )
        notes.append(f"has {header.num_channels} channels, of which {which} is heard")
    notes += filter(None, [header.note(len(samples) / singer.sample_rate)])
    return samples, notes


def hear(samples: np.ndarray, singer: Singer, units: PhoneUnits) -> Source:
    """A source's units.

    Args:
        samples: float32 `[N]`, at the model's rate.    singer: `Singer`.    units: `PhoneUnits`.

    Raises: ValueError, one line: it is shorter than a frame, or nothing sounds in it.
    """
    settings = singer.config.spectrogram
    power = spectrogram.power_spectrogram(samples, singer.sample_rate, settings).numpy()
    found = units.units_of(phone_units.measure(power, singer.sample_rate))
    runs = phone_units.runs_of(found)
    if len(power) > singer.max_frames:
        raise ValueError(
            f"`input` must have {singer.max_frames} frames at most. Received: {len(power)}"
        )
    if not runs:
        what = "silence" if len(power) else f"{len(samples)} samples"
        raise ValueError(
            "`input` must have one unit at least, which is a frame that sounds, of "
            f"n_fft={settings.n_fft} samples. Received: {what}"
        )
    return Source(samples, power, runs)


def convert(
    singer: Singer,
    units: PhoneUnits,
    source: Source,
    to: Blend,
    seed: int = 0,
    temperature: float = 1.0,
    keep: tuple[str, ...] = (),
) -> tuple[Song, list[str]]:
    """What a source says, said by a target.

    Args:
        singer: `Singer` of a model with conditions and units.    units: its `PhoneUnits`.
        source: see `hear`.    to: see `Conditions.blend_of`: one voice, or several mixed.
        seed, temperature: of the song, as of `Singer.generate`.    keep: see `kept_of`.

    Returns:
        (`Song`, as long as the source's frames; sentences for the user).
    """
    num_frames = len(source.power)
    cues = cues_of_units(source.runs, num_frames, units.names, singer.model.labels)
    song = singer.generate(
        [seed], [num_frames], [temperature], state=blended_state(singer, to), cues=cues[tf.newaxis]
    )
    decibels = song["spectrogram"][0].numpy()
    if "energy" in keep:
        decibels = with_energy_of(decibels, source.power, singer.scale)
    waveform, notes = singer.sound(decibels).numpy(), []
    if "pitch" in keep:
        moved = intonation.with_intonation_of(waveform, source.samples, singer.sample_rate)
        if moved is None:
            notes.append("the pitch is not kept: there is next to no voice in one of the sounds")
        else:
            waveform = moved
    return Song(seed, decibels, waveform), notes


def blended_state(singer: Singer, to: Blend) -> tf.Tensor:
    """The state before a first frame under several conditions, each with its share: all that
    differs between them is the conditions' vectors, whose mean this has.  -> [1, R]
    """
    is_start = tf.ones([1], tf.bool)
    states = [singer.model.first_states(is_start, np.array(numbers)) for numbers, _ in to]
    # As differences, so that what is the same stays so to the last bit.
    return states[0] + tf.add_n(
        [share * (state - states[0]) for state, (_, share) in zip(states, to, strict=True)]
    )


def cues_of_units(
    runs: list[tuple[int, int, int]], num_frames: int, names: tuple[str, ...], labels: Labels
) -> tf.Tensor:
    """What a model is told of each frame, int32 [L, CUE_SIZE]."""
    firsts, lasts, numbers = (tf.constant(column, tf.int32) for column in zip(*runs, strict=True))
    of_units = tf.constant([labels.number(name) for name in names], tf.int32)
    return cues_of(tf.gather(of_units, numbers), firsts, lasts, tf.constant(num_frames))


def with_energy_of(decibels: np.ndarray, power: np.ndarray, scale: FrameScale) -> np.ndarray:
    """A spectrogram whose frames are as loud as those of a source: each one's power is the source's
    there, as far as 20 dB reach.

    [L, V] in dB, [L, V] power -> float32 [L, V] in dB
    """
    sung = spectrogram.to_power(decibels, scale).numpy().astype(float)
    ours, theirs = (
        10 * np.log10(np.maximum(one.sum(axis=1), _SMALLEST_POWER)) for one in (sung, power)
    )
    gains_db = np.minimum(theirs - ours, _MOST_GAIN_DB)
    return spectrogram.to_decibels(sung * 10 ** (gains_db[:, np.newaxis] / 10), scale).numpy()
