"""How fast two checkouts are: the same work in a process of each, by turns, so that whatever else
the machine does disturbs both alike.
"""

import contextlib
import dataclasses
import functools
import pathlib
import tempfile
import time

import numpy as np

_WORKER = pathlib.Path(__file__).with_name("comparison_worker.py")
# Threads go on spinning for a while after their last operation,
# and would be timed with whatever comes next.
_PAUSE_S = 0.05
# The first call compiles, and a second may still fill caches.
_NUM_UNTIMED = 2
_PATIENCE_S = 10.0

_NUM_SONG_FRAMES = 64
_ROWS = (1, 32)
_ANSWERS = (*(f"generate_{rows}" for rows in _ROWS), "segment_audio", "score_audio")
_RECORDINGS = ("--num_recordings=8", "--duration_s=8")
_LONG_RECORDING = ("--num_recordings=1", "--duration_s=240")
# The default model; its weights are of no account.
_TRAINING = (
    "--flagfile=tools/flagfiles/songbird.flags",
    "--sequence=recording",
    "--epochs=1",
    "--cd_steps=1",
    "--num_song_checks=0",
)

_NUM_RESAMPLES = 10_000


@dataclasses.dataclass(frozen=True)
class Times:
    """Seconds that a piece of work took in each round: `before` and `after`, float [rounds] each,
    of the `work` of that name.
    """

    work: str
    before: np.ndarray
    after: np.ndarray

    @property
    def ratios(self):
        """How many times as fast it is after as before, one a round."""
        return self.before / self.after

    def figures(self):
        """Medians, and the 95 % interval of the ratio's, as a flat dict."""
        low, high = interval(self.ratios)
        medians = {
            "before_s": np.median(self.before),
            "after_s": np.median(self.after),
            "times_as_fast": np.median(self.ratios),
        }
        figures = medians | {"times_as_fast_low": low, "times_as_fast_high": high}
        return {name: float(value) for name, value in figures.items()} | {
            "rounds": len(self.ratios)
        }


def interval(ratios, seed=0):
    """95 % interval of the median of some ratios: bootstrap,
    by drawing as many rounds as there are, over and over.
    """
    rng = np.random.default_rng(seed)
    drawn = rng.integers(len(ratios), size=(_NUM_RESAMPLES, len(ratios)))
    low, high = np.percentile(np.median(np.asarray(ratios)[drawn], axis=1), (2.5, 97.5))
    return float(low), float(high)


def by_turns(runs, rounds):
    """Calls two functions by turns, every other round in the other order,
    after some calls of each that do not count.

    Args:
        runs: two functions that return seconds.    rounds: int.

    Returns:
        float [2, rounds].
    """
    times = np.empty((2, rounds))
    for number in range(-_NUM_UNTIMED, rounds):
        for i in (0, 1) if number % 2 == 0 else (1, 0):
            time.sleep(_PAUSE_S)
            seconds = runs[i]()
            if number >= 0:
                times[i, number] = seconds
    return times


def measure(checkouts, rounds, folder, say):
    """Yields the `Times` of every piece of work.

    Args:
        checkouts: two of `Checkout`, before and after.    rounds: int.    folder: for files.
        say: called with lines for the user.
    """
    folder = pathlib.Path(folder)
    recordings, long_recording = folder / "recordings", folder / "long_recording"
    for path, sizes in ((recordings, _RECORDINGS), (long_recording, _LONG_RECORDING)):
        checkouts[1].run("tools/simulate.py", f"--out={path}", *sizes)
    own = [folder / checkout.name for checkout in checkouts]
    for checkout, place in zip(checkouts, own, strict=True):
        say(f"{checkout.name}: training and exporting")
        workdir = f"--workdir={place / 'run'}"
        checkout.run("tools/train.py", *_TRAINING, f"--data_dir={recordings}", workdir)
        checkout.run("export/export_saved_model.py", workdir, f"--export_dir={place / 'models'}")
    one = recordings / "simulated_000.wav"
    kinds = {
        "train": (["train_epoch"], lambda place: (place / "run", recordings, place / "timed")),
        "answer": (_ANSWERS, lambda place: (place / "models" / "1", one, _NUM_SONG_FRAMES, *_ROWS)),
        "segment": (["segment_folder"], lambda place: (long_recording, place / "segments")),
    }
    for kind, (names, arguments) in kinds.items():
        with contextlib.ExitStack() as stack:
            workers = [
                stack.enter_context(worker(of, kind, *arguments(place)))
                for of, place in zip(checkouts, own, strict=True)
            ]
            for name in names:
                say(f"{name}: {rounds} rounds")
                yield Times(
                    name, *by_turns([functools.partial(ask, name) for ask in workers], rounds)
                )


@contextlib.contextmanager
def worker(checkout, *arguments):
    """A process of `comparison_worker`'s text, set up: a function that has it do some work, by
    name, and returns the seconds.
    """
    with tempfile.TemporaryFile("w+", errors="replace") as messages:
        process = checkout.start(messages, "-c", _WORKER.read_text(encoding="utf-8"), *arguments)

        def answer():
            line = process.stdout.readline()
            if not line:
                messages.seek(0)
                raise OSError(
                    f"{checkout.name}: the process for {arguments[0]} has ended; it said:\n"
                    f"{messages.read()[-2000:]}"
                )
            return float(line)

        def ask(name):
            process.stdin.write(f"{name}\n")
            return answer()

        try:
            answer()
            yield ask
        finally:
            process.stdin.close()
            with contextlib.suppress(Exception):
                process.wait(_PATIENCE_S)
            process.kill()
            process.wait()
            process.stdout.close()


def table(measured):
    """`Times` as lines of text."""
    lines = [f"{'':18}{'before':>12}{'after':>12}{'times as fast':>16}   95 % interval"]
    for times in measured:
        found = times.figures()
        medians = f"{found['before_s']:>10.4g} s{found['after_s']:>10.4g} s"
        span = f"{found['times_as_fast_low']:.3f} - {found['times_as_fast_high']:.3f}"
        lines.append(f"  {times.work:16}{medians}{found['times_as_fast']:>16.3f}   {span}")
    return "\n".join(lines) + "\n"
