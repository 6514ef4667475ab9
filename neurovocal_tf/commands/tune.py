r"""Searches for the settings with the smallest held-out one-step error,
and writes them as a flag file.

    neurovocal tune --preset=songbird --data_dir=/data/finches \
        --workdir=/runs/search
    neurovocal train --flagfile=/runs/search/best.flags --data_dir=/data/finches \
        --workdir=/runs/finch

Prints the best trials, also after Ctrl-C; the same command goes on. The work folder gets best.flags
(every setting) and trials.csv, and what the search itself keeps. Settings that are not searched
hold as they are given.

Several machines share a search where each runs the same command with keras-tuner's environment
variables: KERASTUNER_ORACLE_IP and KERASTUNER_ORACLE_PORT, the chief's address, and
KERASTUNER_TUNER_ID, "chief" for the chief and a name of its own for each worker. The recordings and
the work folder must be under the same paths on all. The chief trains nothing; it alone writes
best.flags and trials.csv. A worker that dies costs the time of its trial, which another begins
anew. --distributed=N tries that out on one machine.
"""

import contextlib
import os
import subprocess
import sys
import time

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
_DISTRIBUTED = flags.DEFINE_integer(
    "distributed",
    0,
    "Workers to start on this machine beside the chief, which this process is then; what they say "
    "goes to tuner1.log and so on in the work folder. 0: one process does all.",
    lower_bound=0,
)
_LOST_AFTER_S = flags.DEFINE_float(
    "lost_after_s",
    60.0,
    "Of a chief: seconds without a sign of a worker's life after which another gets its trial.",
    lower_bound=10.0,
)
_WAIT_S = flags.DEFINE_float(
    "wait_s",
    600.0,
    "Seconds that a worker waits for the chief, and the chief for any worker, before it gives up.",
    lower_bound=1.0,
)
_JSON = setting_flags.define_path("json", None, "Where to write the best trial's figures.")
setting_flags.define()
setting_flags.define_preset()


# The chief listens before its workers start, so that one that does not answer is gone.
_WAIT_OF_LOCAL_WORKERS_S = 10.0


def main(argv: list[str]) -> int | None:
    from neurovocal_tf.ownership import owned
    from neurovocal_tf.segmentation import preset_choice
    from neurovocal_tf.training.search_space import DEFAULT_SEARCH, search_space

    role = _role()
    audio = setting_flags.config_from_flags().audio
    config = setting_flags.config_from_flags(
        setting_flags.chosen_preset(lambda: preset_choice.choose_for_folder(_DATA_DIR.value, audio))
    )
    space = search_space(_SEARCH.value or DEFAULT_SEARCH, config)

    import tensorflow as tf  # here, so that --help and mistakes need none of these

    from neurovocal_tf.training import trainer
    from neurovocal_tf.training.cores import share_out_cores

    # Each trial's model is traced anew, which TensorFlow takes for a mistake.
    tf.get_logger().setLevel("ERROR")
    share_out_cores(config)
    os.makedirs(_WORKDIR.value, exist_ok=True)
    # Workers of one search write the weights of their trials beside each other.
    is_worker = role is not None and not role.is_chief
    with owned(_WORKDIR.value, f"{trainer.RUN}_{role.name}" if is_worker else trainer.RUN):
        _search(config, space, role, argv[0])


def _role():
    """This process's part in a search of several, or None."""
    from neurovocal_tf.training.search_roles import VARIABLES, Role, role_in

    role = role_in(os.environ, _LOST_AFTER_S.value, _WAIT_S.value)
    if not _DISTRIBUTED.value:
        return role
    if role is not None:
        raise ValueError(
            f"`distributed` must be 0 where {', '.join(VARIABLES)} are set. "
            f"Received: distributed={_DISTRIBUTED.value}"
        )
    return Role("chief", "127.0.0.1", 0, _LOST_AFTER_S.value, _WAIT_S.value)


def _search(config, space, role, called):
    from neurovocal_tf.training.progress import SearchProgress
    from neurovocal_tf.training.search import Search

    bars = []

    def progress(num_epochs, num_done, unit):
        bars.append(SearchProgress(num_epochs, num_done, unit))
        return bars

    limits = (_TUNER.value, _NUM_TRIALS.value, _TRIAL_EPOCHS.value)
    search = Search(
        config, space, _DATA_DIR.value, _WORKDIR.value, *limits, setting_flags.say, progress, role
    )
    try:
        with _LocalWorkers(_DISTRIBUTED.value, called) as workers:
            search.run(workers.start, workers.check)
    finally:
        for bar in bars:
            bar.close()
        if not search.is_worker:
            _write(search.trials(), search.data.summary.unit)


class _LocalWorkers:
    """Workers of the search on this machine; they end with the block."""

    def __init__(self, num_workers: int, called: str) -> None:
        self._names = [f"tuner{number + 1}" for number in range(num_workers)]
        arguments = sys.argv[2 if called.startswith("neurovocal ") else 1 :]
        own = ["--distributed=0", f"--wait_s={_WAIT_OF_LOCAL_WORKERS_S}"]
        self._command = [sys.executable, "-m", "neurovocal_tf", "tune", *arguments, *own]
        self._processes = []

    def __enter__(self) -> "_LocalWorkers":
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is None:
            # They have been told that the search is over.
            with contextlib.suppress(subprocess.TimeoutExpired):
                for process in self._processes:
                    process.wait(_WAIT_OF_LOCAL_WORKERS_S)
        for process in self._processes:
            process.terminate()
        for process in self._processes:
            process.wait()

    def start(self, port: int) -> None:
        """Starts them, with the chief at this port."""
        for name in self._names:
            _await_end_of(name)
            environment = os.environ | {
                "KERASTUNER_TUNER_ID": name,
                "KERASTUNER_ORACLE_IP": "127.0.0.1",
                "KERASTUNER_ORACLE_PORT": str(port),
            }
            with open(self._log(name), "ab") as log:
                process = subprocess.Popen(
                    self._command,
                    env=environment,
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                )
            self._processes.append(process)
            setting_flags.say(f"{name} is process {process.pid}: {self._log(name)}")

    def check(self) -> None:
        """Raises ValueError if none of them is left."""
        if self._processes and all(process.poll() is not None for process in self._processes):
            raise ValueError(
                f"All workers have ended, and trials are left: {self._log(self._names[0])} says "
                "why. The same command goes on."
            )

    def _log(self, name):
        return os.path.join(_WORKDIR.value, f"{name}.log")


def _await_end_of(worker):
    """Returns once no worker of this name is left of a chief that was killed, or patience is at
    its end.
    """
    from neurovocal_tf.ownership import owned
    from neurovocal_tf.training import trainer

    deadline_s = time.monotonic() + 2 * _WAIT_OF_LOCAL_WORKERS_S
    while time.monotonic() < deadline_s:
        with contextlib.suppress(ValueError), owned(_WORKDIR.value, f"{trainer.RUN}_{worker}"):
            return
        time.sleep(0.5)


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
