"""How long a user waits before anything happens:
each command in a fresh process, files warm in the system's cache.
"""

import pathlib
import subprocess
import sys
import tempfile

from benchmarks.timing import Variant, interleaved
from neurovocal_tf.data import simulated_song

_TOOLS = pathlib.Path(__file__).resolve().parent.parent

# Trains as tools/train.py does, and ends with the first step.
_FIRST_STEP = """
import os, sys
import keras
from neurovocal_tf.training import trainer
from neurovocal_tf.config import Config

class FirstStep(keras.callbacks.Callback):
    def on_train_batch_end(self, batch, logs=None):
        os._exit(0)

trainer.train(Config(), sys.argv[1], sys.argv[2], callbacks=[FirstStep()])
"""


def measure(options):
    """Yields one list, the `Result` of each command."""
    with tempfile.TemporaryDirectory() as folder:
        simulated_song.write_recordings(folder, num_recordings=8)
        commands = {
            "Python alone": ["-c", ""],
            "train.py --help": [str(_TOOLS / "train.py"), "--help"],
            "import TensorFlow": ["-c", "import tensorflow"],
            "import neurovocal_tf.training.trainer": [
                "-c",
                "import neurovocal_tf.training.trainer",
            ],
            "train.py to the first step": ["-c", _FIRST_STEP, folder],
        }
        variants = [
            Variant(name, lambda arguments=arguments: _run(arguments, folder))
            for name, arguments in commands.items()
        ]
        yield interleaved("startup", "processes", variants, options.seconds, smallest_rounds=3)


def _run(arguments, folder):
    if arguments[-1] == folder:
        arguments = [*arguments, tempfile.mkdtemp(dir=folder)]
    subprocess.run([sys.executable, *arguments], stdout=subprocess.DEVNULL, check=True)
