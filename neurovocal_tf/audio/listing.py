"""What is in a folder of recordings: which files are to be read, and why others cannot be."""

import dataclasses
import os
import unicodedata
from collections.abc import Iterator

from neurovocal_tf.audio import evtaf, ffmpeg
from neurovocal_tf.audio.decoders import extension
from neurovocal_tf.audio.unreadable import cannot_be_opened, shown

# libsndfile names formats, not extensions. Left out: .mat and .htk are seldom sound.
# fmt: off
_OF_LIBSNDFILE = frozenset((
    "wav", "wave", "bwf", "rf64", "w64", "aif", "aiff", "aifc", "au", "snd", "caf", "flac", "ogg",
    "oga", "opus", "mp3", "mp2", "mp1", "voc", "ircam", "sf", "nist", "sph", "pvf", "xi", "svx",
    "iff", "avr", "sds", "sd2", "paf", "mpc", "wve",
))
# fmt: on
_READ = _OF_LIBSNDFILE | ffmpeg.EXTENSIONS | {evtaf.EXTENSION}
_WITHOUT_A_HEADER = frozenset(("raw", "pcm", "vox"))
# How sound begins in files whose names do not tell: at which place, and the ending it should have.
_BEGINNINGS = (
    (8, b"WAVE", "wav"),
    (0, b"RF64", "wav"),
    (0, b"fLaC", "flac"),
    (0, b"OggS", "ogg"),
    (8, b"AIF", "aiff"),
    (0, b"caff", "caf"),
    (0, b"ID3", "mp3"),
    (4, b"ftypM4A", "m4a"),
)


@dataclasses.dataclass(frozen=True)
class Listing:
    """What a folder holds.

    Attributes:
        paths: of the recordings, sorted.
        skipped: (path, reason) of what may be recordings and cannot be read, sorted: files, and
            folders that cannot be entered. The path is escaped where no table takes it.
    """

    paths: tuple[str, ...]
    skipped: tuple[tuple[str, str], ...] = ()


def list_recordings(data_dir: str | os.PathLike[str]) -> list[str]:
    """Paths of all recordings in a folder, or of one, sorted, see `look_at`."""
    return list(look_at(data_dir).paths)


def look_at(data_dir: str | os.PathLike[str]) -> Listing:
    """All recordings in a folder and the folders below it; of a file, that file.

    What counts is the ending of the name, in upper or lower case. Hidden files and folders are left
    out. Links are followed; a folder that several lead to is entered once.

    Raises: ValueError if there is no such folder, or no audio in it.
    """
    data_dir = os.fspath(data_dir)
    try:
        data_dir.encode("utf-8")
    except UnicodeEncodeError:
        raise ValueError(
            "`data_dir` must be a path in UTF-8, or tables could not name what is in it. "
            f"Received: data_dir={shown(data_dir)}"
        ) from None
    if os.path.isfile(data_dir):
        return Listing((data_dir,))
    if not os.path.isdir(data_dir):
        raise ValueError(
            "`data_dir` must be a folder of recordings, and there is no such folder. "
            f"Received: data_dir={data_dir}"
        )
    walk = _Walk(data_dir)
    if not walk.paths:
        raise ValueError(
            f"`data_dir` must hold recordings (.wav, .flac, .ogg, .mp3, .aiff, ...), and "
            f"{_found(walk)}. Received: data_dir={data_dir}"
        )
    return Listing(tuple(sorted(walk.paths)), tuple(sorted(walk.skipped)))


def _found(walk: "_Walk") -> str:
    """What a folder without recordings holds."""
    if walk.skipped:
        path, reason = min(walk.skipped)
        return f"of {len(walk.skipped)} none can be read; the first: {path} {reason}"
    several = "s" * (walk.num_others > 1)
    return (
        f"it holds no audio among {walk.num_others} file{several}"
        if walk.num_others
        else ("it is empty")
    )


class _Walk:
    """Goes through a folder; `paths` and `skipped` as in `Listing`, and how many other files."""

    def __init__(self, data_dir: str) -> None:
        self.paths: list[str] = []
        self.skipped: list[tuple[str, str]] = []
        self.num_others = 0
        self._entered: dict[tuple[int, int], str] = {}
        # Links wait, so that a folder is found where it is rather than where a link leads to it.
        waiting: list[str] = [data_dir]
        links: list[str] = []
        while waiting or links:
            folder = waiting.pop() if waiting else links.pop(0)
            for path, is_link in self._folders_in(folder):
                (links if is_link else waiting).append(path)
            links.sort()

    def _folders_in(self, folder: str) -> Iterator[tuple[str, bool]]:
        """Takes the files of a folder.  -> the path of each folder in it, and if it is a link"""
        try:
            identity = os.stat(folder)
            key = identity.st_dev, identity.st_ino
            if key in self._entered:
                self._skip(folder, f"is the folder {shown(self._entered[key])} once more")
                return
            self._entered[key] = folder
            with os.scandir(folder) as entries:
                found = sorted(entries, key=lambda entry: entry.name)
        except OSError as error:
            self._skip(folder, cannot_be_opened(folder, error))
            return
        for entry in found:
            if entry.name.startswith("."):
                continue
            try:
                is_folder = entry.is_dir()
            except OSError:
                # A link that leads back to itself; as a file it has its reason.
                is_folder = False
            problem = _problem_of_name(entry.name) if is_folder or _is_sound(entry.name) else ""
            if problem:
                self._skip(entry.path, problem)
            elif is_folder:
                yield entry.path, entry.is_symlink()
            else:
                self._take(entry.path)

    def _take(self, path: str) -> None:
        ending = extension(path)
        if ending in _WITHOUT_A_HEADER:
            self._skip(path, "has no header that tells its rate: make it a WAV file")
            return
        if ending not in _READ:
            better = _ending_by_content(path)
            if better:
                self._skip(path, f"begins as a .{better} file does: rename it so")
            elif not ending and os.path.islink(path) and not os.path.exists(path):
                # It may have led to a folder.
                self._skip(path, cannot_be_opened(path, FileNotFoundError()))
            else:
                self.num_others += 1
            return
        try:
            os.stat(path)
        except OSError as error:
            self._skip(path, cannot_be_opened(path, error))
            return
        self.paths.append(path)

    def _skip(self, path: str, reason: str) -> None:
        self.skipped.append((shown(path), reason))


def _is_sound(name: str) -> bool:
    return extension(name) in _READ or extension(name) in _WITHOUT_A_HEADER


def _problem_of_name(name: str) -> str:
    """Why no table can hold a name, or ""."""
    try:
        name.encode("utf-8")
    except UnicodeEncodeError:
        return "its name is not UTF-8: rename it"
    if any(unicodedata.category(char) == "Cc" for char in name):
        return "its name holds a control character: rename it"
    return ""


def _ending_by_content(path: str) -> str:
    """The ending that a file of sound should have, or "" if it is none, or cannot be read."""
    try:
        if not os.path.isfile(path):
            return ""
        with open(path, "rb") as file:
            head = file.read(12)
    except OSError:
        return ""
    places = (ending for place, tag, ending in _BEGINNINGS if head[place:].startswith(tag))
    return next(places, "")
