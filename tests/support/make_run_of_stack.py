"""Writes tests/support/stacks/tensorflow_X_Y/: the smallest run of the bird that there is, by this
checkout and the TensorFlow that is installed, and what was answered with it.

    python tests/support/make_run_of_stack.py

setup.py has a stack for each range of Pythons; of each one folder is kept, of the files that
`make_earlier_run` lists, and tests/runs/test_stacks.py reads both with whichever stack it runs on.
Make one anew when setup.py takes another TensorFlow, in an environment of it, and remove the folder
of the one that it no longer takes.
"""

import pathlib

import make_earlier_run
import tensorflow as tf

ROOT = pathlib.Path(__file__).resolve().parents[2]
STACKS = ROOT / "tests" / "support" / "stacks"
# Nine bins: the export's graph is then nearly all that takes room.
SETTINGS = make_earlier_run.SETTINGS | {
    "n_fft": 16,
    "hop_length": 8,
    "recurrent_scalar": 0.5,
    "hidden_scalar": 0.5,
    "num_layers": 1,
}


if __name__ == "__main__":
    stack = "_".join(tf.__version__.split(".")[:2])
    make_earlier_run.make(ROOT, STACKS / f"tensorflow_{stack}", SETTINGS)
