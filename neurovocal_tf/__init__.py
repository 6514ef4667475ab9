"""neurovocal_tf: learns how vocalizations unfold in time with an RNN-RBM, and sings new ones.

Public names are imported when they are first used,
so that importing the package does not import TensorFlow.
"""

import importlib
from typing import TYPE_CHECKING, Any

from neurovocal_tf import keras_backend

# What editors and type checkers know of the names below.
if TYPE_CHECKING:
    from neurovocal_tf.api.discovered import Discovered as Discovered
    from neurovocal_tf.api.discovery import call_types as call_types
    from neurovocal_tf.api.discovery import discover as discover
    from neurovocal_tf.api.discovery import identify as identify
    from neurovocal_tf.api.loading import load_model as load_model
    from neurovocal_tf.api.loading import load_trained as load_trained
    from neurovocal_tf.api.model import Model as Model
    from neurovocal_tf.api.segments import segment as segment
    from neurovocal_tf.api.sound import load as load
    from neurovocal_tf.api.sound import spectrogram as spectrogram
    from neurovocal_tf.api.training import train as train
    from neurovocal_tf.client.client import Client as Client
    from neurovocal_tf.config import Config as Config
    from neurovocal_tf.layers.attention_encoder import AttentionEncoder as AttentionEncoder
    from neurovocal_tf.layers.conditional_rbm import ConditionalRBM as ConditionalRBM
    from neurovocal_tf.layers.conditioned_encoder import ConditionedEncoder as ConditionedEncoder
    from neurovocal_tf.layers.gated_recurrent_encoder import (
        GatedRecurrentEncoder as GatedRecurrentEncoder,
    )
    from neurovocal_tf.layers.latent_variable import LatentVariable as LatentVariable
    from neurovocal_tf.model.rnn_rbm import RNNRBM as RNNRBM
    from neurovocal_tf.serving.export import export_saved_model as export_saved_model
    from neurovocal_tf.training.cores import share_out_cores as share_out_cores
    from neurovocal_tf.training.optimizers import (
        GuardedAdam as GuardedAdam,
    )
    from neurovocal_tf.training.optimizers import (
        GuardedRMSprop as GuardedRMSprop,
    )
    from neurovocal_tf.training.phases import (
        PhasedLearningRate as PhasedLearningRate,
    )
    from neurovocal_tf.training.phases import (
        Phases as Phases,
    )

__version__ = "0.2.0"

_MODULE_OF = {
    "AttentionEncoder": "layers.attention_encoder",
    "Client": "client.client",
    "Config": "config",
    "ConditionalRBM": "layers.conditional_rbm",
    "ConditionedEncoder": "layers.conditioned_encoder",
    "Discovered": "api.discovered",
    "GatedRecurrentEncoder": "layers.gated_recurrent_encoder",
    "GuardedAdam": "training.optimizers",
    "GuardedRMSprop": "training.optimizers",
    "LatentVariable": "layers.latent_variable",
    "Model": "api.model",
    "PhasedLearningRate": "training.phases",
    "Phases": "training.phases",
    "RNNRBM": "model.rnn_rbm",
    "call_types": "api.discovery",
    "discover": "api.discovery",
    "export_saved_model": "serving.export",
    "identify": "api.discovery",
    "load": "api.sound",
    "load_model": "api.loading",
    "load_trained": "api.loading",
    "segment": "api.segments",
    "share_out_cores": "training.cores",
    "spectrogram": "api.sound",
    "train": "api.training",
}

_WITHOUT_KERAS = (
    "Client",
    "Config",
    "Discovered",
    "call_types",
    "discover",
    "identify",
    "load",
    "segment",
    "spectrogram",
)

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
