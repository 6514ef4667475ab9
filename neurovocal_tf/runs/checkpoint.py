"""Everything a killed run needs to go on as if nothing had happened, in one .npz file.

It carries a checksum, and what the run folder must remember: the settings, and what is known of the
data. The checkpoint before the last stays beside it.
"""

import dataclasses
import hashlib
import json
import math
import os
import shutil
import zlib
from collections.abc import Iterable, Sequence
from typing import Any

import keras
import numpy as np

from neurovocal_tf import array_files, files


@dataclasses.dataclass(frozen=True)
class Memory:
    """What a run folder knows beside its weights, as its JSON files have it: the texts of
    config.json and data.json.
    """

    config: str
    data: str


@dataclasses.dataclass(frozen=True)
class Checkpoint:
    """A checkpoint that has been read, and is whole.

    Attributes:
        path: of its file.    epoch: int, epochs done.    history: list of dicts, one an epoch.
        best: dict of the best weights' figures, see `BestWeights.figures`.
        memory: `Memory`; None in checkpoints of earlier versions.
        arrays: dict of lists: "model", "optimizer" and "best".
    """

    path: str
    epoch: int
    history: list[dict[str, float]]
    best: dict[str, float]
    memory: Memory | None
    arrays: dict[str, list[np.ndarray]]

    def restore(self, model: keras.Model, best: "BestWeights") -> None:
        """Puts it back into a built and compiled model, and into `best`."""
        parts = [("model", model.variables), ("optimizer", model.optimizer.variables)]
        if self.best["epoch"]:
            parts.append(("best", model.variables))
        for name, variables in parts:
            self._check(name, variables)
        for name, variables in parts[:2]:
            _assign(self.arrays[name], variables)
        best.weights = self.arrays["best"]
        for name, value in self.best.items():
            setattr(best, name, value)

    def load_best(self, model: keras.Model) -> int:
        """Puts the best weights into a model, and returns the number of their epoch."""
        if not self.best["epoch"]:
            raise ValueError(
                f"There are no trained weights yet: {self.path}. Train for an epoch at least."
            )
        self._check("best", model.variables)
        _assign(self.arrays["best"], model.variables)
        return int(self.best["epoch"])

    def _check(self, name, variables):
        arrays = self.arrays[name]
        if [array.shape for array in arrays] != [
            tuple(variable.shape) for variable in variables
        ] or not all(
            np.can_cast(array.dtype, np.asarray(variable).dtype, "same_kind")
            for array, variable in zip(arrays, variables, strict=True)
        ):
            raise ValueError(f"{self.path} holds another model than its config.json describes.")


def _assign(arrays, variables):
    for variable, array in zip(variables, arrays, strict=True):
        variable.assign(array)


def save(
    path: str | os.PathLike[str],
    model: keras.Model,
    epoch: int,
    best: "BestWeights",
    history: list[dict[str, Any]],
    memory: Memory | None = None,
) -> None:
    """Writes weights, optimiser, best weights, counters and memory. What was there stays as the
    checkpoint before, see `path_before`.

    Args:
        path: of the file.    model: a compiled Keras model.    epoch: int, epochs done.
        best: `BestWeights`.    history: list of dicts, one an epoch.    memory: `Memory`.
    """
    arrays = {f"model/{i}": np.asarray(variable) for i, variable in enumerate(model.variables)}
    arrays |= {
        f"optimizer/{i}": np.asarray(variable)
        for i, variable in enumerate(model.optimizer.variables)
    }
    arrays |= {f"best/{i}": array for i, array in enumerate(best.weights)}
    arrays["meta"] = _bytes(
        json.dumps({"epoch": epoch, "history": history, "best": best.figures()})
    )
    if memory is not None:
        # Segments by hand of a large folder are megabytes of text.
        arrays["memory"] = np.frombuffer(
            zlib.compress(json.dumps(dataclasses.asdict(memory)).encode(), 1), np.uint8
        )
    with files.replacing(path) as temporary:
        np.savez(temporary, checksum=_checksum(arrays), **arrays)
        _keep_as_before(path)


def path_before(path: str | os.PathLike[str]) -> str:
    """Path of the checkpoint before the one at `path`."""
    stem, extension = os.path.splitext(path)
    return f"{stem}_before{extension}"


def copy(path: str | os.PathLike[str], other: str | os.PathLike[str]) -> None:
    """Makes a checkpoint be at another path, too; what was there is replaced at once."""
    with files.replacing(other) as temporary:
        os.unlink(temporary)
        try:
            # Nothing writes into a checkpoint: another takes its place.
            os.link(path, temporary)
        except OSError:
            # Some file systems have no links.
            shutil.copyfile(path, temporary)


def read(path: str | os.PathLike[str]) -> Checkpoint:
    """A checkpoint, whole.

    Raises:
        ValueError: there is none, or it is damaged; the message says where the one before is.
    """
    try:
        arrays = array_files.read(path)
        checksum = arrays.pop("checksum", None)
        if checksum is not None and not np.array_equal(checksum, _checksum(arrays)):
            raise ValueError("its checksum is another")
        meta, memory = json.loads(bytes(arrays.pop("meta"))), None
        if "memory" in arrays:
            memory = Memory(**json.loads(zlib.decompress(bytes(arrays.pop("memory")))))
        return Checkpoint(
            os.fspath(path),
            *_sane(meta),
            memory,
            {name: _prefixed(arrays, name) for name in ("model", "optimizer", "best")},
        )
    except FileNotFoundError:
        raise ValueError(
            f"There is no checkpoint: {path}. {_remedy(path, 'Train into another --workdir.')}"
        ) from None
    except OSError as error:
        raise ValueError(f"{path} cannot be read: {error.strerror}.") from None
    # What was written by an earlier version has no checksum, and anything may be wrong with it.
    except Exception as error:
        remedy = _remedy(path, "Put back a copy of it, or train into another --workdir.")
        raise ValueError(
            f"{path} is not a checkpoint: {array_files.reason(error)}. {remedy}"
        ) from None


def restore(
    path: str | os.PathLike[str], model: keras.Model, best: "BestWeights"
) -> tuple[int, list[dict[str, Any]]]:
    """Puts a checkpoint back into a built and compiled model, and into `best`.

    Returns:
        (epochs done, history).
    """
    found = read(path)
    found.restore(model, best)
    return found.epoch, found.history


def load_best(path: str | os.PathLike[str], model: keras.Model) -> int:
    """Puts a checkpoint's best weights into a model, and returns the number of their epoch."""
    return read(path).load_best(model)


def _remedy(path, otherwise):
    before = path_before(path)
    if before == os.fspath(path) or not os.path.exists(before):
        return otherwise
    return (
        f"The one before it is {before}: the `neurovocal train` command of this run goes on from "
        "it."
    )


def _keep_as_before(path):
    """What is at `path` is the checkpoint before, too, until another takes its place."""
    if not os.path.exists(path):
        return
    copy(path, path_before(path))


def _bytes(text):
    return np.frombuffer(text.encode(), np.uint8)


def _checksum(arrays):
    digest = hashlib.blake2b(digest_size=16)
    for name in sorted(arrays):
        array = np.asarray(arrays[name])
        digest.update(f"{name} {array.dtype.str} {array.shape}".encode())
        digest.update(np.ascontiguousarray(array))
    return np.frombuffer(digest.digest(), np.uint8)


def _prefixed(arrays, name):
    count = sum(key.startswith(f"{name}/") for key in arrays)
    return [arrays[f"{name}/{i}"] for i in range(count)]


def _sane(meta):
    """Epoch, history and best figures of a checkpoint's meta-data. Raises an exception of any kind
    where they are not what `save` writes.
    """
    epoch, history, best = meta["epoch"], meta["history"], meta["best"]
    numbers = [epoch, *best.values(), *(value for row in history for value in row.values())]
    if (
        any(isinstance(number, bool) or not isinstance(number, (int, float)) for number in numbers)
        or best.keys() != BestWeights().figures().keys()
        or not isinstance(epoch, int)
        or not 0 <= best["epoch"] <= epoch
        or any(row.keys() != history[0].keys() for row in history)
    ):
        raise ValueError("its counters contradict each other")
    return epoch, history, best


def digest_of(weights: Iterable[Any]) -> str:
    """A digest of weights, arrays or variables, by which others are told from them."""
    digest = hashlib.blake2b(digest_size=8)
    for weight in weights:
        digest.update(np.ascontiguousarray(np.asarray(weight)))
    return digest.hexdigest()


class BestWeights:
    """The weights of the best epoch so far: of the most Gibbs steps, then of the nearest songs,
    then of the smallest validation error.

    A model trained with few steps predicts as well as any, but has not learned the chain that
    generation runs; and among those that have, the one-step errors hardly differ where the songs
    still do. An epoch that was not asked to sing is behind any that was.

    Attributes:
        weights: list of arrays, as `model.variables`.    epoch: int, 0 before the first.
        cd_steps: int, its k.
        song_distance: float, see `song_measures.song_distance`; infinite where it did not sing.
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

    def would_take(self, error: float, cd_steps: int, song_distance: float = math.inf) -> bool:
        """Whether weights with these figures are better, or the first."""
        song_distance = song_distance if math.isfinite(song_distance) else math.inf
        best = -self.cd_steps, self.song_distance, self.error
        # A validation error that is not finite is never better,
        # yet a run must have some weights to keep.
        is_better = math.isfinite(error) and (-cd_steps, song_distance, error) < best
        return is_better or not self.weights

    def offer(
        self,
        weights: Sequence[np.ndarray],
        error: float,
        epoch: int,
        cd_steps: int,
        song_distance: float = math.inf,
    ) -> bool:
        """Takes them if they are better, or the first. Returns whether it did."""
        if not self.would_take(error, cd_steps, song_distance):
            return False
        song_distance = song_distance if math.isfinite(song_distance) else math.inf
        self.weights, self.epoch = [np.asarray(w).copy() for w in weights], epoch
        found = (
            (cd_steps, float(song_distance), float(error))
            if math.isfinite(error)
            else (0, math.inf, math.inf)
        )
        self.cd_steps, self.song_distance, self.error = found
        return True
