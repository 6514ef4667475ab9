"""How long compressed sound really is: frames of MPEG audio, FLAC and Ogg.

libsndfile takes a length from a header, or guesses it from the first frames, and reads no further.
Source: ISO/IEC 11172-3 and 13818-3 (MPEG audio); RFC 9639 (FLAC); RFC 3533 (Ogg).
"""

import functools
import mmap
import struct
import typing

from neurovocal_tf.audio.layout import MORE_THAN_TOLD, TAGS, Layout

_RATES = {3: (44_100, 48_000, 32_000), 2: (22_050, 24_000, 16_000), 0: (11_025, 12_000, 8_000)}
# kbit/s by (is MPEG 1, layer); layers 2 and 3 of the later versions share theirs.
_BITRATES = {
    (True, 1): (32, 64, 96, 128, 160, 192, 224, 256, 288, 320, 352, 384, 416, 448),
    (True, 2): (32, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384),
    (True, 3): (32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320),
    (False, 1): (32, 48, 56, 64, 80, 96, 112, 128, 144, 160, 176, 192, 224, 256),
    (False, 2): (8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
}
# How far a frame may be looked for in what is damaged, or was written before the first.
_MAX_SEARCH = 2**20
_MAX_PAGE = 2**16 + 2**8
_LARGEST_FLAC_FRAME = 2**21
# The longest, with what a damaged one may be read for.
_FLAC_HEADER = 24


class _Frame(typing.NamedTuple):
    """The header of a frame of MPEG audio; `kind` is what all frames of a file share."""

    length: int
    kind: tuple[int, int, int]
    is_mono: bool
    num_samples: int


def _mpeg_frame(header: bytes) -> _Frame | None:
    if len(header) < 4 or header[0] != 0xFF or header[1] & 0xE0 != 0xE0:
        return None
    version, layer = header[1] >> 3 & 3, 4 - (header[1] >> 1 & 3)
    bitrate, rate, padding = header[2] >> 4, header[2] >> 2 & 3, header[2] >> 1 & 1
    if version == 1 or layer == 4 or rate == 3 or bitrate in (0, 15):
        return None
    is_first = version == 3
    hz = _RATES[version][rate]
    kbits = _BITRATES[is_first, layer if is_first else min(layer, 2)][bitrate - 1]
    if layer == 1:
        length, num_samples = (12_000 * kbits // hz + padding) * 4, 384
    else:
        num_samples = 576 if layer == 3 and not is_first else 1152
        length = num_samples // 8 * 1000 * kbits // hz + padding
    return _Frame(length, (version, layer, rate), header[3] >> 6 == 3, num_samples)


def _end_of_tags(data: mmap.mmap) -> int:
    """Where ID3 tags at the beginning end."""
    place = 0
    while data[place : place + 3] == b"ID3" and len(data) >= place + 10:
        length = 0
        for byte in data[place + 6 : place + 10]:
            length = length << 7 | byte & 127
        place += 10 + length + 10 * (data[place + 5] >> 4 & 1)
    return place


def _next_frame(data: mmap.mmap, place: int, kind: tuple[int, int, int] | None) -> int:
    """Where the next frame that another one, or the end, follows begins; -1: nowhere."""
    end = min(place + _MAX_SEARCH, len(data))
    while (place := data.find(b"\xff", place, end)) >= 0:
        frame = _mpeg_frame(data[place : place + 4])
        if frame and kind in (None, frame.kind):
            after = data[place + frame.length : place + frame.length + 4]
            following = _mpeg_frame(after)
            if (following and following.kind == frame.kind) or (kind and not after):
                return place
        place += 1
    return -1


def first_mpeg_frame(data: mmap.mmap) -> int:
    """Where the frames of an MPEG file begin; -1: it has none."""
    return _next_frame(data, _end_of_tags(data), None)


def mpeg(data: mmap.mmap) -> Layout | None:
    """The layout of a file of MPEG audio; None: it holds no frames.

    Frames of layer III are counted, and the count goes where a decoder looks for it: into the
    header of Xing's, of its own where the file has none.
    """
    begin = first_mpeg_frame(data)
    if begin < 0:
        return None
    first = _mpeg_frame(data[begin : begin + 4])
    assert first is not None
    if first.kind[1] != 3:
        return Layout()
    side = {(True, True): 17, (True, False): 32, (False, True): 9, (False, False): 17}[
        first.kind[0] == 3, first.is_mono
    ]
    place = begin + 4 + side
    has_count = data[place : place + 4] in (b"Xing", b"Info") and data[place + 7] & 1
    num_frames, ends_within = _counted(data, begin, first.kind)
    if not has_count:
        told = None
        if data[begin + 36 : begin + 40] == b"VBRI":
            told = int.from_bytes(data[begin + 50 : begin + 54], "big") + 1
        before = _frames_before(data[begin : begin + 4], side, num_frames)
        is_cut_off = ends_within or (told is not None and told > num_frames + 1)
        # What the library guesses in the place of a count is no header's word.
        num_samples = num_frames * first.num_samples
        return Layout(is_cut_off, "", (before, (begin, len(data))), num_samples)
    told, counted = int.from_bytes(data[place + 8 : place + 12], "big"), num_frames - 1
    if told == counted:
        return Layout(ends_within)
    head = data[begin : place + 8] + struct.pack(">I", counted)
    surplus = MORE_THAN_TOLD if told < counted else ""
    return Layout(ends_within or told > counted, surplus, (head, (place + 12, len(data))))


def _counted(data: mmap.mmap, place: int, kind: tuple[int, int, int]) -> tuple[int, bool]:
    """How many frames there are, and whether the file ends within one."""
    num_frames, size = 0, len(data)
    while place + 4 <= size:
        frame = _mpeg_frame(data[place : place + 4])
        if frame and frame.kind == kind:
            if place + frame.length > size:
                return num_frames, True
            num_frames += 1
            place += frame.length
            continue
        if data[place : place + 8].startswith(TAGS):
            break
        place = _next_frame(data, place, kind)
        if place < 0:
            break
    return num_frames, False


def _frames_before(header: bytes, side: int, num_frames: int) -> bytes:
    """A frame that says how many follow, and a silent one.

    A decoder takes its own delay, less than a frame, from the beginning of a file whose frames are
    counted, and not of one where they are not: the silence is for that.
    """
    # The largest bit rate has room for it; without a checksum.
    header = bytes((header[0], header[1] | 1, header[2] & 0x0D | 0xE0, header[3]))
    frame = _mpeg_frame(header)
    assert frame is not None
    counting = header + bytes(side) + b"Info" + struct.pack(">II", 1, num_frames + 1)
    return counting.ljust(frame.length, b"\0") + header.ljust(frame.length, b"\0")


def ogg(data: mmap.mmap) -> Layout:
    """The layout of an Ogg file: cut off unless its last page is whole and says that it is."""
    place = data.rfind(b"OggS", max(len(data) - 2 * _MAX_PAGE, 0))
    if place < 0 or place + 27 > len(data):
        return Layout(is_cut_off=True)
    num_segments = data[place + 26]
    table = data[place + 27 : place + 27 + num_segments]
    end = place + 27 + num_segments + sum(table)
    is_last = data[place + 5] & 4
    return Layout(is_cut_off=len(table) < num_segments or end > len(data) or not is_last)


def flac(data: mmap.mmap) -> Layout:
    """The layout of a FLAC file, whose last whole frame says how many samples there are."""
    if len(data) < 42 or data[4] & 127 != 0:
        return Layout()
    block_size, word = struct.unpack(">H", data[8:10])[0], int.from_bytes(data[18:26], "big")
    told = word & (2**36 - 1)
    first = _first_flac_frame(data)
    if first < 0 or (found := _last_flac_frame(data, first, block_size)) is None:
        return Layout()
    start, length, is_whole = found
    total = start + length if is_whole or _has_tag(data) and start + length == told else start
    if total in (told, 0):
        return Layout()
    right = (word & ~(2**36 - 1) | total).to_bytes(8, "big")
    surplus = MORE_THAN_TOLD if 0 < told < total else ""
    return Layout(told > total or not is_whole, surplus, ((0, 18), right, (26, len(data))))


def _has_tag(data: mmap.mmap) -> bool:
    return data[-128:-125] == b"TAG"


def _first_flac_frame(data: mmap.mmap) -> int:
    place = 4
    while place + 4 <= len(data):
        is_last = data[place] >> 7
        place += 4 + int.from_bytes(data[place + 1 : place + 4], "big")
        if is_last:
            return place if data[place : place + 1] == b"\xff" else -1
    return -1


def _last_flac_frame(data: mmap.mmap, first: int, block_size: int) -> tuple[int, int, bool] | None:
    """The first sample of the last frame, how many it holds, and whether it is whole."""
    # What all frames share: the way of counting, the rate, channels and width but for how two
    # channels are told apart.
    sync = data[first : first + 2]
    end = len(data)
    lowest = max(end - _LARGEST_FLAC_FRAME, first)
    while (place := data.rfind(sync, lowest, end)) >= 0:
        header = _flac_header(data[place : place + _FLAC_HEADER], block_size)
        if header and data[place + 2] & 15 == data[first + 2] & 15:
            return *header, _crc(data[place : len(data)], 16, 0x8005) == 0
        end = place + 1
    return None


def _flac_header(header: bytes, block_size: int) -> tuple[int, int] | None:
    """The first sample of a frame and how many it holds; None: it is no header of one."""
    size, header = len(header), header.ljust(_FLAC_HEADER, b"\0")
    code, place = header[2] >> 4, 4
    if code == 0:
        return None
    # The frame's number is written as UTF-8 would write it.
    lead, num_more = header[place], 0
    while lead >> (7 - num_more) & 1 and num_more < 7:
        num_more += 1
    num_more = max(num_more - 1, 0)
    number = lead & (0x7F if num_more == 0 else (1 << (6 - num_more)) - 1)
    for byte in header[place + 1 : place + 1 + num_more]:
        number = number << 6 | byte & 63
    place += 1 + num_more
    if code == 6:
        length, place = header[place] + 1, place + 1
    elif code == 7:
        length, place = int.from_bytes(header[place : place + 2], "big") + 1, place + 2
    else:
        length = {1: 192}.get(code) or (576 << (code - 2) if code < 6 else 256 << (code - 8))
    place += {12: 1, 13: 2, 14: 2}.get(header[2] & 15, 0)
    if place >= size or _crc(header[: place + 1], 8, 0x07):
        return None
    return number if header[1] & 1 else number * block_size, length


def _crc(data: bytes, width: int, polynomial: int) -> int:
    """The remainder of bytes, the first bit first, from 0; 0 where their checksum ends them."""
    table, mask, remainder = _crc_table(width, polynomial), (1 << width) - 1, 0
    for byte in data:
        remainder = (remainder << 8 & mask) ^ table[remainder >> (width - 8) ^ byte]
    return remainder


@functools.cache
def _crc_table(width: int, polynomial: int) -> tuple[int, ...]:
    table, top, mask = [], 1 << (width - 1), (1 << width) - 1
    for value in range(256):
        value <<= width - 8
        for _ in range(8):
            value = (value << 1 ^ (polynomial if value & top else 0)) & mask
        table.append(value)
    return tuple(table)
