"""Keras with TensorFlow behind it: asked for before anything computes, and the package's classes
known to it, so that .keras files load.
"""

import importlib
import json
import os
import re
import sys
from collections.abc import Callable

from neurovocal_tf import imports

_NAME = "tensorflow"
# Whose import registers every class that a .keras file of this package may name.
_WITH_CLASSES = (
    "model.rnn_rbm",
    "model.joint_space",
    "layers.attention_encoder",
    "training.optimizers",
    "training.phases",
)
# Rooms that import Keras themselves.
_ROOMS = re.compile(r"neurovocal_tf\.(layers|model|training|runs|serving|evaluation|generation)\b")


def check() -> None:
    """Raises ValueError where Keras would run on anything but TensorFlow."""
    place, backend = _chosen()
    if backend != _NAME:
        raise ValueError(
            f"{place} must name tensorflow as Keras's backend, or none: TensorFlow is needed. "
            f"Received: {backend}"
        )


def register_classes() -> None:
    """Makes Keras know the package's classes: now where it has been imported, else as soon as it
    is. By itself this imports neither.
    """
    if hasattr(sys.modules.get("keras"), "saving"):
        _register()
    else:
        imports.around("keras", _register_after)


def _register_after(import_it: Callable[[], None]) -> None:
    import_it()
    _register()


def _register() -> None:
    # Rooms that import Keras register their classes themselves, and are in the middle of it.
    if _chosen()[1] == _NAME and not any(map(_ROOMS.match, tuple(sys.modules))):
        for module in _WITH_CLASSES:
            importlib.import_module(f"neurovocal_tf.{module}")


def _chosen() -> tuple[str, str]:
    """Where Keras's backend is chosen, and its name, as Keras looks for it."""
    if os.environ.get("KERAS_BACKEND"):
        return "KERAS_BACKEND", os.environ["KERAS_BACKEND"]
    home = os.environ.get("KERAS_HOME") or os.path.join(os.path.expanduser("~"), ".keras")
    path = os.path.join(home, "keras.json")
    try:
        with open(path, encoding="utf-8") as file:
            return path, str(json.load(file).get("backend", _NAME))
    except (OSError, ValueError, AttributeError):
        return path, _NAME
