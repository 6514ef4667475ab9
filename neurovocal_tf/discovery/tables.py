"""What was found, as tables: calls.csv, types.csv, syntax.json and merges.csv, and the types as
labels in the formats of the programs that people look at recordings with.

What people have changed of these stays as it is: a merges.csv with their decisions above all.
"""

import functools
import os
from collections.abc import Callable, Mapping, Sequence

import numpy as np

from neurovocal_tf import annotations, files
from neurovocal_tf.annotations import Annotation
from neurovocal_tf.config import Config
from neurovocal_tf.discovery import fitted_file, identity_report, merges
from neurovocal_tf.discovery.discover import Discovery
from neurovocal_tf.segmentation import formats
from neurovocal_tf.segmentation.written_files import WrittenFiles

FORMATS = ("raven", "audacity", "textgrid")
_CALL_COLUMNS = (
    "file",
    "onset_s",
    "offset_s",
    "type",
    "confidence",
    "is_familiar",
    "bout",
    "label",
    "group",
)
TYPE_COLUMNS = (
    "type",
    "num_calls",
    "share",
    "num_recordings",
    "median_duration_s",
    "stability_half",
    "stability_bootstrap",
    "nearest",
    "valley",
    "separation",
    "mean_confidence",
)


def write(
    out_dir: str,
    found: Discovery,
    paths: Mapping[str, str],
    durations_s: Mapping[str, float],
    config: Config,
    groups: Mapping[str, str],
    overwrite: bool = False,
    on_recording: Callable[[], object] = lambda: None,
) -> list[str]:
    """Writes all tables, and the fitted types.

    Args:
        out_dir: folder.    found: `Discovery`.
        paths, durations_s: dicts of recording's name -> path, seconds.
        config: `Config`; its `audio`, `segmentation` and `spectrogram` count.
        groups: dict of recording's name -> group.
        overwrite: whether to give up what people have changed.
        on_recording: called after each recording.

    Returns: names of the files that people have changed, and which stay as they are.
    """
    written = WrittenFiles(out_dir, overwrite)
    kept: list[str] = []

    def put(name: str, write_to: Callable[[str], object]) -> None:
        os.makedirs(os.path.dirname(os.path.join(out_dir, name)) or out_dir, exist_ok=True)
        if not written.write_unless_changed(name, write_to):
            kept.append(name)

    def put_rows(name: str, columns: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
        put(name, lambda path: files.write_csv(path, columns, rows))

    places = {name: files.place_in(out_dir, path) for name, path in paths.items()}
    put_rows("calls.csv", _CALL_COLUMNS, _call_rows(found, groups, places))
    put_rows("types.csv", TYPE_COLUMNS, type_rows(found))
    put("syntax.json", lambda path: files.write_json(path, order(found)))
    put_rows(
        "merges.csv",
        merges.COLUMNS,
        merges.rows(found.suggestions, found.type_names, examples(found)),
    )
    if found.identity:
        told = identity_report.content(found.identity)
        put_rows("identity.csv", identity_report.COLUMNS, identity_report.rows(found.identity))
        put("identity.json", lambda path: files.write_json(path, told))
    fitted_file.save(out_dir, found.fitted)
    stem_of = formats.stems_of(paths)
    for number, name in enumerate(found.names):
        path = os.path.abspath(paths[name])
        own = formats.with_frequencies(_annotations(found, number, path), path, config)
        for format in FORMATS if own else ():
            put(
                os.path.join(format, files.fitting(stem_of[name], annotations.EXTENSIONS[format])),
                functools.partial(
                    annotations.write,
                    annotations=own,
                    format=format,
                    durations_s={path: durations_s[name]},
                ),
            )
        on_recording()
    return kept


def type_rows(found: Discovery) -> list[list[object]]:
    """Rows under `TYPE_COLUMNS`; what is not known is empty."""
    bouts, sure = found.bouts, found.stability
    depths = found.fitted.types.depths()
    rows: list[list[object]] = []
    for number, name in enumerate(found.type_names):
        own = bouts.types == number
        near = _nearest(depths, number)
        durations_s = (bouts.offsets_s - bouts.onsets_s)[own]
        rows.append(
            [
                name,
                int(own.sum()),
                _number(float(own.mean()), 4),
                len(np.unique(bouts.recordings[own])),
                _number(float(np.median(durations_s)), 4) if own.any() else "",
                _number(sure.subsampled[number], 3) if sure else "",
                _number(sure.bootstrapped[number], 3) if sure else "",
                found.type_names[near[0]] if near else "",
                _number(near[1], 3) if near else "",
                _number(near[2], 3) if near else "",
                _number(float(found.confidences[own].mean()), 3) if own.any() else "",
            ]
        )
    return rows


def order(found: Discovery) -> dict[str, object]:
    """What syntax.json holds."""
    sure = found.stability
    agreement = found.agreement
    return {
        "types": list(found.type_names),
        "num_calls": len(found.bouts.types),
        "num_types": {
            "found": len(found.type_names),
            "low": sure.num_types_low if sure else None,
            "high": sure.num_types_high if sure else None,
            "resampled": sure.unit if sure else None,
        },
        "syntax": found.syntax,
        "held_out": found.reach,
        "groups": found.groups,
        "labels": None
        if found.label_syntax is None
        else {"agreement": vars(agreement) if agreement else None, "syntax": found.label_syntax},
        "caveats": found.caveats,
    }


def _call_rows(
    found: Discovery, groups: Mapping[str, str], places: Mapping[str, str]
) -> list[list[object]]:
    bouts = found.bouts
    bout = np.cumsum(~bouts.follows)
    return [
        [
            places[found.names[bouts.recordings[call]]],
            f"{bouts.onsets_s[call]:.6f}",
            f"{bouts.offsets_s[call]:.6f}",
            found.type_names[bouts.types[call]],
            f"{found.confidences[call]:.3f}",
            int(found.is_familiar[call]),
            int(bout[call]),
            "" if found.labels is None else found.labels[call],
            groups.get(found.names[bouts.recordings[call]], ""),
        ]
        for call in range(len(bouts.types))
    ]


def _annotations(found: Discovery, number: int, path: str) -> list[Annotation]:
    bouts = found.bouts
    return [
        Annotation(
            path,
            float(bouts.onsets_s[call]),
            float(bouts.offsets_s[call]),
            found.type_names[bouts.types[call]],
            score=round(float(found.confidences[call]), 3),
        )
        for call in np.flatnonzero(bouts.recordings == number)
    ]


def examples(found: Discovery) -> list[str]:
    """A typical call of each type, as file and time, "" where there is none."""
    told = []
    for number in range(len(found.type_names)):
        calls = typical_calls(found, number, 1)
        told.append(
            f"{found.names[found.bouts.recordings[calls[0]]]} at "
            f"{found.bouts.onsets_s[calls[0]]:.3f} s"
            if len(calls)
            else ""
        )
    return told


def typical_calls(found: Discovery, number: int, how_many: int) -> np.ndarray:
    """Which calls of a type lie nearest to its middle, int `[how_many or fewer]`."""
    own = np.flatnonzero(found.bouts.types == number)
    if not len(own):
        return own
    middle = np.median(found.points[own], axis=0)
    distances = np.linalg.norm(found.points[own] - middle, axis=1)
    return own[np.argsort(distances, kind="stable")[:how_many]]


def _nearest(
    depths: Mapping[tuple[int, int], tuple[float, float]], number: int
) -> tuple[int, float, float] | None:
    """The type whose centre is nearest for its spread, the valley to it, and the separation."""
    own = [
        (separation, sum(pair) - number, valley)
        for pair, (valley, separation) in depths.items()
        if number in pair
    ]
    if not own:
        return None
    separation, other, valley = min(own)
    return other, valley, separation


def _number(value: float, digits: int) -> str:
    return "" if np.isnan(value) else f"{value:.{digits}f}"
