"""What a trained run and its export hold and answer, as one file of arrays.

Its text is run in the checkout whose code is asked.

Arguments: run folder, version folder of the export, a WAV file or "", file to write (npz).
"""

import pathlib
import sys

import numpy as np
import tensorflow as tf

_SEEDS = (1, 2, 3)
_NUM_FRAMES = (40, 25, 40)
_MOST_BYTES = 500_000


def main(run, version, recording, out):
    """Writes the answers of every signature, as `signature/output`, and all variables in order, as
    `trained/N` and `keras/N`.
    """
    answers = {}
    # TensorFlow alone, as a server has it.
    signatures = tf.saved_model.load(version).signatures

    def ask(name, **inputs):
        answered = {key: np.asarray(value) for key, value in signatures[name](**inputs).items()}
        for key, value in answered.items():
            answers[f"{name}/{key}"] = _as_text(value) if value.dtype == object else value
        return answered

    songs = {
        "seed": tf.constant(_SEEDS, tf.int64),
        "num_frames": tf.constant(_NUM_FRAMES),
        "temperature": tf.constant([1.0, 1.0, 0.5]),
    }
    sung = ask("generate", **songs)
    ask(
        "generate_continue",
        **songs,
        frame=tf.constant(sung["next_frame"]),
        state=tf.constant(sung["state"]),
    )
    ask("generate_audio", **songs)
    frames = {
        "spectrogram": tf.constant(sung["spectrogram"]),
        "lengths": tf.constant(sung["lengths"]),
    }
    for name in ("encode", "score"):
        ask(name, **frames)
    ask(
        "synthesise",
        **frames,
        known=tf.zeros([len(_SEEDS), 0]),
        num_known=tf.zeros([len(_SEEDS)], tf.int32),
    )
    if recording:
        audio = tf.constant([pathlib.Path(recording).read_bytes()[:_MOST_BYTES]])
        for name in ("encode_audio", "score_audio", "segment_audio"):
            ask(name, audio_bytes=audio)
    answers["signatures"] = np.array(sorted(signatures))

    import keras  # only now, since the export must need neither

    import neurovocal_tf

    models = {"trained": neurovocal_tf.load_trained(run).model}
    assert neurovocal_tf.RNNRBM  # whose import tells Keras of the class
    models["keras"] = keras.models.load_model(pathlib.Path(run, "model.keras"))
    for name, model in models.items():
        answers |= {
            f"{name}/{i:03}": np.asarray(variable) for i, variable in enumerate(model.variables)
        }
    np.savez(out, **answers)


def _as_text(values):
    """Strings of bytes, which are objects to NumPy, as hexadecimal text."""
    return np.array([value.hex() for value in values.ravel()])


if __name__ == "__main__":
    main(*sys.argv[1:])
