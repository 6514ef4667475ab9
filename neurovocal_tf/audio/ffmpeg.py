"""What libsndfile does not read, through the program ffmpeg, where it is installed.

It is asked for one stream of 32-bit floats, which hold whatever it decodes without a loss, and is
read block by block.
Source: https://ffmpeg.org/ffmpeg.html
"""

import os
import re
import selectors
import shutil
import struct
import subprocess

import numpy as np

from neurovocal_tf.audio.unreadable import UnreadableRecording

# fmt: off
#: Endings of files that are ffmpeg's to read.
EXTENSIONS = frozenset((
    "m4a", "m4b", "m4r", "mp4", "m4v", "mov", "3gp", "3g2", "wma", "wmv", "asf", "ape", "aac",
    "adts", "ac3", "eac3", "dts", "amr", "awb", "mka", "mkv", "webm", "weba", "wv", "tta", "tak",
    "spx", "dsf", "dff", "ra", "rm", "avi", "mpg", "mpeg", "mts", "m2ts", "mxf", "flv", "oma",
    "shn", "alac", "gsm", "qcp",
))
# fmt: on
NOT_INSTALLED = "is read by ffmpeg, which is not on the path: install it and run this again"
# What waits longer for a block of a file than this waits for ever.
_PATIENCE_S = 60.0
_PLACES = ("-map", "0:a:0", "-f", "au", "-c:a", "pcm_f32be", "pipe:1")
# A file may name others, and even ask for them over the network.
_INPUT = ("-nostdin", "-hide_banner", "-protocol_whitelist", "file,pipe")
_HEADER = struct.Struct(">4sIIIII")
_FLOAT_32 = 6


def is_installed() -> bool:
    """Whether there is a program ffmpeg on the path."""
    return shutil.which("ffmpeg") is not None


class Stream:
    """The sound of one file, decoded as it is read; to be closed.

    Args:
        path: the file.

    Attributes:
        sample_rate: Hz.    num_channels: channels.
        num_samples: of each channel: as the file's header says; counted where it says nothing.

    Raises: UnreadableRecording if ffmpeg is not installed or finds no sound in the file.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self._program = shutil.which("ffmpeg")
        if self._program is None:
            raise UnreadableRecording(NOT_INSTALLED)
        # With a protocol in front, no name is an option or a protocol of its own.
        self._input = ("-i", f"file:{os.path.abspath(path)}")
        self._process: subprocess.Popen[bytes] | None = None
        self.sample_rate, self.num_channels, self.num_samples = self._probed()

    def __enter__(self) -> "Stream":
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def read(self, num_samples: int) -> np.ndarray:
        """The next samples of all channels, float32 [n, C]; fewer than asked for at the end."""
        if self._process is None:
            self._process = self._started()
            self._header(self._bytes(_HEADER.size))
        block = 4 * self.num_channels
        content = self._bytes(num_samples * block)
        content = content[: len(content) // block * block]
        return np.frombuffer(content, ">f4").astype(np.float32).reshape(-1, self.num_channels)

    def close(self) -> None:
        """Ends the program, which is waited for."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            if self._process.stdout is not None:
                self._process.stdout.close()
            self._process = None

    def _probed(self) -> tuple[int, int, int]:
        # Before the first of its frames it writes a header, and says what it has found in the file.
        command = [
            str(self._program),
            *_INPUT,
            "-nostats",
            *self._input,
            "-frames:a",
            "1",
            *_PLACES,
        ]
        try:
            told = subprocess.run(
                command, stdin=subprocess.DEVNULL, capture_output=True, timeout=_PATIENCE_S
            )
        except subprocess.TimeoutExpired:
            raise UnreadableRecording(f"ffmpeg gave no answer in {_PATIENCE_S:g} s") from None
        except OSError as error:
            raise UnreadableRecording(f"ffmpeg cannot be started: {error.strerror}") from None
        words = told.stderr.decode("utf-8", "replace")
        if len(told.stdout) < _HEADER.size:
            raise UnreadableRecording(_reason(words))
        sample_rate, num_channels, _ = self._header(told.stdout)
        if num_channels < 1 or sample_rate < 1:
            raise UnreadableRecording("its header names no sample rate or no channels")
        duration = re.search(r"Duration: (\d+):(\d+):(\d+\.?\d*)", words)
        if duration is None or "Estimating duration from bitrate" in words:
            return sample_rate, num_channels, self._counted(num_channels)
        hours, minutes, seconds = map(float, duration.groups())
        return (
            sample_rate,
            num_channels,
            round((3600 * hours + 60 * minutes + seconds) * sample_rate),
        )

    def _counted(self, num_channels: int) -> int:
        self.num_channels, num_samples = num_channels, 0
        try:
            while len(block := self.read(2**16)):
                num_samples += len(block)
        finally:
            self.close()
        return num_samples

    def _started(self) -> "subprocess.Popen[bytes]":
        command = [str(self._program), *_INPUT, "-v", "fatal", *self._input, *_PLACES]
        return subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )

    def _header(self, content: bytes) -> tuple[int, int, int]:
        """Sample rate, channels, and the length of the header, what is left of which is read."""
        if len(content) < _HEADER.size:
            raise UnreadableRecording("cannot be decoded by ffmpeg")
        magic, length, _, coding, sample_rate, num_channels = _HEADER.unpack(
            content[: _HEADER.size]
        )
        if magic != b".snd" or coding != _FLOAT_32:
            raise UnreadableRecording("cannot be decoded by ffmpeg: its answer is not understood")
        if self._process is not None:
            self._bytes(length - _HEADER.size)
        return sample_rate, num_channels, length

    def _bytes(self, count: int) -> bytes:
        """The next bytes of the answer; fewer than asked for at its end only."""
        assert self._process is not None and self._process.stdout is not None
        answer, parts = self._process.stdout, []
        with selectors.DefaultSelector() as selector:
            selector.register(answer, selectors.EVENT_READ)
            while count > 0:
                if not selector.select(_PATIENCE_S):
                    raise UnreadableRecording(f"ffmpeg gave no answer in {_PATIENCE_S:g} s")
                part = os.read(answer.fileno(), min(count, 2**20))
                if not part:
                    break
                parts.append(part)
                count -= len(part)
        return b"".join(parts)


def _reason(words: str) -> str:
    """Why ffmpeg gave nothing, from its last words."""
    if "matches no streams" in words:
        return "holds no sound"
    lines = [line.strip() for line in words.splitlines() if line.strip()]
    # "file:/data/x.m4a: Invalid data found when processing input"
    told = lines[-1].rsplit(": ", 1)[-1] if lines else "it says nothing"
    return f"cannot be decoded by ffmpeg: {told}"
