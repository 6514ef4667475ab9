"""A copy of a run, from which its model is loaded and its training goes on."""

import os
import shutil

import numpy as np

from neurovocal_tf import files
from neurovocal_tf.api.arguments import Path
from neurovocal_tf.runs.run_folder import RunFolder
from neurovocal_tf.runs.trained import Trained, load_trained

# What makes a run; pictures can be made again.
_FILES = (
    "config.json",
    "data.json",
    "flags.txt",
    "skipped.csv",
    "history.csv",
    "story.txt",
    "model.keras",
    "texts.keras",
    "checkpoint.npz",
    "checkpoint_before.npz",
)


def write(model: Trained, run: str, workdir: Path) -> str:
    """Copies the run of a model to a new or empty folder, and returns its path.

    Raises:
        ValueError: the folder has something in it, or the run's best model is not `model`.
    """
    folder, path = RunFolder(run), os.path.abspath(os.path.expanduser(workdir))
    if os.path.exists(path) and not (os.path.isdir(path) and not os.listdir(path)):
        raise ValueError(f"`workdir` must be a new or an empty folder. Received: workdir={path}")
    os.makedirs(os.path.dirname(path), exist_ok=True)
    temporary = os.path.join(os.path.dirname(path), files.temporary_name("save"))
    os.mkdir(temporary)
    try:
        for name in _FILES:
            if os.path.exists(folder.file(name)):
                shutil.copy2(folder.file(name), temporary)
        _check_same(model, load_trained(temporary), run)
        os.rename(temporary, path)
    except BaseException:
        shutil.rmtree(temporary, ignore_errors=True)
        raise
    return path


def _check_same(model, saved, run):
    pairs = zip(model.model.variables, saved.model.variables, strict=True)
    if not all(np.array_equal(mine, theirs) for mine, theirs in pairs):
        raise ValueError(
            f"`save` copies the best model of the run in {run}, and that is no longer the one in "
            "memory: load_model gives it; model.model.save keeps the Keras model alone."
        )
