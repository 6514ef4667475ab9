"""Draws every recording of a segmented folder with its segments, one at a time, and histograms of
all; goes on where it was stopped.
"""

import csv
import hashlib
import json
import os
import re
from collections.abc import Callable, Mapping, Sequence

import numpy as np
import numpy.typing as npt

from neurovocal_tf import files
from neurovocal_tf.audio import readers
from neurovocal_tf.config import Config
from neurovocal_tf.plots import canvas, segments
from neurovocal_tf.segmentation.folder import SegmentedFolder
from neurovocal_tf.segmentation.overview import Overview, overview
from neurovocal_tf.segmentation.reports import with_names

_COLUMNS = ("file", "num_pages", "shows", "peak_frequencies_hz")


def draw(
    folder: SegmentedFolder,
    true: Mapping[str, npt.ArrayLike] | None,
    config: Config,
    on_picture: Callable[[], object] = lambda: None,
) -> None:
    """Writes `pictures/NAME.png` for each finished recording (NAME_2.png and so on where it needs
    more pages), and `histograms.png`.

    `pictures/drawn.csv` keeps what each picture shows,
    so that those which would be the same are not drawn anew.

    Args:
        folder: `SegmentedFolder`.    true: dict of name -> `[S, 2]` seconds, or None.
        config: `Config`.
        on_picture: called after each recording.
    """
    drawn = _read_drawn(folder)
    durations, gaps, peaks = [], [], []
    try:
        for name in folder.finished:
            found, truth = folder.segments(name), None if true is None else true.get(name, ())
            windows = config.spectrogram.n_fft, config.spectrogram.hop_length
            content, duration_s = folder.content(name), folder.duration_s(name)
            written = config.execution.picture_format, config.execution.picture_dpi
            shows = _digest(
                found, truth, folder.dropped(name), content, duration_s, windows, written
            )
            if not _is_drawn(folder, drawn.get(name), shows, config):
                drawn[name] = {"file": name, "shows": shows} | _draw_one(
                    folder, name, found, truth, config
                )
            durations.append(found[:, 1] - found[:, 0])
            gaps.append(found[1:, 0] - found[:-1, 1])
            peaks.append(
                np.array([float(peak) for peak in drawn[name]["peak_frequencies_hz"].split()])
            )
            on_picture()
    finally:
        if drawn:
            rows = [
                [folder.places[name], *(drawn[name][column] for column in _COLUMNS[1:])]
                for name in sorted(drawn)
            ]
            files.write_csv(os.path.join(folder.out_dir, "pictures", "drawn.csv"), _COLUMNS, rows)
    if durations:
        figure = segments.histograms_figure(
            *(np.concatenate(parts) for parts in (durations, gaps, peaks))
        )
        stem = os.path.join(folder.out_dir, "pictures", "histograms")
        canvas.save_picture(figure, stem, config.execution)


def _draw_one(
    folder: SegmentedFolder,
    name: str,
    found: np.ndarray,
    truth: npt.ArrayLike | None,
    config: Config,
) -> dict[str, str]:
    """How many pages were drawn and what the histograms need."""
    seen, number = _overview(folder, name, found, config), 0
    figures = segments.segment_figures(seen, found, truth, name, folder.dropped(name))
    for number, figure in enumerate(figures, start=1):
        path = _path(folder, name, number, config)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        canvas.save_figure(figure, path, config.execution.picture_dpi)
    return {
        "num_pages": str(number),
        "peak_frequencies_hz": " ".join(f"{peak:.1f}" for peak in seen.peak_frequencies_hz),
    }


def _overview(folder: SegmentedFolder, name: str, found: np.ndarray, config: Config) -> Overview:
    audio, path = config.audio, folder.paths[name]
    rate = readers.probe(path, audio.time_expansion).rate_at(audio.sample_rate)
    column_s = segments.column_s(folder.duration_s(name))
    return overview(
        lambda: readers.blocks(path, audio.channel, rate, audio.time_expansion, audio.float_scale),
        rate,
        config,
        found,
        column_s,
    )


def _read_drawn(folder: SegmentedFolder) -> dict[str, dict[str, str]]:
    path = os.path.join(folder.out_dir, "pictures", "drawn.csv")
    if not os.path.exists(path):
        return {}
    with open(path, newline="", encoding="utf-8", errors="replace") as file:
        rows = [row for row in csv.DictReader(file) if _is_whole(row)]
    named = with_names(rows, folder.places)
    return {row["file"]: row for row in named if row["file"] in folder.all_paths}


def _is_whole(row: Mapping[str, object]) -> bool:
    """Whether a row is as it was written: else its picture is drawn anew."""
    return (
        all(isinstance(row.get(column), str) for column in _COLUMNS)
        and str(row["num_pages"]).isdecimal()
        and re.fullmatch(r"[\d. nan]*", str(row["peak_frequencies_hz"])) is not None
    )


def _is_drawn(
    folder: SegmentedFolder, row: dict[str, str] | None, shows: str, config: Config
) -> bool:
    if row is None or row["shows"] != shows:
        return False
    return all(
        os.path.exists(_path(folder, row["file"], number, config))
        for number in range(1, int(row["num_pages"]) + 1)
    )


def _digest(
    found: np.ndarray,
    truth: npt.ArrayLike | None,
    dropped: Sequence[tuple[float, float, str]],
    content: str,
    duration_s: float,
    windows: tuple[int, int],
    written: tuple[str, int],
) -> str:
    shown = [
        found.tolist(),
        None if truth is None else np.asarray(truth, np.float64).tolist(),
        dropped,
        content,
        duration_s,
        windows,
        written,
    ]
    return hashlib.sha256(json.dumps(shown).encode()).hexdigest()[:16]


def _path(folder: SegmentedFolder, name: str, number: int, config: Config) -> str:
    ending = f"{'' if number == 1 else f'_{number}'}.{config.execution.picture_format}"
    return os.path.join(folder.out_dir, "pictures", files.fitting(name, ending))
