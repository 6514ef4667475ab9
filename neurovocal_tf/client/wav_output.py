"""Where a streamed song's samples go: a WAV file that appears when it is whole,
or a stream that is heard while it is sung.
"""

import contextlib
import io
import os
import wave
from collections.abc import Callable, Iterator
from typing import BinaryIO

from neurovocal_tf import files

# A WAV file counts its bytes in 32 bits, and its header's own are among them.
MOST_SAMPLES = (2**32 - 1 - 36) // 2


@contextlib.contextmanager
def wav_file(path: str | os.PathLike[str]) -> Iterator[Callable[[bytes, int], None]]:
    """Writes samples under another name, with the header last, and renames the file when it is
    whole; Ctrl-C ends the song.

    Gives a function (bytes of 16-bit samples, little-endian, of one channel;
    their rate in Hz) to call for each block.
    """
    with contextlib.ExitStack() as opened:
        file = None

        def write(pcm: bytes, rate: int) -> None:
            nonlocal file
            if file is None:
                # Not before there is something to write.
                file = opened.enter_context(
                    wave.open(opened.enter_context(files.replacing(path)), "wb")
                )
                _describe(file, rate)
            file.writeframesraw(pcm)

        yield write


@contextlib.contextmanager
def stream(output: BinaryIO, sample_format: str) -> Iterator[Callable[[bytes, int], None]]:
    """Writes samples to an open binary file, such as standard output.

    A reader that has heard enough is no error.

    Args:
        output: binary file with a file descriptor.
        sample_format: "wav" for a header before the samples, "pcm" for none.

    Gives a function as `wav_file` does.
    """
    is_begun = sample_format == "pcm"

    def write(pcm: bytes, rate: int) -> None:
        nonlocal is_begun
        if not is_begun:
            output.write(_streaming_header(rate))
            is_begun = True
        output.write(pcm)
        output.flush()

    try:
        yield write
    except BrokenPipeError:
        # Python would complain once more when it flushes at its end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), output.fileno())


def _streaming_header(rate: int) -> bytes:
    """A WAV header whose length is the largest there is,
    as players take it for a file that is still being written.
    """
    header = io.BytesIO()
    with wave.open(header, "wb") as file:
        _describe(file, rate)
        file.setnframes(MOST_SAMPLES)
        file.writeframesraw(b"")
        # At its end it would write how much there is by then.
        return header.getvalue()


def _describe(file: wave.Wave_write, rate: int) -> None:
    file.setnchannels(1)
    file.setsampwidth(2)
    file.setframerate(rate)
