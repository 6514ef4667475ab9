r"""Finds calls by words, and words by calls, with a model that has learned what calls say.

    neurovocal train --workdir=/runs/digits --data_dir=/data/digits --preset=speech \
        --texts=name_part:1 --spellings=7=seven,8=eight,9=nine
    neurovocal find --workdir=/runs/digits --data_dir=/data/other --text=seven
    neurovocal find --workdir=/runs/digits --input=recording.wav

Prints the calls that are nearest to the text, the nearest first, or of each call of a recording the
texts that it is nearest to; `score` is a cosine, 1 at most. A text may be any of the letters that
the learned ones have. The model can be an export, too.
"""

import warnings

from absl import flags

from neurovocal_tf import files
from neurovocal_tf import flags as setting_flags

_WORKDIR = setting_flags.define_path(
    "workdir", None, "Run folder that `neurovocal train` has written, or an export.", required=True
)
_TEXT = flags.DEFINE_string("text", None, "What is said by the calls to find in --data_dir.")
_DATA_DIR = setting_flags.define_path("data_dir", None, setting_flags.RECORDINGS)
_INPUT = setting_flags.define_path(
    "input", None, "Recording, or folder of them, whose calls are to be told in words."
)
_MOST = flags.DEFINE_integer("most", 20, "How many calls of --text are printed.", lower_bound=1)
_NUM_TEXTS = flags.DEFINE_integer(
    "num_texts", 3, "How many texts are told of each call of --input.", lower_bound=1
)
_OUT = setting_flags.define_path("out", None, "CSV file for all that is found; default: none.")


def main(argv: list[str]) -> int | None:
    setting_flags.one_of(_TEXT, _INPUT)
    if (_TEXT.value is None) != (_DATA_DIR.value is None):
        raise ValueError("`text` and `data_dir` must be given together: what is found, and where.")
    if _TEXT.value is None:
        setting_flags.leave_out("input", "most")
    else:
        setting_flags.leave_out("text", "num_texts")
    from neurovocal_tf.api.loading import load_model  # here, so that --help needs no TensorFlow

    model = load_model(_WORKDIR.value)
    with warnings.catch_warnings(record=True) as told:
        if _TEXT.value is not None:
            found = model.find(_TEXT.value, _DATA_DIR.value)
            shown = found.head(_MOST.value)
        else:
            found = shown = model.texts_of(_INPUT.value, num_texts=_NUM_TEXTS.value)
    for warning in told:
        setting_flags.say(str(warning.message))
    print(shown.to_string(index=False, float_format=lambda number: f"{number:.3f}"))
    if _OUT.value:
        rows = found.itertuples(index=False, name=None)
        files.write_csv(_OUT.value, tuple(found.columns), rows)
        setting_flags.say(f"{len(found)} rows in {_OUT.value}")
