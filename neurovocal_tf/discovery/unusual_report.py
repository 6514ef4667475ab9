"""Unusual calls as a table, unusual.csv, and as the report's section about them."""

import dataclasses
import functools
from collections.abc import Mapping

import numpy as np

from neurovocal_tf import files
from neurovocal_tf.audio import readers
from neurovocal_tf.config import AudioConfig
from neurovocal_tf.discovery import clips, features
from neurovocal_tf.discovery.discover import Discovery
from neurovocal_tf.discovery.unusual import NAMES, Share, Unusual
from neurovocal_tf.segmentation.written_files import WrittenFiles

TABLE, SHARES_TABLE = "unusual.csv", "unusual_recordings.csv"
# The page's part stays at some 5 MB: the pictures are 16 kB each, the sounds what is left of this.
_MOST_SHOWN, _MOST_SOUND_BYTES, _MOST_RECORDINGS = 40, 3_000_000, 500
_PICTURE_COLUMNS, _PICTURE_BINS = 256, 64
_CONTEXT_S, _MOST_CALL_S = 0.5, 2.0
# What a score that fires says, where it is higher than usual and where it is lower.
_REASONS = {
    "score": ("it is worse foreseen from what came before", "it is better foreseen than others"),
    "order_score": ("it goes on otherwise than foreseen", "it goes on just as foreseen"),
    "surprise": (
        "it holds what the model hardly ever gives, such as noise",
        "it is smoother than what the model gives",
    ),
    "distance": ("it lies far from all calls that the types were found in", "it is like a copy"),
    "duration": ("it is long", "it is short"),
}


def write(out_dir: str, found: Discovery, unusual: Unusual, overwrite: bool = False) -> list[str]:
    """Writes unusual.csv, a row for each call, and unusual_recordings.csv.

    Returns: names of the files that people have changed, and which stay as they are.
    """
    written = WrittenFiles(out_dir, overwrite)
    columns = ("file", "onset_s", "offset_s", "type", *NAMES, *(f"p_{name}" for name in NAMES))
    columns = (*columns, "p", "is_unusual", "fired", "is_held_out", "reason")
    shares = [
        [name, share.num_calls, share.num_unusual, _number(share.low), _number(share.high)]
        for name, share in zip(found.names, unusual.shares, strict=True)
    ]
    tables = {
        TABLE: (columns, [_row(found, unusual, call) for call in range(len(unusual.p))]),
        SHARES_TABLE: (("file", "num_calls", "num_unusual", "share_low", "share_high"), shares),
    }
    return [
        name
        for name, (heads, rows) in tables.items()
        if not written.write_unless_changed(
            name, functools.partial(files.write_csv, names=heads, rows=rows)
        )
    ]


def summary(unusual: Unusual) -> str:
    """How many calls are unusual, in a line."""
    if not unusual.usual.rate:
        return "no call is called unusual: too few calls are held out"
    return (
        f"{_share(unusual.share)} of the calls are unusual; of usual ones "
        f"{unusual.usual.rate:.1%} would be called so"
    )


def part(
    found: Discovery, unusual: Unusual, paths: Mapping[str, str], audio: AudioConfig
) -> dict[str, object]:
    """What the report's page is told of unusual calls, of JSON's kinds."""
    shown = unusual.ranked[:_MOST_SHOWN]
    pictures = _pictures(found, shown, paths, audio)
    usual = unusual.usual
    return {
        "told": (
            f"Each call is read where it stands, and compared with {usual.num_calls:,} calls that "
            "the model was not trained on, of its own type as far as there are enough. p is the "
            "share of those against which as much counts as against this call; a call is called "
            f"unusual where it is {usual.rate:.1%} or less. The frame marks the call."
        ),
        "share": summary(unusual)
        + (
            f"; the {len(shown)} most unusual are shown"
            if len(shown) < unusual.is_unusual.sum()
            else ""
        ),
        "calls": [
            {
                "file": found.names[found.bouts.recordings[call]],
                "onset": round(float(found.bouts.onsets_s[call]), 3),
                "type": found.type_names[found.bouts.types[call]],
                "reason": f"{reason(found, unusual, call)} (p = {unusual.p[call]:.2g})",
            }
            | pictures.get(int(call), {})
            for call in shown
        ],
        "recordings": [
            {
                "file": name,
                "calls": share.num_calls,
                "unusual": share.num_unusual,
                "low": share.low,
                "high": share.high,
            }
            for name, share in list(zip(found.names, unusual.shares, strict=True))[
                :_MOST_RECORDINGS
            ]
        ],
    }


def reason(found: Discovery, unusual: Unusual, call: int) -> str:
    """Why a call is unusual, in words: the score that counts most, and others far out."""
    if np.isnan(unusual.p[call]):
        return ""
    z, fired = unusual.z[call], int(unusual.fired[call])
    name = found.type_names[found.bouts.types[call]]
    first = f"{NAMES[fired]}: {_REASONS[NAMES[fired]][int(z[fired] < 0)]}"
    told = f"{first}, {abs(z[fired]):.1f} spreads from the middle of type {name}"
    others = [
        f"{NAMES[j]} {z[j]:+.1f}" for j in np.argsort(-np.abs(z)) if j != fired and abs(z[j]) > 2
    ]
    return told + (f"; also {', '.join(others)}" if others else "")


def _row(found: Discovery, unusual: Unusual, call: int) -> list[object]:
    bouts = found.bouts
    is_odd = bool(unusual.is_unusual[call])
    return [
        found.names[bouts.recordings[call]],
        f"{bouts.onsets_s[call]:.6f}",
        f"{bouts.offsets_s[call]:.6f}",
        found.type_names[bouts.types[call]],
        *map(_number, unusual.values[call]),
        *map(_number, unusual.p_values[call]),
        _number(unusual.p[call]),
        int(is_odd),
        NAMES[unusual.fired[call]] if is_odd else "",
        int(unusual.is_held_out[call]),
        reason(found, unusual, call) if is_odd else "",
    ]


def _pictures(
    found: Discovery, calls: np.ndarray, paths: Mapping[str, str], audio: AudioConfig
) -> dict[int, dict[str, object]]:
    """Of each call the spectrogram and the sound of what is around it."""
    rate, sounds = found.fitted.sample_rate, clips.Sounds(_MOST_SOUND_BYTES)
    at_rate = dataclasses.replace(audio, sample_rate=rate)
    cut: dict[int, tuple[np.ndarray, int]] = {}
    for recording in np.unique(found.bouts.recordings[calls]):
        own = np.sort(calls[found.bouts.recordings[calls] == recording])
        spans = np.stack([found.bouts.onsets_s[own], _ends(found, own)], axis=1)
        path = paths[found.names[recording]]
        try:
            parts = list(features.samples_of(path, spans, at_rate, _CONTEXT_S))
        except readers.UnreadableRecording:
            continue
        cut |= {int(call): piece for call, piece in zip(own, parts, strict=True)}
    told: dict[int, dict[str, object]] = {}
    # The most unusual first: of these at least there is a sound.
    for call in map(int, calls):
        if call not in cut:
            continue
        samples, first = cut[call]
        told[call] = _picture(samples, found) | sounds.of(samples, rate)
        told[call] |= {
            "begin": round(float(found.bouts.onsets_s[call] - first / rate), 4),
            "end": round(float(_ends(found, np.array([call]))[0] - first / rate), 4),
        }
    return told


def _picture(samples: np.ndarray, found: Discovery) -> dict[str, object]:
    centres = np.linspace(0, len(samples), _PICTURE_COLUMNS)
    seconds = round(len(samples) / found.fitted.sample_rate, 4)
    return clips.picture(samples, centres, found.fitted, _PICTURE_BINS) | {"seconds": seconds}


def _ends(found: Discovery, calls: np.ndarray) -> np.ndarray:
    onsets, offsets = found.bouts.onsets_s[calls], found.bouts.offsets_s[calls]
    return np.minimum(offsets, onsets + _MOST_CALL_S)


def _share(share: Share) -> str:
    told = f"{share.num_unusual:,} of {share.num_calls:,}"
    if share.low is None or share.high is None:
        return told
    return f"{told} ({share.low:.1%} to {share.high:.1%})"


def _number(value: float | None) -> str:
    return "" if value is None or np.isnan(value) else f"{value:.6g}"
