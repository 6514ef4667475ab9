"""Which recordings an archive holds: local ones as `audio.listing` finds them, remote ones by the
same rules as far as names go.
"""

import dataclasses
import os
import posixpath

from neurovocal_tf.archive import stores
from neurovocal_tf.audio import listing
from neurovocal_tf.segmentation.folder import recordings_in

# Names of folders that a store may have, and that no path keeps apart.
_NAMELESS = {"", ".", ".."}


@dataclasses.dataclass(frozen=True)
class Entry:
    """One recording.

    Attributes:
        name: its path below the archive's folder.    path: of it.
        num_bytes, modified_ns: by which a recording under the same name is known for another one;
            see `stores.Stored`.
    """

    name: str
    path: str
    num_bytes: int
    modified_ns: int


@dataclasses.dataclass(frozen=True)
class Catalogue:
    """All recordings.

    Attributes:
        entries: dict of name -> `Entry`, sorted by name.
        skipped: dict of name -> reason, of what may be a recording and cannot be read.
        places: dict of name of either -> what the column `file` of every table calls it.
    """

    entries: dict[str, Entry]
    skipped: dict[str, str]
    places: dict[str, str]

    @property
    def is_remote(self) -> bool:
        """Whether the recordings are copied to be read."""
        return any(stores.is_remote(entry.path) for entry in self.entries.values())


def of(data_dir: str, out_dir: str) -> Catalogue:
    """What an archive holds.

    Args:
        data_dir: a remote folder, or local recordings as `listing.look_at` takes them.
        out_dir: folder of the tables.

    Raises: ValueError if there is nothing to be read.
    """
    if not stores.is_remote(data_dir):
        found = recordings_in(data_dir)
        entries = {name: _entry(name, path) for name, path in found.paths.items()}
        skipped = {name: reason for name, (_, reason) in found.skipped.items()}
        paths = {name: path for name, (path, _) in found.skipped.items()}
    else:
        entries, skipped = _remote(data_dir.rstrip("/"))
        paths = {name: stores.join(data_dir, name) for name in skipped}
    paths |= {name: entry.path for name, entry in entries.items()}
    places = {name: stores.place_in(out_dir, path) for name, path in paths.items()}
    return Catalogue(dict(sorted(entries.items())), skipped, places)


def _entry(name: str, path: str) -> Entry:
    try:
        told = os.stat(path)
    except OSError:
        # It has just gone, which its reader says.
        return Entry(name, os.path.abspath(path), 0, 0)
    return Entry(name, os.path.abspath(path), told.st_size, told.st_mtime_ns)


def _remote(data_dir: str) -> tuple[dict[str, Entry], dict[str, str]]:
    entries: dict[str, Entry] = {}
    skipped: dict[str, str] = {}
    try:
        found = stores.below(data_dir)
    except OSError as error:
        said = " ".join(str(error).split())[:200]
        raise ValueError(
            f"`data_dir` must be a folder that can be listed: {said}. Received: data_dir={data_dir}"
        ) from None
    for stored in found:
        name = posixpath.relpath(stored.path, data_dir)
        reason = listing.reason_by_name(name)
        if reason == "" and not _NAMELESS.isdisjoint(stored.path[len(data_dir) + 1 :].split("/")):
            reason = "its path holds a folder without a name, or one of dots: rename that"
        if reason:
            skipped[name] = reason
        elif reason is not None:
            entries[name] = Entry(name, stored.path, stored.num_bytes, stored.modified_ns)
    if not entries:
        raise ValueError(
            "`data_dir` must hold recordings (.wav, .flac, .ogg, .mp3, .aiff, ...), and among its "
            f"{len(found)} files there are none. Received: data_dir={data_dir}"
        )
    return entries, skipped
