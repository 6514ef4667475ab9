"""Files -> samples: what is there, what a header says, and one channel of float32 at one rate.

Short 16-bit PCM WAV can be decoded inside a TensorFlow graph by tensorflow-io; libsndfile reads everything else, and gives
the same samples bit for bit. tensorflow-io reads some other WAV files wrongly and without a word (32-bit integers as floats),
so the header decides, once per file.
"""

import dataclasses
import functools
import os
import struct

import numpy as np
import soundfile
import soxr
import tensorflow as tf

TENSORFLOW_IO = "tensorflow_io"
LIBSNDFILE = "libsndfile"

_MIN_RATE_HZ, _MAX_RATE_HZ = 1_000, 10_000_000
# A graph decodes a file in one piece, so it should be small against a machine's memory.
_MAX_GRAPH_BYTES = 64 * 2**20
# libsndfile names formats, not extensions. Left out: .raw has no header, and .mat and .htk are seldom sound.
_EXTENSIONS = frozenset(
    [
        *(
            "wav",
            "wave",
            "bwf",
            "rf64",
            "w64",
            "aif",
            "aiff",
            "aifc",
            "au",
            "snd",
            "caf",
            "flac",
            "ogg",
            "oga",
            "opus",
            "mp3",
            "mp2",
            "mp1",
        ),
        *("voc", "ircam", "sf", "nist", "sph", "pvf", "xi", "svx", "iff", "avr", "sds", "sd2", "paf", "mpc", "wve"),
    ]
)


class UnreadableRecording(ValueError):
    """A file that cannot be used as a recording; the message is the reason, in one line, without the file's name."""


@dataclasses.dataclass(frozen=True)
class Recording:
    """What a file's header says.

    Attributes:
        path: the file.
        sample_rate: Hz.
        num_channels: channels.
        num_samples: samples in each channel, at `sample_rate`.
        decoder: "tensorflow_io" for short, well-formed 16-bit PCM WAV, else "libsndfile".
    """

    path: str
    sample_rate: int
    num_channels: int
    num_samples: int
    decoder: str

    @property
    def duration_s(self):
        """Length in seconds."""
        return self.num_samples / self.sample_rate

    def decoder_at(self, sample_rate):
        """The decoder to name to `read_in_graph`, where nothing resamples in the graph: 0 means the file's own rate."""
        return self.decoder if sample_rate in (0, self.sample_rate) else LIBSNDFILE


def list_recordings(data_dir):
    """Paths of all audio files in a folder and the folders below it, sorted; of a file, that file.

    What counts is the extension, in upper or lower case, of a format that libsndfile reads. Hidden files and folders are left out.

    Raises: ValueError if there is no such folder, or no audio in it.
    """
    if os.path.isfile(data_dir):
        return [os.fspath(data_dir)]
    if not os.path.isdir(data_dir):
        raise ValueError(f"`data_dir` must be a folder of recordings, and there is no such folder. Received: data_dir={data_dir}")
    files, others = [], 0
    for folder, subfolders, names in os.walk(data_dir):
        subfolders[:] = sorted(name for name in subfolders if not name.startswith("."))
        visible = [name for name in names if not name.startswith(".")]
        audio = [name for name in visible if os.path.splitext(name)[1][1:].lower() in _EXTENSIONS]
        files += [os.path.join(folder, name) for name in audio]
        others += len(visible) - len(audio)
    if not files:
        found = f"it holds no audio among {others} file{'s' * (others > 1)}" if others else "it is empty"
        raise ValueError(
            f"`data_dir` must hold recordings (.wav, .flac, .ogg, .mp3, .aiff, ...), and {found}. Received: data_dir={data_dir}"
        )
    return sorted(files)


def probe(path):
    """What the header of one file says, a `Recording`; no samples are read.

    Raises: UnreadableRecording if it is not audio, has no samples, or a rate that is none.
    """
    path = os.fspath(path)
    with _opened(path) as file:
        if not _MIN_RATE_HZ <= file.samplerate <= _MAX_RATE_HZ:
            raise UnreadableRecording(f"its sample rate is {file.samplerate} Hz; must be between 1 kHz and 10 MHz")
        if file.frames <= 0:
            raise UnreadableRecording("holds no samples")
        plain = file.format == "WAV" and file.subtype == "PCM_16" and _is_canonical_wav(path)
        return Recording(path, file.samplerate, file.channels, file.frames, TENSORFLOW_IO if plain else LIBSNDFILE)


def read(recording, channel="mean", sample_rate=0):
    """Samples of one channel of a recording.

    Args:
        recording: `Recording`, or a path.
        channel: "mean" of all; "loudest", the one with the largest RMS; or a number counted from 0, as text.
        sample_rate: Hz to resample to (soxr, high quality); 0: the file's own.

    Returns: NumPy float32 `[N]`; full scale is 1. Of a truncated file, what is there.

    Raises: UnreadableRecording if it cannot be decoded, has no such channel or no samples, or holds NaN or infinite ones.
    """
    with _opened(getattr(recording, "path", recording)) as file:
        try:
            samples = file.read(dtype="float32", always_2d=True)
        except soundfile.LibsndfileError as error:
            raise UnreadableRecording(_reason(error)) from None
        rate = file.samplerate
    if not samples.size:
        raise UnreadableRecording("holds no samples")
    if not np.isfinite(samples).all():
        raise UnreadableRecording("holds NaN or infinite samples")
    samples = _one_channel(samples, channel)
    if sample_rate in (0, rate):
        return samples
    resampled = soxr.resample(samples, rate, sample_rate)
    if not resampled.size:
        raise UnreadableRecording(f"too short to resample from {rate} Hz to {sample_rate} Hz")
    return resampled


def read_in_graph(path, decoder, channel="mean", sample_rate=0):
    """Samples of one channel, as `read` gives them, for `tf.data.Dataset.map`.

    Args:
        path: scalar string tensor.
        decoder: scalar string tensor, `recording.decoder_at(sample_rate)`: "tensorflow_io" decodes inside the graph,
            "libsndfile" calls `read`. Where tensorflow-io does not load, `read` serves both.
        channel, sample_rate: as for `read`; Python values.

    Returns: float32 tensor `[N]`, N unknown.

    Raises: what `read` raises, when the dataset is iterated, as `tf.errors.OpError`: probe and read beforehand.
    """

    def with_libsndfile():
        def samples_of(path):
            # Bytes in a graph, a zero-dimensional array of them without one.
            return read(os.fsdecode(np.asarray(path).item()), channel, sample_rate)

        return tf.ensure_shape(tf.numpy_function(samples_of, [path], tf.float32), [None])

    decode_wav = _tensorflow_io_decoder()
    if decode_wav is None:
        return with_libsndfile()

    def in_graph():
        pcm = decode_wav(tf.io.read_file(path), dtype=tf.int16)
        return one_channel_in_graph(tf.cast(pcm, tf.float32) / 32768.0, channel)

    return tf.cond(tf.equal(decoder, TENSORFLOW_IO), in_graph, with_libsndfile)


def one_channel_in_graph(samples, channel):
    """One channel of samples, as `read` makes it, equal bit for bit for 16-bit ones.

    Args:
        samples: float32 tensor [N, C].    channel: as for `read`; a number must be below C.

    Returns: float32 [N].
    """
    if channel == "mean":
        return tf.reduce_sum(samples, axis=1) / tf.cast(tf.shape(samples)[1], tf.float32)
    if channel == "loudest":
        return tf.gather(samples, tf.argmax(tf.reduce_sum(tf.square(tf.cast(samples, tf.float64)), axis=0)), axis=1)
    return samples[:, int(channel)]


def _one_channel(samples, channel):
    num_channels = samples.shape[1]
    if channel == "mean":
        # A sum of 16-bit samples is exact, whatever its order; a library's mean may multiply by a rounded 1 / C.
        return np.sum(samples, axis=1) / np.float32(num_channels)
    if channel == "loudest":
        return samples[:, np.argmax(np.sum(np.square(samples, dtype=np.float64), axis=0))]
    if not channel.isdigit() or int(channel) >= num_channels:
        raise UnreadableRecording(f"has {num_channels} channels, counted from 0, and no channel {channel}")
    return np.ascontiguousarray(samples[:, int(channel)])


def _opened(path):
    if not os.path.isfile(path):
        raise UnreadableRecording("is not there")
    if os.path.getsize(path) == 0:
        raise UnreadableRecording("is an empty file")
    try:
        return soundfile.SoundFile(path)
    except (soundfile.LibsndfileError, OSError, TypeError) as error:
        raise UnreadableRecording(_reason(error)) from None


def _reason(error):
    text = getattr(error, "error_string", None) or str(error) or type(error).__name__
    if text.startswith("Format not recognised"):
        return "is not audio that libsndfile reads"
    if "SF_INFO" in text:
        return "its header names no sample rate or no channels"
    return f"cannot be decoded: {' '.join(text.split()).rstrip('.')}"


def _is_canonical_wav(path):
    """Whether a short WAV file is the 44-byte header of integer PCM and then samples to the end, as that header says."""
    size = os.path.getsize(path)
    if size > _MAX_GRAPH_BYTES:
        return False
    with open(path, "rb") as file:
        header = file.read(44)
    if len(header) < 44:
        return False
    riff, riff_size, wave_fmt, fmt_size, coding, channels, _, _, block, bits, data, data_size = struct.unpack("<4sI8sIHHIIHH4sI", header)
    tags = (riff, wave_fmt, data) == (b"RIFF", b"WAVEfmt ", b"data")
    pcm_16 = (fmt_size, coding, bits, block) == (16, 1, 16, 2 * channels)
    return tags and pcm_16 and (riff_size, data_size) == (size - 8, size - 44) and data_size % block == 0


@functools.cache
def _tensorflow_io_decoder():
    """tensorflow-io's WAV decoder, or None where it is not installed or does not load with this TensorFlow."""
    silence = struct.pack("<4sI8sIHHIIHH4sI2h", b"RIFF", 40, b"WAVEfmt ", 16, 1, 1, 8000, 16000, 2, 16, b"data", 4, 0, 0)
    try:
        import tensorflow_io

        with tf.init_scope():
            tensorflow_io.audio.decode_wav(silence, dtype=tf.int16)
        return tensorflow_io.audio.decode_wav
    # A library built for another TensorFlow fails in as many ways as there are versions; libsndfile reads all it could.
    except Exception:
        return None
