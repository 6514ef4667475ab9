"""The functions of a command's module, without its flags in the way of another's."""

import pathlib
import runpy

from absl import flags

ROOT = pathlib.Path(__file__).resolve().parents[2]


def functions_of(name):
    """What stands in a command's module, by name. Its flags are taken away again, for another
    module may define some of the same names.
    """
    before = set(flags.FLAGS)
    try:
        return runpy.run_path(str(ROOT / "neurovocal_tf" / "commands" / f"{name}.py"))
    finally:
        for flag in set(flags.FLAGS) - before:
            delattr(flags.FLAGS, flag)
