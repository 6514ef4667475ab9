"""The space of texts and sounds that a run has learned, in its folder beside its model."""

import os

import keras

from neurovocal_tf.model.joint_space import JointSpace
from neurovocal_tf.model.rnn_rbm import RNNRBM
from neurovocal_tf.runs import checkpoint
from neurovocal_tf.runs.run_folder import RunFolder

FILE = "texts.keras"


def read(folder: RunFolder, model: RNNRBM) -> JointSpace | None:
    """The space of a run, or None where it has none, or one of weights that the run has left
    behind, since it would not fit `model`.

    Raises:
        ValueError: its file is damaged.
    """
    path = folder.file(FILE)
    if not os.path.exists(path):
        return None
    try:
        space = keras.saving.load_model(path, compile=False)
    # Of a damaged file whatever its reader meets first.
    except Exception as error:
        reason = " ".join(str(error).split())[:200]
        raise ValueError(
            f"{path} is damaged or of another version ({reason}). Remove it, and the `neurovocal "
            "train` command of this run learns it anew."
        ) from None
    is_of_model = space.of_weights == checkpoint.digest_of(model.variables)
    return space if is_of_model else None
