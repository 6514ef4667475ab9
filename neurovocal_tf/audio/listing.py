"""Which recordings people mean by a folder, a pattern, a list or a table: which files are to be
read, and why others cannot be.
"""

import dataclasses
import glob
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
# Files that name recordings: one path a line, or a column `file`.
_LISTS = frozenset(("txt", "lst"))
_TABLES = frozenset(("csv", "tsv", "parquet"))
_COLUMN = "file"
_WITHOUT_A_HEADER = frozenset(("raw", "pcm", "vox"))
_NO_HEADER = "has no header that tells its rate: make it a WAV file"
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
    """Paths of all recordings that `data_dir` means, sorted, see `look_at`."""
    return list(look_at(data_dir).paths)


def look_at(data_dir: str | os.PathLike[str]) -> Listing:
    """All recordings in a folder and the folders below it; of a recording, that one; those that a
    pattern matches, such as `/data/*/song*.wav`; or those that a file names: a list (.txt, .lst)
    with a path or pattern a line and # before comments, or a table (.csv, .tsv, .parquet) with a
    column `file`, relative to the file's own folder. Folders that match, or are named, are
    searched.

    What counts is the ending of the name, in upper or lower case. Hidden files and folders are left
    out. Links are followed; a folder that several lead to is entered once. What a file names and is
    not there is skipped.

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
    walk = _Walk()
    if os.path.isdir(data_dir):
        walk.enter(data_dir)
    elif names_recordings(data_dir):
        for path, place in _named_in(data_dir):
            walk.take_named(path, place)
    elif os.path.isfile(data_dir):
        return Listing((data_dir,))
    elif is_pattern(data_dir):
        for path in sorted(glob.glob(data_dir, recursive=True)):
            walk.take(path)
    else:
        raise ValueError(
            "`data_dir` must be a folder of recordings, a recording, a pattern in quotes such as "
            "'/data/*/song*.wav', or a list (.txt) or table (.csv, .parquet) that names "
            f"recordings, and there is no such folder. Received: data_dir={data_dir}"
        )
    if not walk.paths:
        raise ValueError(
            f"`data_dir` must hold recordings (.wav, .flac, .ogg, .mp3, .aiff, ...), and "
            f"{_found(walk, data_dir)}. Received: data_dir={data_dir}"
        )
    return Listing(tuple(sorted(set(walk.paths))), tuple(sorted(set(walk.skipped))))


def reason_by_name(name: str) -> str | None:
    """Why a file of a folder is no recording to be read, by its path below the folder alone: "" of
    one that is to be read, None of what is no sound, or hidden.
    """
    if not _is_sound(name) or any(part.startswith(".") for part in name.split("/")):
        return None
    return _problem_of_name(name) or (_NO_HEADER if extension(name) in _WITHOUT_A_HEADER else "")


def folder_of(data_dir: str | os.PathLike[str]) -> str:
    """The folder that all recordings lie in or below which `look_at` finds, whether they are there
    or not: what their names are relative to.

    Raises: ValueError where a list or a table cannot be read, or names nothing.
    """
    data_dir = os.fspath(data_dir)
    if os.path.isdir(data_dir):
        return data_dir
    if names_recordings(data_dir):
        named = [_before_pattern(path) for path, _ in _named_in(data_dir)]
        return os.path.commonpath([p if os.path.isdir(p) else os.path.dirname(p) for p in named])
    return os.path.dirname(os.path.abspath(_before_pattern(data_dir)))


def names_recordings(path: str | os.PathLike[str]) -> bool:
    """Whether a path is that of a list or a table that is there."""
    return extension(path) in _LISTS | _TABLES and os.path.isfile(path)


def is_pattern(path: str | os.PathLike[str]) -> bool:
    """Whether a path is none that is there, and has the characters of a pattern in it."""
    return glob.has_magic(os.fspath(path)) and not os.path.exists(path)


def _before_pattern(path: str) -> str:
    """The part of a pattern that is a plain path, with whatever follows it in the same folder."""
    if not is_pattern(path):
        return path
    parts = path.split(os.sep)
    plain = next(i for i, part in enumerate(parts) if glob.has_magic(part))
    return os.sep.join(parts[: plain + 1])


def _named_in(path: str) -> list[tuple[str, str]]:
    """What a list or a table names: whole paths, and where each stands."""
    # Here, so that who has a folder waits for no reader of tables.
    from neurovocal_tf.annotations import table
    from neurovocal_tf.annotations.text import decode

    text = decode(path)[0]
    if extension(path) in _LISTS:
        found = [
            (line.strip(), f"line {number} of {path}")
            for number, line in enumerate(text.splitlines(), start=1)
            if line.strip() and not line.lstrip().startswith("#")
        ]
    else:
        header = table.header_of(text)
        if _COLUMN not in header:
            raise ValueError(
                f"`data_dir` must be a table with a column {_COLUMN}, and this one has "
                f"{', '.join(header) or 'none'}. Received: data_dir={path}"
            )
        rows = ((row.text(_COLUMN).strip(), row.place) for row in table.rows(text, path))
        found = [(name, place) for name, place in rows if name]
    if not found:
        raise ValueError(
            f"`data_dir` must name recordings, and this file names none. Received: data_dir={path}"
        )
    # What is relative to a table's folder is so without links, see `files.place_in`.
    folder = os.path.realpath(os.path.dirname(os.path.abspath(path)))
    # A table of segments names each recording many times.
    places = {
        os.path.normpath(os.path.join(folder, os.path.expanduser(n))): p for n, p in found[::-1]
    }
    return sorted(places.items())


def _found(walk: "_Walk", data_dir: str) -> str:
    """What there is where there are no recordings."""
    if is_pattern(data_dir) and not walk.skipped and not walk.num_others:
        return "nothing matches"
    if walk.skipped:
        path, reason = min(walk.skipped)
        return f"of {len(walk.skipped)} none can be read; the first: {path} {reason}"
    several = "s" * (walk.num_others > 1)
    return (
        f"it holds no audio among {walk.num_others} file{several}"
        if walk.num_others
        else "it is empty"
    )


class _Walk:
    """Goes through folders; `paths` and `skipped` as in `Listing`, and how many other files."""

    def __init__(self) -> None:
        self.paths: list[str] = []
        self.skipped: list[tuple[str, str]] = []
        self.num_others = 0
        self._entered: dict[tuple[int, int], str] = {}

    def enter(self, folder: str) -> None:
        """Takes what is in a folder and below it."""
        # Links wait, so that a folder is found where it is rather than where a link leads to it.
        waiting: list[str] = [folder]
        links: list[str] = []
        while waiting or links:
            folder = waiting.pop() if waiting else links.pop(0)
            for path, is_link in self._folders_in(folder):
                (links if is_link else waiting).append(path)
            links.sort()

    def take(self, path: str) -> None:
        """Takes what a pattern matches. A folder below one that it matches, too, is no news."""
        if os.path.isdir(path):
            if self._key(path) not in self._entered:
                self.enter(path)
        elif problem := _problem_of_name(path) if _is_sound(path) else "":
            self._skip(path, problem)
        else:
            self._take(path)

    def take_named(self, path: str, place: str) -> None:
        """Takes what somebody has named, or says why not."""
        if is_pattern(path):
            matched = sorted(glob.glob(path, recursive=True))
            for one in matched:
                self.take(one)
            if not matched:
                self._skip(path, f"matches nothing: {place}")
        elif not os.path.lexists(path):
            self._skip(path, f"is not there: {place}")
        else:
            before = self.num_others
            self.take(path)
            if self.num_others > before:
                self._skip(path, f"is no recording by the ending of its name: {place}")

    @staticmethod
    def _key(folder: str) -> tuple[int, int]:
        identity = os.stat(folder)
        return identity.st_dev, identity.st_ino

    def _folders_in(self, folder: str) -> Iterator[tuple[str, bool]]:
        """Takes the files of a folder.  -> the path of each folder in it, and if it is a link"""
        try:
            key = self._key(folder)
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
            self._skip(path, _NO_HEADER)
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
