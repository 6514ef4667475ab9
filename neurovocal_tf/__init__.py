"""neurovocal_tf: learns how vocalizations unfold in time with an RNN-RBM, and sings new ones.

Public names are imported when they are first used,
so that importing the package does not import TensorFlow.
"""

import importlib
from typing import Any

from neurovocal_tf import keras_backend

__version__ = "0.2.0"

_MODULE_OF = {
    "Client": "client.client",
    "Config": "config",
    "ConditionalRBM": "layers.conditional_rbm",
    "GatedRecurrentEncoder": "layers.gated_recurrent_encoder",
    "GuardedAdam": "training.optimizers",
    "GuardedRMSprop": "training.optimizers",
    "PhasedLearningRate": "training.phases",
    "Phases": "training.phases",
    "RNNRBM": "model.rnn_rbm",
    "export_saved_model": "serving.export",
    "load_trained": "runs.trained",
    "share_out_cores": "training.cores",
    "train": "training.trainer",
}

_WITHOUT_KERAS = ("Client", "Config")

__all__ = ["__version__", *_MODULE_OF]

keras_backend.register_classes()


def __getattr__(name: str) -> Any:
    if name not in _MODULE_OF:
        raise AttributeError(
            f"module {__name__!r} has no attribute {name!r}. Public names: {', '.join(_MODULE_OF)}"
        )
    if name not in _WITHOUT_KERAS:
        keras_backend.check()
    return getattr(importlib.import_module(f"{__name__}.{_MODULE_OF[name]}"), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *_MODULE_OF])
