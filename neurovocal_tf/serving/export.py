"""A trained model as a version folder of TensorFlow Serving.

N/saved_model.pb, N/variables/               the endpoints
N/batching_params.pbtxt                      how to batch their requests (with
                                             --enable_per_model_batching_parameters)
N/assets.extra/tf_serving_warmup_requests    what a server runs before it takes requests
N/assets.extra/neurovocal_tf.json            what a client needs to know
N/assets.extra/phone_units.npz               the units of a model that converts voices, for who
                                             starts from it
"""

import dataclasses
import json
import math
import os
import platform
import re
import secrets
import shutil
from collections.abc import Mapping, Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf

import neurovocal_tf
from neurovocal_tf import files, status
from neurovocal_tf.discovery import phone_units
from neurovocal_tf.discovery.phone_units import PhoneUnits
from neurovocal_tf.generation.singer import DEFAULT_MAX_FRAMES, DEFAULT_TEMPERATURE, TrainedModel
from neurovocal_tf.model import scoring
from neurovocal_tf.model.tiling import Layout
from neurovocal_tf.model.usual_calls import LOGARITHMIC, UsualCalls
from neurovocal_tf.ownership import owned
from neurovocal_tf.serving import warmup
from neurovocal_tf.serving.endpoints import Endpoints

METADATA = os.path.join("assets.extra", "neurovocal_tf.json")
WARM_UP = os.path.join("assets.extra", "tf_serving_warmup_requests")
BATCHING = "batching_params.pbtxt"

# Sizes to which a server fills up a batch; to no more than twice its rows, since most endpoints
# take as long as they have rows.
BATCH_SIZES = (1, 2, 4, 8, 16, 32)
_BATCH_TIMEOUT_MICROS = 1_000
_MAX_ENQUEUED_BATCHES = 1_000


def export_saved_model(
    trained: TrainedModel,
    export_dir: str | os.PathLike[str],
    max_frames: int = DEFAULT_MAX_FRAMES,
    usual: Sequence[scoring.UsualRanges] = scoring.EVERYTHING_USUAL,
    training_data: Mapping[str, Any] | None = None,
    usual_calls: UsualCalls | None = None,
    units: PhoneUnits | None = None,
) -> str:
    """Writes the next version of a SavedModel for TensorFlow Serving; earlier versions stay.

    Its signatures are those of `endpoints.Endpoints`; `generate` is also `serving_default`.

    Args:
        trained: `trained.Trained`.    export_dir: folder of versions; made if it is not there.
        max_frames: int, longest song.
        usual: `scoring.UsualRanges`, outside which so many frames are unusual.
        training_data: dict of JSON values about the recordings, for the metadata.
        usual_calls: `UsualCalls`, by which single calls are judged; None: nothing is known.
        units: `PhoneUnits` that the model's labels are, to convert voices; None: they are none.

    Returns:
        Path of the version's folder, export_dir/N.
    """
    endpoints = Endpoints(trained, max_frames, usual, usual_calls, units)
    os.makedirs(export_dir, exist_ok=True)
    # Any number of exports may write beside each other: each is a version of its own.
    with owned(export_dir, f"export_{secrets.token_hex(4)}"):
        return _export(endpoints, export_dir, trained.epoch, training_data)


def _export(endpoints, export_dir, epoch, training_data):
    temporary = os.path.join(export_dir, files.temporary_name("export"))
    os.mkdir(temporary)
    try:
        _save(temporary, endpoints)
        _write_beside(
            temporary,
            endpoints,
            metadata(endpoints) | {"epoch": epoch, "training_data": training_data},
        )
        return _publish(temporary, export_dir)
    except BaseException:
        shutil.rmtree(temporary, ignore_errors=True)
        raise


def metadata(endpoints: Endpoints) -> dict[str, Any]:
    """What a client needs to know beside the signatures, as a dict of JSON values."""
    settings = endpoints.config.spectrogram
    return {
        "sample_rate_hz": endpoints.sample_rate,
        "n_fft": settings.n_fft,
        "hop_length": settings.hop_length,
        "window": "tukey(0.25), periodic",
        "num_bins": endpoints.model.num_visible,
        "scale": dataclasses.asdict(endpoints.scale),
        "max_frames": endpoints.max_frames,
        "default_temperature": DEFAULT_TEMPERATURE,
        "detector": dataclasses.asdict(endpoints.config.segmentation),
        "usual_ranges": [
            {"num_frames": ranges.num_frames}
            | {name: [_finite(x) for x in getattr(ranges, name)] for name in scoring.SCORES}
            for ranges in endpoints.usual
        ],
        "usual_calls": {
            "scores": list(endpoints.usual_calls.names),
            "logarithmic": list(LOGARITHMIC),
            "middles": endpoints.usual_calls.middles[0].tolist(),
            "spreads": endpoints.usual_calls.spreads[0].tolist(),
            "num_held_out_calls": endpoints.usual_calls.num_calls,
            "share_of_usual_calls_called_unusual": endpoints.usual_calls.rate,
            "compared_with": "held-out calls of all types",
        },
        **_of_conditions(endpoints.model.conditions),
        **({"labels": endpoints.model.labels.to_json()} if endpoints.model.labels else {}),
        **_of_texts(endpoints.space),
        "status": {str(int(code)): text for code, text in status.DESCRIPTIONS.items()},
        "layouts": {str(int(layout)): layout.description for layout in Layout},
        "layout_where_exported": int(endpoints.singer.layout.found),
        "config": dataclasses.asdict(endpoints.config),
        "versions": {
            "neurovocal_tf": neurovocal_tf.__version__,
            "tensorflow": tf.__version__,
            "keras": keras.__version__,
            "numpy": np.__version__,
            "python": platform.python_version(),
        },
    }


def batching_parameters() -> str:
    """Text of the file by which a model server batches this model's requests."""
    sizes = "\n".join(f"allowed_batch_sizes: {size}" for size in BATCH_SIZES)
    return f"""max_batch_size {{ value: {BATCH_SIZES[-1]} }}
batch_timeout_micros {{ value: {_BATCH_TIMEOUT_MICROS} }}
max_enqueued_batches {{ value: {_MAX_ENQUEUED_BATCHES} }}
{sizes}
# Spectrograms of different lengths may share a batch; `lengths` tells the endpoints which frames \
are a row's own.
pad_variable_length_inputs: true
"""


def _save(folder, endpoints):
    signatures = {
        name: function.get_concrete_function() for name, function in endpoints.signatures.items()
    }
    signatures["serving_default"] = signatures[next(iter(signatures))]
    # Not keras.export.ExportArchive, which traces every function a second time: half the time of an
    # export, and half its size.
    tf.saved_model.save(_carrier(endpoints), folder, signatures)


def _carrier(endpoints):
    """The root of a SavedModel: what its functions need, and what `runs.exported` reads."""
    carrier = tf.Module()
    carrier.weights = [variable.value for variable in endpoints.model.variables]
    if endpoints.space is not None:
        carrier.space_weights = [variable.value for variable in endpoints.space.variables]
    # Wherever it is loaded, its initialiser finds out how that machine can sing exactly.
    carrier.layout = endpoints.singer.layout
    return carrier


def _write_beside(folder, endpoints, information):
    os.makedirs(os.path.join(folder, "assets.extra"))
    with open(os.path.join(folder, METADATA), "w", encoding="utf-8") as file:
        json.dump(information, file, indent=2, allow_nan=False)
    if endpoints.units is not None:
        units = os.path.join(folder, "assets.extra", phone_units.FILE_NAME)
        phone_units.save(units, endpoints.units)
    with open(os.path.join(folder, BATCHING), "w", encoding="utf-8") as file:
        file.write(batching_parameters())
    warmup.write(os.path.join(folder, WARM_UP), warmup.requests(endpoints, BATCH_SIZES))


def _of_conditions(known):
    """What may be named, as a caller says it, a list in which a text's place is its number."""
    if not known:
        return {}
    return {"conditions": known.to_json(), "condition_texts": list(known.texts)}


def _of_texts(space):
    """Which texts trained, of which letters others may be, and what makes the space."""
    if space is None:
        return {}
    told = {"texts": list(space.texts), "letters": space.letters}
    return {**told, "joint_space": space.get_config()}


def _finite(number):
    """JSON has no infinity: an open end is null."""
    return number if math.isfinite(number) else None


def _publish(temporary, export_dir):
    """Renames the finished folder to the next free version number."""
    while True:
        numbers = [int(name) for name in os.listdir(export_dir) if re.fullmatch(r"\d+", name)]
        version = os.path.join(export_dir, str(max(numbers, default=0) + 1))
        try:
            os.rename(temporary, version)
            return version
        except OSError:
            # Another export may have taken the number meanwhile:
            # a rename onto a folder with files in it fails.
            if not os.path.exists(version):
                raise
