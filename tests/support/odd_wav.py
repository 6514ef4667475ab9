"""WAV files chunk by chunk, with sizes that need not be true."""

import struct


def chunk(tag, body, size=None, order="<"):
    """A chunk with its filling byte; `size` in the place of its true one."""
    length = len(body) if size is None else size
    return tag + struct.pack(f"{order}I", length) + body + b"\0" * (len(body) % 2)


def form(channels=1, rate=16_000, bits=16, coding=1):
    """The chunk `fmt `."""
    block = channels * bits // 8
    fields = coding, channels, rate, rate * block, block, bits
    return chunk(b"fmt ", struct.pack("<HHIIHH", *fields))


def riff(*chunks):
    """A file of chunks."""
    body = b"WAVE" + b"".join(chunks)
    return b"RIFF" + struct.pack("<I", len(body) % 2**32) + body
