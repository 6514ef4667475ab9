"""Where the vocalizations of recordings are, as a table. Needs no TensorFlow."""

import concurrent.futures
from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from tqdm.auto import tqdm

from neurovocal_tf import processors
from neurovocal_tf.api import arguments, sound
from neurovocal_tf.api.arguments import Path
from neurovocal_tf.audio import readers
from neurovocal_tf.audio.listing import Listing
from neurovocal_tf.audio.unreadable import UnreadableRecording, cannot_be_opened
from neurovocal_tf.config import Config
from neurovocal_tf.segmentation import preset_choice, refinement
from neurovocal_tf.segmentation.detector import blocks_of
from neurovocal_tf.segmentation.frequency_bounds import bounds_in_recording_hz
from neurovocal_tf.segmentation.refinement import Refinement
from neurovocal_tf.segmentation.segmented_file import SegmentedFile, segment_file, segment_samples

_USED = ("audio", "segmentation", "n_fft", "hop_length")


def segment(
    recordings: npt.ArrayLike | Path | list[Path],
    preset: str | Config = "songbird",
    rate: int | None = None,
    *,
    num_workers: int = 0,
    refine: Path | None = None,
    progress: bool = True,
    **settings: Any,
) -> pd.DataFrame:
    """Finds the vocalizations of recordings.

    Args:
        recordings: samples [N], full scale 1; or a file, a folder, a pattern such as
            "birds/*/song*.wav", a list file (.txt), a table with a column `file` (.csv, .parquet),
            or a Python list of such.
        preset: name of a preset, see `Config.presets`; "auto": the one that fits files; or a
            `Config`.
        rate: Hz, of samples; left out for files.
        refine: a refinement.json of `neurovocal segment --learn`, for a second look at what is
            found; settings of groups have no part then.
        num_workers: files at once; 0: as many as there are cores.
        progress: show a bar where there are several files.
        settings: of the sections `audio` and `segmentation`, such as `threshold=5` (dB over the
            noise), and `n_fft` and `hop_length`, in which bands are measured.

    Returns:
        DataFrame with a row for each vocalization: `file` (the path; "" of samples), `onset_s`,
        `offset_s` (seconds from the recording's start), `score` (dB over the threshold, of the
        loudest moment), `low_hz`, `high_hz` (the band with the middle 90 % of its power).
        `attrs["skipped"]` and `attrs["notes"]` are dicts of file -> why it could not be used, and
        what should be known of it.

    Raises:
        ValueError: an argument is wrong, or no recording can be used. Of several files those that
            cannot be used are warned of.
    """
    if arguments.is_samples(recordings):
        config = arguments.config_of(preset, settings, _USED)
        second = _second_look(refine, config)
        return _in_samples(recordings, rate, config, second, "channel" in settings)
    if rate is not None:
        raise ValueError(
            "`rate` must be left out for files, which tell their own; sample_rate resamples. "
            f"Received: rate={rate}"
        )
    listing = arguments.listing_of(recordings)

    def choose() -> tuple[str, str]:
        audio = arguments.config_of(Config(), settings, _USED).audio
        return preset_choice.choose({path: path for path in listing.paths}, audio)

    config = arguments.config_of(preset, settings, _USED, choose)
    num_workers = (
        arguments.count_of(num_workers, "num_workers", 0, 10_000) or processors.num_cores()
    )
    return _in_files(listing, config, _second_look(refine, config), num_workers, progress)


def _second_look(path: Path | None, config: Config) -> Refinement | None:
    if path is None:
        return None
    found = refinement.read(arguments.file_of(path, "refine"))
    found.check(config)
    return found


def _in_samples(
    recording: Any, rate: int | None, config: Config, second: Refinement | None, has_channel: bool
) -> pd.DataFrame:
    samples, rate = sound.samples_and_rate(recording, rate, config, has_channel)
    try:
        found = segment_samples(samples, rate, config, second)
    except UnreadableRecording as reason:
        raise ValueError(
            f"`recordings` must be a recording in which something can be found. "
            f"Received: {len(samples)} samples: {reason}"
        ) from None
    return _table([_rows("", found, blocks_of(samples), config)], {}, _notes({"": found}))


def _in_files(
    listing: Listing, config: Config, second: Refinement | None, num_workers: int, progress: bool
) -> pd.DataFrame:
    found: dict[str, tuple[SegmentedFile, pd.DataFrame]] = {}
    skipped, paths = dict(listing.skipped), listing.paths
    with (
        concurrent.futures.ThreadPoolExecutor(num_workers) as pool,
        tqdm(total=len(paths), unit="file", disable=not progress or len(paths) == 1) as bar,
    ):
        futures = {pool.submit(_in_file, path, config, second): path for path in paths}
        try:
            for future in concurrent.futures.as_completed(futures):
                path = futures[future]
                try:
                    found[path] = future.result()
                except UnreadableRecording as reason:
                    skipped[path] = str(reason)
                except OSError as error:
                    skipped[path] = cannot_be_opened(path, error)
                bar.update()
        finally:
            pool.shutdown(cancel_futures=True)
    if not found:
        raise arguments.none_usable(skipped)
    arguments.warn_of(skipped)
    in_order = [path for path in paths if path in found]
    return _table(
        [found[path][1] for path in in_order],
        skipped,
        _notes({path: found[path][0] for path in in_order}),
    )


def _in_file(
    path: str, config: Config, second: Refinement | None
) -> tuple[SegmentedFile, pd.DataFrame]:
    found, audio = segment_file(path, config, refinement=second), config.audio
    blocks = readers.blocks(
        path, audio.channel, found.sample_rate, audio.time_expansion, audio.float_scale
    )
    return found, _rows(path, found, blocks, config)


def _rows(
    file: str, found: SegmentedFile, blocks: Iterator[np.ndarray], config: Config
) -> pd.DataFrame:
    bounds = bounds_in_recording_hz(
        blocks, found.sample_rate, found.onsets_s, found.offsets_s, config
    )
    return pd.DataFrame(
        {
            "file": pd.Series([file] * len(bounds), dtype=object),
            "onset_s": found.onsets_s,
            "offset_s": found.offsets_s,
            "score": found.scores_db,
            "low_hz": bounds[:, 0],
            "high_hz": bounds[:, 1],
        }
    )


def _notes(found: dict[str, SegmentedFile]) -> dict[str, str]:
    return {file: of_one.note for file, of_one in found.items() if of_one.note}


def _table(
    tables: list[pd.DataFrame], skipped: dict[str, str], notes: dict[str, str]
) -> pd.DataFrame:
    # Empty tables have no say in the types of columns.
    full = [table for table in tables if len(table)] or tables[:1]
    table = pd.concat(full, ignore_index=True)
    table.attrs |= {"skipped": skipped, "notes": notes}
    return table
