r"""Checks that an exported model sings every caller the same song whoever else calls, bit for bit.

    neurovocal check_exactness --version=/models/finch/1

Sings random songs alone, then whole and in two parts from many callers at once, batched as
`neurovocal serve` does it, by TensorFlow's own scheduler and the version's batching_params.pbtxt.
Prints what was compared, and the layout in which this machine sings, see "layouts" in the version's
assets.extra/neurovocal_tf.json; the exit code is 1 if anything differs, or if no songs were
computed together.
"""

import time

from absl import flags

from neurovocal_tf import flags as setting_flags

_VERSION = setting_flags.define_path(
    "version", None, "Folder of an exported version.", required=True
)
_NUM_CALLERS = flags.DEFINE_integer(
    "num_callers", 200, "Callers at once.", lower_bound=2, upper_bound=10_000
)
_CALLS_EACH = flags.DEFINE_integer(
    "calls_each", 1, "Songs of each caller, one after another.", lower_bound=1
)
_MAX_FRAMES = flags.DEFINE_integer("max_frames", 40, "Frames of the longest song.", lower_bound=1)
_SEED = flags.DEFINE_integer("seed", 0, "Seed of the songs that are asked for.", lower_bound=0)
_JSON = setting_flags.define_path("json", None, "File for the figures.")


def main(argv: list[str]) -> int | None:
    from neurovocal_tf import files  # here, so that --help needs no TensorFlow
    from neurovocal_tf.server import exactness

    load = exactness.Load(
        _NUM_CALLERS.value, _CALLS_EACH.value, _MAX_FRAMES.value, seed=_SEED.value
    )
    began = time.monotonic()
    found = exactness.compare(_VERSION.value, load)
    figures = {
        "num_rows": found.num_rows,
        "num_different": found.num_different,
        "num_callers": load.num_callers,
        "num_answers": found.num_answers,
        "num_together": found.num_together,
        "layout": found.layout,
        "duration_s": time.monotonic() - began,
    }
    print("\n".join(f"{name:15} {value:.6g}" for name, value in figures.items()))
    if _JSON.value:
        files.write_json(_JSON.value, figures)
    return int(found.num_different > 0 or not found.num_together)
