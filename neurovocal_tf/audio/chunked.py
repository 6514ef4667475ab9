"""Where the samples lie in files of chunks: RIFF, RIFX, RF64, Sony's Wave64, AIFF, 8SVX and CAF.

Source: Microsoft & IBM, "Multimedia Programming Interface and Data Specifications 1.0" (1991);
    EBU Tech 3306 (RF64); Apple, "Audio Interchange File Format" (1989); Apple, "Core Audio Format
    Specification 1.0" (2005); Sony, "Wave64" (2004).
"""

import dataclasses
import struct
import typing

from neurovocal_tf.audio.layout import (
    MORE_THAN_TOLD,
    Layout,
    Part,
    is_filling,
    is_unknown,
)
from neurovocal_tf.audio.unreadable import UnreadableRecording

# More chunks than any recorder writes.
_MAX_CHUNKS = 1024
_UNKNOWN_32 = 2**32 - 1
# Beyond it a size of 32 bits would be taken for one that is unknown.
_MOST_32 = 2**32 - 2**16 - 1
# Chunks that recorders and editors write beside the samples. A name that is not among them counts
# where what follows bears it out: four bytes of samples may be letters by chance.
_NAMES = """
    fmt data fact LIST bext iXML JUNK junk PAD FLLR cue smpl inst plst PEAK id3 ID3 afsp guan wamd
    axml chna umid acid strc DISP cart levl link minf elm1 regn ovwf slnt ds64 r64m _PMX CSET IDIT
    RLND LGWV XMP bwf dbmd SAUR Cr8r tlst mext qlty COMM SSND MARK INST MIDI AESD APPL COMT NAME
    AUTH ANNO FVER SAXL CHAN basc trns cate BODY VHDR free desc pakt chan kuki strg mark midi ovvw
    peak edct info uuid (c)
"""
KNOWN_CHUNKS = frozenset(name.ljust(4).encode("ascii") for name in _NAMES.split())


@dataclasses.dataclass(frozen=True)
class _Kind:
    """How the chunks of a kind of file are written.

    Attributes:
        order: of bytes, as `struct` has it.    name: bytes of a chunk's name.
        size: bytes of its size.    counts_itself: whether that counts name and size too.
        align: to what places chunks begin.    first: where the first one does.
        samples: name of the chunk with the samples.    skip: bytes in it before them.
        form: name of the chunk that says how they are coded.
    """

    order: str = "<"
    name: int = 4
    size: int = 4
    counts_itself: bool = False
    align: int = 2
    first: int = 12
    samples: bytes = b"data"
    skip: int = 0
    form: bytes = b"fmt "


_WAVE64_TAIL = bytes.fromhex("f3acd3118cd100c04f8edb8a")
_RIFF, _RIFX = _Kind(), _Kind(order=">")
_WAVE64 = _Kind(
    name=16,
    size=8,
    counts_itself=True,
    align=8,
    first=40,
    samples=b"data" + _WAVE64_TAIL,
    form=b"fmt " + _WAVE64_TAIL,
)
_AIFF = _Kind(order=">", samples=b"SSND", skip=8, form=b"COMM")
_SVX = _Kind(order=">", samples=b"BODY", form=b"VHDR")
_CAF = _Kind(order=">", size=8, align=1, first=8, samples=b"data", skip=4, form=b"desc")


def kind_of(head: bytes) -> _Kind | None:
    """How the chunks of a file that begins so are written; None: it has none."""
    tag, form = head[:4], head[8:12]
    if tag in (b"RIFF", b"RF64", b"BW64") and form == b"WAVE":
        return _RIFF
    if tag == b"RIFX" and form == b"WAVE":
        return _RIFX
    if tag == b"FORM":
        return {b"AIFF": _AIFF, b"AIFC": _AIFF, b"8SVX": _SVX, b"16SV": _SVX}.get(form)
    if tag == b"riff":
        return _WAVE64
    return _CAF if tag == b"caff" else None


class _Samples(typing.NamedTuple):
    """What a walk through the chunks finds.

    `size_at` is where the size of the first chunk of samples stands, `stretches` are those of the
    file that hold them, `form` is where the body of the chunk with their coding lies.
    """

    size_at: int = 0
    stretches: tuple[tuple[int, int], ...] = ()
    form: tuple[int, int] = (0, 0)
    large_sizes: tuple[int, int] = (0, 0)
    is_cut_off: bool = False
    is_more: bool = False


class _Walk:
    """A file, chunk by chunk."""

    def __init__(self, file: typing.BinaryIO, size: int, kind: _Kind) -> None:
        self.file, self.size, self.kind = file, size, kind

    def chunk(self, place: int) -> tuple[bytes, int, int]:
        """Name, where the body begins, and how long it says it is; no name past the end."""
        kind = self.kind
        if place >= self.size:
            return b"", place, 0
        self.file.seek(place)
        header = self.file.read(kind.name + kind.size)
        body = place + kind.name + kind.size
        if len(header) < kind.name + kind.size:
            return b"", body, 0
        (length,) = struct.unpack(
            kind.order + ("I" if kind.size == 4 else "Q"), header[kind.name :]
        )
        return (
            header[: kind.name],
            body,
            length - (kind.name + kind.size) * kind.counts_itself,
        )

    def after(self, end: int) -> int:
        """Where the chunk after one that ends there begins."""
        return end + -end % self.kind.align

    def is_chunk(self, place: int, looking_ahead: bool = True) -> bool:
        """Whether a chunk, or the end of the file, is there, rather than samples."""
        if self.size - place < self.kind.name + self.kind.size:
            return True
        name, body, length = self.chunk(place)
        if name[:4] in KNOWN_CHUNKS:
            return True
        end = self.after(body + length)
        fits = name[:4].isascii() and name[:4].decode("ascii").isprintable()
        fits = fits and length >= 0 and end <= self.size + self.kind.align
        return fits and (not looking_ahead or self.is_chunk(end, looking_ahead=False))

    def samples(self) -> _Samples:
        """Where they lie, read to the end of the file where the header says less than is there."""
        found, place, large = _Samples(), self.kind.first, None
        for _ in range(_MAX_CHUNKS):
            name, body, length = self.chunk(place)
            if name == self.kind.samples:
                # A size that counts its own header, and was never written, is less than none.
                length = max(length, 0)
            if not name or length < 0:
                break
            if name == b"ds64" and place == self.kind.first:
                self.file.seek(body + 8)
                large = int.from_bytes(self.file.read(8), "little")
                found = found._replace(large_sizes=(place, self.after(body + length)))
            if name == self.kind.form and not found.form[0]:
                found = found._replace(form=(body, body + length))
            following = self.after(body + length)
            if name == self.kind.samples and found.form[0]:
                if large is not None and length == _UNKNOWN_32:
                    length, large = large, None
                if not found.size_at:
                    found = found._replace(size_at=place + self.kind.name)
                found, following = self._with(found, body, length)
            if following <= place:
                break
            place = following
        return found

    def _with(self, found: _Samples, body: int, length: int) -> tuple[_Samples, int]:
        """What is found, with a chunk of samples, and where the next chunk is; 0: none follows."""
        end, first = body + length, body + self.kind.skip
        unknown = is_unknown(length) if self.kind.size == 4 else length > 2**62
        if end > self.size + (not unknown):
            stretches = (*found.stretches, (first, max(self.size, first)))
            return found._replace(stretches=stretches, is_cut_off=not unknown), 0
        end = min(end, self.size)
        # Some writers leave out the byte that fills an odd chunk.
        following = next((x for x in (self.after(end), end) if self.is_chunk(x)), 0)
        is_more = False
        if not following:
            wrapped = self._wrapped_end(end)
            if wrapped or not is_filling(self.file, end, self.size):
                end, is_more = wrapped or self.size, True
        stretches = (*found.stretches, (first, max(end, first)))
        return found._replace(stretches=stretches, is_more=found.is_more or is_more), following

    def _wrapped_end(self, end: int) -> int:
        """Where the samples end if their size has lost multiples of 2^32; 0: not at any such."""
        if self.kind.size == 8:
            return 0
        for place in range(end + (self.size - end) // 2**32 * 2**32, end, -(2**32)):
            if self.is_chunk(self.after(place)) or self.is_chunk(place):
                return place
        return 0


def layout(file: typing.BinaryIO, size: int, head: bytes) -> Layout | None:
    """The layout of a file of chunks of `size` bytes that begins with `head`; None: it is none.

    Raises: UnreadableRecording if no header could tell a decoder how long it is.
    """
    kind = kind_of(head)
    if kind is None:
        return None
    found = _Walk(file, size, kind).samples()
    if not found.stretches:
        return Layout()
    num_chunks = sum(end > begin for begin, end in found.stretches)
    surplus = MORE_THAN_TOLD if found.is_more else ""
    if num_chunks > 1:
        surplus = f"holds {num_chunks} chunks of samples"
    # libsndfile reads one chunk of samples, and refuses a CAF file that is cut off.
    is_for_it = len(found.stretches) == 1 and not found.is_more
    if is_for_it and not (found.is_cut_off and kind == _CAF):
        return Layout(found.is_cut_off)
    whole = _whole_blocks(file, kind, found)
    return Layout(found.is_cut_off, surplus, _parts(file, kind, found, whole, size, head))


def _whole_blocks(
    file: typing.BinaryIO, kind: _Kind, found: _Samples
) -> tuple[tuple[int, int], ...]:
    """The stretches of samples without what is less than one of each channel at their ends."""
    if kind not in (_RIFF, _RIFX):
        return found.stretches
    file.seek(found.form[0] + 12)
    block = max(int.from_bytes(file.read(2), "little" if kind == _RIFF else "big"), 1)
    return tuple((begin, end - (end - begin) % block) for begin, end in found.stretches)


def _parts(
    file: typing.BinaryIO,
    kind: _Kind,
    found: _Samples,
    stretches: tuple[tuple[int, int], ...],
    size: int,
    head: bytes,
) -> tuple[Part, ...]:
    """The file with sizes that are right."""
    num_bytes = sum(end - begin for begin, end in stretches) + kind.skip
    if kind == _RIFF and (head[:4] != b"RIFF" or num_bytes > _MOST_32):
        # Whatever it was, its size needs 64 bits, or had them.
        large = struct.pack("<4sIQQQI", b"ds64", 28, size + 64, num_bytes, 0, 0)
        begin = max(found.large_sizes[1], kind.first)
        head = struct.pack("<4sI4s", b"RF64", _UNKNOWN_32, b"WAVE") + large
        return (head, (begin, found.size_at), struct.pack("<I", _UNKNOWN_32), *stretches)
    if kind in (_RIFF, _RIFX, _AIFF, _SVX):
        if found.size_at + num_bytes > _MOST_32:
            raise UnreadableRecording(
                "holds more than 4 GB, of which its format cannot tell: make it an RF64 or CAF file"
            )
        form_size = struct.pack(f"{kind.order}I", found.size_at + num_bytes - 4)
        beginning = _beginning(file, kind, found, num_bytes)
        return (
            head[:4] + form_size,
            *beginning,
            struct.pack(f"{kind.order}I", num_bytes),
            (found.size_at + 4, found.size_at + 4 + kind.skip),
            *stretches,
        )
    own = 24 if kind == _WAVE64 else 0
    begin = found.size_at + kind.size
    return (
        (0, found.size_at),
        struct.pack(f"{kind.order}Q", num_bytes + own),
        (begin, begin + kind.skip),
        *stretches,
    )


def _beginning(
    file: typing.BinaryIO, kind: _Kind, found: _Samples, num_bytes: int
) -> tuple[Part, ...]:
    """What stands between the size of the whole and that of the samples; an AIFF file counts its
    samples there too.
    """
    if kind != _AIFF:
        return ((8, found.size_at),)
    file.seek(found.form[0])
    channels, _, bits = struct.unpack(">HIH", file.read(8))
    block = max(channels * -(-bits // 8), 1)
    count = struct.pack(">I", (num_bytes - kind.skip) // block)
    return ((8, found.form[0] + 2), count, (found.form[0] + 6, found.size_at))
