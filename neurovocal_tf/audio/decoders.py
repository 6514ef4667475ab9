"""Opens a sound file with what reads it: libsndfile, or ffmpeg where that does not know it."""

import contextlib
import dataclasses
import os
import stat
from collections.abc import Callable, Iterator

import numpy as np
import soundfile

from neurovocal_tf.audio import evtaf, ffmpeg, headers
from neurovocal_tf.audio.layout import Layout, Spliced
from neurovocal_tf.audio.unreadable import UnreadableRecording, cannot_be_opened

LIBSNDFILE = "libsndfile"
FFMPEG = "ffmpeg"


class DamagedSound(Exception):
    """What cannot be decoded, in the middle of a file; the message is the reason."""


@dataclasses.dataclass(frozen=True)
class Sound:
    """An open file.

    Attributes:
        sample_rate: Hz, of the file.    num_channels: channels.
        num_samples: of each channel, as far as is known before they are read.
        is_float: whether the file holds floating-point numbers, in a scale of their own maybe.
        is_pcm_16: whether it is a WAV file of 16-bit integers.
        decoder: LIBSNDFILE or FFMPEG.
        layout: `Layout`.
        read: function of a number n; the next n samples, float32 [n, C], or fewer at the end.
            Raises DamagedSound.
    """

    sample_rate: int
    num_channels: int
    num_samples: int
    is_float: bool
    is_pcm_16: bool
    decoder: str
    layout: Layout
    read: Callable[[int], np.ndarray]


@contextlib.contextmanager
def opened(path: str | os.PathLike[str]) -> Iterator[Sound]:
    """A file as an open `Sound`.

    Raises: UnreadableRecording if nothing reads it.
    """
    layout = _layout_of(path)
    with contextlib.ExitStack() as stack:
        try:
            sound = _by_libsndfile(path, layout, stack)
        except (soundfile.LibsndfileError, OSError, TypeError) as error:
            if not _is_for_ffmpeg(path):
                raise UnreadableRecording(_reason(path, error)) from None
            sound = _by_ffmpeg(path, stack)
        yield sound


def _by_libsndfile(path, layout, stack):
    file = _sound_file(path, layout, stack)

    def read(num_samples: int) -> np.ndarray:
        try:
            return file.read(num_samples, dtype="float32", always_2d=True)
        except soundfile.LibsndfileError as error:
            raise DamagedSound(_reason(path, error)) from None

    return Sound(
        sample_rate=file.samplerate,
        num_channels=file.channels,
        num_samples=layout.num_samples or file.frames,
        is_float=file.subtype in ("FLOAT", "DOUBLE"),
        is_pcm_16=(file.format, file.subtype) == ("WAV", "PCM_16"),
        decoder=LIBSNDFILE,
        layout=layout,
        read=read,
    )


def _by_ffmpeg(path, stack):
    stream = stack.enter_context(ffmpeg.Stream(path))
    return Sound(
        sample_rate=stream.sample_rate,
        num_channels=stream.num_channels,
        num_samples=stream.num_samples,
        is_float=False,
        is_pcm_16=False,
        decoder=FFMPEG,
        layout=Layout(),
        read=stream.read,
    )


def _layout_of(path: str | os.PathLike[str]) -> Layout:
    try:
        told = os.stat(path)
        if not stat.S_ISREG(told.st_mode):
            # A pipe would be waited for.
            raise UnreadableRecording("is not a file")
        if told.st_size == 0:
            raise UnreadableRecording("is an empty file")
        # Samples may begin with whatever a header begins with.
        return Layout() if extension(path) == evtaf.EXTENSION else headers.layout_of(path)
    except OSError as error:
        raise UnreadableRecording(cannot_be_opened(path, error)) from None


def _sound_file(path, layout, stack):
    """The file as libsndfile opens it, at its first sample."""
    if extension(path) == evtaf.EXTENSION:
        rate, num_channels = evtaf.rate_and_channels(path)
        return stack.enter_context(
            soundfile.SoundFile(path, samplerate=rate, channels=num_channels, **evtaf.SAMPLES)
        )
    if layout.parts and not layout.num_samples:
        return _spliced(path, layout, stack)
    file = stack.enter_context(soundfile.SoundFile(path))
    if file.frames < layout.num_samples:
        file = _spliced(path, layout, stack)
        file.read(file.frames - layout.num_samples)
    return file


def _spliced(path, layout, stack):
    parts = stack.enter_context(Spliced(path, layout.parts))
    return stack.enter_context(soundfile.SoundFile(parts))


def extension(path: str | os.PathLike[str]) -> str:
    """The ending of a file's name, in lower case, without its dot."""
    return os.path.splitext(path)[1][1:].lower()


def _is_for_ffmpeg(path):
    if extension(path) in ffmpeg.EXTENSIONS:
        return True
    with open(path, "rb") as file:
        # Containers, of whose codings libsndfile knows some.
        is_container = file.read(4) in (b"OggS", b"caff")
    return is_container and ffmpeg.is_installed()


def _reason(path, error):
    text = getattr(error, "error_string", None) or str(error) or type(error).__name__
    if text.startswith("Format not recognised"):
        return "is not audio that libsndfile reads"
    if "SF_INFO" in text:
        return "its header names no sample rate or no channels"
    if "File does not exist" in text or extension(path) in ("mp3", "mp2", "mp1"):
        # What libsndfile says of all that its decoder of MPEG audio refuses.
        if not headers.has_mpeg_frames(path):
            return "holds no frames of MPEG audio: it is no MP3 file, or damaged throughout"
        return "cannot be decoded: its frames of MPEG audio are damaged"
    words = " ".join(text.split()).rstrip(".")
    if words.startswith(("System error", "Error opening", "Error : unknown")):
        words = "its header is damaged"
    return f"cannot be decoded: {words}"
