"""A trained model from its export: the same weights and settings, without the run."""

import json
import os
import re

import tensorflow as tf

from neurovocal_tf.audio.spectrogram import FrameScale
from neurovocal_tf.conditions import Conditions
from neurovocal_tf.config import Config
from neurovocal_tf.labels import Labels
from neurovocal_tf.model.joint_space import JointSpace
from neurovocal_tf.runs.trained import Trained, build_model
from neurovocal_tf.serving.export import METADATA


def version_in(path: str | os.PathLike[str]) -> str | None:
    """The version's folder, where a path is one or a folder of versions, whose newest counts; else
    None.
    """
    path = os.path.expanduser(os.fspath(path))
    if os.path.isfile(os.path.join(path, METADATA)):
        return path
    names = os.listdir(path) if os.path.isdir(path) else []
    numbers = [
        int(name)
        for name in names
        if re.fullmatch(r"\d+", name) and os.path.isfile(os.path.join(path, name, METADATA))
    ]
    return os.path.join(path, str(max(numbers))) if numbers else None


def folder_beside(version: str) -> str:
    """Where a version has what is no part of its graph."""
    return os.path.join(version, os.path.dirname(METADATA))


def read(version: str) -> Trained:
    """The model of a version's folder that `serving.export` has written.

    Raises:
        ValueError: its files are damaged, or not of this model.
    """
    try:
        with open(os.path.join(version, METADATA), encoding="utf-8") as file:
            told = json.load(file)
        config = Config.from_json(json.dumps(told["config"]))
        scale = FrameScale(**told["scale"])
        weights = tf.train.load_checkpoint(os.path.join(version, "variables", "variables"))
        known = Conditions.from_json(told.get("conditions", {}))
        labels = Labels.from_json(told.get("labels", {}))
        model = build_model(config, told["num_bins"], known, labels)
        for number, variable in enumerate(model.variables):
            # As the SavedModel's root has them, see `export`.
            variable.assign(weights.get_tensor(f"weights/{number}/.ATTRIBUTES/VARIABLE_VALUE"))
        space = JointSpace.from_config(told["joint_space"]) if "joint_space" in told else None
        for number, variable in enumerate(space.variables if space else ()):
            variable.assign(
                weights.get_tensor(f"space_weights/{number}/.ATTRIBUTES/VARIABLE_VALUE")
            )
        rate, epoch = int(told["sample_rate_hz"]), int(told["epoch"])
        return Trained(model, config, scale, rate, epoch, space)
    # Of a damaged file whatever its reader meets first.
    except Exception as error:
        raise ValueError(
            f"`workdir` must be an export as this version of the package writes it. "
            f"Received: workdir={version}, which is damaged or of another version "
            f"({' '.join(str(error).split())[:200]})"
        ) from None
