"""Fitted call types as two files: what they are as JSON, their numbers as NPZ."""

import dataclasses
import json
import os
import zipfile

import numpy as np

from neurovocal_tf import files
from neurovocal_tf.config import AudioConfig
from neurovocal_tf.discovery import features
from neurovocal_tf.discovery.call_types import CallTypes
from neurovocal_tf.discovery.features import Recipe

JSON_NAME, ARRAYS_NAME = "call_types.json", "call_types.npz"
# 2: calls are compared within 20 dB of their own loudest.
_VERSION = 2
_ARRAYS = ("mean", "components", "points", "types")


@dataclasses.dataclass(frozen=True)
class Fitted:
    """Call types, and how calls are to be measured for them.

    Attributes:
        types: `CallTypes`.    recipe: `Recipe`.    sample_rate: Hz.
        background: see `features.background_db`.
    """

    types: CallTypes
    recipe: Recipe
    sample_rate: int
    background: np.ndarray

    def points_of(
        self, path: str | os.PathLike[str], spans_s: np.ndarray, audio: AudioConfig
    ) -> np.ndarray:
        """The calls of one recording as points among those of the types, float32 `[S, P + 1]`. What
        stands against its own group, as speech does, stands against its recording.

        Args:
            path: of it.    spans_s: `[S, 2]`, seconds, in order of the onsets.
            audio: how it is read, but for the rate.

        Raises: `readers.UnreadableRecording`.
        """
        at_rate = dataclasses.replace(audio, sample_rate=self.sample_rate)
        measured = features.measure(os.fspath(path), spans_s, self.background, self.recipe, at_rate)
        measured = features.standardised(measured, self.recipe, np.zeros(len(spans_s), int))
        return self.types.project(features.as_points(measured, self.recipe))


def save(folder: str, fitted: Fitted) -> None:
    """Writes call_types.json and call_types.npz."""
    with files.replacing(os.path.join(folder, ARRAYS_NAME)) as temporary:
        arrays = {name: getattr(fitted.types, name) for name in _ARRAYS}
        np.savez_compressed(temporary, background=fitted.background, **arrays)
    files.write_json(
        os.path.join(folder, JSON_NAME),
        {
            "version": _VERSION,
            "sample_rate": fitted.sample_rate,
            "recipe": dataclasses.asdict(fitted.recipe),
            "names": list(fitted.types.names),
        },
    )


def load(folder: str, setting: str) -> Fitted:
    """What `save` wrote.

    Raises: ValueError, one line that names the `setting`, if it is not there or not whole.
    """
    path = os.path.join(folder, JSON_NAME)
    received = f"Received: {setting}={folder}"
    if not os.path.isfile(path):
        raise ValueError(
            f"`{setting}` must be a folder with {JSON_NAME}, which `neurovocal discover` has "
            f"written. {received}"
        )
    try:
        with open(path, encoding="utf-8") as file:
            told = json.load(file)
        if told["version"] != _VERSION:
            raise ValueError(
                "those of an earlier version, which compared calls otherwise, cannot be: run "
                "`neurovocal discover` again on what they were found in"
            )
        with np.load(os.path.join(folder, ARRAYS_NAME), allow_pickle=False) as arrays:
            of_types = {name: arrays[name] for name in _ARRAYS}
            types = CallTypes(**of_types, names=tuple(told["names"]))
            fitted = Fitted(
                types, Recipe(**told["recipe"]), int(told["sample_rate"]), arrays["background"]
            )
        shape = len(types.types), len(types.components) + 1
        if types.points.shape != shape or types.types.max() >= len(types.names):
            raise ValueError("its arrays do not fit each other")
    except (OSError, ValueError, KeyError, TypeError, EOFError, zipfile.BadZipFile) as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        raise ValueError(
            f"`{setting}` must hold call types that can be read, and {reason}. {received}"
        ) from None
    return fitted
