"""The recordings and calls that discovery is asked about, from whatever its verbs are given."""

import os
import tempfile
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import soundfile

from neurovocal_tf.annotations import names
from neurovocal_tf.api import arguments, segments, sound, stretches
from neurovocal_tf.audio import readers
from neurovocal_tf.audio.unreadable import UnreadableRecording
from neurovocal_tf.config import Config
from neurovocal_tf.segmentation import preset_choice

_USED = ("audio", "segmentation", "n_fft", "hop_length", "bout_gap_s", "ignore_labels")
_SAMPLES = "recording.wav"
# Times in tables are rounded.
_ROUNDED_S = 0.01


class FoundCalls(NamedTuple):
    """Calls of recordings.

    Attributes:
        config: `Config`.    preset: its name, "" of a `Config`.
        paths: dict of recording's name -> path; the name is its path in the folder that has all.
        files: dict of recording's name -> what the caller calls it: its path, "" of samples.
        spans_s: dict of recording's name -> onsets and offsets `[S, 2]`, in order.
        durations_s: dict of recording's name -> seconds.
        places: int, for each call, in the order of the names and then of the onsets, its row in the
            table that was given or found.
        table: that table.
        folder: what holds samples as a file for as long as this is kept, or None.
    """

    config: Config
    preset: str
    paths: dict[str, str]
    files: dict[str, str]
    spans_s: dict[str, np.ndarray]
    durations_s: dict[str, float]
    places: np.ndarray
    table: pd.DataFrame
    folder: "tempfile.TemporaryDirectory[str] | None"


def find(
    recordings: Any,
    preset: str | Config,
    rate: int | None,
    settings: Mapping[str, Any],
    num_workers: int,
    progress: bool,
) -> FoundCalls:
    """Calls as a table gives them, or as `segment` finds them.

    Raises: ValueError that names the argument.
    """
    folder = None
    if isinstance(recordings, pd.DataFrame):
        table = stretches.checked(recordings)
        files = {os.fspath(file): arguments.file_of(file, "file") for file in set(table["file"])}
        config, name = _settings(preset, settings, files.values())
    elif arguments.is_samples(recordings):
        config, name = _settings(preset, settings, None)
        samples, rate = sound.samples_and_rate(recordings, rate, config, "channel" in settings)
        folder = tempfile.TemporaryDirectory(prefix="neurovocal_samples_")
        path = os.path.join(folder.name, _SAMPLES)
        soundfile.write(path, samples, rate, subtype="FLOAT")
        files, rate = {"": path}, None
        config = config.replace(channel=Config().audio.channel)
        table = segments.segment(path, config, progress=False).assign(file="")
    else:
        paths = arguments.listing_of(recordings).paths
        config, name = _settings(preset, settings, paths)
        table = segments.segment(recordings, config, num_workers=num_workers, progress=progress)
        skipped = table.attrs["skipped"]
        files = {path: path for path in paths if path not in skipped}
    if rate is not None:
        raise ValueError(f"`rate` must be left out for all but samples. Received: rate={rate}")
    if not len(table):
        raise ValueError(
            "`recordings` must have calls, and nothing in them stands out of its background as "
            'one: preset="auto" chooses a detector by the recordings, and threshold=... is how '
            "many dB a call must be above the noise"
        )
    return _by_name(config, name, files, table, folder)


def named(given: Any, argument: str, found: FoundCalls) -> dict[str, str]:
    """Dict of recording's name -> what a dict of file -> text, or a pandas Series, says of it.

    Raises: ValueError that names the argument.
    """
    if given is None:
        return {}
    if isinstance(given, pd.Series):
        given = given.to_dict()
    if not isinstance(given, Mapping):
        raise ValueError(
            f"`{argument}` must be a dict of file -> name, or a Series with files for its index. "
            f"Received: {type(given).__name__}"
        )
    known = names.Recordings(tuple(found.files.values()))
    name_of = {file: name for name, file in found.files.items()}
    told: dict[str, str] = {}
    for file, value in given.items():
        meant = known.meant(os.fspath(file), "")[0]
        if meant is not None and not pd.isna(value) and str(value).strip():
            told[name_of[meant]] = str(value).strip()
    if not told:
        raise ValueError(
            f"`{argument}` must name files of the recordings, and names none. "
            f"Received: {', '.join(map(str, list(given)[:3])) or 'an empty dict'}"
        )
    return told


def _settings(preset: str | Config, settings: Mapping[str, Any], paths: Any) -> tuple[Config, str]:
    """The settings, and the name of the preset."""
    chosen = [preset if isinstance(preset, str) else ""]

    def choose() -> tuple[str, str]:
        audio = arguments.config_of(Config(), settings, _USED).audio
        chosen.append(preset_choice.choose({path: path for path in paths}, audio)[0])
        return chosen[-1], ""

    config = arguments.config_of(preset, settings, _USED, None if paths is None else choose)
    return config, chosen[-1]


def _by_name(
    config: Config,
    preset: str,
    files: Mapping[str, str],
    table: pd.DataFrame,
    folder: "tempfile.TemporaryDirectory[str] | None",
) -> FoundCalls:
    """The rows of a table by the names of their recordings."""
    absolute = {file: os.path.abspath(path) for file, path in files.items()}
    base = os.path.commonpath([os.path.dirname(path) for path in absolute.values()])
    name_of = {file: os.path.relpath(path, base) for file, path in absolute.items()}
    own = np.array([name_of[os.fspath(file)] for file in table["file"]])
    spans = table[["onset_s", "offset_s"]].to_numpy(float)
    durations_s = {name_of[file]: _duration_s(path, config) for file, path in files.items()}
    for row in np.flatnonzero(
        ~((spans[:, 0] >= 0) & (spans[:, 0] < spans[:, 1]))
        | ~(spans[:, 1] <= np.array([durations_s[name] for name in own]) + _ROUNDED_S)
    )[:1]:
        raise ValueError(
            f"`recordings` must hold stretches within their files: 0 <= onset_s < offset_s <= "
            f"{durations_s[own[row]]:.6g} in {own[row]}. Received: onset_s={spans[row, 0]}, "
            f"offset_s={spans[row, 1]} in row {row}"
        )
    places = np.lexsort((np.arange(len(own)), spans[:, 0], own))
    return FoundCalls(
        config,
        preset,
        {name_of[file]: path for file, path in files.items()},
        {name_of[file]: file for file in files},
        {name: spans[places[own[places] == name]] for name in sorted(durations_s)},
        durations_s,
        places,
        table,
        folder,
    )


def _duration_s(path: str, config: Config) -> float:
    try:
        told = readers.probe(path, config.audio.time_expansion)
    except UnreadableRecording as reason:
        raise ValueError(
            f"`recordings` must name recordings that can be read. Received: {path}, which {reason}"
        ) from None
    return told.num_samples / told.sample_rate
