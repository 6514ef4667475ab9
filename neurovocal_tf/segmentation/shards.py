"""Parts of a folder that are segmented by themselves, as by the jobs of an array, and merged.

Which shard a recording belongs to depends on its name and on how many shards there are, and on
nothing else: no job needs to know of another, and a folder that grows leaves all others where they
were. Each shard has a folder of its own below that of the results.
"""

import dataclasses
import hashlib
import os
import re
from collections.abc import Mapping

from neurovocal_tf.segmentation.folder import SegmentedFolder

_FOLDER = "shards"
_NAME = re.compile(r"(\d+)_of_(\d+)")
# A line that names more is not read.
_MOST_NAMED = 8


@dataclasses.dataclass(frozen=True, order=True)
class Shard:
    """One part of several.

    Attributes:
        of: how many there are.    number: which one, from 1.
    """

    of: int
    number: int

    @classmethod
    def parse(cls, text: str) -> "Shard":
        """The shard that a text such as 2/8 means.  Raises ValueError."""
        match = re.fullmatch(r"\s*(\d+)\s*/\s*(\d+)\s*", text)
        if match is None or not 1 <= int(match[1]) <= int(match[2]):
            raise ValueError(
                "`shard` must be i/n, the i-th of n parts counted from 1, such as 2/8. "
                f"Received: shard={text}"
            )
        return cls(int(match[2]), int(match[1]))

    def __str__(self) -> str:
        return f"{self.number}/{self.of}"

    def paths(self, paths: Mapping[str, str]) -> dict[str, str]:
        """Of recordings by name those of this shard."""
        return {name: path for name, path in paths.items() if self._holds(name)}

    def folder(self, out_dir: str | os.PathLike[str]) -> str:
        """Where its results are, below those of the whole."""
        return os.path.join(out_dir, _FOLDER, f"{self.number}_of_{self.of}")

    def _holds(self, name: str) -> bool:
        digest = hashlib.blake2b(os.fsencode(name), digest_size=8).digest()
        return int.from_bytes(digest, "big") % self.of == self.number - 1


def begun(out_dir: str | os.PathLike[str]) -> list[Shard]:
    """The shards that have results.

    Raises: ValueError if there are none, or if they are of several numbers of shards.
    """
    above = os.path.join(out_dir, _FOLDER)
    names = os.listdir(above) if os.path.isdir(above) else []
    matches = [match for name in names if (match := _NAME.fullmatch(name))]
    found = sorted(Shard(int(match[2]), int(match[1])) for match in matches)
    counts = sorted({shard.of for shard in found})
    if len(counts) != 1:
        told = " and ".join(f"of {count}" for count in counts)
        raise ValueError(
            f"`merge` must find in {above} the results of --shard=1/n to --shard=n/n, and there "
            + (f"are shards {told}: remove those that are not meant" if counts else "are none")
        )
    return found


def merge(run: SegmentedFolder, parts: Mapping[Shard, SegmentedFolder]) -> None:
    """Takes all that shards have found into the folder of the whole; `run.save` writes it.

    Args:
        run: of the whole, with the recordings that are asked for.
        parts: those that are there, see `SegmentedFolder.beside`.

    Raises: ValueError, one line that names the shards, if some are missing or not finished.
    """
    (count,) = {shard.of for shard in parts}
    unfinished = {}
    for number in range(1, count + 1):
        shard = Shard(count, number)
        part = parts.get(shard)
        names = shard.paths(run.paths)
        done = {*part.all_finished, *part.skipped_before} if part else set()
        left = names.keys() - done
        if left:
            unfinished[shard] = f"{len(left)} recordings left" if part else "not begun"
    if unfinished:
        told = [f"{shard} ({why})" for shard, why in unfinished.items()]
        more = f" and {len(told) - _MOST_NAMED} more" if len(told) > _MOST_NAMED else ""
        raise ValueError(
            f"`merge` must find all {count} shards finished, and missing are "
            f"{', '.join(told[:_MOST_NAMED])}{more}: start those again with "
            f"--shard={next(iter(unfinished))} and so on"
        )
    for part in parts.values():
        run.take(part)
