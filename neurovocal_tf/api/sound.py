"""A recording as samples, and samples as a spectrogram. Needs no TensorFlow."""

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import scipy.signal

from neurovocal_tf.api import arguments
from neurovocal_tf.api.arguments import Path
from neurovocal_tf.audio import readers
from neurovocal_tf.audio.unreadable import UnreadableRecording
from neurovocal_tf.config import Config

_USED = ("n_fft", "hop_length", "dynamic_range_db", "audio")
_SMALLEST = float(np.finfo(np.float32).tiny)


class Spectrogram(NamedTuple):
    """A spectrogram: `decibels` float32 [L, V], `times_s` float64 [L], the middle of each frame in
    seconds, `frequencies_hz` float64 [V], the centre of each bin in Hz.
    """

    decibels: np.ndarray
    times_s: np.ndarray
    frequencies_hz: np.ndarray


def load(
    path: Path, sample_rate: int | None = None, channel: str | int = "loudest"
) -> tuple[np.ndarray, int]:
    """Reads one channel of a recording, of any format that the package reads.

    Args:
        path: the file.
        sample_rate: Hz to resample to; None: the file's own.
        channel: which one of several: loudest, mean, or a number from 0.

    Returns:
        samples float32 [N], full scale 1, and their rate in Hz.

    Raises:
        ValueError: the file cannot be read, or has no such channel.
    """
    rate = 0 if sample_rate is None else arguments.rate_of(sample_rate, "sample_rate")
    config = Config().replace(channel=str(channel))
    return read(arguments.file_of(path, "path"), config.replace(sample_rate=rate))


def read(path: str, config: Config) -> tuple[np.ndarray, int]:
    """Samples float32 [N] and rate in Hz of a file, as `config.audio` says.

    Raises ValueError, with the path, where it cannot be read.
    """
    try:
        return samples_at(path, config)
    except UnreadableRecording as reason:
        raise ValueError(f"{path} {reason}.") from None


def samples_at(path: str, config: Config) -> tuple[np.ndarray, int]:
    """As `read`, but raises UnreadableRecording, whose message lacks the path."""
    audio = config.audio
    rate = readers.probe(path, audio.time_expansion).rate_at(audio.sample_rate)
    return readers.read(path, audio.channel, rate, audio.time_expansion, audio.float_scale), rate


def spectrogram(
    recording: npt.ArrayLike | Path,
    rate: int | None = None,
    reference_power: float | None = None,
    **settings: Any,
) -> Spectrogram:
    """The spectrogram of a recording, in the windows and decibels of a model's frames.

    Args:
        recording: samples [N], full scale 1, or the path of a file.
        rate: Hz, of the samples; left out for a file.
        reference_power: the power density, in 1 / Hz, that is 0 dB: `model.scale.reference_power`
            gives the frames that a model sees. None: that of the loudest bin.
        settings: `n_fft` and `hop_length` in samples; `dynamic_range_db`, how far below 0 dB the
            floor is; and those of the section `audio`, such as `channel="mean"`.

    Returns:
        `Spectrogram`, which unpacks as `decibels, times_s, frequencies_hz`. L is the number of
        whole windows, V = n_fft / 2 + 1. Silence is at -dynamic_range_db.

    Raises:
        ValueError: the recording cannot be read, is shorter than a window, or an argument is wrong.
    """
    config = arguments.config_of(Config(), settings, _USED)
    samples, rate = samples_and_rate(recording, rate, config, "channel" in settings)
    n_fft, hop_length = config.spectrogram.n_fft, config.spectrogram.hop_length
    if len(samples) < n_fft:
        raise ValueError(
            f"`recording` must have at least n_fft={n_fft} samples. Received: {len(samples)}"
        )
    frequencies_hz, times_s, power = scipy.signal.spectrogram(
        samples.astype(np.float64), rate, nperseg=n_fft, noverlap=n_fft - hop_length
    )
    if reference_power is None:
        reference_power = max(float(power.max()), _SMALLEST)
    reference_power = arguments.number_of(
        reference_power, "reference_power", _SMALLEST, float(np.finfo(np.float32).max)
    )
    # The soft floor of `audio.spectrogram.to_decibels`.
    floor = 10.0 ** (-config.spectrogram.dynamic_range_db / 10)
    decibels = 10 * np.log10(power.T / reference_power + floor)
    return Spectrogram(decibels.astype(np.float32), times_s, frequencies_hz)


def samples_and_rate(
    recording: npt.ArrayLike | Path, rate: int | None, config: Config, has_channel: bool
) -> tuple[np.ndarray, int]:
    """Samples float32 [N] and rate in Hz of what is either samples or a path."""
    audio = config.audio
    if arguments.is_path(recording):
        if rate is not None:
            raise ValueError(
                "`rate` must be left out for a file, which tells its own; sample_rate resamples. "
                f"Received: rate={rate}"
            )
        return read(arguments.file_of(recording, "recording"), config)
    rate = arguments.rate_of(rate)
    if audio.sample_rate not in (0, rate):
        raise ValueError(
            "`sample_rate` must be left out for samples, which are not resampled: rate says what "
            f"they have. Received: sample_rate={audio.sample_rate}, rate={rate}"
        )
    for name in ("time_expansion", "float_scale"):
        if getattr(audio, name) != 1:
            raise ValueError(
                f"`{name}` must be left out for samples: they have full scale 1, and rate is that "
                f"of the real sound. Received: {name}={getattr(audio, name):g}"
            )
    return arguments.samples_of(recording, audio.channel if has_channel else None), rate
