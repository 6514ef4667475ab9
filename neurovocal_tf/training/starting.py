"""A new run begins with the weights of another: found, taken over, and written down."""

import dataclasses
import os
from collections.abc import Callable

import keras
import numpy as np

from neurovocal_tf.config import Config
from neurovocal_tf.layers.conditioned_encoder import ConditionedEncoder
from neurovocal_tf.model.adaptation import start_from_data, take_standardisation
from neurovocal_tf.model.rnn_rbm import RNNRBM
from neurovocal_tf.model.transfer import meet_data, take_weights
from neurovocal_tf.runs.checkpoint import digest_of
from neurovocal_tf.runs.run_folder import RunFolder
from neurovocal_tf.runs.trained import load_trained
from neurovocal_tf.training.preparation import TrainingData

# By how many batches the read-out meets new data.
_NUM_BATCHES = 50
# What makes the frames of two runs of the same bins others.
_OF_FRAMES = ("hop_length", "scaling", "dynamic_range_db")
#: Part of the names of the weights that learn as fast as fresh ones: vectors of conditions.
FRESH_PATHS = ("/values_",)


@dataclasses.dataclass(frozen=True)
class Start:
    """A model to begin with: `model`; `config` of its run, None where only weights are known;
    `sample_rate` in Hz, 0 where it is not known; `told`, what a run folder keeps of it.
    """

    model: RNNRBM
    config: Config | None
    sample_rate: int
    told: dict[str, str | int]


def read(path: str) -> Start:
    """The model in a run folder, a model.keras or an export.

    Raises:
        ValueError: there is none, or it cannot be read.
    """
    if os.path.isfile(path):
        return _start(path, _keras_model(path), None, 0, None)
    trained = load_trained(path) if RunFolder(path).has_run() else _exported(path)
    return _start(path, trained.model, trained.config, trained.sample_rate, trained.epoch)


def _start(path, model, config, sample_rate, epoch):
    told = {"path": os.path.abspath(path), "weights": digest_of(model.variables)}
    return Start(model, config, sample_rate, told | ({} if epoch is None else {"epoch": epoch}))


def _keras_model(path):
    try:
        model = keras.saving.load_model(path, compile=False)
    # Of what is no such file whatever its reader meets first.
    except Exception as error:
        reason = " ".join(str(error).split())[:200]
        raise _none(path, f"a file that Keras cannot read ({reason})") from None
    if not isinstance(model, RNNRBM):
        raise _none(path, f"a {type(model).__name__}")
    return model


def _exported(path):
    # Here: it takes the libraries of what exports.
    from neurovocal_tf.runs import exported

    version = exported.version_in(path)
    if version is None:
        raise _none(path, "something else" if os.path.exists(path) else "nothing there")
    return exported.read(version)


def _none(path, found):
    return ValueError(
        "`start_from` must be a run folder, its model.keras, or an export. "
        f"Received: start_from={path}, {found}"
    )


def begin(
    model: RNNRBM,
    start: Start | None,
    data: TrainingData,
    config: Config,
    report: Callable[[str], object],
) -> None:
    """Gives a fresh model what it is to begin with: the data's mean and autoregression, or the
    weights of another model.

    Args:
        model: `RNNRBM`.    start: `Start`; None: there is none.    data: of the new run.
        config: `Config` of the new run.    report: called with lines for the user.

    Raises:
        ValueError: the model to begin with is of another shape.
    """
    assert data.moments is not None
    if start is None:
        start_from_data(model, data.moments)
        return
    take_weights(model, start.model)
    if config.training.start_with == "all":
        model.standardisation.set(
            *map(
                np.asarray, (start.model.standardisation.offset, start.model.standardisation.scale)
            )
        )
    else:
        take_standardisation(model, data.moments)
        meet_data(model, data.training.take(min(_NUM_BATCHES, data.num_batches)))
    for line in _told(start, model, data, config):
        report(line)


def _told(start, model, data, config):
    yield f"starting from {start.told['path']}"
    rate = data.summary.sample_rate
    if start.sample_rate not in (0, rate):
        yield (
            f"its recordings are of {start.sample_rate} Hz and these of {rate} Hz, so that its "
            "bins are other frequencies"
        )
    for name in _OF_FRAMES if start.config else ():
        there, here = (getattr(c.spectrogram, name) for c in (start.config, config))
        if there != here:
            yield f"its frames are others than these: {name}={there} there, {here} here"
    if config.data.source_of_labels in ("types", "units"):
        yield (
            "its labels have the names of these, but were found in other recordings: a name need "
            "not mean the same sounds"
        )
    for name, values in model.conditions.values.items():
        known = start.model.conditions.values.get(name, ())
        new = [value for value in values[1:] if value not in known]
        if new:
            what = "as the unknown" if known else "without an effect"
            yield f"{len(new)} of {len(values) - 1} values of {name} are new and begin {what}"


def freeze(model: RNNRBM, part: str) -> None:
    """Keeps a part of a model as it is in training: its encoder, but for vectors of conditions; its
    RBM; or none.
    """
    encoder = model.encoder
    if part == "encoder":
        inner = encoder.encoder if isinstance(encoder, ConditionedEncoder) else encoder
        inner.trainable = False
    if part == "rbm":
        model.conditional_rbm.trainable = False
