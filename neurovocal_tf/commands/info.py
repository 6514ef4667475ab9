r"""Says what something is: a recording or a folder of them, segments, annotations, a report, a run
folder, an export. Of nothing in particular: versions, readers, processor and devices of this
installation.

    neurovocal info
    neurovocal info /data/finches
    neurovocal info /runs/finch --json=facts.json

Nothing is changed. Of recordings the headers alone are read.
"""

import collections
import contextlib
import csv
import json
import os
import re

from neurovocal_tf import flags as setting_flags
from neurovocal_tf import installation, keras_backend

_PATH = setting_flags.define_path(
    "path", None, "What to tell about: a file or a folder, which may also be given by itself."
)
_JSON = setting_flags.define_path("json", None, "File for the same facts.")

_FIRST_REASONS = 3


def main(argv: list[str]) -> int | None:
    from neurovocal_tf import files

    if _PATH.value is not None and not os.path.exists(_PATH.value):
        raise ValueError(
            f"`path` must be a file or a folder, and there is none. Received: path={_PATH.value}"
        )
    facts = installation.facts() if _PATH.value is None else _of_path(_PATH.value)
    width = max(map(len, facts))
    print("\n".join(f"{name:{width}}  {value}" for name, value in facts.items()))
    if _JSON.value:
        files.write_json(_JSON.value, facts)


def _of_path(path):
    """Dict of name -> value of whatever is there."""
    if os.path.isfile(path):
        return _of_file(path)
    has = {name for name in os.listdir(path) if os.path.isfile(os.path.join(path, name))}
    with _as_written(path):
        if {"annotations.csv", "files.csv"} <= has:
            return _of_segments(path)
        if {"call_types.json", "syntax.json"} & has:
            return _of_report(path)
    if {"checkpoint.npz", "config.json"} & has:
        return _of_run(path)
    version = _newest_version(path)
    if not version:
        return _of_recordings(path)
    with _as_written(path):
        return _of_export(path, version)


# --- recordings and what is known of them


def _of_file(path):
    from neurovocal_tf import annotations
    from neurovocal_tf.annotations.annotation import NoAnnotations, Options
    from neurovocal_tf.audio import readers

    try:
        return _of_recording(readers.probe(path))
    except readers.UnreadableRecording as error:
        reason = error
    try:
        return _of_annotations(annotations.contents(path, Options()))
    except NoAnnotations:
        raise ValueError(
            "`path` must be a recording, annotations, or a folder of either, of a run, an export "
            f"or a report. Received: path={path}, which {reason}"
        ) from None


def _of_recording(recording):
    facts = {
        "what": "a recording",
        "sample rate": f"{recording.sample_rate} Hz",
        "channels": recording.num_channels,
        "duration": _duration(recording.duration_s),
    }
    note = recording.note(recording.duration_s)
    return facts | ({"note": note} if note else {})


def _of_annotations(found):
    labels = collections.Counter(a.label for a in found.annotations if a.label)
    unit = "samples" if found.in_samples else "s"
    facts = {
        "what": "annotations",
        "annotations": len(found.annotations),
        "recordings": len({a.file for a in found.annotations}),
        "labels": _counted(labels),
    }
    if found.annotations:
        first, last = (
            min(a.onset_s for a in found.annotations),
            max(a.offset_s for a in found.annotations),
        )
        facts["times"] = f"{first:.6g} to {last:.6g} {unit}"
    sentences = [*found.bad_rows, *found.notes]
    return facts | ({"notes": _first(sentences)} if sentences else {})


def _of_recordings(path):
    import tqdm

    from neurovocal_tf.audio import listing, readers

    try:
        found = listing.look_at(path)
    except ValueError as error:
        raise ValueError(
            "`path` must be a folder of recordings, of segments, of a run, an export or a report. "
            f"{str(error).split(', and ')[-1].split('. Received')[0]}. Received: path={path}"
        ) from None
    rates, channels, endings = (collections.Counter() for _ in range(3))
    skipped = [f"{name} {reason}" for name, reason in found.skipped]
    duration_s = 0.0
    for file in tqdm.tqdm(found.paths, "headers", unit="file", dynamic_ncols=True, leave=False):
        try:
            recording = readers.probe(file)
        except readers.UnreadableRecording as reason:
            skipped.append(f"{file} {reason}")
            continue
        rates[f"{recording.sample_rate} Hz"] += 1
        channels[str(recording.num_channels)] += 1
        endings[os.path.splitext(file)[1].lower()] += 1
        duration_s += recording.duration_s
    facts = {
        "what": "a folder of recordings",
        "recordings": len(found.paths) - (len(skipped) - len(found.skipped)),
        "duration": _duration(duration_s),
        "formats": _counted(endings),
        "sample rates": _counted(rates),
        "channels": _counted(channels),
    }
    return facts | ({"not readable": f"{len(skipped)}: {_first(skipped)}"} if skipped else {})


@contextlib.contextmanager
def _as_written(path):
    """What is read within it is refused, where it is not as this version writes it."""
    try:
        yield
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        raise ValueError(
            "`path` must be as this version of the package writes it. Received: "
            f"path={path}, which is damaged or of another version ({error})"
        ) from None


def _of_segments(path):
    rows = _rows(os.path.join(path, "files.csv"))
    skipped = _rows(os.path.join(path, "skipped.csv"))
    segments = _rows(os.path.join(path, "annotations.csv"))
    facts = {
        "what": "segments that `neurovocal segment` has found",
        "recordings": len(rows),
        "duration": _duration(sum(float(row["duration_s"]) for row in rows)),
        "segments": len(segments),
        "labels": _counted(collections.Counter(row["label"] for row in segments if row["label"])),
    }
    reasons = [f"{row['file']} {row['reason']}" for row in skipped]
    facts |= {"skipped": f"{len(skipped)}: {_first(reasons)}"} if skipped else {}
    return facts | _changed_settings(os.path.join(path, "config.json"))


def _of_report(path):
    told = _json_of(os.path.join(path, "syntax.json"))
    types = told["num_types"]
    return {
        "what": "a report that `neurovocal discover` has written",
        "calls": told["num_calls"],
        "call types": f"{types['found']}: {', '.join(told['types'])}",
        "page": os.path.join(path, "report.html"),
    }


# --- models


def _of_run(path):
    keras_backend.check()
    from neurovocal_tf.runs import checkpoint
    from neurovocal_tf.runs.run_folder import RunFolder

    folder = RunFolder(path)
    config, data = folder.config(), folder.data()
    num_visible = data.num_visible or config.spectrogram.n_fft // 2 + 1
    per_second = data.sample_rate / config.spectrogram.hop_length if data.is_sound else 0
    facts = {
        "what": "a run folder of `neurovocal train`",
        "data": data.data_dir,
        "trained on": _share(data.training, data.training_frames, per_second),
        "held out": _share(data.validation, data.validation_frames, per_second),
        "frames": f"{num_visible} bins"
        + (f", {per_second:g} a second, at {data.sample_rate} Hz" if data.is_sound else ""),
        "model": f"{config.model.num_layers} layers of {config.model.recurrent_units(num_visible)} "
        f"recurrent units, {config.model.hidden_units(num_visible)} hidden units",
    }
    for name, values in data.conditions.values.items():
        facts[f"values of {name}"] = f"{len(values) - 1}: {', '.join(values[1:])}"
    if data.labels:
        facts["labels along time"] = f"{len(data.labels)}: {' '.join(data.labels.known)}"
    if data.started_from:
        facts["started from"] = data.started_from["path"]
    if os.path.exists(folder.checkpoint):
        found = checkpoint.read(folder.checkpoint)
        facts["epochs"] = f"{found.epoch} done, epoch {found.best['epoch']} kept"
        if found.best["epoch"]:
            facts["held-out one-step error"] = f"{found.best['error']:.4g} {data.unit}"
        facts |= {
            f"... of {name.replace('_', ' ')}": f"{value:.4g} {data.unit}"
            for name, value in data.baselines.items()
        }
    else:
        facts["epochs"] = "none done"
    return facts | _changed_settings(folder.file("config.json"))


def _share(sources, frames, per_second):
    """How much data a part of a run is."""
    if not per_second:
        return f"{len(frames)} sequences, {sum(frames)} frames"
    names = {source.path for source in sources}
    return f"{len(names)} recordings, {_duration(sum(frames) / per_second)} of frames"


def _newest_version(path):
    """Folder of a SavedModel: the path itself, or the version in it of the largest number."""
    if os.path.isfile(os.path.join(path, "saved_model.pb")):
        return path
    numbers = [int(name) for name in os.listdir(path) if re.fullmatch(r"\d+", name)]
    version = os.path.join(path, str(max(numbers, default=0)))
    return version if os.path.isfile(os.path.join(version, "saved_model.pb")) else None


def _of_export(path, version):
    keras_backend.check()
    from neurovocal_tf.serving.export import METADATA

    file = os.path.join(version, METADATA)
    if not os.path.isfile(file):
        raise ValueError(
            f"`path` must hold an export that `neurovocal export` has written, with {METADATA}. "
            f"Received: path={path}"
        )
    told = _json_of(file)
    versions = told["versions"]
    learned = told["training_data"] or {}
    facts = {
        "what": "an export for TensorFlow Serving and `neurovocal serve`",
        "version": version,
        "epoch": told["epoch"],
        "frames": f"{told['num_bins']} bins, "
        f"{told['sample_rate_hz'] / told['hop_length']:g} a second, at {told['sample_rate_hz']} Hz",
        "longest song": f"{told['max_frames']} frames, "
        + _duration(told["max_frames"] * told["hop_length"] / told["sample_rate_hz"]),
        "written with": ", ".join(f"{name} {number}" for name, number in versions.items()),
    }
    if "num_training_sources" in learned:
        facts["trained on"] = f"{learned['num_training_sources']} recordings"
    return facts


# --- words


def _changed_settings(path):
    """What a config.json has otherwise than the defaults."""
    from neurovocal_tf import config

    with open(path, encoding="utf-8") as file:
        found = config.Config.from_json(file.read())
    changes = config.changed_settings(config.Config(), found)
    shown = " ".join(f"--{name}={setting_flags.text_of(value)}" for name, _, value in changes)
    return {"settings": shown or "the defaults"}


def _rows(path):
    if not os.path.exists(path):
        return []
    with open(path, newline="", encoding="utf-8", errors="surrogateescape") as file:
        return list(csv.DictReader(file))


def _json_of(path):
    try:
        with open(path, encoding="utf-8") as file:
            return json.load(file)
    except ValueError as error:
        raise ValueError(f"{path} is damaged ({error})") from None


def _counted(counter):
    """Kinds with their numbers, the most frequent first."""
    most = counter.most_common(12)
    more = len(counter) - len(most)
    words = [f"{name} ({count})" for name, count in most]
    return ", ".join([*words, *([f"and {more} more"] if more else [])]) or "none"


def _first(sentences):
    more = len(sentences) - _FIRST_REASONS
    return "; ".join([*sentences[:_FIRST_REASONS], *([f"and {more} more"] if more > 0 else [])])


def _duration(seconds):
    if seconds < 120:
        return f"{seconds:.3f} s"
    minutes, seconds = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {seconds} s"
