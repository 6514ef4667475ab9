"""A model's units in the report: a table of all, hidden_units.csv, and a picture of those that tell
most of the types.
"""

import dataclasses
from collections.abc import Mapping, Sequence

import numpy as np

from neurovocal_tf import files
from neurovocal_tf.audio import readers
from neurovocal_tf.config import AudioConfig
from neurovocal_tf.discovery import clips, features
from neurovocal_tf.discovery.discover import Discovery
from neurovocal_tf.discovery.hidden_units import Told, Units, best_calls
from neurovocal_tf.segmentation.written_files import WrittenFiles

TABLE = "hidden_units.csv"
# Beyond chance, for all units of a kind together.
SURE = 0.05
_MOST_SHOWN, _NUM_FRAMES, _MOST_MAPPED = 12, 4, 40
_AROUND_S, _COLUMNS, _BINS, _MOST_FILTER_BINS = 0.04, 33, 32, 128


def summary(units: Units) -> list[str]:
    """Lines for a terminal."""
    return [
        f"{_sure(told)} of {len(told.bits)} {name} tell call types beyond chance; the best tells "
        f"{told.bits.max(initial=0.0):.2f} of {told.type_bits:.2f} bits"
        for name, told in (
            ("hidden units", units.hidden),
            ("embedding dimensions", units.embedding),
        )
    ]


def write(out_dir: str, found: Discovery, units: Units, overwrite: bool = False) -> list[str]:
    """Writes hidden_units.csv, a row for each hidden unit and each dimension of the embedding.

    Returns: names of the files that people have changed, and which stay as they are.
    """
    names = found.type_names
    columns = (
        "kind",
        "number",
        "bits",
        "p",
        "type",
        "peak_hz",
        *(f"mean_{name}" for name in names),
    )
    peaks = units.frequencies_hz[np.abs(units.filters_db).argmax(axis=0)]
    rows = [
        *_rows("hidden", units.hidden, names, [f"{peak:.1f}" for peak in peaks]),
        *_rows("embedding", units.embedding, names, [""] * len(units.embedding.bits)),
    ]
    written = WrittenFiles(out_dir, overwrite)
    is_written = written.write_unless_changed(
        TABLE, lambda path: files.write_csv(path, columns, rows)
    )
    return [] if is_written else [TABLE]


def part(
    found: Discovery, units: Units, paths: Mapping[str, str], audio: AudioConfig
) -> dict[str, object]:
    """What the page is told, of JSON's kinds.

    Args:
        found: `Discovery`.    units: `Units`.    paths: dict of recording's name -> path.
        audio: `AudioConfig` to read them with.
    """
    told = units.hidden
    order = np.argsort(-told.bits, kind="stable")
    shown = [int(unit) for unit in order[:_MOST_SHOWN] if told.p_values[unit] <= SURE]
    recordings = found.bouts.recordings[units.calls]
    best = {unit: best_calls(units.readings.peaks, unit, recordings, _NUM_FRAMES) for unit in shown}
    pictures = _pictures(found, units, best, paths, audio)
    mapped = order[:_MOST_MAPPED]
    # Types that light the same units stand beside each other's, each unit at its own type's.
    by_type = mapped[np.lexsort((mapped, np.nan_to_num(told.means[:, mapped]).argmax(axis=0)))]
    return {
        "summary": summary(units),
        "num_calls": len(units.calls),
        "type_bits": round(told.type_bits, 3),
        "units": [
            {
                "number": unit,
                "bits": round(float(told.bits[unit]), 3),
                "means": _listed(told.means[:, unit], 4),
                "filter": _listed(_thinned(units.filters_db[:, unit]), 2),
                "frames": [
                    pictures[unit, int(row)] for row in best[unit] if (unit, row) in pictures
                ],
            }
            for unit in shown
        ],
        "hz": [round(float(units.frequencies_hz[place])) for place in (0, -1)],
        "map": {
            "numbers": by_type.tolist(),
            "means": [_listed(told.means[:, unit], 3) for unit in by_type],
        },
        "columns": _COLUMNS,
        "around_s": _AROUND_S,
    }


def _pictures(
    found: Discovery,
    units: Units,
    best: Mapping[int, np.ndarray],
    paths: Mapping[str, str],
    audio: AudioConfig,
) -> dict[tuple[int, int], dict[str, object]]:
    """Spectrograms around the frames that drive units most, by unit and place among the calls."""
    rate, bouts = found.fitted.sample_rate, found.bouts
    window_s = found.fitted.recipe.n_fft(rate) / rate
    at_rate = dataclasses.replace(audio, sample_rate=rate)
    wanted: dict[int, list[tuple[float, int, int]]] = {}
    for unit, rows in best.items():
        for row in map(int, rows):
            when = float(units.readings.peaks_s[row, unit])
            wanted.setdefault(int(bouts.recordings[units.calls[row]]), []).append((when, unit, row))
    pictures = {}
    for recording, places in wanted.items():
        places.sort()
        times = np.array([when for when, *_ in places])
        spans = np.stack([times - _AROUND_S, times + _AROUND_S], axis=1)
        name = found.names[recording]
        try:
            cut = list(features.samples_of(paths[name], spans, at_rate, window_s))
        except readers.UnreadableRecording:
            continue
        for (when, unit, row), span, (samples, first) in zip(places, spans, cut, strict=True):
            begin, end = span * rate - first
            centres = np.linspace(begin, end, _COLUMNS)
            pictures[unit, row] = clips.picture(samples, centres, found.fitted, _BINS) | {
                "type": int(bouts.types[units.calls[row]]),
                "file": name,
                "time": round(when, 3),
                "value": round(float(units.readings.peaks[row, unit]), 3),
            }
    return pictures


def _rows(kind: str, told: Told, names: Sequence[str], peaks: Sequence[str]) -> list[list[object]]:
    best = np.nan_to_num(told.means, nan=-np.inf).argmax(axis=0)
    return [
        [
            kind,
            unit,
            f"{told.bits[unit]:.4f}",
            f"{told.p_values[unit]:.2f}",
            names[best[unit]],
            peaks[unit],
            *("" if np.isnan(value) else f"{value:.5g}" for value in told.means[:, unit]),
        ]
        for unit in range(len(told.bits))
    ]


def _sure(told: Told) -> int:
    return int(np.sum((told.p_values <= SURE) & (told.bits > 0)))


def _thinned(values: np.ndarray) -> np.ndarray:
    """The means of neighbours, so that no more than 128 are left."""
    width = -(-len(values) // _MOST_FILTER_BINS)
    padded = np.pad(values, (0, -len(values) % width), mode="edge")
    return padded.reshape(-1, width).mean(axis=1)


def _listed(values: np.ndarray, digits: int) -> list[float | None]:
    return [None if np.isnan(value) else round(float(value), digits) for value in values]
