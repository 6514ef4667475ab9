"""Every option of the encoder, all the way: trained, killed and gone on with, sung in pieces,
scored, judged by its likelihood, exported, and loaded again.

    python tests/campaigns/encoder_options.py [PART_OF_A_NAME ...]

trains a model of a few units on simulated recordings for each of `OPTIONS`, or those whose names
hold a part that is given, prints what held, and exits with 1 on a defect. Takes some minutes.
"""

import os
import pathlib
import sys
import tempfile

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "tests" / "support")]

_PERIODS = dict(num_layers=2, layer_periods=(1, 3), memory_frames=(4, 12))
OPTIONS = {
    "gates that start slow": dict(memory_frames=(9,)),
    "periods": _PERIODS,
    "attention": dict(attention_frames=8, attention_heads=2),
    "all of them, compiled": dict(**_PERIODS, attention_frames=9, dropout=0.2, compiled=True),
}
# Where pieces of a song end: between two steps of every layer.
_CUT, _NUM_FRAMES = 7, 20


def main():
    """Prints a line for each claim of each row of options. Returns the exit code."""
    import tiny_runs  # here, where its folder is a place to import from

    defects = 0
    with tempfile.TemporaryDirectory() as folder:
        recordings = tiny_runs.recordings_in(folder)
        parts = sys.argv[1:] or [""]
        chosen = {name: o for name, o in OPTIONS.items() if any(part in name for part in parts)}
        for number, (name, options) in enumerate(chosen.items()):
            for claim, holds in claims(pathlib.Path(folder, str(number)), recordings, options):
                defects += not holds
                print(f"{'ok    ' if holds else 'DEFECT'} {name}: {claim}", flush=True)
    print(f"{defects} defects")
    return 1 if defects else 0


def claims(folder, recordings, options):
    """Yields (claim, whether it holds)."""
    import keras
    import numpy as np
    import tensorflow as tf
    import tiny_runs

    import neurovocal_tf
    from neurovocal_tf.generation.singer import Singer
    from neurovocal_tf.runs.trained import load_trained
    from neurovocal_tf.serving.export import export_saved_model
    from neurovocal_tf.training import trainer

    config = tiny_runs.CONFIG.replace(**options)
    with tiny_runs.quick_pictures():
        trainer.train(config, recordings, folder / "whole")
        trainer.train(config.replace(epochs=2), recordings, folder / "stopped")
        trainer.train(config, recordings, folder / "stopped")
    trained, stopped = load_trained(folder / "whole"), load_trained(folder / "stopped")
    weights, others = trained.model.get_weights(), stopped.model.get_weights()
    yield "finite weights", all(np.isfinite(w).all() for w in weights)
    yield (
        "a training that was stopped ends with the same weights",
        all(map(np.array_equal, weights, others)),
    )
    model = neurovocal_tf.load_model(folder / "whole")
    scores = model.score(recordings, progress=False)
    yield "scores", np.isfinite(scores.select_dtypes("number")).all(axis=None)
    bracket = model.log_likelihood(
        recordings, num_temperatures=8, num_chains=2, num_frames=20, progress=False
    )
    yield "likelihood", np.isfinite(bracket["log_likelihood_ais_nats"])
    loaded = tf.saved_model.load(export_saved_model(trained, folder / "models", _NUM_FRAMES))
    seeds = tf.constant([3, 4, 5], tf.int64)
    whole = _sung(loaded, "generate", seeds, _NUM_FRAMES)
    ours = Singer(trained).generate(seeds, tf.fill([3], _NUM_FRAMES), tf.ones([3]))
    yield (
        "the export's songs are the run's, bit for bit",
        np.array_equal(ours["spectrogram"], whole["spectrogram"]),
    )
    first = _sung(loaded, "generate", seeds, _CUT)
    going_on = {"frame": first["next_frame"], "state": first["state"]}
    rest = _sung(loaded, "generate_continue", seeds, _NUM_FRAMES - _CUT, **going_on)
    in_pieces = np.concatenate([first["spectrogram"], rest["spectrogram"]], axis=1)
    yield (
        "a song in pieces is the song, bit for bit",
        np.array_equal(in_pieces, whole["spectrogram"]),
    )
    alone = _sung(loaded, "generate", seeds[1:2], _NUM_FRAMES)["spectrogram"]
    yield "and so it is alone", np.array_equal(alone[0], whole["spectrogram"][1])
    again = keras.models.load_model(folder / "whole" / "model.keras")
    frames = tf.constant(whole["spectrogram"])
    yield (
        "model.keras is the model",
        np.array_equal(again.states(frames), trained.model.states(frames)),
    )


def _sung(loaded, signature, seeds, num_frames, **further):
    import tensorflow as tf

    rows = {
        "seed": seeds,
        "num_frames": tf.fill(tf.shape(seeds), num_frames),
        "temperature": tf.ones(tf.shape(seeds)),
    }
    answer = loaded.signatures[signature](**rows, **further)
    return {name: value.numpy() for name, value in answer.items()}


if __name__ == "__main__":
    sys.exit(main())
