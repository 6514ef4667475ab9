r"""Writes recordings of a simulated bird, whose calls and their order are known, or of bats that
pass by, with echoes.

    neurovocal simulate --out=/data/simulated
    neurovocal simulate --kind=bat --out=/data/bats

Writes simulated_000.wav, simulated_001.wav, ... and annotations.csv, the truth about every call.
The same flags write the same bytes. A folder with files of another origin is refused.
"""

import os
import re
import sys

from absl import flags

from neurovocal_tf import flags as setting_flags

_OUT = setting_flags.define_path(
    "out", None, "Folder for the recordings; made if it is not there.", required=True
)
_KIND = flags.DEFINE_enum(
    "kind",
    "bird",
    ["bird", "bat"],
    "bird: six call types in a known order. bat: pulses of 4 to 6 ms with echoes.",
)
_NUM_RECORDINGS = flags.DEFINE_integer(
    "num_recordings", 12, "How many recordings.", lower_bound=1, upper_bound=1000
)
_DURATION_S = flags.DEFINE_float(
    "duration_s", 6.0, "Seconds of each.", lower_bound=1, upper_bound=3600
)
_SAMPLE_RATE = flags.DEFINE_integer(
    "sample_rate",
    None,
    "Samples per second; 16,000 of a bird and 250,000 of bats unless told otherwise.",
    lower_bound=16_000,
    upper_bound=1_000_000,
)
_SEED = flags.DEFINE_integer(
    "seed",
    0,
    "Seed; another one gives other songs of the same bird.",
    lower_bound=0,
    upper_bound=2**62,
)

_OWN_FILE = re.compile(r"simulated_\d+\.wav")
_TRUTH = "annotations.csv"


def main(argv: list[str]) -> int | None:
    # here, so that --help needs none of its libraries
    from neurovocal_tf.data import simulated_bats, simulated_song

    simulate, sample_rate = {
        "bird": (simulated_song.simulate_song, 16_000),
        "bat": (simulated_bats.simulate_pulses, simulated_bats.SAMPLE_RATE),
    }[_KIND.value]
    before = _own_files(_OUT.value)
    paths = simulated_song.write_recordings(
        _OUT.value,
        _NUM_RECORDINGS.value,
        _DURATION_S.value,
        _SEED.value,
        _SAMPLE_RATE.value or sample_rate,
        simulate,
    )
    for name in before - {os.path.basename(path) for path in paths}:
        # The annotations do not know of it any more.
        os.unlink(os.path.join(_OUT.value, name))
    print(
        f"{len(paths)} recordings of {_DURATION_S.value:g} s, and {_TRUTH}, in {_OUT.value}",
        file=sys.stderr,
    )


def _own_files(folder):
    """Names of the recordings that an earlier call has left in a folder.

    Raises ValueError if anything else is in it.
    """
    names = set(os.listdir(folder)) if os.path.isdir(folder) else set()
    # What an interrupted call leaves begins with a dot.
    own = {name for name in names if _OWN_FILE.fullmatch(name)}
    strange = sorted(
        name for name in names - own if not name.startswith(".") and not (own and name == _TRUTH)
    )
    if strange:
        raise ValueError(
            f"`out` must be a new folder, or hold nothing but simulated recordings. {folder} holds "
            f"{strange[0]}"
        )
    return own
