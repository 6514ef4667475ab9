"""What a file says of itself beside what libsndfile tells: whether a WAV file is plain, whether a
file was cut off, and whether it holds more than its header says.
"""

import functools
import math
import mmap
import os
import re
import struct
import typing

from neurovocal_tf.audio import chunked, coded
from neurovocal_tf.audio.layout import MORE_THAN_TOLD, Layout, is_filling, is_unknown

# A graph decodes a file in one piece, so it should be small against a machine's memory.
_MAX_GRAPH_BYTES = 64 * 2**20
_HEAD = 64
# Of Creative's files, each of up to 16 MB.
_MAX_BLOCKS = 100_000


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


def layout_of(path: str | os.PathLike[str]) -> Layout:
    """The `Layout` of a file, by its first bytes, whatever its name.

    Raises: OSError if it cannot be read, UnreadableRecording if it is too long for its format.
    """
    told = os.stat(path)
    # A recording is opened several times, and the frames of an hour of MP3 take a second to count.
    return _layout_of(os.fspath(path), told.st_size, told.st_mtime_ns)


@functools.lru_cache(maxsize=4096)
def _layout_of(path: str, size: int, changed_ns: int) -> Layout:
    with open(path, "rb") as file:
        head = file.read(_HEAD)
        found = chunked.layout(file, size, head) or _unchunked(file, size, head)
        if found is not None or size < 4:
            return found or Layout()
        is_mpeg = head[:3] == b"ID3" or (head[:1] == b"\xff" and head[1:2] >= b"\xe0")
        if not is_mpeg and head[:4] not in (b"OggS", b"fLaC"):
            return Layout()
        with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
            if is_mpeg:
                return coded.mpeg(data) or Layout()
            return coded.ogg(data) if head[:4] == b"OggS" else coded.flac(data)


def has_mpeg_frames(path: str | os.PathLike[str]) -> bool:
    """Whether two frames of MPEG audio follow one another near the beginning of a file."""
    with open(path, "rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        return coded.first_mpeg_frame(data) >= 0


def _unchunked(file: typing.BinaryIO, size: int, head: bytes) -> Layout | None:
    """The layout of a file of one header and then samples; None: it is another one."""
    head = head.ljust(_HEAD, b"\0")
    if head[:4] in (b".snd", b"dns."):
        return _sun(file, size, head)
    if head[:7] == b"NIST_1A":
        return _sphere(file)
    if head[:20] == b"Creative Voice File\x1a":
        return Layout(is_cut_off=_voice_is_cut_off(file, size, head))
    end = _counted_end(head)
    return None if end is None else Layout(is_cut_off=end > size)


def _counted_end(head: bytes) -> int | None:
    """Where the samples end by the header of Psion's, Audio Visual Research's or Akai's MPC2000
    files; None: it is another one.
    """
    if head.startswith(b"ALawSoundFile**"):
        return 32 + int.from_bytes(head[18:22], "big")
    if head.startswith(b"2BIT"):
        # Bits of a sample, and a flag for two channels.
        block = int.from_bytes(head[14:16], "big") // 8 * (2 if any(head[12:14]) else 1)
        return 128 + int.from_bytes(head[26:30], "big") * block
    if head.startswith(b"\x01\x04"):
        block = 2 * (head[21] + 1)
        return 42 + int.from_bytes(head[30:34], "little") * block
    return None


def _sun(file: typing.BinaryIO, size: int, head: bytes) -> Layout:
    """Of an AU file: its samples go to the end, but for what fills it."""
    order = ">" if head[:4] == b".snd" else "<"
    begin, told = struct.unpack(f"{order}II", head[4:12].ljust(8, b"\0"))
    if not is_unknown(told) and begin + told >= size - 1:
        return Layout(is_cut_off=begin + told > size)
    if not is_unknown(told) and is_filling(file, begin + told, size):
        return Layout()
    # The one size for it that libsndfile knows.
    unknown = struct.pack(f"{order}I", 2**32 - 1)
    surplus = "" if is_unknown(told) else MORE_THAN_TOLD
    return Layout(False, surplus, ((0, 8), unknown, (12, size)))


def _sphere(file: typing.BinaryIO) -> Layout:
    """Of a file of NIST's: fields as text in the first so many bytes, as its second line says."""
    file.seek(0)
    text = file.read(1024)
    begin = re.match(rb"NIST_1A\s+(\d+)", text)
    fields = re.findall(rb"(?:sample_count|channel_count|sample_n_bytes) -i (\d+)", text)
    if begin is None or len(fields) != 3:
        return Layout()
    end = int(begin[1]) + math.prod(map(int, fields))
    return Layout(is_cut_off=end > os.fstat(file.fileno()).st_size)


def _voice_is_cut_off(file: typing.BinaryIO, size: int, head: bytes) -> bool:
    """Of Creative's files: blocks, each with a size of 24 bits, up to one of type 0."""
    place = int.from_bytes(head[20:22], "little")
    for _ in range(_MAX_BLOCKS):
        file.seek(place)
        block = file.read(4)
        # The end mark itself may be missing.
        if place >= size or block[:1] == b"\0":
            break
        place += 4 + int.from_bytes(block[1:], "little")
    return place > size
