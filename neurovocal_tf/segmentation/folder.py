"""A folder of recordings -> annotations.csv, files.csv and skipped.csv:
in parallel, stoppable, and picked up again.
"""

import concurrent.futures
import csv
import dataclasses
import os
import threading
import time
from collections.abc import Callable, Iterator, Mapping

import numpy as np

from neurovocal_tf import config as config_lib
from neurovocal_tf import files
from neurovocal_tf.annotations import Annotation, csv_table
from neurovocal_tf.audio import identity, readers
from neurovocal_tf.config import Config
from neurovocal_tf.segmentation import detector
from neurovocal_tf.segmentation.known_recordings import KnownRecordings

COLUMNS = (*csv_table.COLUMNS, "score")
_FILE_COLUMNS = ("file", "num_bytes", "sample_rate", "duration_s", "num_segments", "note")
# Settings that say what is found; how much of an epoch is kept in memory does not.
_SECTIONS = ("audio", "segmentation")
_SAVE_EVERY_S = 10.0


@dataclasses.dataclass(frozen=True)
class SegmentedFile:
    """What was found in one recording.

    Attributes:
        sample_rate: Hz.    duration_s: seconds that were read.
        onsets_s, offsets_s: `[S]`, seconds from the start of the recording.
        scores_db: `[S]`, see `detector.Segments`.
        note: a sentence for the user, or "".
    """

    sample_rate: int
    duration_s: float
    onsets_s: np.ndarray
    offsets_s: np.ndarray
    scores_db: np.ndarray
    note: str = ""


class Stopped(Exception):
    """The user asked to stop in the middle of a file."""


def segment_file(
    path: str | os.PathLike[str],
    config: Config,
    on_block: Callable[[float], object] = lambda share: None,
) -> SegmentedFile:
    """Segments of one recording of any length.

    Args:
        path: the file.    config: `Config`; its `audio` and `segmentation` count.
        on_block: called whenever a block was read, with what share of the recording it is.

    Returns: `SegmentedFile`.

    Raises: `readers.UnreadableRecording` if the file is no recording, silent, too short, or has
        nothing in the detector's band.
    """
    recording = readers.probe(path, config.audio.time_expansion)
    sample_rate = recording.rate_at(config.audio.sample_rate)
    expected = max(recording.num_samples * sample_rate // recording.sample_rate, 1)
    extremes = [np.inf, -np.inf]

    def blocks() -> Iterator[np.ndarray]:
        for block in readers.blocks(
            path, config.audio.channel, sample_rate, config.audio.time_expansion
        ):
            extremes[:] = min(extremes[0], block.min()), max(extremes[1], block.max())
            on_block(len(block) / expected)
            yield block

    try:
        found = detector.detect_in_blocks(blocks, sample_rate, config.segmentation)
    except readers.UnreadableRecording:
        raise
    except ValueError as error:
        # What is wrong for this file's rate may be right for another's.
        raise readers.UnreadableRecording(str(error)) from None
    if extremes[0] == extremes[1]:
        raise readers.UnreadableRecording("is silent")
    duration_s = found.num_samples / sample_rate
    if duration_s * 1000 <= config.segmentation.min_length_ms:
        raise readers.UnreadableRecording(f"is shorter than a segment: {found.num_samples} samples")
    columns = found.onsets / sample_rate, found.offsets / sample_rate, found.scores_db
    return SegmentedFile(
        sample_rate, duration_s, *columns, _note(recording, expected, found.num_samples, duration_s)
    )


def _note(recording: readers.Recording, expected: int, num_samples: int, duration_s: float) -> str:
    # Encoders of lossy formats pad by a frame or so.
    if recording.is_cut_off or num_samples < 0.99 * expected:
        return f"is cut off: read as far as it goes, {duration_s:.3f} s"
    return ""


def recordings_by_name(data_dir: str | os.PathLike[str]) -> dict[str, str]:
    """Dict of name -> path of all recordings in a folder, or of one recording;
    the name is relative to the folder it is in.
    """
    base = data_dir if os.path.isdir(data_dir) else os.path.dirname(os.path.abspath(data_dir))
    return {os.path.relpath(path, base): path for path in readers.list_recordings(data_dir)}


class SegmentedFolder:
    """The state of one run over a folder of recordings, kept in an output folder.

    Args:
        data_dir: folder of recordings, or one recording.
        out_dir: folder of the results; made if it is not there.
        config: `Config`.
        paths: of the recordings to segment, as `recordings_by_name` has them; None: all.

    Attributes:
        paths: dict of file name, relative to `data_dir` -> path, of the recordings.
        results: dict of file name -> `SegmentedFile`, of those done in this process.
        skipped: dict of file name -> reason.
        num_resumed: files that an earlier start has finished.
        changed: dict of file name -> how its recording differs from the one that an earlier start
            has segmented, so that it is segmented anew.

    Raises: ValueError if there is no recording, or the output folder holds
        results of other settings.
    """

    def __init__(
        self,
        data_dir: str | os.PathLike[str],
        out_dir: str | os.PathLike[str],
        config: Config,
        paths: Mapping[str, str] | None = None,
    ) -> None:
        self.paths = recordings_by_name(data_dir) if paths is None else paths
        self.out_dir, self.config = os.fspath(out_dir), config
        self.results: dict[str, SegmentedFile] = {}
        self.skipped: dict[str, str] = {}
        self.changed: dict[str, str] = {}
        os.makedirs(self.out_dir, exist_ok=True)
        self._check_settings()
        self._known = KnownRecordings(self.out_dir)
        self._files: dict[str, Mapping[str, str | int]] = {
            row["file"]: row for row in self._rows("files.csv") if self._is_as_it_was(row)
        }
        self._segments: dict[str, list[dict[str, str]]] = {name: [] for name in self._files}
        names = {self._place(name): name for name in self._files}
        for row in self._rows("annotations.csv"):
            if row["file"] in names:
                self._segments[names[row["file"]]].append(row)
        # What was written just before a crash and is told in one file only, or with a folder that
        # has moved since, is done anew.
        for name in [
            name
            for name in self._files
            if len(self._segments[name]) != int(self._files[name]["num_segments"])
        ]:
            del self._files[name], self._segments[name]
        self.num_resumed = len(self._files)

    def run(self, num_workers: int, progress: Callable[[int], object]) -> None:
        """Segments what is not done yet; saves every ten seconds, at the end, and when stopped.

        Args:
            num_workers: files at once.
            progress: called with a number of bytes of the recordings,
                whenever so many more are done.
        """
        stop, saved = threading.Event(), time.monotonic()
        with concurrent.futures.ThreadPoolExecutor(num_workers) as pool:
            futures = {
                pool.submit(self._segment_one, name, stop, progress): name for name in self._left
            }
            try:
                for future in concurrent.futures.as_completed(futures):
                    self._keep(futures[future], future)
                    if time.monotonic() - saved > _SAVE_EVERY_S:
                        self.save()
                        saved = time.monotonic()
            finally:
                stop.set()
                pool.shutdown(wait=True, cancel_futures=True)
                self.save()

    def segments(self, name: str) -> np.ndarray:
        """Onsets and offsets in seconds `[S, 2]` of a finished file,
        from this start or an earlier one.
        """
        rows = self._segments[name]
        return np.array([(float(row["onset_s"]), float(row["offset_s"])) for row in rows]).reshape(
            -1, 2
        )

    def annotations(self, name: str) -> list[Annotation]:
        """List of `Annotation` of a finished file, its path absolute."""
        channel = int(self.config.audio.channel) if self.config.audio.channel.isdigit() else None
        path = os.path.abspath(self.paths[name])
        return [
            Annotation(
                path,
                float(row["onset_s"]),
                float(row["offset_s"]),
                channel=channel,
                score=float(row["score"]),
            )
            for row in self._segments[name]
        ]

    def duration_s(self, name: str) -> float:
        """Seconds that were read of a finished file."""
        return float(self._files[name]["duration_s"])

    def content(self, name: str) -> str:
        """What changes where the recording of a finished file does."""
        return self._known.content(name) or str(self._files[name]["num_bytes"])

    def figures(self) -> dict[str, float]:
        """Flat dict: `num_files` finished, `num_skipped`,
        `num_segments` and `duration_s` of all.
        """
        return {
            "num_files": len(self._files),
            "num_skipped": len(self.skipped),
            "num_segments": sum(map(len, self._segments.values())),
            "duration_s": sum(map(self.duration_s, self._files)),
        }

    @property
    def num_bytes_left(self) -> int:
        """Bytes of the recordings that are not done yet."""
        return sum(os.path.getsize(self.paths[name]) for name in self._left)

    @property
    def _left(self) -> list[str]:
        return [name for name in self.paths if name not in self._files and name not in self.skipped]

    @property
    def finished(self) -> list[str]:
        """Names of the finished files, in order."""
        return sorted(self._files)

    def save(self) -> None:
        """Writes annotations.csv, files.csv, skipped.csv and config.json."""
        names = self.finished
        rows = (
            [row[column] for column in COLUMNS] for name in names for row in self._segments[name]
        )
        # In this order, so that whatever files.csv says is done has its segments and is known.
        self._known.save(names)
        files.write_csv(self._path("annotations.csv"), COLUMNS, rows)
        files.write_csv(
            self._path("files.csv"),
            _FILE_COLUMNS,
            ([self._files[name][c] for c in _FILE_COLUMNS] for name in names),
        )
        files.write_csv(self._path("skipped.csv"), ("file", "reason"), sorted(self.skipped.items()))
        files.write_text(self._path("config.json"), self.config.to_json() + "\n")

    def _segment_one(
        self, name: str, stop: threading.Event, progress: Callable[[int], object]
    ) -> SegmentedFile:
        path = self.paths[name]
        size, seen, told = os.path.getsize(path), 0.0, 0

        def tell(num_bytes: int) -> None:
            nonlocal told
            # Whole bytes, so that all of them add up to the whole.
            progress(num_bytes - told)
            told = num_bytes

        def on_block(share: float) -> None:
            nonlocal seen
            if stop.is_set():
                raise Stopped
            # A long recording is gone through more than once,
            # and how often is not known before: never more than it is.
            seen = min(seen + share / self._num_passes(path), 1.0)
            tell(int(seen * size))

        try:
            found = segment_file(path, self.config, on_block)
            # Its bytes have just been read, and most are still in memory.
            self._known.keep(name, identity.identity_of(path))
            return found
        finally:
            tell(size)

    def _num_passes(self, path: str | os.PathLike[str]) -> int:
        long = os.path.getsize(path) > 64 * 2**20
        return 3 if long and self.config.segmentation.threshold_method != "absolute" else 1

    def _keep(self, name: str, future: concurrent.futures.Future[SegmentedFile]) -> None:
        try:
            found = future.result()
        except readers.UnreadableRecording as reason:
            self.skipped[name] = str(reason)
            return
        except (Stopped, concurrent.futures.CancelledError):
            return
        self.results[name] = found
        self._files[name] = {
            "file": name,
            "num_bytes": os.path.getsize(self.paths[name]),
            "sample_rate": found.sample_rate,
            "duration_s": f"{found.duration_s:.6f}",
            "num_segments": len(found.onsets_s),
            "note": found.note,
        }
        columns, place = (found.onsets_s, found.offsets_s, found.scores_db), self._place(name)
        self._segments[name] = [
            {
                "file": place,
                "onset_s": f"{onset:.6f}",
                "offset_s": f"{offset:.6f}",
                "label": "",
                "score": f"{score:.2f}",
            }
            for onset, offset, score in zip(*columns, strict=True)
        ]

    def _check_settings(self) -> None:
        path = self._path("config.json")
        if not os.path.exists(path):
            return
        with open(path, encoding="utf-8") as file:
            before = config_lib.Config.from_json(file.read())
        counted = {field.name for section, field in config_lib.settings() if section in _SECTIONS}
        for name, old, new in config_lib.changed_settings(before, self.config):
            if name in counted:
                raise ValueError(
                    f"`{name}` must be {old}, with which {self.out_dir} was begun, or the results "
                    f"go elsewhere. Received: {name}={new}"
                )

    def _rows(self, name: str) -> list[dict[str, str]]:
        if not os.path.exists(self._path(name)):
            return []
        with open(self._path(name), newline="", encoding="utf-8") as file:
            return list(csv.DictReader(file))

    def _is_as_it_was(self, row: dict[str, str]) -> bool:
        path = self.paths.get(row["file"])
        if path is None:
            return False
        what = self._known.difference(row["file"], path, row["num_bytes"])
        if what:
            self.changed[row["file"]] = what
        return not what

    def _place(self, name: str) -> str:
        """Where a reader of annotations.csv finds a recording:
        relative to its folder, as `Annotation.file` is.
        """
        folder, base = os.path.split(os.path.abspath(self.paths[name]))
        # Of linked folders, what lies above is another one; a linked recording keeps its name.
        path = os.path.join(os.path.realpath(folder), base)
        try:
            return os.path.relpath(path, os.path.realpath(self.out_dir))
        except ValueError:
            # On another drive.
            return path

    def _path(self, name: str) -> str:
        return os.path.join(self.out_dir, name)
