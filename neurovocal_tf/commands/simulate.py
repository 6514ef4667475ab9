r"""Writes recordings of a simulated bird, whose calls and their order are known, or of bats that
pass by, with echoes; or a raster of spikes of neurons whose couplings are known.

    neurovocal simulate --out=/data/simulated
    neurovocal simulate --kind=bat --out=/data/bats
    neurovocal simulate --kind=spikes --out=/data/spikes

Writes simulated_000.wav, simulated_001.wav, ... and annotations.csv, the truth about every call. Of
spikes it writes spikes.npz, trials in bins of 5 ms for `neurovocal train --frames`; shuffled.npz,
the same with each neuron's trials in an order of its own, so that nothing depends on anything; and
truth.json, who drives whom. The same flags write the same bytes. A folder with files of another
origin is refused.
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
    ["bird", "bat", "spikes"],
    "bird: six call types in a known order. bat: pulses of 4 to 6 ms with echoes. spikes: neurons "
    "with known couplings.",
)
_NUM_RECORDINGS = flags.DEFINE_integer(
    "num_recordings",
    None,
    "How many recordings, or trials of spikes; 12, or 60 of spikes, unless told otherwise.",
    lower_bound=1,
    upper_bound=1000,
)
_NUM_NEURONS = flags.DEFINE_integer(
    "num_neurons", 24, "Neurons, of spikes.", lower_bound=8, upper_bound=500
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
    "Seed; another one gives other songs of the same bird, other spikes of the same neurons.",
    lower_bound=0,
    upper_bound=2**62,
)

# What each kind writes, and the truth about it.
_OWN_FILES = {
    "bird": (re.compile(r"simulated_\d+\.wav"), "annotations.csv"),
    "bat": (re.compile(r"simulated_\d+\.wav"), "annotations.csv"),
    "spikes": (re.compile(r"(spikes|shuffled)\.npz"), "truth.json"),
}


def main(argv: list[str]) -> int | None:
    own_file, truth = _OWN_FILES[_KIND.value]
    before = _own_files(_OUT.value, own_file, truth)
    if _KIND.value == "spikes":
        return _simulate_spikes()
    # here, so that --help needs none of its libraries
    from neurovocal_tf.data import simulated_bats, simulated_song

    simulate, sample_rate = {
        "bird": (simulated_song.simulate_song, 16_000),
        "bat": (simulated_bats.simulate_pulses, simulated_bats.SAMPLE_RATE),
    }[_KIND.value]
    paths = simulated_song.write_recordings(
        _OUT.value,
        _NUM_RECORDINGS.value or 12,
        _DURATION_S.value,
        _SEED.value,
        _SAMPLE_RATE.value or sample_rate,
        simulate,
    )
    for name in before - {os.path.basename(path) for path in paths}:
        # The annotations do not know of it any more.
        os.unlink(os.path.join(_OUT.value, name))
    print(
        f"{len(paths)} recordings of {_DURATION_S.value:g} s, and {truth}, in {_OUT.value}",
        file=sys.stderr,
    )


def _simulate_spikes():
    from neurovocal_tf.data import simulated_spikes

    if _SAMPLE_RATE.value is not None:
        raise ValueError(
            f"`sample_rate` must not be given for spikes, whose bins last "
            f"{1000 * simulated_spikes.BIN_S:g} ms. Received: sample_rate={_SAMPLE_RATE.value}"
        )
    num_trials = _NUM_RECORDINGS.value or 60
    simulated_spikes.write_raster(
        _OUT.value, num_trials, _DURATION_S.value, _SEED.value, _NUM_NEURONS.value
    )
    print(
        f"{num_trials} trials of {_DURATION_S.value:g} s of {_NUM_NEURONS.value} neurons, "
        f"{', '.join(simulated_spikes.FILES)}, in {_OUT.value}",
        file=sys.stderr,
    )


def _own_files(folder, own_file, truth):
    """Names of the recordings that an earlier call has left in a folder.

    Raises ValueError if anything else is in it.
    """
    names = set(os.listdir(folder)) if os.path.isdir(folder) else set()
    # What an interrupted call leaves begins with a dot.
    own = {name for name in names if own_file.fullmatch(name)}
    strange = sorted(
        name for name in names - own if not name.startswith(".") and not (own and name == truth)
    )
    if strange:
        raise ValueError(
            f"`out` must be a new folder, or hold nothing but simulated recordings. {folder} holds "
            f"{strange[0]}"
        )
    return own
