"""Call types, their order, and who sings, from recordings or calls. Needs no TensorFlow."""

import os
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from tqdm.auto import tqdm

from neurovocal_tf.api import arguments, found_calls
from neurovocal_tf.api.arguments import Path
from neurovocal_tf.api.discovered import Discovered
from neurovocal_tf.api.found_calls import FoundCalls
from neurovocal_tf.config import Config
from neurovocal_tf.discovery import discover as discovery
from neurovocal_tf.discovery import (
    features,
    fitted_file,
    given_labels,
    identity,
    identity_report,
    merges,
)
from neurovocal_tf.discovery.bouts import bouts_of


def discover(
    recordings: npt.ArrayLike | Path | list[Path] | pd.DataFrame,
    preset: str | Config = "songbird",
    rate: int | None = None,
    *,
    measured_as: str | None = None,
    types: Path | Discovered | None = None,
    accepted: Path | list[tuple[str, str]] | None = None,
    groups: dict[str, str] | pd.Series | None = None,
    individuals: dict[str, str] | pd.Series | None = None,
    annotations: Path | None = None,
    seed: int = 0,
    num_workers: int = 0,
    progress: bool = True,
    **settings: Any,
) -> Discovered:
    """Finds the call types of recordings, their order, and how sure both are.

    Args:
        recordings: samples [N], full scale 1, with their `rate`; a file, a folder, or a list of
            them; or a table of `segment`, whose calls are taken as they are.
        preset: name of a preset, see `Config.presets`; "auto": the one that fits files; or a
            `Config`. It says how calls are found, and how they are measured.
        rate: Hz, of samples; left out for all else.
        measured_as: songbird, mouse_usv, bat or speech: how calls are measured to be compared,
            where that is not as the preset says.
        types: what `Discovered.save` or `write` has written, or a `Discovered`: its types are
            taken, and none searched for.
        accepted: pairs of names of types to be joined, or a merges.csv with yes in its column
            accept.
        groups: dict of file -> group, such as a day, or a Series: in what do they differ?
        individuals: dict of file -> who sings there, or a Series; for other files it is told.
        annotations: file or folder of people's labels, to compare the types with.
        seed: of what is drawn at random.
        num_workers: files at once; 0: as many as there are cores.
        progress: show bars.
        settings: of the sections `audio` and `segmentation`, such as `threshold=5`; `n_fft`,
            `hop_length`, `bout_gap_s` and `ignore_labels`.

    Raises:
        ValueError: an argument is wrong, or there are no calls.
    """
    given = _found(recordings, preset, rate, settings, num_workers, progress)
    asked = discovery.Asked(
        config=given.config,
        recipe=_recipe(measured_as, given.preset),
        known=_known(types),
        merges=_accepted(accepted),
        groups=found_calls.named(groups, "groups", given),
        individuals=_individuals(individuals, given),
        labels={}
        if annotations is None
        else given_labels.read(
            os.path.expanduser(os.fspath(annotations)), given.paths, given.config
        )[0],
        seed=arguments.count_of(seed, "seed", 0, 2**31 - 1),
    )
    with tqdm(total=len(given.paths), unit="recording", disable=not progress) as bar:
        found = discovery.discover(given.paths, given.spans_s, asked, bar.update)
    skipped = given.table.attrs.get("skipped", {})
    found.caveats.extend(f"{file} is left out: {reason}" for file, reason in skipped.items())
    return Discovered(found, asked, given)


def call_types(
    recordings: npt.ArrayLike | Path | list[Path] | pd.DataFrame,
    preset: str | Config = "songbird",
    rate: int | None = None,
    *,
    types: Path | Discovered | None = None,
    progress: bool = True,
    **settings: Any,
) -> pd.DataFrame:
    """Which calls are alike.

    Args:
        recordings, preset, rate, types, progress, settings: as of `discover`.

    Returns:
        The table that was given, or that `segment` finds, row by row, with `type`, `confidence` and
        `is_familiar`, as `Discovered.calls`; `attrs["caveats"]` is a list of sentences.

    Raises:
        ValueError: as `discover`.
    """
    given = _found(recordings, preset, rate, settings, 0, progress)
    asked = discovery.Asked(given.config, _recipe(None, given.preset), _known(types))
    found = discovery.discover(given.paths, given.spans_s, asked)
    if len(found.bouts.types) != len(given.places):
        raise ValueError(f"`recordings` must stay as they are. Received: {found.caveats[-1]}")
    calls = Discovered(found, asked, given).calls
    table = given.table.copy()
    for name in ("type", "confidence", "is_familiar"):
        values = np.empty(len(table), calls[name].dtype)
        values[given.places] = calls[name]
        table[name] = values
    table.attrs = {**given.table.attrs, "caveats": found.caveats}
    return table


def identify(
    recordings: Path | list[Path] | pd.DataFrame,
    individuals: dict[str, str] | pd.Series,
    preset: str | Config = "songbird",
    *,
    features: npt.ArrayLike | pd.DataFrame | None = None,
    seed: int = 0,
    progress: bool = True,
    **settings: Any,
) -> pd.DataFrame:
    """Who sings, by the calls of a few files that are named.

    Args:
        recordings: a folder, or a list of files or folders; or a table of `segment`.
        individuals: dict of file -> the individual, or species, or a Series. Two files of each let
            it be measured how well they are told apart.
        preset, seed, progress, settings: as of `discover`.
        features: numbers `[S, P]` of the table's calls to tell by in the place of their spectra,
            such as what `Model.embed` gives of the table, a row each; the silence between calls is
            not looked at then.

    Returns:
        DataFrame with a row for each file: `file`, `given`, `answer`, `probability`, `familiar`
        (share of calls that are as near to named ones as 95 % of an individual's own), `num_calls`,
        `is_held_out` (the answer was found without this file's own name). `attrs["figures"]`: dict
        of how well, from one call, a song and a recording, as identity.json; `attrs["caveats"]`:
        list of sentences.

    Raises:
        ValueError: as `discover`, or no two individuals are named.
    """
    if features is None:
        told = discover(
            recordings, preset, individuals=individuals, seed=seed, progress=progress, **settings
        )
        table, figures = told.identity, told.identity_figures
        if table is None or figures is None:
            raise ValueError(
                "`individuals` must name two at least, in files that have calls. "
                f"Received: {', '.join(sorted(set(map(str, dict(individuals).values()))))}"
            )
        table.attrs = {"figures": figures, "caveats": figures["caveats"]}
        return table
    given = _found(recordings, preset, None, settings, 0, progress)
    points = _points(features, len(given.table))[given.places]
    names = sorted(given.paths)
    own = np.repeat(np.arange(len(names)), [len(given.spans_s[name]) for name in names])
    spans = np.concatenate([given.spans_s[name] for name in names])
    gap_s = given.config.data.bout_gap_s
    bouts = bouts_of(np.zeros(len(own), int), 1, spans, own, len(names), gap_s)
    heard = identity.Heard(points, own, (~bouts.follows).cumsum())
    answered = identity.identify(names, heard, _individuals(individuals, given), seed=seed)
    table = pd.DataFrame([vars(answer) for answer in answered.answers])
    table = table.rename(columns={"recording": "file"})
    table["file"] = [given.files[name] for name in table["file"]]
    figures = identity_report.content(answered)
    table.attrs = {"figures": figures, "caveats": answered.caveats}
    return table


def _found(
    recordings: Any,
    preset: str | Config,
    rate: int | None,
    settings: dict[str, Any],
    num_workers: int,
    progress: bool,
) -> FoundCalls:
    num_workers = arguments.count_of(num_workers, "num_workers", 0, 10_000)
    return found_calls.find(recordings, preset, rate, settings, num_workers, progress)


def _recipe(measured_as: str | None, preset: str) -> features.Recipe:
    if measured_as is not None and measured_as not in features.PRESETS:
        raise ValueError(
            f"`measured_as` must be one of {', '.join(features.PRESETS)}. "
            f"Received: measured_as={measured_as!r}"
        )
    return features.recipe_of(measured_as or preset)


def _known(types: Path | Discovered | None) -> fitted_file.Fitted | None:
    if types is None:
        return None
    if isinstance(types, Discovered):
        return types.found.fitted
    if not arguments.is_path(types):
        raise ValueError(
            "`types` must be a folder with call_types.json, or what `discover` gives. "
            f"Received: {type(types).__name__}"
        )
    return fitted_file.load(os.path.expanduser(os.fspath(types)), "types")


def _accepted(accepted: Any) -> list[tuple[str, str]]:
    if accepted is None:
        return []
    if arguments.is_path(accepted):
        return merges.accepted(arguments.file_of(accepted, "accepted"))
    pairs = [tuple(pair) if isinstance(pair, (list, tuple)) else (pair,) for pair in accepted]
    if not all(len(pair) == 2 and all(isinstance(name, str) for name in pair) for pair in pairs):
        raise ValueError(
            '`accepted` must be a merges.csv, or pairs of names of types, as [("A", "C")]. '
            f"Received: {accepted!r}"
        )
    return [(pair[0], pair[1]) for pair in pairs]


def _individuals(individuals: Any, given: FoundCalls) -> dict[str, str]:
    told = found_calls.named(individuals, "individuals", given)
    if len(set(told.values())) == 1:
        raise ValueError(
            f"`individuals` must name two at least. Received: {next(iter(told.values()))} alone"
        )
    return told


def _points(given: Any, num_calls: int) -> np.ndarray:
    if isinstance(given, pd.DataFrame):
        kept = [name for name in given if str(name).startswith("embedding_")]
        given = given[kept or list(given)].to_numpy()
    points = np.asarray(given)
    if (
        points.ndim != 2
        or len(points) != num_calls
        or points.dtype.kind not in "iuf"
        or not np.isfinite(points).all()
    ):
        raise ValueError(
            f"`features` must be finite numbers [{num_calls}, P], a row for each call. "
            f"Received: {points.dtype} of shape {points.shape}"
        )
    return points.astype(np.float32)
