"""What the first bytes of a file say that libsndfile does not tell: whether a WAV file is plain,
and whether a file was cut off.
"""

import os
import struct

# A graph decodes a file in one piece, so it should be small against a machine's memory.
_MAX_GRAPH_BYTES = 64 * 2**20
# More chunks before the samples than any recorder writes.
_MAX_CHUNKS = 64


def is_canonical_wav(path: str | os.PathLike[str]) -> bool:
    """Whether a short WAV file is the 44-byte header of 16-bit PCM and then samples to the end,
    as that header says.
    """
    size = os.path.getsize(path)
    if size > _MAX_GRAPH_BYTES:
        return False
    with open(path, "rb") as file:
        header = file.read(44)
    if len(header) < 44:
        return False
    riff, riff_size, wave_fmt, fmt_size, coding, channels, _, _, block, bits, data, data_size = (
        struct.unpack("<4sI8sIHHIIHH4sI", header)
    )
    tags = (riff, wave_fmt, data) == (b"RIFF", b"WAVEfmt ", b"data")
    pcm_16 = (fmt_size, coding, bits, block) == (16, 1, 16, 2 * channels)
    return (
        tags
        and pcm_16
        and (riff_size, data_size) == (size - 8, size - 44)
        and data_size % block == 0
    )


def is_cut_off(path: str | os.PathLike[str]) -> bool:
    """Whether a RIFF or AIFF file ends before the samples that its header promises; libsndfile
    reads what is there without a word.
    """
    with open(path, "rb") as file:
        tag = file.read(4)
        if tag not in (b"RIFF", b"RIFX", b"FORM"):
            return False
        order, samples = ("<" if tag == b"RIFF" else ">"), (b"SSND" if tag == b"FORM" else b"data")
        file.seek(12)
        for _ in range(_MAX_CHUNKS):
            chunk = file.read(8)
            if len(chunk) < 8:
                return False
            name, size = struct.unpack(f"{order}4sI", chunk)
            if name == samples:
                # A recorder that was switched off in the middle leaves the size it began
                # with: none, or the largest.
                return size < 2**32 - 2**16 and file.tell() + size > os.path.getsize(path)
            file.seek(size + size % 2, os.SEEK_CUR)
    return False
