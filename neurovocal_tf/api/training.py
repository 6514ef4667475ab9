"""Recordings, or sequences of frames, in; a trained model out."""

import os
import sys
import tempfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, overload

import keras
import numpy as np
import numpy.typing as npt
from tqdm.auto import tqdm

from neurovocal_tf.api import arguments
from neurovocal_tf.api.arguments import Path
from neurovocal_tf.api.loading import load_model
from neurovocal_tf.api.model import Model
from neurovocal_tf.audio.listing import look_at
from neurovocal_tf.config import Config
from neurovocal_tf.data.frame_sequences import (
    SPLITS,
    FrameSplit,
    check_values,
    is_frame_file,
    write_once,
)
from neurovocal_tf.data.midi_folder import holds_pieces
from neurovocal_tf.segmentation import preset_choice
from neurovocal_tf.training import trainer
from neurovocal_tf.training.progress import bar_of

Frames = npt.ArrayLike | Sequence[npt.ArrayLike] | Mapping[str, Sequence[npt.ArrayLike]]


@overload
def train(
    data: Config, preset: Path = ..., workdir: Path = ..., *further: Any, **named: Any
) -> dict[str, float]: ...


@overload
def train(
    data: Path | Frames,
    preset: str | Config = ...,
    workdir: Path | None = ...,
    report: Callable[[str], object] | None = ...,
    callbacks: Iterable[keras.callbacks.Callback] = ...,
    fold: tuple[int, int] | None = ...,
    pictures: bool = ...,
    progress: bool = ...,
    **settings: Any,
) -> Model: ...


def train(
    data: Any = None,
    preset: Any = "songbird",
    workdir: Any = None,
    report: Callable[[str], object] | None = None,
    callbacks: Iterable[keras.callbacks.Callback] = (),
    fold: tuple[int, int] | None = None,
    pictures: bool = True,
    progress: Any = True,
    **settings: Any,
) -> Any:
    """Trains a model, or goes on with the training that `workdir` holds.

    With a `Config` as first argument this is `training.trainer.train(config, data_dir, workdir,
    ...)`, which returns figures.

    Args:
        data: recordings, as a folder, a pattern such as "birds/*/song*.wav", a list (.txt) or a
            table with a column `file` (.csv, .parquet); an .npz file of frame sequences, see
            `data.frame_sequences`, or a folder of MIDI files; or frame sequences that are no sound:
            [N, T, V], or a list of [L, V], of which the last `validation_fraction` validates and as
            much before it tests; or a dict of such lists, train, valid and test.
        preset: name of a preset, see `Config.presets`; "auto": the one that fits the recordings; or
            a `Config`.
        workdir: run folder, made if it is not there; None: a new folder among the temporary files,
            `model.workdir`, which `model.save` copies to where it lasts.
        report: called with lines for the user; None: they are written to standard error where there
            is `progress`.
        callbacks: further Keras callbacks.
        fold: None, or (i, n) for forward chaining, see `data.survey`.
        pictures: draw during training.    progress: show a bar.
        settings: any that `Config` has, such as `epochs=20`, `num_hidden=200`.

    Returns:
        `Model`, the best of the run.

    Raises:
        ValueError: an argument is wrong, nothing is usable in the folder, the run folder holds
            another run or is in use, or recordings have changed since the run began.
    """
    if isinstance(data, Config) or isinstance(settings.get("config"), Config):
        return _with_config(
            data, preset, workdir, report, callbacks, fold, pictures, progress, settings
        )
    choose, is_recordings = None, False
    if arguments.is_path(data):
        data = os.path.expanduser(os.fspath(data))
        is_recordings = not (is_frame_file(data) or holds_pieces(data))
        if is_recordings:
            choose = lambda: preset_choice.choose_for_folder(data, Config().audio)  # noqa: E731
    config = arguments.config_of(preset, settings, choose=choose)
    if is_recordings:
        # Before there is a run folder.
        look_at(data)
    splits = None if arguments.is_path(data) else _splits_of(data, config)
    if workdir is not None and not arguments.is_path(workdir):
        raise ValueError(f"`workdir` must be the path of a folder. Received: workdir={workdir!r}")
    if workdir is None:
        workdir = tempfile.mkdtemp(prefix="neurovocal_tf_")
    workdir = os.path.abspath(os.path.expanduser(workdir))
    if splits is not None:
        data = os.path.join(workdir, "frames.npz")
        write_once(data, splits, "data")
    if report is None:
        report = _write if progress else _say_nothing
    bar = {"progress": bar_of(config)} if progress else {}
    trainer.train(config, data, workdir, report, callbacks, fold, pictures, **bar)
    return load_model(workdir)


def _with_config(data, preset, workdir, report, callbacks, fold, pictures, progress, settings):
    """`trainer.train` with what `train` was given in the places of its arguments."""
    config, data_dir = settings.pop("config", data), settings.pop("data_dir", preset)
    if settings or not arguments.is_path(data_dir) or not arguments.is_path(workdir):
        raise ValueError(
            "`data_dir` and `workdir` must be given as paths where the first argument is a Config, "
            "and no settings: config.replace(...) changes them. Received: "
            f"{', '.join(settings) or f'data_dir={data_dir!r}, workdir={workdir!r}'}"
        )
    given = {"report": report, "progress": progress}
    named = {name: value for name, value in given.items() if callable(value)}
    return trainer.train(
        config, data_dir, workdir, callbacks=callbacks, fold=fold, pictures=pictures, **named
    )


def _splits_of(data, config):
    """The arrays of an .npz file of frame sequences."""
    parts = data if isinstance(data, Mapping) else _parted(data, config)
    if sorted(parts) != sorted(SPLITS):
        raise _bad(f"a dict of {', '.join(SPLITS)}", f"one of {', '.join(map(str, parts))}")
    arrays = {}
    for name in SPLITS:
        sequences = [np.asarray(frames) for frames in parts[name]]
        shapes = {frames.shape[1:] for frames in sequences}
        if len(shapes) != 1 or any(
            frames.ndim != 2 or frames.dtype.kind not in "buif" or not frames.size
            for frames in sequences
        ):
            found = ", ".join(f"{frames.dtype} {list(frames.shape)}" for frames in sequences[:3])
            raise _bad(
                "sequences [L, V] of numbers, all of them of one V", f"{name}: {found or 'none'}"
            )
        if not all(np.isfinite(frames).all() for frames in sequences):
            raise _bad("finite numbers", f"NaN or infinity in {name}")
        arrays[name] = np.concatenate(sequences)
        arrays[f"{name}_lengths"] = np.array([len(frames) for frames in sequences])
    # Nothing is written of what the trainer would refuse.
    splits = {name: FrameSplit(arrays[name], arrays[f"{name}_lengths"]) for name in SPLITS}
    check_values(splits, config.model.visible_units, "data")
    return arrays


def _parted(data, config):
    is_array = hasattr(data, "__array__")
    is_list = isinstance(data, (list, tuple)) and not any(map(arguments.is_path, data))
    if not (is_list or (is_array and np.ndim(data) > 2)):
        what = f"an array of shape {np.shape(data)}" if is_array else type(data).__name__
        raise _bad(
            "a folder of recordings, an .npz file, frames [N, T, V], or a list of frames [L, V]. "
            "Samples are trained on as files in a folder, and train_list names some of a folder",
            what,
        )
    num_held_out = max(round(config.data.validation_fraction * len(data)), 1)
    if len(data) <= 2 * num_held_out:
        raise _bad(
            "three sequences at least, and more of them than twice validation_fraction",
            f"{len(data)}, with validation_fraction={config.data.validation_fraction:g}",
        )
    ends = len(data) - 2 * num_held_out, len(data) - num_held_out
    return {"train": data[: ends[0]], "test": data[ends[0] : ends[1]], "valid": data[ends[1] :]}


def _bad(wanted, found):
    return ValueError(f"`data` must be {wanted}. Received: {found}")


def _write(line):
    tqdm.write(line, file=sys.stderr)


def _say_nothing(line):
    return None
