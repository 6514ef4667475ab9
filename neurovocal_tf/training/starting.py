"""A new run begins with the weights of another: found, taken over, and written down."""

import dataclasses
import os
from collections.abc import Callable

import keras
import numpy as np

from neurovocal_tf.config import Config
from neurovocal_tf.discovery.phone_units import PhoneUnits
from neurovocal_tf.generation import voice_conversion
from neurovocal_tf.layers.telling_encoder import TellingEncoder
from neurovocal_tf.model.adaptation import start_from_data, take_standardisation
from neurovocal_tf.model.rnn_rbm import RNNRBM
from neurovocal_tf.model.transfer import LABELS, kept_vectors, meet_data, take_weights
from neurovocal_tf.runs.checkpoint import digest_of
from neurovocal_tf.runs.run_folder import RunFolder
from neurovocal_tf.runs.trained import load_trained
from neurovocal_tf.training.preparation import TrainingData

# By how many batches the read-out meets new data.
_NUM_BATCHES = 50
# What makes the frames of two runs of the same bins others.
_OF_FRAMES = ("hop_length", "scaling", "dynamic_range_db")
#: Parts of the names of the weights that learn as fast as fresh ones: vectors of conditions, and of
#: labels.
FRESH_PATHS = ("/values_", "label_vectors", "part_vectors")


@dataclasses.dataclass(frozen=True)
class Start:
    """A model to begin with: `model`; `config` of its run, None where only weights are known;
    `sample_rate` in Hz, 0 where it is not known; `told`, what a run folder keeps of it; `units`
    that its labels are, None where they are none.
    """

    model: RNNRBM
    config: Config | None
    sample_rate: int
    told: dict[str, str | int]
    units: PhoneUnits | None = None


def read(path: str) -> Start:
    """The model in a run folder, a model.keras or an export, and the units that lie beside it.

    Raises:
        ValueError: there is none, or it cannot be read.
    """
    if os.path.isfile(path):
        return _start(path, _keras_model(path), os.path.dirname(path))
    if RunFolder(path).has_run():
        trained, folder = load_trained(path), path
    else:
        trained, folder = _exported(path)
    of_run = trained.config, trained.sample_rate, trained.epoch
    return _start(path, trained.model, folder, *of_run)


def _start(path, model, folder, config=None, sample_rate=0, epoch=None):
    told = {"path": os.path.abspath(path), "weights": digest_of(model.variables)}
    told |= {} if epoch is None else {"epoch": epoch}
    units = voice_conversion.units_in(folder)
    are_labels = units is not None and {*model.labels.known} & {*units.names}
    return Start(model, config, sample_rate, told, units if are_labels else None)


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
    return exported.read(version), exported.folder_beside(version)


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
    take_weights(model, start.model, _labels_hold(start, config))
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
    kept = kept_vectors(model, start.model)
    if LABELS in kept:
        known = start.model.labels.known if _labels_hold(start, config) else ()
        new = len({*model.labels.known} - {*known})
        if new:
            yield (
                f"{new} of {len(model.labels)} labels are new and begin as the mean of those that "
                "it knows"
            )
    elif model.labels:
        why = "has vectors of labels of another size" if start.model.labels else "knows no labels"
        yield f"it {why}: all {len(model.labels)} are new and begin without an effect"
    elif start.model.labels:
        yield "its labels are left out, and stay unknown"
    left = start.model.conditions.values.keys() - model.conditions.values.keys()
    if left:
        yield f"its conditions {', '.join(sorted(left))} are left out, and stay unknown"
    for name, values in model.conditions.values.items():
        known = start.model.conditions.values[name] if name in kept else ()
        new = [value for value in values[1:] if value not in known]
        if new:
            what = "as the unknown" if known else "without an effect"
            yield f"{len(new)} of {len(values) - 1} values of {name} are new and begin {what}"


def _labels_hold(start, config):
    """Whether labels of one name mean the same in what a run begins with; call types are named anew
    wherever they are found.
    """
    sources = [one.data.source_of_labels for one in (start.config, config) if one is not None]
    return "types" not in sources


def freeze(model: RNNRBM, part: str) -> None:
    """Keeps a part of a model as it is in training: its encoder, but for vectors of conditions and
    labels; its RBM; or none.
    """
    if part == "encoder":
        inner = model.encoder
        while isinstance(inner, TellingEncoder):
            inner = inner.encoder
        inner.trainable = False
    if part == "rbm":
        model.conditional_rbm.trainable = False
