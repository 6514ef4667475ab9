"""Whether the recordings of a run are still those it began with: when it goes on, and as long as it
reads them.
"""

import concurrent.futures
import contextlib
import os
from collections.abc import Iterable, Iterator, Mapping

from neurovocal_tf.audio import identity
from neurovocal_tf.data.sources import Source


def check_same(sources: Iterable[Source]) -> None:
    """Looks whether recordings are those that they were when their sources were made.

    Sources of runs of earlier versions, which know nothing of that, pass.

    Raises:
        ValueError: some are others, or have gone.
    """
    known = {source.path: source.identity for source in sources}
    missing = [(path, "") for path in known if not os.path.isfile(path)]
    if missing:
        raise _others(missing, len(known))
    compared = [path for path in known if known[path] is not None]
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        found = pool.map(lambda path: identity.difference(path, known[path]), compared)
        changed = [(path, what) for path, what in zip(compared, found, strict=True) if what]
    if changed:
        raise _others(changed, len(known))


class Watch:
    """Over recordings that are read again and again.

    Args:
        stamps: dict of path -> size and time, as `identity.stamp_of` tells them.
    """

    def __init__(self, stamps: Mapping[str, tuple[int, int]]) -> None:
        self._stamps = dict(stamps)

    @classmethod
    def over(cls, sources: Iterable[Source]) -> "Watch":
        """A watch from when their sources were made."""
        return cls({source.path: source.identity.stamp for source in sources if source.identity})

    @classmethod
    def from_now(cls, sources: Iterable[Source]) -> "Watch":
        """A watch from now on.  Raises OSError where one is not there."""
        return cls({source.path: identity.stamp_of(source.path) for source in sources})

    def check(self) -> None:
        """Raises ValueError where recordings have changed since, or have gone."""
        changed = []
        for path, stamp in self._stamps.items():
            try:
                if identity.stamp_of(path) != stamp:
                    changed.append((path, "has changed since this run began to read it"))
            except OSError:
                changed.append((path, ""))
        if changed:
            raise _others(changed, len(self._stamps))

    @contextlib.contextmanager
    def blamed(self) -> Iterator[None]:
        """What goes wrong in the block is told as `check` does where recordings are to blame."""
        try:
            yield
        except Exception:
            self.check()
            raise


def _others(changed, num_recordings):
    """The error that names the first of some (path, what is wrong or "" where it is not there)."""
    path, what = changed[0]
    first = f"{path} {what}" if what else f"there is no {path}"
    more = f" ({len(changed)} of {num_recordings} are others)" if len(changed) > 1 else ""
    return ValueError(
        f"`data_dir` must hold the recordings this run began with, and {first}{more}. Put them "
        "back, name the folder where they are by --data_dir, or train into another --workdir."
    )
