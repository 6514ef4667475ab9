"""What was found, as one page that a browser opens without a network: report.html."""

import dataclasses
import os
from collections.abc import Mapping

import numpy as np
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis

from neurovocal_tf import files
from neurovocal_tf.audio import readers
from neurovocal_tf.config import AudioConfig, Config
from neurovocal_tf.discovery import clips, features, syntax, tables, type_states, umap_view
from neurovocal_tf.discovery.discover import Discovery
from neurovocal_tf.pages import html

NAME = "report.html"
# In the order in which they run.
SCRIPTS = (
    "report_elements.js",
    "report_clips.js",
    "report_types.js",
    "report_unusual.js",
    "report_map.js",
    "report_songs.js",
    "report_order.js",
    "report_generated.js",
    "report_hidden.js",
    "report_identity.js",
    "report_speech.js",
    "report.js",
)
# So that the page stays under 20 MB whatever the calls are: each of these is some 2 MB at most.
_NUM_EXAMPLES, _MOST_EXAMPLES, _MOST_SOUND_BYTES = 5, 150, 4_000_000
_MOST_MAPPED, _MOST_BOUTS, _MOST_DRAWN_CALLS = 1500, 150, 20_000
_PICTURE_COLUMNS, _PICTURE_BINS, _THUMB_BINS = 64, 64, 24
_MARGIN_S = 0.01
_MOST_CLIP_S = 2.0


def write(
    out_dir: str,
    found: Discovery,
    paths: Mapping[str, str],
    config: Config,
    parts: Mapping[str, object] | None = None,
    file: str = NAME,
) -> str:
    """Writes report.html, and returns its path.

    Args:
        out_dir: folder.    found: `Discovery`.    paths: dict of recording's name -> path.
        config: `Config`; its `audio` counts.
        parts: what the page is told beside `content`, of JSON's kinds, by the section's name; a
            section that is told nothing is not shown.
        file: the page's name.
    """
    told = content(found, paths, config) | dict(parts or {})
    text = html.page("report_page", SCRIPTS, {}, {"report": told})
    path = os.path.join(out_dir, file)
    files.write_text(path, text)
    return path


def summary(found: Discovery) -> list[str]:
    """What was found, in a few lines for a terminal or the head of a page."""
    bouts, sure, told = found.bouts, found.stability, found.agreement
    number = f"{len(found.type_names)} call types"
    if sure:
        number += (
            f" ({sure.num_types_low} to {sure.num_types_high} when {sure.unit} or half of the "
            "calls are drawn anew)"
        )
    lines = [
        f"{len(bouts.types):,} calls in {len(np.unique(bouts.recordings))} of "
        f"{len(found.names)} recordings, {len(bouts.starts):,} bouts: {number}"
    ]
    shuffled, p_value = (
        found.syntax[name] for name in ("shuffled_entropy_rate_bits", "order_p_value")
    )
    if isinstance(shuffled, float) and isinstance(p_value, float):
        rate, consistency, linearity = (
            _with_bounds(found.syntax, name) for name in syntax.MEASURES
        )
        lines.append(
            f"order: entropy rate {rate} bits, in random order {shuffled:.2f} (p = {p_value:.3g}); "
            f"consistency {consistency}; linearity {linearity}"
        )
    bits = found.reach["bits"]
    if isinstance(bits, list) and len(found.type_names) > 1:
        lines.append(
            "held-out bits a call when 0, 1, 2, 3 types before it are known: "
            + ", ".join(f"{value:.2f}" for value in bits)
        )
    lines += _type_states(found)
    if told:
        lines.append(
            f"beside {told.num_calls:,} labels: V-measure {told.v_measure:.3f}, adjusted Rand "
            f"index {told.adjusted_rand:.3f}, {told.types_per_label:.2f} types per label"
        )
    if found.suggestions:
        lines.append(f"{len(found.suggestions)} pairs of types may be one: see merges.csv")
    return lines


def content(found: Discovery, paths: Mapping[str, str], config: Config) -> dict[str, object]:
    """What the page is told, of JSON's kinds."""
    examples = _examples(found, paths, config.audio)
    keys = tables.TYPE_COLUMNS
    types = [
        dict(zip(keys, row, strict=True)) | {"examples": examples[number]}
        for number, row in enumerate(tables.type_rows(found))
    ]
    return {
        "summary": summary(found),
        "caveats": found.caveats,
        "types": types,
        "map": _map(found),
        "merges": [
            {
                "types": [found.type_names[k] for k in s.types],
                "numbers": list(s.types),
                "valley": round(s.valley, 3),
                "separation": round(s.separation, 2),
                "before": round(s.shared_before, 2),
                "after": round(s.shared_after, 2),
                "reason": s.reason,
            }
            for s in found.suggestions
        ],
        "songs": _songs(found),
        "order": tables.order(found),
        "type_states": _type_states(found),
    }


def _examples(
    found: Discovery, paths: Mapping[str, str], audio: AudioConfig
) -> list[list[dict[str, object]]]:
    """For each type some typical calls, with picture and sound."""
    rate = found.fitted.sample_rate
    several = max(min(_NUM_EXAMPLES, _MOST_EXAMPLES // len(found.type_names)), 1)
    chosen = [tables.typical_calls(found, k, several) for k in range(len(found.type_names))]
    sounds = clips.Sounds(_MOST_SOUND_BYTES)
    pictures: dict[int, dict[str, object]] = {}
    by_recording: dict[int, list[int]] = {}
    for call in sorted({int(call) for own in chosen for call in own}):
        by_recording.setdefault(int(found.bouts.recordings[call]), []).append(call)
    at_rate = dataclasses.replace(audio, sample_rate=rate)
    for recording, calls in by_recording.items():
        name = found.names[recording]
        spans = np.stack([found.bouts.onsets_s[calls], found.bouts.offsets_s[calls]], axis=1)
        spans[:, 1] = np.minimum(spans[:, 1], spans[:, 0] + _MOST_CLIP_S)
        try:
            cut = list(features.samples_of(paths[name], spans, at_rate, 2 * _MARGIN_S))
        except readers.UnreadableRecording:
            continue
        for call, span, (samples, first) in zip(calls, spans, cut, strict=True):
            picture = _picture(samples, first, span, found) | sounds.of(samples, rate)
            pictures[call] = picture | {"file": name, "onset": round(float(span[0]), 3)}
    return [[pictures[int(call)] for call in own if int(call) in pictures] for own in chosen]


def _picture(
    samples: np.ndarray, first: int, span: np.ndarray, found: Discovery
) -> dict[str, object]:
    """A call's spectrogram with a little of what is around it."""
    onset, offset = (span + [-_MARGIN_S, _MARGIN_S]) * found.fitted.sample_rate - first
    centres = np.linspace(onset, offset, _PICTURE_COLUMNS)
    return clips.picture(samples, centres, found.fitted, _PICTURE_BINS) | {
        "seconds": round(float(span[1] - span[0]), 4),
        "margin": _MARGIN_S,
    }


def _map(found: Discovery) -> dict[str, object]:
    """Calls in two dimensions: along principal components, along what parts the types, and by UMAP
    where that is installed.
    """
    size = len(found.points)
    chosen = np.sort(np.random.default_rng(0).permutation(size)[:_MOST_MAPPED])
    types, points = found.bouts.types[chosen], found.points[chosen].astype(float)
    views = {"principal components": _two(points)}
    if len(np.unique(types)) > 2 and len(chosen) > 3 * points.shape[1]:
        parted = LinearDiscriminantAnalysis(solver="eigen", shrinkage=0.3).fit(points, types)
        views["what parts the types"] = _two(parted.transform(points))
    if umap_view.is_there(len(points)):
        views["UMAP"] = _two(umap_view.two(points))
    thumbs = np.stack(
        [clips.pooled(found.measured[c].astype(np.float32), _THUMB_BINS) for c in chosen]
    )
    return {
        "views": {name: place.ravel().round(4).tolist() for name, place in views.items()},
        "types": types.tolist(),
        "files": [found.names[found.bouts.recordings[c]] for c in chosen],
        "onsets": found.bouts.onsets_s[chosen].round(3).tolist(),
        "confidences": found.confidences[chosen].round(2).tolist(),
        "thumbs": html.base64_text(clips.grey(thumbs)),
        "columns": int(thumbs.shape[1]),
        "bins": int(thumbs.shape[2]),
        "of": size,
    }


def _songs(found: Discovery) -> dict[str, object]:
    """Bouts with the times and types of their calls, evenly chosen where there are many."""
    bouts = found.bouts
    edges = np.append(bouts.starts, len(bouts.types))
    chosen = np.unique(
        np.linspace(0, len(edges) - 2, min(len(edges) - 1, _MOST_BOUTS)).round().astype(int)
    )
    listed, left = [], _MOST_DRAWN_CALLS
    for number in chosen:
        own = slice(edges[number], edges[number + 1])
        left -= edges[number + 1] - edges[number]
        if left < 0:
            break
        begin = float(bouts.onsets_s[own][0])
        listed.append(
            {
                "file": found.names[bouts.recordings[own][0]],
                "begin": round(begin, 3),
                "onsets": (bouts.onsets_s[own] - begin).round(3).tolist(),
                "offsets": (bouts.offsets_s[own] - begin).round(3).tolist(),
                "types": bouts.types[own].tolist(),
            }
        )
    return {"bouts": listed, "of": len(edges) - 1}


def _two(points: np.ndarray) -> np.ndarray:
    """The first two dimensions within 0 to 1, but for what lies far out.  [N, P] -> [N, 2]"""
    two = np.zeros((len(points), 2))
    two[:, : min(points.shape[1], 2)] = points[:, :2]
    low, high = np.quantile(two, [0.005, 0.995], axis=0)
    return np.clip((two - low) / np.maximum(high - low, 1e-9), -0.05, 1.05)


def _type_states(found: Discovery) -> list[str]:
    """Which types go on differently in different places, and what knowing that is worth."""
    told = found.reach["type_states"]
    if not isinstance(told, dict):
        return []
    gain = _with_bounds(told, "gain")
    worth = f"types that have several states make calls {gain} bits cheaper than two types before"
    return [f"{worth} them do", *type_states.in_words(told, found.type_names)]


def _with_bounds(described: Mapping[str, object], name: str) -> str:
    value, low, high = (described[f"{name}{end}"] for end in ("", "_low", "_high"))
    if not isinstance(value, float):
        return ""
    return f"{value:.2f}" + (
        f" ({low:.2f} to {high:.2f})" if isinstance(low, float) and isinstance(high, float) else ""
    )
