"""Which recording a file is: whether it is still the one that was read before."""

import dataclasses
import hashlib
import os
import time

from neurovocal_tf.audio import readers

_BLOCK_BYTES = 2**20
# What is compared where size and time are as they were: all of a small file, of a large one pieces
# evenly apart.
_NUM_PIECES, _PIECE_BYTES = 64, 2**14
# A file system may tell times by two seconds (FAT): what is written so soon after has the same one.
_COARSEST_TIME_NS = 2 * 10**9


@dataclasses.dataclass(frozen=True)
class Identity:
    """What a recording was.

    Attributes:
        num_bytes: size of the file.    modified_ns: time of its last change, ns since 1970.
        taken_ns: when all this was found, ns since 1970.
        content: digest of all bytes.    sample: digest of some of them.
        sample_rate: Hz, of the file.    num_channels: channels.    num_samples: of each channel.
    """

    num_bytes: int
    modified_ns: int
    taken_ns: int
    content: str
    sample: str
    sample_rate: int
    num_channels: int
    num_samples: int

    @property
    def stamp(self) -> tuple[int, int]:
        """Size and time, as `stamp_of` tells them."""
        return self.num_bytes, self.modified_ns


def identity_of(path: str | os.PathLike[str]) -> Identity:
    """The identity of a recording. All its bytes are read: best when they have just been read.

    Raises: `readers.UnreadableRecording` as `readers.probe`, or if the file cannot be read.
    """
    recording = readers.probe(path)
    taken_ns = time.time_ns()
    try:
        stamp, digests = stamp_of(path), (_content(path), _sample(path))
    except OSError as error:
        raise readers.UnreadableRecording(f"cannot be read: {error.strerror}") from None
    header = recording.sample_rate, recording.num_channels, recording.num_samples
    return Identity(*stamp, taken_ns, *digests, *header)


def stamp_of(path: str | os.PathLike[str]) -> tuple[int, int]:
    """Size in bytes, and time of the last change in ns since 1970.  Raises OSError."""
    found = os.stat(path)
    return found.st_size, found.st_mtime_ns


def difference(path: str | os.PathLike[str], known: Identity) -> str:
    """How a file differs from a recording that was known, in words that follow its name; "" where
    it is the same.

    Size and time are looked at first. Where both are as they were, a sample of the content is
    compared; where only the size is, or the time tells nothing, all of the content.
    """
    try:
        stamp = stamp_of(path)
        is_time_told = known.modified_ns + _COARSEST_TIME_NS < known.taken_ns
        if stamp == known.stamp and is_time_told:
            is_same = _sample(path) == known.sample
        else:
            is_same = stamp[0] == known.num_bytes and _content(path) == known.content
    except FileNotFoundError:
        return "is not there any more"
    except OSError as error:
        return f"cannot be read: {error.strerror}"
    return "" if is_same else _what_differs(path, stamp[0], known)


def _what_differs(path, num_bytes, known):
    try:
        now = readers.probe(path)
    except readers.UnreadableRecording as reason:
        return f"is another file, which {reason}"
    found = [
        f"{value} {unit} for {before}"
        for value, before, unit in (
            (now.sample_rate, known.sample_rate, "Hz"),
            (now.num_channels, known.num_channels, "channels"),
            (now.num_samples, known.num_samples, "samples"),
            (num_bytes, known.num_bytes, "bytes"),
        )
        if value != before
    ]
    return f"is another recording: {', '.join(found) or 'as long, of other content'}"


def _content(path):
    digest = hashlib.blake2b(digest_size=16)
    with open(path, "rb") as file:
        while block := file.read(_BLOCK_BYTES):
            digest.update(block)
    return digest.hexdigest()


def _sample(path):
    digest = hashlib.blake2b(digest_size=16)
    with open(path, "rb") as file:
        num_bytes = os.fstat(file.fileno()).st_size
        if num_bytes <= _NUM_PIECES * _PIECE_BYTES:
            digest.update(file.read())
            return digest.hexdigest()
        last = num_bytes - _PIECE_BYTES
        for piece in range(_NUM_PIECES):
            file.seek(last * piece // (_NUM_PIECES - 1))
            digest.update(file.read(_PIECE_BYTES))
    return digest.hexdigest()
