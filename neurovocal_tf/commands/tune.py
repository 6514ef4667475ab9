r"""Searches for the settings with the smallest held-out one-step error,
and writes them as a flag file.

    neurovocal tune --preset=songbird --data_dir=/data/finches \
        --workdir=/runs/search
    neurovocal train --flagfile=/runs/search/best.flags --data_dir=/data/finches \
        --workdir=/runs/finch

Prints the best trials, also after Ctrl-C; the same command goes on. The work folder gets best.flags
(every setting) and trials.csv, and what the search itself keeps. Settings that are not searched
hold as they are given.
"""

import os

from absl import flags

from neurovocal_tf import flags as setting_flags

_DATA_DIR = setting_flags.define_path("data_dir", None, setting_flags.RECORDINGS, required=True)
_WORKDIR = setting_flags.define_path(
    "workdir", None, "Folder of the search. It is made if it does not exist.", required=True
)
_TUNER = flags.DEFINE_enum(
    "tuner", "hyperband", ("hyperband", "bayesian", "random"), "How the next trial is chosen."
)
_SEARCH = flags.DEFINE_list(
    "search",
    None,
    "What is searched: names of settings, or name=low:high, or name=value:value:... for a choice; "
    "learning_rates is a factor on all rates. Default: the shape of the model, dropout, noise, "
    "rates, clipping and L2.",
)
_NUM_TRIALS = flags.DEFINE_integer(
    "num_trials", 20, "Trials of bayesian and random; hyperband plans its own.", lower_bound=1
)
_TRIAL_EPOCHS = flags.DEFINE_integer(
    "trial_epochs",
    0,
    "Most epochs of a trial, over which the phases of a training are drawn together; 0: all of "
    "them.",
    lower_bound=0,
)
_JSON = setting_flags.define_path("json", None, "Where to write the best trial's figures.")
setting_flags.define()
setting_flags.define_preset()


def main(argv: list[str]) -> int | None:
    import tensorflow as tf  # here, so that --help needs none of these

    from neurovocal_tf.ownership import owned
    from neurovocal_tf.segmentation import preset_choice
    from neurovocal_tf.training import trainer
    from neurovocal_tf.training.cores import share_out_cores

    # Each trial's model is traced anew, which TensorFlow takes for a mistake.
    tf.get_logger().setLevel("ERROR")
    audio = setting_flags.config_from_flags().audio
    config = setting_flags.config_from_flags(
        setting_flags.chosen_preset(lambda: preset_choice.choose_for_folder(_DATA_DIR.value, audio))
    )
    share_out_cores(config)
    os.makedirs(_WORKDIR.value, exist_ok=True)
    # Workers of one search, which keras-tuner knows by this name, write beside each other.
    worker = os.environ.get("KERASTUNER_TUNER_ID")
    with owned(_WORKDIR.value, f"{trainer.RUN}_{worker}" if worker else trainer.RUN):
        _search(config)


def _search(config):
    from neurovocal_tf.training.progress import SearchProgress
    from neurovocal_tf.training.search import Search
    from neurovocal_tf.training.search_space import DEFAULT_SEARCH, search_space

    space = search_space(_SEARCH.value or DEFAULT_SEARCH, config)
    bars = []

    def progress(num_epochs, num_done, unit):
        bars.append(SearchProgress(num_epochs, num_done, unit))
        return bars

    limits = (_TUNER.value, _NUM_TRIALS.value, _TRIAL_EPOCHS.value)
    search = Search(
        config, space, _DATA_DIR.value, _WORKDIR.value, *limits, setting_flags.say, progress
    )
    try:
        search.run()
    finally:
        bars[0].close()
        _write(search.trials(), search.data.summary.unit)


def _write(trials, unit):
    from neurovocal_tf.training.search import best_trials_table, write_figures, write_trials

    if not trials:
        return
    write_trials(os.path.join(_WORKDIR.value, "trials.csv"), trials)
    print(best_trials_table(trials, unit))
    best = trials[0]
    if best.error is not None:
        path = os.path.join(_WORKDIR.value, "best.flags")
        setting_flags.write_flags(path, best.config)
        print(f"settings of trial {best.number}: {path}")
        if _JSON.value:
            write_figures(_JSON.value, trials, unit)
