"""Which versions of a model are served: those in its folder,
loaded and unloaded as they come and go.
"""

import contextlib
import dataclasses
import enum
import logging
import os
import re
import threading
from collections.abc import Iterator, Mapping

from neurovocal_tf.server import refusals, version_faults
from neurovocal_tf.server.loaded_version import LoadedVersion

_LOG = logging.getLogger(__name__)
# Of `google.rpc.Code`: what TensorFlow Serving says of a version that would not load depends on
# why; this server says that it did not.
_OK, _UNKNOWN = 0, 2


class State(enum.IntEnum):
    """Where a version is in its life; the numbers are those of `ModelVersionStatus`."""

    LOADING = 20
    AVAILABLE = 30
    UNLOADING = 40
    END = 50


@dataclasses.dataclass(frozen=True)
class VersionStatus:
    """What is known of a version.

    Attributes:
        state: `State`.    error: str, why it ended; empty if nothing went wrong.
    """

    state: State
    error: str = ""

    @property
    def error_code(self) -> int:
        """int, of `google.rpc.Code`."""
        return _UNKNOWN if self.error else _OK


class Versions:
    """The newest versions in a folder. `refresh` looks for others; `watch` does so again and again.

    A new version is loaded and warmed up beside the old one, then takes over; the old one is
    unloaded when its last request is answered. A version that does not load leaves its place to the
    one before it, and is tried again when its folder has changed.

    Args:
        model_dir: folder of versions, each a folder whose name is its number.
        num_versions: int, how many of the newest are served.
        num_batch_threads: see `LoadedVersion`.
        labels: dict of label -> version.
    """

    def __init__(
        self,
        model_dir: str | os.PathLike[str],
        num_versions: int = 1,
        num_batch_threads: int = 2,
        labels: Mapping[str, int] | None = None,
    ) -> None:
        self._model_dir = os.path.abspath(model_dir)
        self._num_versions = num_versions
        self._num_batch_threads = num_batch_threads
        self._labels = dict(labels or {})
        self._changed = threading.Condition()
        self._loaded: dict[int, LoadedVersion] = {}
        self._num_leases: dict[int, int] = {}
        self._statuses: dict[int, VersionStatus] = {}
        self._failed: dict[int, tuple[tuple[str, int, int], ...]] = {}
        self._stop = threading.Event()
        self._watcher: threading.Thread | None = None

    @property
    def statuses(self) -> dict[int, VersionStatus]:
        """Dict of version -> `VersionStatus`, the newest first."""
        with self._changed:
            return dict(sorted(self._statuses.items(), reverse=True))

    @property
    def layouts(self) -> dict[int, int]:
        """Dict of version -> the layout in which this machine sings its songs,
        of the loaded ones that have told.
        """
        with self._changed:
            return {
                number: loaded.layout
                for number, loaded in sorted(self._loaded.items())
                if loaded.layout is not None
            }

    @property
    def is_available(self) -> bool:
        """Whether there is a version to ask."""
        return bool(self._loaded)

    @contextlib.contextmanager
    def lease(
        self, model_name: str, version: int | None = None, label: str | None = None
    ) -> Iterator[tuple[int, LoadedVersion]]:
        """Number and `LoadedVersion` of the version that is asked for, the newest if none is; it
        stays loaded within the block.

        Raises:
            refusals.Refusal: it is not there.
        """
        with self._changed:
            if label is not None:
                if label not in self._labels:
                    raise refusals.invalid(f"Unrecognized servable version label: {label}")
                version = self._labels[label]
            number = max(self._loaded, default=None) if version is None else version
            if number is None or number not in self._loaded:
                asked = (
                    f"Latest({model_name})"
                    if version is None
                    else f"Specific({model_name}, {version})"
                )
                raise refusals.not_found(f"Servable not found for request: {asked}")
            loaded = self._loaded[number]
            self._num_leases[number] += 1
        try:
            yield number, loaded
        finally:
            with self._changed:
                self._num_leases[number] -= 1
                self._changed.notify_all()

    def refresh(self) -> None:
        """Loads what is new in the folder, then unloads what is no longer wanted."""
        folders = self._folders()
        self._forget_faults_of_others(folders)
        present: list[int] = []
        for number in sorted(folders, reverse=True):
            if len(present) == self._num_versions:
                break
            # One that does not load leaves its place to an older one.
            if number in self._loaded or self._load(number, folders[number]):
                present.append(number)
        # Never down to nothing: a version that does not load, or a folder that is emptied,
        # leaves the last good one.
        served = sorted(self._loaded, reverse=True)
        wanted = present or served[: self._num_versions]
        for number in served:
            if number not in wanted:
                self._unload(number)

    def faults(self) -> str:
        """Why versions are not served, in one line; empty where nothing is wrong."""
        return "; ".join(
            f"version {number}: {status.error}"
            for number, status in self.statuses.items()
            if status.error
        )

    def watch(self, poll_s: float) -> None:
        """Starts to refresh every so many seconds, until `close`."""

        def run() -> None:
            while not self._stop.wait(poll_s):
                try:
                    self.refresh()
                except OSError as error:
                    _LOG.warning("%s cannot be read: %s", self._model_dir, error)

        self._watcher = threading.Thread(target=run, name="versions", daemon=True)
        self._watcher.start()

    def close(self) -> None:
        """Stops watching and unloads everything, once its requests are answered."""
        self._stop.set()
        if self._watcher:
            self._watcher.join()
        for number in list(self._loaded):
            self._unload(number)

    def _folders(self) -> dict[int, str]:
        """Version -> its folder; one that is still empty is no version yet."""
        names = [name for name in os.listdir(self._model_dir) if re.fullmatch(r"[0-9]{1,18}", name)]
        folders = {int(name): os.path.join(self._model_dir, name) for name in names}
        return {number: folder for number, folder in folders.items() if not _is_empty(folder)}

    def _forget_faults_of_others(self, folders: Mapping[int, str]) -> None:
        """What was wrong with folders that are gone is no longer told."""
        with self._changed:
            gone = [
                number
                for number, status in self._statuses.items()
                if status.error and number not in folders
            ]
            for number in gone:
                del self._statuses[number]
                self._failed.pop(number, None)

    def _load(self, number: int, folder: str) -> bool:
        """Whether a version is served from now on."""
        contents = _contents(folder)
        if self._failed.get(number) == contents:
            return False
        self._tell(number, VersionStatus(State.LOADING))
        try:
            loaded = LoadedVersion(folder, self._num_batch_threads)
            try:
                loaded.warm_up()
            except BaseException:
                loaded.close()
                raise
        # Whatever is wrong with a version must not end the ones that are served.
        except Exception as error:
            self._failed[number] = contents
            self._tell(number, VersionStatus(State.END, version_faults.in_words(error)))
            return False
        self._failed.pop(number, None)
        with self._changed:
            self._loaded[number], self._num_leases[number] = loaded, 0
        self._tell(number, VersionStatus(State.AVAILABLE))
        if loaded.layout is not None:
            _LOG.info(
                "version %d: songs in layout %d, %s",
                number,
                loaded.layout,
                loaded.layout_description,
            )
        return True

    def _unload(self, number: int) -> None:
        self._tell(number, VersionStatus(State.UNLOADING))
        with self._changed:
            loaded = self._loaded.pop(number)
            self._changed.wait_for(lambda: not self._num_leases[number])
            del self._num_leases[number]
        loaded.close()
        self._tell(number, VersionStatus(State.END))

    def _tell(self, number: int, status: VersionStatus) -> None:
        with self._changed:
            self._statuses[number] = status
        _LOG.info(
            "version %d: %s%s",
            number,
            status.state.name,
            f": {status.error}" if status.error else "",
        )


def _is_empty(folder: str) -> bool:
    try:
        return not os.listdir(folder)
    except OSError:
        return False


def _contents(folder: str) -> tuple[tuple[str, int, int], ...]:
    """What tells whether anything in a folder has changed."""
    paths = [os.path.join(root, name) for root, _, names in os.walk(folder) for name in names]
    return tuple((path, *_size_and_time(path)) for path in sorted([folder, *paths]))


def _size_and_time(path: str) -> tuple[int, int]:
    try:
        stat = os.stat(path)
    # A link to nowhere, or a file that has gone since it was listed.
    except OSError:
        return -1, -1
    return stat.st_size, stat.st_mtime_ns
