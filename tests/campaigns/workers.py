"""Two workers train one model, are killed, are started with what does not fit, and read what is
theirs alone.

    python tests/campaigns/workers.py 2

kills each of them so many times, with kill -9, starts both again, and compares what they have
learned with what one process does. Prints how each trial ended, and exits with 1 on a defect.
"""

import collections
import contextlib
import json
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

import numpy as np

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "tests" / "support")]
_LARGEST_DIFFERENCE = 1e-5  # of the largest weight of an array
_PATIENCE_S = 900.0
NUM_READ = (200, 2000)
# Of 1.5 s each: more than the shuffle buffer holds in either case.
READING = f"""
import pathlib, resource, sys
sys.path[:0] = {sys.path[:2]!r}
import tiny_runs
from neurovocal_tf.audio.spectrogram import FrameScale
from neurovocal_tf.data import pipeline, shares
from neurovocal_tf.data.recordings import Recordings
from neurovocal_tf.data.sources import Source

config = tiny_runs.CONFIG.replace(num_shares=2, cache_mb=0)
paths = sorted(map(str, pathlib.Path(sys.argv[1]).glob("*.wav")))
data = Recordings(tuple(Source(p, "libsndfile") for p in paths), 16000, FrameScale(), config)
(one, _), *_ = data.some([0]).sequences().as_numpy_iterator()
lengths, counts = [len(one)] * len(paths), (len(paths) // 2,) * 2
dataset = pipeline.training_dataset(
    data, config, 0, lengths, num_sequences=counts, shuffle_windows=512, place=shares.Place(0, 2)
)
for _ in dataset.take(pipeline.num_batches(lengths, config, counts)):
    pass
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""


def free_ports(number):
    """Ports of this machine that nobody listens at."""
    with contextlib.ExitStack() as stack:
        opened = [
            stack.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in range(number)
        ]
        return [one.getsockname()[1] for one in opened]


@contextlib.contextmanager
def two_workers(base):
    """Two `forked_tools.Tool`s, each with the TF_CONFIG of its worker."""
    from forked_tools import running_tools

    with contextlib.ExitStack() as stack:
        addresses, tools = [f"127.0.0.1:{port}" for port in free_ports(2)], []
        for index in range(2):
            folder = base / f"worker_{index}"
            folder.mkdir()
            task = {"type": "worker", "index": index}
            config = {"cluster": {"worker": addresses}, "task": task}
            os.environ["TF_CONFIG"] = json.dumps(config)
            tools.append(stack.enter_context(running_tools(folder)))
        yield tools


def arrays_of(workdir):
    """Weights, optimiser and best weights of a run's checkpoint."""
    with np.load(workdir / "checkpoint.npz", allow_pickle=False) as arrays:
        return {key: arrays[key] for key in arrays if "/" in key}


def difference(workdir, other):
    """The largest relative difference of two runs' arrays, as a share of an array's largest
    number.
    """
    ours, theirs = arrays_of(workdir), arrays_of(other)
    assert ours.keys() == theirs.keys()
    return max(
        float(np.abs(ours[name] - theirs[name]).max() / max(np.abs(theirs[name]).max(), 1e-30))
        for name in ours
        if ours[name].dtype.kind == "f"
    )


def epoch_of(workdir):
    """Epochs that a run has kept."""
    history = workdir / "history.csv"
    return len(history.read_text().splitlines()) - 1 if history.exists() else 0


class Trials:
    """Runs of the two workers, and how they ended."""

    def __init__(self, tools, base, recordings):
        import tiny_runs

        self.tools, self.base = tools, base
        # Frames are kept by no worker, so that every epoch reads its recordings.
        changes = dict(num_shares=2, dropout=0.1, weight_average=0.5, cache_mb=0)
        self.flags = tiny_runs.flags_in(base, **changes)
        self.alike = (f"--data_dir={recordings}", "--strategy=workers")
        self.ends = collections.Counter()

    def command(self, workdir, *further):
        return ("tools/train.py", self.flags, *self.alike, f"--workdir={workdir}", *further)

    def both(self, workdir, *further, of_second=()):
        """[(exit code, standard error)] of both, which begin together."""
        self.tools[0].start(*self.command(workdir, *further))
        self.tools[1].start(*self.command(workdir, *further, *of_second))
        return [(code, err) for code, _, err in (tool.finish() for tool in self.tools)]

    def tell(self, what, is_right, found=""):
        end = what if is_right else f"DEFECT: {what}: {str(found)[-600:]}"
        print(f"        {end}", flush=True)
        self.ends[end] += 1

    def equals_one(self, workdir, one, what):
        apart = difference(workdir, one)
        self.tell(f"{what}: weights as of one process to 1e-5", apart < _LARGEST_DIFFERENCE, apart)
        print(f"        {what}: the largest relative difference is {apart:.2g}", flush=True)

    def kill(self, number, index, one):
        """Kills a worker in the middle of training, waits for the other, starts both again."""
        workdir, began = self.base / f"killed_{index}_{number}", time.monotonic()
        processes = [tool.start(*self.command(workdir)) for tool in self.tools]
        while epoch_of(workdir) < 1 + number % 2 and time.monotonic() < began + _PATIENCE_S:
            time.sleep(0.02)
        os.kill(processes[index], signal.SIGKILL)
        killed_at = time.monotonic()
        ends = [tool.finish() for tool in self.tools]
        kept, took_s = epoch_of(workdir), time.monotonic() - killed_at
        code, _, err = ends[1 - index]
        who = ("the chief", "the other worker")
        # A bar stands before it on the same line.
        told = "error: Another worker has gone" in err and "Traceback" not in err
        self.tell(
            f"{who[index]} killed: {who[1 - index]} ends in one line",
            code == 1 and told,
            (code, err),
        )
        print(f"        after {kept} epochs; {took_s:.0f} s until the other ended", flush=True)
        again = self.both(workdir)
        self.tell(f"{who[index]} killed: both go on", [c for c, _ in again] == [0, 0], again)
        is_gone_on = f"going on after epoch {kept}" in again[0][1]
        self.tell(f"{who[index]} killed: from the checkpoint", is_gone_on, again[0][1])
        self.equals_one(workdir, one, f"{who[index]} killed")

    def refused(self, what, word, ends):
        """Both of a run that must not begin say why, in one line with a word in it."""
        is_right = all(
            code == 1 and err.count("\n") == 1 and err.startswith("error: ") and word in err
            for code, err in ends
        )
        self.tell(f"{what}: refused in one line", is_right, ends)


def tally(num_kills, base):
    """Counter of how all trials ended, as words."""
    import tiny_runs

    recordings = tiny_runs.recordings_in(base, num_recordings=8)
    with two_workers(base) as tools:
        trials = Trials(tools, base, recordings)
        one = base / "one"
        code, _, err = tools[0](*trials.command(one, "--strategy=none"))
        trials.tell("one process trains", code == 0, err)
        together = base / "together"
        ends = trials.both(together)
        trials.tell("two workers train", [code for code, _ in ends] == [0, 0], ends)
        trials.equals_one(together, one, "two workers")
        names = {path.name for path in together.iterdir()}
        trials.tell(
            "two workers: the folder of one process",
            names == {path.name for path in one.iterdir()},
            names,
        )
        trials.tell("two workers: the second says nothing", ends[1][1] == "", ends[1][1])
        for number in range(num_kills):
            for index in range(2):
                trials.kill(number, index, one)

        folds = base / "folds"
        ends = trials.both(folds, "--folds=2", "--epochs=1")
        are_there = {path.name for path in folds.iterdir()} == {"fold_1_of_2", "fold_2_of_2"}
        trials.tell(
            "two folds, one after the other", are_there and not any(c for c, _ in ends), ends
        )
        workdir = base / "refused"
        further = "--wait_for_workers_s=4"
        tools[0].start(*trials.command(workdir, further))
        code, _, err = tools[0].finish()
        trials.refused("a worker that never comes", "did not come within 4 s", [(code, err)])
        ends = trials.both(workdir, of_second=("--threshold=2",))
        trials.refused("other settings", "--threshold: 2.0 for ", ends)
        fewer = base / "fewer"
        shutil.copytree(recordings, fewer)
        sorted(fewer.glob("*.wav"))[0].unlink()
        ends = trials.both(workdir, of_second=(f"--data_dir={fewer}",))
        trials.refused("other data", "the data: 7 files", ends)
        trials.tell("what is refused writes nothing", not workdir.exists(), "a folder is there")
    peaks = [peak_mb(base, number) for number in NUM_READ]
    print(f"        an epoch of {NUM_READ} recordings: peaks of {peaks} MB", flush=True)
    trials.tell("an epoch of more recordings takes no more memory", peaks[1] < peaks[0] + 50, peaks)
    return trials.ends


def peak_mb(base, number):
    """Memory at most of a process that reads one epoch of its half of so many recordings."""
    import tiny_runs

    (path,) = sorted(tiny_runs.recordings_in(base / "source", 1).glob("*.wav"))
    folder = base / f"read_{number}"
    folder.mkdir()
    for index in range(number):
        os.link(path, folder / f"{index}.wav")
    done = subprocess.run(
        [sys.executable, "-c", READING, folder], capture_output=True, text=True, check=True
    )
    return int(done.stdout) // 1024


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as scratch:
        found = tally(int(sys.argv[1]), pathlib.Path(scratch))
    for end, count in found.most_common():
        print(f"{count:6}  {end}")
    sys.exit(any("DEFECT" in end for end in found))
