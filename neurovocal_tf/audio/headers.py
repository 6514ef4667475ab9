"""What a file says of itself beside what libsndfile tells: whether a WAV file is plain, whether a
file was cut off, and whether it holds more than its header says.
"""

import functools
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

    Raises: OSError if it cannot be read.
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


# Of formats with a header and then samples: how a file begins, where its count stands and how, how
# many bytes one counts (in the bits of a sample, if 0), and where the samples begin.
_COUNTED = {
    b"ALawSoundFile**": (18, ">I", 1, 32),
    b"2BIT": (26, ">I", 0, 128),
    b"\x01\x04": (30, "<I", 0, 42),
}


def _unchunked(file: typing.BinaryIO, size: int, head: bytes) -> Layout | None:
    """The layout of a file of one header and then samples; None: it is another one."""
    if head[:4] in (b".snd", b"dns."):
        return _sun(file, size, head)
    if head[:7] == b"NIST_1A":
        return _sphere(file)
    if head[:20] == b"Creative Voice File\x1a":
        return Layout(is_cut_off=_voice_is_cut_off(file, size, head))
    for magic, (place, form, width, begin) in _COUNTED.items():
        if head.startswith(magic):
            (count,) = struct.unpack_from(form, head.ljust(_HEAD, b"\0"), place)
            if magic == b"2BIT":
                # A flag for two channels, and bits.
                width = (
                    int.from_bytes(head[14:16], "big") // 8 * (2 if head[12:14] != b"\0\0" else 1)
                )
            elif magic == b"\x01\x04":
                width = 2 * (head[21] + 1)
            return Layout(is_cut_off=begin + count * width > size)
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
    size = os.fstat(file.fileno()).st_size
    begin = re.match(rb"NIST_1A\s+(\d+)", text)
    fields = {
        name: int(value)
        for name, value in re.findall(
            rb"(sample_count|channel_count|sample_n_bytes) -i (\d+)", text
        )
    }
    if begin is None or len(fields) < 3:
        return Layout()
    return Layout(
        is_cut_off=int(begin[1])
        + fields[b"sample_count"] * fields[b"channel_count"] * fields[b"sample_n_bytes"]
        > size
    )


def _voice_is_cut_off(file: typing.BinaryIO, size: int, head: bytes) -> bool:
    """Of Creative's files: blocks, each with a size of 24 bits, up to one of type 0."""
    place = int.from_bytes(head[20:22], "little")
    while place < size:
        file.seek(place)
        block = file.read(4)
        if block[:1] == b"\0":
            return False
        place += 4 + int.from_bytes(block[1:], "little")
    # The end mark itself may be missing.
    return place > size
