"""Pages to review by eye what was found: each a recording's spectrogram and sound, with segments
that one moves, adds, deletes and labels, and saves as a table.

A page is one file without a server. What is done in it is kept by the browser until it is saved.
"""

import os
import urllib.parse
from collections.abc import Callable, Mapping

from neurovocal_tf import annotations, files
from neurovocal_tf.annotations import Annotation
from neurovocal_tf.audio import readers
from neurovocal_tf.config import Config
from neurovocal_tf.pages import html
from neurovocal_tf.pages.excerpts import Excerpt, excerpts, num_excerpts
from neurovocal_tf.segmentation import formats
from neurovocal_tf.segmentation.folder import SegmentedFolder

# In the order in which they run.
_SCRIPTS = (
    "numbers.js",
    "formats.js",
    "segments.js",
    "keeping.js",
    "spectrogram.js",
    "sound.js",
    "view.js",
    "pointer.js",
    "list.js",
    "commands.js",
    "work.js",
    "page.js",
)
# Made by the page itself; other formats are written by --format.
FORMATS = ("csv", "audacity", "raven", "textgrid")
_ON_SEVERAL_PAGES = (
    " The table is of the whole recording, of which this is one page: where a browser does not "
    "carry work from page to page, open on the next one the CSV that you saved on this one."
)


def write(
    folder: SegmentedFolder,
    config: Config,
    on_recording: Callable[[], object] = lambda: None,
) -> dict[str, str]:
    """Writes `review/NAME.html` for each finished recording (NAME_2.html and so on where it is too
    long for one), and `review/index.html` where there are several.

    Args:
        folder: `SegmentedFolder`.    config: `Config`.
        on_recording: called after each recording.

    Returns: dict of a recording's name -> why it has no page.
    """
    failed: dict[str, str] = {}
    rows: list[dict[str, object]] = []
    is_alone, stems = len(folder.finished) == 1, formats.stems_of(folder.paths)
    for name in folder.finished:
        try:
            whole = _whole(folder, name, config) | {
                "stem": os.path.basename(stems[name]),
                "dropped": folder.dropped(name),
                "index": None if is_alone else f"{_up(name)}index.html",
            }
            pages = _write_one(folder, name, config, whole)
        except readers.UnreadableRecording as reason:
            failed[name] = str(reason)
        else:
            rows.append(
                {
                    "name": name,
                    "pages": pages,
                    "durationS": folder.duration_s(name),
                    "numSegments": len(folder.segments(name)),
                }
            )
        on_recording()
    if not is_alone:
        text = html.page("index_page", ("index.js",), {}, {"recordings": rows})
        os.makedirs(os.path.join(folder.out_dir, "review"), exist_ok=True)
        files.write_text(os.path.join(folder.out_dir, "review", "index.html"), text)
    return failed


def _whole(folder: SegmentedFolder, name: str, config: Config) -> dict[str, object]:
    """What all pages of a recording are told of it and of what was found."""
    path = os.path.abspath(folder.paths[name])
    found = formats.with_frequencies(folder.annotations(name), path, config)
    return {
        "name": name,
        "file": path,
        "base": os.path.basename(path),
        "extensions": {format: annotations.EXTENSIONS[format] for format in FORMATS},
        "durationS": folder.duration_s(name),
        "bandHz": _band_hz(path, config),
        "channel": config.audio.channel_number,
        "rows": [_row(annotation) for annotation in found],
    }


def _write_one(
    folder: SegmentedFolder, name: str, config: Config, whole: Mapping[str, object]
) -> list[str]:
    """-> addresses of a recording's pages, relative to the folder of all."""
    path, duration_s = os.path.abspath(folder.paths[name]), folder.duration_s(name)
    num_pages = num_excerpts(path, duration_s, config)
    names = [_page_name(name, number) for number in range(1, num_pages + 1)]
    told = {**whole, "pages": [_address(os.path.basename(page)) for page in names]}
    for number, (page, excerpt) in enumerate(
        zip(names, excerpts(path, duration_s, config), strict=False)
    ):
        text = html.page(
            "review_page",
            _SCRIPTS,
            {"title": f"{name}: review", "name": name, "bounds": _bounds(excerpt, duration_s)},
            {"recording": told | {"page": number}, "excerpt": _excerpt_data(excerpt)},
        )
        out = os.path.join(folder.out_dir, "review", page)
        os.makedirs(os.path.dirname(out), exist_ok=True)
        files.write_text(out, text)
    return [_address(page) for page in names]


def _up(name: str) -> str:
    """From a recording's page to the folder of all pages."""
    return "../" * name.count(os.sep)


def _page_name(name: str, number: int) -> str:
    return files.fitting(name, f"{'' if number == 1 else f'_{number}'}.html")


def _address(page: str) -> str:
    # Names of files need not be UTF-8; their bytes are what an address holds.
    return urllib.parse.quote(os.fsencode(page.replace(os.sep, "/")))


def _band_hz(path: str, config: Config) -> tuple[float, float]:
    """What the detector listens to, (low, high)."""
    audio, segmentation = config.audio, config.segmentation
    highest = readers.probe(path, audio.time_expansion).rate_at(audio.sample_rate) / 2
    high_hz = min(segmentation.high_hz or highest, highest)
    return (segmentation.low_hz if segmentation.low_hz < high_hz else 0.0, high_hz)


def _row(
    a: Annotation,
) -> tuple[float, float, str, float | None, float | None, float | None, int | None]:
    return (a.onset_s, a.offset_s, a.label, a.score, a.low_hz, a.high_hz, a.channel)


def _excerpt_data(excerpt: Excerpt) -> dict[str, object]:
    return {
        "startS": excerpt.start_s,
        "durationS": excerpt.duration_s,
        "columnS": excerpt.column_s,
        "maxHz": excerpt.max_hz,
        "numColumns": excerpt.num_columns,
        "numBins": excerpt.num_bins,
        "levels": html.base64_text(excerpt.levels),
        "soundRate": excerpt.sound_rate,
        "sound": html.base64_text(excerpt.sound),
    }


def _bounds(excerpt: Excerpt, duration_s: float) -> str:
    """What was left out so that the page stays quick."""
    return (
        f"The page holds {excerpt.duration_s:.1f} of {duration_s:.1f} s: a column of the "
        f"spectrogram every {1000 * excerpt.column_s:.2g} ms, levels "
        f"{excerpt.step_db:.1f} dB apart, and the sound up to {excerpt.sound_rate / 2000:g} kHz in "
        "8 bits (mu-law). The table keeps times to the microsecond."
        + (_ON_SEVERAL_PAGES if excerpt.duration_s < duration_s - 0.001 else "")
    )
