"""A folder of recordings -> annotations.csv, files.csv and skipped.csv:
in parallel, stoppable, and picked up again.
"""

import concurrent.futures
import dataclasses
import os
import threading
import time
from collections.abc import Callable, Mapping

import numpy as np

from neurovocal_tf import files
from neurovocal_tf.annotations import Annotation
from neurovocal_tf.audio import identity, listing, readers
from neurovocal_tf.config import Config
from neurovocal_tf.segmentation import begun_with, file_rows, tables
from neurovocal_tf.segmentation.file_rows import Dropped
from neurovocal_tf.segmentation.known_recordings import KnownRecordings
from neurovocal_tf.segmentation.recording_lengths import length_of
from neurovocal_tf.segmentation.refinement import Refinement
from neurovocal_tf.segmentation.reports import Reports
from neurovocal_tf.segmentation.segmented_file import SegmentedFile, Stopped, segment_file
from neurovocal_tf.segmentation.written_files import WrittenFiles

_SAVE_EVERY_S = 10.0


@dataclasses.dataclass(frozen=True)
class NamedRecordings:
    """What `listing.look_at` finds; names are relative to the folder that all recordings are in.

    Attributes:
        paths: dict of name -> path of a recording.
        skipped: dict of name -> path and reason of what may be one and cannot be read.
    """

    paths: dict[str, str]
    skipped: dict[str, tuple[str, str]]


def recordings_in(data_dir: str | os.PathLike[str]) -> NamedRecordings:
    """All recordings that a folder holds, or that a pattern, a list or a table means."""
    base, found = listing.folder_of(data_dir), listing.look_at(data_dir)
    return NamedRecordings(
        {os.path.relpath(path, base): path for path in found.paths},
        {os.path.relpath(path, base): (path, reason) for path, reason in found.skipped},
    )


def recordings_by_name(data_dir: str | os.PathLike[str]) -> dict[str, str]:
    """Dict of name -> path of those that can be read, see `recordings_in`."""
    return recordings_in(data_dir).paths


def _size(path: str | os.PathLike[str]) -> int:
    """Bytes of a file; 0 of one that has gone, which its reader says."""
    return os.path.getsize(path) if os.path.isfile(path) else 0


class SegmentedFolder:
    """The state of one run over a folder of recordings, kept in an output folder.

    Args:
        data_dir: recordings, as `listing.look_at` takes them, or what `recordings_in` found there.
        out_dir: folder of the results; made if it is not there.
        config: `Config`.
        paths: of the recordings to segment, as `recordings_by_name` has them; None: all. What was
            found in others of the folder is kept.
        overwrite: whether to give up what people have changed in earlier results.
        refinement: what takes a second look at all that is found, or None.

    Attributes:
        paths: dict of file name, relative to `listing.folder_of` -> path, of the recordings.
        all_paths: the same of all in the folder.
        results: dict of file name -> `SegmentedFile`, of those done in this process.
        skipped: dict of file name -> reason.
        skipped_before: the same of recordings that are not asked for, from an earlier start.
        places: dict of file name -> what the column `file` of every table calls it.
        num_resumed: files that an earlier start has finished.
        changed: dict of file name -> how its recording differs from the one that an earlier start
            has segmented, so that it is segmented anew.
        written, reports: `WrittenFiles` and `Reports` of the output folder.

    Raises: ValueError if there is no recording, or the output folder holds
        results of other settings, or what people have changed there cannot be read.
    """

    def __init__(
        self,
        data_dir: NamedRecordings | str | os.PathLike[str],
        out_dir: str | os.PathLike[str],
        config: Config,
        paths: Mapping[str, str] | None = None,
        overwrite: bool = False,
        refinement: Refinement | None = None,
    ) -> None:
        if refinement is not None:
            refinement.check(config)
        self._refinement = refinement
        self._recordings = (
            data_dir if isinstance(data_dir, NamedRecordings) else recordings_in(data_dir)
        )
        self.all_paths = self._recordings.paths
        self.paths = self.all_paths if paths is None else paths
        self.out_dir, self.config = os.fspath(out_dir), config
        self.results: dict[str, SegmentedFile] = {}
        self.places = {n: files.place_in(out_dir, path) for n, path in self.all_paths.items()}
        self.skipped: dict[str, str] = {}
        for name, (path, reason) in self._recordings.skipped.items():
            self.skipped[name], self.places[name] = reason, files.place_in(out_dir, path)
        self.changed: dict[str, str] = {}
        os.makedirs(self.out_dir, exist_ok=True)
        self._check_settings()
        self._known = KnownRecordings(self.out_dir, self.places)
        self.written = WrittenFiles(self.out_dir, overwrite)
        self.reports = Reports(self.out_dir, self.written, overwrite, self.places)
        before = self.reports.rows("files.csv", file_rows.FILE_COLUMNS)
        self._gone = sorted({row["file"] for row in before} - set(self.all_paths))
        self._files: dict[str, dict[str, str | int]] = {
            row["file"]: dict(row)
            for row in before
            if row["file"] in self.all_paths
            and row["num_segments"].isdecimal()
            and self._is_as_it_was(row)
        }
        self.skipped_before = {
            row["file"]: row["reason"]
            for row in self.reports.rows("skipped.csv", file_rows.SKIPPED_CSV)
            if row["file"] in self.all_paths and row["file"] not in self.paths
        }
        self._dropped: dict[str, list[Dropped]] = {}
        for row in self.reports.rows("dropped.csv", file_rows.DROPPED_CSV):
            dropped = float(row["onset_s"]), float(row["offset_s"]), row["reason"]
            self._dropped.setdefault(row["file"], []).append(dropped)
        if self.written.is_new:
            self._adopt()
        self._tables = tables.Tables(
            self.out_dir,
            self.written,
            self.all_paths,
            self.places,
            length_of(config.audio.time_expansion),
        )
        # What was written just before a crash and is told in one file only, or with a folder that
        # has moved since, is done anew; where people have changed a table, what is not in it is
        # what they have removed.
        for name in list(self._files):
            if name in self._tables.by_hand:
                continue
            if len(self._tables.segments(name)) != int(self._files[name]["num_segments"]):
                if self._tables.is_any_changed and not self._tables.segments(name):
                    self._tables.by_hand[name] = []
                else:
                    del self._files[name]
                    self._tables.found.pop(name, None)
        self.num_resumed = len(self.finished)

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

    def beside(self, out_dir: str | os.PathLike[str]) -> "SegmentedFolder":
        """What another folder holds for the same recordings and settings; nothing is asked for."""
        return SegmentedFolder(
            self._recordings, out_dir, self.config, {}, self.written.overwrite, self._refinement
        )

    def take(self, other: "SegmentedFolder") -> None:
        """Takes what was found, or skipped, into another folder, of the recordings that are asked
        for and not done yet.

        Raises: ValueError if people have changed what was found there.
        """
        if other._tables.is_any_changed:
            raise ValueError(
                f"{other._path('annotations.csv')} must be as it was written, and has been changed "
                "since: keep it elsewhere, and start that shard again with --overwrite"
            )
        for name in self._left:
            if name in other._files:
                self._files[name] = other._files[name]
                self._dropped[name] = other.dropped(name)
                self._known.take(name, other._known)
                self._tables.found[name] = [
                    dataclasses.replace(a, file=self.places[name])
                    for a in other._tables.segments(name)
                ]
            elif name in other.skipped_before:
                self.skipped[name] = other.skipped_before[name]

    def segments(self, name: str) -> np.ndarray:
        """Onsets and offsets in seconds `[S, 2]` of a finished file,
        from this start or an earlier one.
        """
        found = self._tables.segments(name)
        return np.array([(a.onset_s, a.offset_s) for a in found], float).reshape(-1, 2)

    def annotations(self, name: str) -> list[Annotation]:
        """List of `Annotation` of a finished file, its path absolute."""
        channel = self.config.audio.channel_number
        path = os.path.abspath(self.all_paths[name])
        return [
            dataclasses.replace(a, file=path, channel=channel if a.channel is None else a.channel)
            for a in self._tables.segments(name)
        ]

    def dropped(self, name: str) -> list[Dropped]:
        """What reaches the threshold in a finished file and is no segment, in time order."""
        return self._dropped.get(name, [])

    def duration_s(self, name: str) -> float:
        """Seconds that were read of a finished file."""
        return float(self._files[name]["duration_s"])

    def content(self, name: str) -> str:
        """What changes where the recording of a finished file does."""
        return self._known.content(name) or str(self._files[name]["num_bytes"])

    def figures(self) -> dict[str, float]:
        """Flat dict: `num_files` finished, `num_skipped`, `num_segments`, `duration_s` of all, and
        how many sounds were dropped for each reason, such as `num_too_long`.
        """
        return {
            "num_files": len(self.finished),
            "num_skipped": len(self.skipped),
            "num_segments": sum(len(self._tables.segments(name)) for name in self.finished),
            "duration_s": sum(map(self.duration_s, self.finished)),
        } | {
            column: sum(self._counts(name)[column] for name in self.finished)
            for column in file_rows.COUNTED.values()
        }

    def _counts(self, name: str) -> dict[str, int]:
        return file_rows.counts(self.dropped(name))

    @property
    def num_bytes_left(self) -> int:
        """Bytes of the recordings that are not done yet."""
        return sum(_size(self.paths[name]) for name in self._left)

    @property
    def _left(self) -> list[str]:
        return [name for name in self.paths if name not in self._files and name not in self.skipped]

    @property
    def finished(self) -> list[str]:
        """Names of the finished files that are asked for, in order."""
        return sorted(name for name in self._files if name in self.paths)

    @property
    def all_finished(self) -> list[str]:
        """Names of the finished files, also of those that earlier starts were asked for."""
        return sorted(self._files)

    @property
    def notes(self) -> list[str]:
        """Sentences for the user on what has become of files that people have changed, and of
        recordings that have gone.
        """
        gone = [
            f"{len(self._gone)} recordings that were segmented before are not there any more, such "
            f"as {self._gone[0]}: their segments have left the tables"
            for _ in self._gone[:1]
        ]
        return [*gone, *self._tables.notes, *self.reports.notes]

    def is_by_hand(self, name: str) -> bool:
        """Whether the segments of a recording are what people have made of them."""
        return name in self._tables.by_hand

    def save(self) -> None:
        """Writes annotations.csv, dropped.csv, files.csv, skipped.csv and config.json."""
        names = self.all_finished
        # In this order, so that whatever files.csv says is done has its segments and is known.
        self._known.save(names)
        self._tables.save(names)
        dropped = [row for name in names for row in file_rows.dropped_csv(name, self.dropped(name))]
        self.reports.write("dropped.csv", file_rows.DROPPED_CSV, dropped)
        rows = [file_rows.files_csv(self._files[name], self.dropped(name)) for name in names]
        self.reports.write("files.csv", file_rows.FILES_CSV, rows)
        skipped = sorted((self.skipped_before | self.skipped).items())
        self.reports.write("skipped.csv", file_rows.SKIPPED_CSV, skipped)
        if self._refinement is not None:
            text = begun_with.refinement_text(self._refinement)
            files.write_text(self._path("refinement.json"), text)
        files.write_text(self._path("config.json"), self.config.to_json() + "\n")

    def _segment_one(
        self, name: str, stop: threading.Event, progress: Callable[[int], object]
    ) -> SegmentedFile:
        path = self.paths[name]
        size, seen, told = _size(path), 0.0, 0

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
            found = segment_file(path, self.config, on_block, self._refinement)
            # Its bytes have just been read, and most are still in memory.
            self._known.keep(name, identity.identity_of(path))
            return found
        finally:
            tell(size)

    def _num_passes(self, path: str | os.PathLike[str]) -> int:
        long = _size(path) > 64 * 2**20
        return 3 if long and self.config.segmentation.threshold_method != "absolute" else 1

    def _keep(self, name: str, future: concurrent.futures.Future[SegmentedFile]) -> None:
        try:
            found = future.result()
        except (readers.UnreadableRecording, OSError) as error:
            self.skipped[name] = file_rows.reason_of(self.paths[name], error)
            return
        except (Stopped, concurrent.futures.CancelledError):
            return
        self.results[name] = found
        rows = file_rows.rows_of(name, self.places[name], _size(self.paths[name]), found)
        self._files[name], self._dropped[name] = rows.file, rows.dropped
        self._tables.found[name] = rows.segments

    def _check_settings(self) -> None:
        path = self._path("config.json")
        if not os.path.exists(path):
            return
        with open(path, encoding="utf-8") as file:
            begun_with.check_config(file.read(), self.config, self.out_dir)
        now = begun_with.refinement_text(self._refinement)
        begun_with.check_refinement(self._refinement_before(), now, self.out_dir)

    def _refinement_before(self) -> str:
        path = self._path("refinement.json")
        if not os.path.exists(path):
            return ""
        with open(path, encoding="utf-8") as file:
            return file.read()

    def _adopt(self) -> None:
        """Takes what was written before hashes were kept for what it is, where it shows."""
        self.reports.adopt()
        path = self._path("annotations.csv")
        counts = {self.places[name]: int(row["num_segments"]) for name, row in self._files.items()}
        if os.path.exists(path) and tables.is_as_written(path, counts):
            self.written.adopt("annotations.csv")

    def _is_as_it_was(self, row: dict[str, str]) -> bool:
        path = self.all_paths.get(row["file"])
        if path is None:
            return False
        what = self._known.difference(row["file"], path, row["num_bytes"])
        if what:
            self.changed[row["file"]] = what
        return not what

    def _path(self, name: str) -> str:
        return os.path.join(self.out_dir, name)
