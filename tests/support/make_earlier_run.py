r"""Writes tests/support/earlier_run/: a tiny run of an earlier version,
and what that version answered with it.

    git worktree add ../earlier REVISION
    python tests/support/make_earlier_run.py ../earlier [FOLDER]

The commands are those of the checkout that is named, in its own folder; the environment needs what
that version needs. The run is one that today's code must still read:
tests/runs/test_earlier_runs.py holds it to the answers. Make it anew only to hold a later version
to them, and say in the message of the commit which version wrote it: whoever has trained with an
earlier one still has such runs.

FOLDER, beside this script where it is not given, gets from the run config.json, flags.txt,
data.json, checkpoint.npz, history.csv and model.keras; resumed_history.csv, that of one more epoch;
export.tar.xz, its export; and answers.npz:

    weight_NN       every variable of the model, in order; `paths` names them
    song            spectrograms in dB of the songs of `SONG_SEEDS`, [songs, SONG_FRAMES, V], as
                    tools/generate.py and the export sing them
    prediction      one-step predictions for these, as `model.predict` makes them
    encode_*        the export's answers about these, and score_*

Of that folder whose run version 0.1.0 wrote, the export is left out.
"""

import os
import pathlib
import shutil
import subprocess
import sys
import tarfile
import tempfile

RECORDINGS = {"num_recordings": 5, "duration_s": 1.5}
SONG_SEEDS = (3, 4)
SONG_FRAMES = 24
# Few bins, since every weight is stored six times; two layers, a direct frame and averaged weights,
# so that there is much to mix up.
SETTINGS = {
    **{
        "n_fft": 64,
        "hop_length": 32,
        "window_frames": 64,
        "batch_size": 8,
        "sequence": "recording",
    },
    **{
        "recurrent_scalar": 0.2,
        "hidden_scalar": 0.2,
        "num_layers": 2,
        "num_direct_frames": 1,
        "optimizer": "adam",
        "weight_average": 0.9,
    },
    **{
        "learning_rates": "1e-3,3e-4",
        "epochs_per_rate": "2,1",
        "epochs": 3,
        "cd_steps": "1,2",
        "num_gibbs_steps": 3,
    },
    **{
        "emission_noise": 0,
        "num_iterations": 4,
        "num_song_checks": 0,
        "parallel_parts": 1,
        "nocompiled": None,
    },
}
_KEPT = ("config.json", "flags.txt", "data.json", "checkpoint.npz", "history.csv", "model.keras")
EXPORT = "export.tar.xz"
# A run remembers where they lay, in its checkpoint too.
_RECORDINGS = pathlib.Path(tempfile.gettempdir()) / "recordings_of_earlier_run"

_ANSWER = """
import sys
import numpy as np, tensorflow as tf
import neurovocal_tf

run, songs, export, out, *seeds = sys.argv[1:]
model = neurovocal_tf.load_trained(run).model
answers = {f"weight_{i:02}": np.asarray(variable) for i, variable in enumerate(model.variables)}
answers["paths"] = np.array([variable.path for variable in model.variables])
song = answers["song"] = np.stack(
    [np.load(f"{songs}/song_{seed}.npz")["decibels"] for seed in seeds]
)
answers["prediction"] = model.predict(song, verbose=0)
signatures = tf.saved_model.load(export).signatures
lengths = tf.fill([len(song)], song.shape[1])
sung = signatures["generate"](
    seed=tf.constant([*map(int, seeds)], tf.int64),
    num_frames=lengths,
    temperature=tf.ones([len(song)]),
)
np.testing.assert_array_equal(sung["spectrogram"], song)
for name in ("encode", "score"):
    for key, value in signatures[name](spectrogram=song, lengths=lengths).items():
        answers[f"{name}_{key}"] = value.numpy()
np.savez_compressed(out, **answers)
"""


def make(checkout, folder, settings):
    """Trains, sings and exports with the code of `checkout`, by a dict of flags, and leaves in
    `folder` what this module's text lists.
    """
    with tempfile.TemporaryDirectory() as temporary:
        temporary = pathlib.Path(temporary)
        run, songs, models = (temporary / name for name in ("run", "songs", "models"))
        flagfile = temporary / "settings.flags"
        flagfile.write_text(
            "".join(
                f"--{name}\n" if value is None else f"--{name}={value}\n"
                for name, value in settings.items()
            )
        )
        train = [
            "tools/train.py",
            f"--flagfile={flagfile}",
            f"--data_dir={_RECORDINGS}",
            f"--workdir={run}",
        ]
        _python(
            checkout,
            "tools/simulate.py",
            f"--out={_RECORDINGS}",
            *(f"--{name}={value}" for name, value in RECORDINGS.items()),
        )
        _python(checkout, *train)
        shutil.rmtree(folder, ignore_errors=True)
        os.makedirs(folder)
        for name in _KEPT:
            shutil.copy(run / name, folder)
        length = f"--num_frames={SONG_FRAMES}"
        for seed in SONG_SEEDS:
            _python(
                checkout,
                "tools/generate.py",
                f"--workdir={run}",
                f"--out={songs}",
                "--num_songs=1",
                f"--seed={seed}",
                length,
            )
        _python(
            checkout, "export/export_saved_model.py", f"--workdir={run}", f"--export_dir={models}"
        )
        with tarfile.open(os.path.join(folder, EXPORT), "w:xz", preset=9) as archive:
            archive.add(models / "1", "1")
        answers = os.path.abspath(os.path.join(folder, "answers.npz"))
        _python(checkout, "-c", _ANSWER, run, songs, models / "1", answers, *SONG_SEEDS)
        _python(checkout, *train, f"--epochs={settings['epochs'] + 1}")
        shutil.copy(run / "history.csv", os.path.join(folder, "resumed_history.csv"))
        shutil.rmtree(_RECORDINGS)


def _python(checkout, *arguments):
    environment = {
        **os.environ,
        "PYTHONPATH": os.path.abspath(checkout),
        "PYTHONDONTWRITEBYTECODE": "1",
        "TF_CPP_MIN_LOG_LEVEL": "3",
    }
    subprocess.run(
        [sys.executable, *map(str, arguments)], cwd=checkout, env=environment, check=True
    )


if __name__ == "__main__":
    if len(sys.argv) not in (2, 3):
        sys.exit(__doc__)
    make(
        sys.argv[1],
        sys.argv[2]
        if len(sys.argv) == 3
        else pathlib.Path(__file__).resolve().parent / "earlier_run",
        SETTINGS,
    )
