r"""Says how good a trained model is: its likelihood and one-step error beside simple models', and
its songs beside the recordings.

    neurovocal evaluate --workdir=/runs/finch

The log-likelihood, in nats a frame, comes as two estimates: AIS errs on the optimistic side, RAISE
on the pessimistic one. Where they are more than 0.05 apart, or change by as much when the
temperatures double, the table and the picture say so, and about how many --num_temperatures would
do, where that can be told; else try the other --base. Recordings are tested on those that were
held out, frame sequences on their test split. Prints in words how good the model is, and a table
of what matters first, and of songs how like the recordings they are, each figure beside what the
recordings' own halves and a chain of frame codes get. Writes evaluation.json, which has every
figure, likelihood.png and, of recordings, songs.png, syllables.png, transitions.png and
statistics.png into the run folder. Of piano keys the table tells keys, chords, their changes, steps
of the voices and repeats of as many pieces as were held out, and as long; of spikes, with --truth,
what the model has found of it. Of a model of several voices it tells who sings in the held-out
recordings, and who is taken for whom. Settings that are not given are those of the run.
"""

import os
import urllib.parse

from absl import flags

from neurovocal_tf import flags as setting_flags

_WORKDIR = setting_flags.define_path(
    "workdir", None, "Run folder that `neurovocal train` has written.", required=True
)
_DATA_DIR = setting_flags.define_path(
    "data_dir", None, f"{setting_flags.RECORDINGS} Default: where the run found them."
)
_FRAMES = setting_flags.define_path(
    "frames", None, "File of frame sequences, for a run on such; default: where the run found it."
)
_HELD_OUT_LIST = setting_flags.define_path(
    "held_out_list",
    None,
    "Recordings to evaluate on: a text file of names or patterns relative to the data folder, or "
    "TABLE.csv:COLUMN=VALUE; default: those that the run held out.",
)
_NUM_TEMPERATURES = flags.DEFINE_integer(
    "num_temperatures",
    200,
    "Temperatures of the likelihood's annealing; 0: no likelihood.",
    lower_bound=0,
    upper_bound=1_000_000,
)
_NUM_CHAINS = flags.DEFINE_integer(
    "num_chains", 8, "Annealed chains of each frame.", lower_bound=2, upper_bound=10_000
)
_NUM_TEST_FRAMES = flags.DEFINE_integer(
    "num_test_frames",
    5000,
    "Frames, drawn by --seed, whose likelihood stands for that of all; 0: all.",
    lower_bound=0,
)
_BASE = flags.DEFINE_enum(
    "base",
    None,
    ("mean_field", "biases"),
    "Independent units at which annealing begins: the mean-field solution, or the biases alone; "
    "default: mean_field for real units.",
)
_SECONDS = flags.DEFINE_float(
    "seconds", 256.0, "Seconds of song to generate.", lower_bound=0.1, upper_bound=36_000
)
_NUM_SONGS = flags.DEFINE_integer(
    "num_songs", 32, "Songs among which they are divided.", lower_bound=1, upper_bound=10_000
)
_SEED = flags.DEFINE_integer(
    "seed",
    0,
    "Seed of the first song, and of the likelihood's chains.",
    lower_bound=0,
    upper_bound=2**30,
)
_TEMPERATURE = flags.DEFINE_float(
    "temperature", 1.0, "Temperature of the songs.", lower_bound=0.01, upper_bound=100
)
_TEMPERATURES = flags.DEFINE_list(
    "temperatures",
    None,
    "Sing at each of these as well, eight songs of forty seconds: how varied they are and how long "
    "they fall silent, such as 0.7,0.8,0.9,1,1.1,1.2,1.3.",
)
_CONDITION = flags.DEFINE_multi_string(
    "condition",
    None,
    "Of a model with conditions: who alone it is about, as NAME=VALUE, such as individual=gy6or6; "
    "again for another condition. The recordings that have these values, learned and held out, and "
    "songs under them; figures and pictures go into a folder of that name in the run's. Default: "
    "all, and songs in turn.",
)
_COUPLING_DELAYS = flags.DEFINE_integer(
    "coupling_delays",
    0,
    "Of a model of binary frames: measure how its units depend on one another, up to so many "
    "frames back, into couplings.npz and couplings.png; 0: do not.",
    lower_bound=0,
    upper_bound=100,
)
_TRUTH = setting_flags.define_path(
    "truth",
    None,
    "The truth.json of simulated spikes: say how much of it the model has found, beside simpler "
    "ways, as far back as it tells.",
)
_JSON = setting_flags.define_path(
    "json", None, "Where to write the figures; default: evaluation.json, in the run folder."
)
setting_flags.define(["generation", "picture_format", "picture_dpi"])


def main(argv: list[str]) -> int | None:
    from neurovocal_tf import files  # here, so that --help needs no TensorFlow
    from neurovocal_tf.api.loading import load_model
    from neurovocal_tf.evaluation import identification, song_table, temperatures, verdict
    from neurovocal_tf.ownership import owned

    model = load_model(_WORKDIR.value, setting_flags.config_from_flags)
    data = setting_flags.one_of(_DATA_DIR, _FRAMES, required=False)
    folder = _folder()
    # A training may go on beside it.
    with owned(_WORKDIR.value, "evaluation"):
        figures = model.evaluate(
            data,
            held_out_list=_HELD_OUT_LIST.value,
            num_temperatures=_NUM_TEMPERATURES.value,
            num_chains=_NUM_CHAINS.value,
            num_test_frames=_NUM_TEST_FRAMES.value,
            base=_BASE.value,
            seconds=_SECONDS.value,
            num_songs=_NUM_SONGS.value,
            seed=_SEED.value,
            temperature=_TEMPERATURE.value,
            temperatures=_temperatures(),
            condition=_CONDITION.value,
            pictures=folder,
            say=setting_flags.say,
        )
        if _COUPLING_DELAYS.value or _TRUTH.value:
            figures |= _couplings(model, data)
        path = _JSON.value or os.path.join(folder, "evaluation.json")
        files.write_json(path, figures)
    told = "\n".join(verdict.verdict(figures)), verdict.as_table(figures)
    told += song_table.as_table(figures), temperatures.as_table(figures)
    told += (identification.as_table(figures, model.model.conditions),)
    print("\n\n".join(filter(None, told)))
    print(f"\nall {len(figures)} figures: {path}")


def _folder():
    """Where figures and pictures go: into the run folder, or, of one alone, into one in it that is
    named by the condition.
    """
    named = urllib.parse.quote(",".join(_CONDITION.value or ()), safe="=,")
    return os.path.join(_WORKDIR.value, named) if named else _WORKDIR.value


def _temperatures():
    """Those that were asked for.

    Raises: ValueError for what is no number.
    """
    try:
        return [float(text) for text in _TEMPERATURES.value or ()]
    except ValueError:
        raise ValueError(
            "`temperatures` must be numbers with commas between them. "
            f"Received: temperatures={','.join(_TEMPERATURES.value)}"
        ) from None


def _couplings(model, data):
    """Figures of the couplings, which are written into the run folder."""
    import numpy as np

    from neurovocal_tf import files
    from neurovocal_tf.data import simulated_spikes
    from neurovocal_tf.evaluation import couplings, report

    truth = simulated_spikes.read_truth(_TRUTH.value) if _TRUTH.value else None
    found, figures, picture = couplings.measured(
        model, _WORKDIR.value, data, _COUPLING_DELAYS.value, truth, _SEED.value
    )
    with files.replacing(os.path.join(_WORKDIR.value, "couplings.npz")) as temporary:
        np.savez(temporary, within=found.within, lagged=found.lagged)
    report.write_pictures({"couplings": picture}, _WORKDIR.value)
    return figures
