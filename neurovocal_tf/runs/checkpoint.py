"""Everything a killed run needs to go on as if nothing had happened, in one .npz file."""

import json
import math
import os
import zipfile
from collections.abc import Sequence
from typing import Any

import numpy as np

from neurovocal_tf import files
from neurovocal_tf.model.rnn_rbm import RNNRBM


def save(
    path: str | os.PathLike[str],
    model: RNNRBM,
    epoch: int,
    best: "BestWeights",
    history: list[dict[str, Any]],
) -> None:
    """Writes weights, optimiser, best weights and counters.

    Args:
        path: of the file.    model: a compiled `RNNRBM`.    epoch: int, epochs done.
        best: `BestWeights`.    history: list of dicts, one an epoch.
    """
    arrays = {f"model/{i}": np.asarray(variable) for i, variable in enumerate(model.variables)}
    arrays |= {
        f"optimizer/{i}": np.asarray(variable)
        for i, variable in enumerate(model.optimizer.variables)
    }
    arrays |= {f"best/{i}": array for i, array in enumerate(best.weights)}
    meta = json.dumps({"epoch": epoch, "history": history, "best": best.figures()})
    with files.replacing(path) as temporary:
        np.savez(temporary, meta=np.frombuffer(meta.encode(), np.uint8), **arrays)


def restore(
    path: str | os.PathLike[str], model: RNNRBM, best: "BestWeights"
) -> tuple[int, list[dict[str, Any]]]:
    """Puts a checkpoint back into a built and compiled model, and into `best`.

    Returns:
        (epochs done, history).
    """
    with _opened(path) as arrays:
        meta = json.loads(bytes(arrays["meta"]))
        for name, variables in (
            ("model", model.variables),
            ("optimizer", model.optimizer.variables),
        ):
            _assign(arrays, name, variables, path)
        best.weights = _prefixed(arrays, "best")
    for name, value in meta["best"].items():
        setattr(best, name, value)
    return meta["epoch"], meta["history"]


def load_best(path: str | os.PathLike[str], model: RNNRBM) -> int:
    """Puts a checkpoint's best weights into a model, and returns the number of their epoch."""
    with _opened(path) as arrays:
        epoch = json.loads(bytes(arrays["meta"]))["best"]["epoch"]
        if not epoch:
            raise ValueError(
                f"There are no trained weights yet: {path}. Train for an epoch at least."
            )
        _assign(arrays, "best", model.variables, path)
        return epoch


def _opened(path):
    try:
        return np.load(path, allow_pickle=False)
    except FileNotFoundError:
        raise ValueError(f"There is no checkpoint: {path}. Train into another --workdir.") from None
    except (OSError, ValueError, EOFError, zipfile.BadZipFile) as error:
        raise ValueError(f"{path} is not a checkpoint: {error}") from None


def _prefixed(arrays, name):
    count = sum(key.startswith(f"{name}/") for key in arrays.files)
    return [arrays[f"{name}/{i}"] for i in range(count)]


def _assign(arrays, name, variables, path):
    values = _prefixed(arrays, name)
    if [value.shape for value in values] != [tuple(variable.shape) for variable in variables]:
        raise ValueError(f"{path} holds another model than its config.json describes.")
    for variable, value in zip(variables, values, strict=True):
        variable.assign(value)


class BestWeights:
    """The weights of the best epoch so far: of the most Gibbs steps, then of the nearest songs,
    then of the smallest validation error.

    A model trained with few steps predicts as well as any, but has not learned the chain that
    generation runs; and among those that have, the one-step errors hardly differ where the songs
    still do. An epoch that was not asked to sing is behind any that was.

    Attributes:
        weights: list of arrays, as `model.variables`.    epoch: int, 0 before the first.
        cd_steps: int, its k.
        song_distance: float, see `song_likeness.song_distance`; infinite where it did not sing.
        error: float.
    """

    def __init__(self) -> None:
        self.weights, self.epoch, self.cd_steps, self.song_distance, self.error = (
            [],
            0,
            0,
            math.inf,
            math.inf,
        )

    def figures(self) -> dict[str, float]:
        """What is known of the weights beside themselves, by attribute."""
        return {
            name: getattr(self, name) for name in ("epoch", "cd_steps", "song_distance", "error")
        }

    def offer(
        self,
        weights: Sequence[np.ndarray],
        error: float,
        epoch: int,
        cd_steps: int,
        song_distance: float = math.inf,
    ) -> bool:
        """Takes them if they are better, or the first. Returns whether it did."""
        song_distance = song_distance if math.isfinite(song_distance) else math.inf
        # A validation error that is not finite is never better,
        # yet a run must have some weights to keep.
        is_finite = math.isfinite(error)
        is_better = is_finite and (-cd_steps, song_distance, error) < (
            -self.cd_steps,
            self.song_distance,
            self.error,
        )
        if not is_better and self.weights:
            return False
        self.weights, self.epoch = [np.array(w) for w in weights], epoch
        found = (
            (cd_steps, float(song_distance), float(error)) if is_finite else (0, math.inf, math.inf)
        )
        self.cd_steps, self.song_distance, self.error = found
        return True
